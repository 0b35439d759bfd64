"""The API over HTTP: what it takes, what it shows, and whom it refuses."""

import json
import time
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from local.client import sign
from local.stack import Stack
from retorno.http import OPEN_ROUTES, RIGHTS
from retorno.telephony import twilio
from tests.support.api import Api, eventually

COMPANY = "+55 11 3000-1000"


def event(call_id: str, stage: str, ago: float, **facts: str | None) -> dict[str, Any]:
    moment = datetime.now(UTC) - timedelta(seconds=ago)
    said = {"event_id": f"{call_id}-{stage}", "call_id": call_id, "stage": stage, **facts}
    return {**said, "occurred_at": moment.isoformat()}


def inbound(call_id: str, stage: str, ago: float, number: str, **facts: str) -> dict[str, Any]:
    parties = {"direction": "inbound", "from": number, "to": COMPANY, "queue": "vendas"}
    return event(call_id, stage, ago, **parties, **facts)


def outbound(call_id: str, stage: str, ago: float, number: str, agent: str) -> dict[str, Any]:
    parties = {"direction": "outbound_manual", "from": COMPANY, "to": number, "agent": agent}
    return event(call_id, stage, ago, **parties)


@pytest.fixture(scope="module")
def won_back(api: Api) -> str:
    """A customer who was missed, was rung in vain, and then was won back after 390 s."""
    events = [
        inbound("in", "queued", 700, "(11) 8765-4321"),
        inbound("in", "cancelled", 660, "(11) 8765-4321"),
        outbound("vain", "ringing", 400, "11987654321", api.agent),
        outbound("vain", "no_answer", 380, "11987654321", api.agent),
        outbound("out", "ringing", 300, "+5511987654321", api.agent),
        outbound("out", "answered", 270, "+5511987654321", api.agent),
        outbound("out", "completed", 200, "+5511987654321", api.agent),
    ]
    answer = api.calls(events)
    assert (answer.status, answer.body["accepted"], answer.body["refused"]) == (200, 7, [])
    return "in"


def test_a_missed_customer_is_shown_as_won_back(api: Api, won_back: str) -> None:
    shown = eventually(
        lambda: api.get(f"/missed-calls/{won_back}").body,
        lambda body: body.get("state") == "recovered",
    )
    assert shown["number"] == "+5511987654321"
    assert (shown["recovered_by"], shown["recovered_by_agent"]) == ("out", api.agent)
    assert shown["recovery_seconds"] == pytest.approx(390, abs=2)
    assert (shown["attempts"], shown["first_attempt_seconds"]) == (1, pytest.approx(260, abs=2))
    assert [attempt["call_id"] for attempt in shown["attempt_calls"]] == ["vain"]


@pytest.mark.parametrize("written", ["11987654321", "+55 (11) 98765-4321", "1187654321"])
def test_calls_are_found_by_any_written_form(api: Api, won_back: str, written: str) -> None:
    found = eventually(
        lambda: api.get("/calls", number=written).body["items"], lambda items: len(items) == 3
    )
    assert [call["call_id"] for call in found] == ["out", "vain", "in"]


def test_an_operator_sees_their_own_last_calls(api: Api, won_back: str) -> None:
    found = eventually(
        lambda: api.get("/calls/recent", role="agent").body["items"], lambda items: len(items) == 2
    )
    assert [call["call_id"] for call in found] == ["out", "vain"]
    assert api.get("/calls/recent", role="admin").body["items"] == []


def test_each_event_is_judged_by_itself(api: Api) -> None:
    good = inbound("good", "queued", 10, "11912345678")
    answer = api.calls([{"event_id": "1"}, good, {**good, "stage": "levitating"}])
    assert (answer.status, answer.body["accepted"]) == (200, 1)
    assert [(each["index"], each["field"]) for each in answer.body["refused"]] == [
        (0, "call_id"),
        (2, "stage"),
    ]
    assert api.get("/calls/good").body["status"] == "queued"


def test_a_log_that_is_not_utf8_is_taken_as_bytes(api: Api) -> None:
    line = "1772452800|latin|201|José|RINGNOANSWER|0\n".encode("latin-1")
    path = "/webhooks/asterisk/queue-log"
    assert api.signed(path, line, "application/octet-stream").status == 200
    assert api.get("/calls/latin").body["agent"] == "José"


def test_a_person_dismisses_a_missed_call_with_a_reason(api: Api) -> None:
    api.calls(
        [inbound("d", stage, ago, "anonymous") for stage, ago in [("queued", 9), ("failed", 5)]]
    )
    eventually(lambda: api.get("/missed-calls/d").status, lambda status: status == 200)
    path = "/missed-calls/d/dismiss"
    assert api.post(path, {"reason": " "}).body["errors"][0]["field"] == "reason"
    dismissed = api.post(path, {"reason": "engano"}).body
    assert (dismissed["state"], dismissed["dismissed_by"]) == ("dismissed", "supervisor")
    shown = eventually(
        lambda: [each["call_id"] for each in api.missed(state="dismissed")], lambda ids: "d" in ids
    )
    assert "d" in shown


def test_a_twilio_callback_is_taken(api: Api, stack: Stack) -> None:

    body = (
        b"CallSid=CA1&CallStatus=ringing&Direction=inbound&From=%2B5511955554444&To=%2B551130001000"
    )
    url = f"{stack.api_url}/webhooks/twilio/voice"
    headers = {
        "Content-Type": "application/x-www-form-urlencoded",
        "X-Twilio-Signature": twilio.sign(stack.twilio_secret, url, body),
    }
    assert api.request("POST", "/webhooks/twilio/voice", headers, body).status == 200
    assert api.get("/calls/CA1").body["number"] == "+5511955554444"


class TestRefusals:
    def test_a_problem_document_names_the_field(self, api: Api) -> None:
        answer = api.get("/missed-calls", limit="0")
        assert (answer.status, answer.content_type) == (422, "application/problem+json")
        assert answer.body["errors"][0]["field"] == "limit"

    @pytest.mark.parametrize(
        ("path", "query"),
        [
            ("/calls", {}),
            ("/calls", {"number": "not a number"}),
            ("/missed-calls", {"state": "lost"}),
            ("/missed-calls", {"since": "yesterday"}),
            ("/missed-calls", {"cursor": "made-up"}),
            (f"/calls/{'x' * 401}", {}),
            ("/missed-calls/summary", {"since": "2026-01-02", "to": "2026-01-01"}),
            ("/calls", {"number": "11987654321", "since": "2026-01-02", "to": "2026-01-01"}),
        ],
    )
    def test_a_wrong_question_is_answered_so(
        self, api: Api, path: str, query: dict[str, str]
    ) -> None:
        assert api.get(path, **query).status == 422

    def test_an_unsigned_webhook_is_refused(self, api: Api) -> None:
        body = json.dumps({"events": []}).encode()
        assert api.request("POST", "/webhooks/calls", {}, body).status == 401

    def test_a_stale_signature_is_refused(self, api: Api, stack: Stack) -> None:
        timestamp = int(time.time()) - 400
        headers = {
            "X-Retorno-Timestamp": str(timestamp),
            "X-Retorno-Signature": sign(stack.webhook_secret, timestamp, b"{}"),
        }
        assert api.request("POST", "/webhooks/calls", headers, b"{}").status == 401

    @pytest.mark.parametrize("route", sorted(RIGHTS))
    def test_no_token_no_answer(self, api: Api, route: str) -> None:
        method, path = route.split()
        headers = {"Content-Type": "application/json"}
        assert api.request(method, path.replace("{call_id}", "x"), headers, b"{}").status == 401

    def test_an_operator_dismisses_nothing(self, api: Api) -> None:
        assert api.post("/missed-calls/x/dismiss", {"reason": "x"}, role="agent").status == 403

    def test_what_is_not_there_is_not_found(self, api: Api) -> None:
        assert api.get("/calls/nothing").status == 404
        assert api.get("/missed-calls/nothing").status == 404


def test_the_description_tells_of_every_route(api: Api) -> None:
    described = api.get("/openapi.json", role=None).body
    routes = {
        f"{method.upper()} {path}"
        for path, operations in described["paths"].items()
        for method in operations
    }
    assert routes == (set(RIGHTS) | OPEN_ROUTES) - {"GET /openapi.json"}


def test_health_asks_for_no_token(api: Api) -> None:
    assert api.get("/health", role=None).body == {"status": "ok"}
