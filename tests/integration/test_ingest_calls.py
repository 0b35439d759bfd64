"""From a provider's webhook to a call that can be read: nothing is lost on the way."""

import json
from datetime import datetime, timedelta
from typing import Any

import boto3
import pytest

from retorno.calls.service import CallIngestion
from retorno.calls.store import CallStore, DeferredCalls
from retorno.kept_payloads import KeptPayloads
from retorno.phone import NumberPlan
from retorno.telephony.ports import WebhookRequest
from retorno.telephony.providers import CANONICAL as CANONICAL_PROVIDER
from tests.support.clock import StoppedClock
from tests.support.deployment import WEBHOOK_SECRET, ZENVIA_SECRET, Deployment
from tests.support.events import http, sqs, user
from tests.support.webhooks import (
    ASTERISK,
    CANONICAL,
    TWILIO,
    ZENVIA,
    ZENVIA_DID,
    canonical,
    queue_log,
    signed,
    twilio,
    zenvia,
)
from tests.support.zenvia import leg, received, two_legs

CUSTOMER = "+5511987654321"


def event(call_id: str, stage: str, at: datetime, **changes: Any) -> dict[str, Any]:
    return {
        "event_id": f"{call_id}-{stage}",
        "call_id": call_id,
        "stage": stage,
        "occurred_at": at.isoformat(),
        "direction": "inbound",
        "from": CUSTOMER,
    } | changes


def line(at: datetime, name: str, *data: object, call: str = "c1", agent: str = "NONE") -> str:
    fields = (int(at.timestamp()), call, "vendas", agent, name, *data)
    return "|".join(str(field) for field in fields)


def call_of(deployment: Deployment, call_id: str) -> dict[str, Any]:
    """The call as the API shows it."""
    request = http("GET /calls/{call_id}", path=f"/calls/{call_id}", claims=user("[agent]"))
    shown = deployment.ask("ReadCalls", request)
    assert shown.status == 200
    call: dict[str, Any] = shown.body
    return call


def is_known(deployment: Deployment, call_id: str) -> bool:
    request = http("GET /calls/{call_id}", path=f"/calls/{call_id}", claims=user("[agent]"))
    return deployment.ask("ReadCalls", request).status == 200


class TestCanonical:
    def test_a_missed_call(self, deployment: Deployment, clock: StoppedClock) -> None:
        entered = clock.now - timedelta(seconds=42)
        taken = deployment.ask(
            "IngestCalls",
            canonical(
                clock.now,
                event("c1", "queued", entered, queue="vendas"),
                event("c1", "cancelled", clock.now, reason="hung up"),
            ),
        )
        assert (taken.status, taken.content_type) == (200, "application/json")
        assert taken.body == {"accepted": 2, "refused": [], "deferred": 0}
        call = call_of(deployment, "c1")
        assert (call["status"], call["missed"], call["number"]) == ("cancelled", True, CUSTOMER)
        assert (call["queue"], call["end_reason"], call["wait_seconds"]) == (
            "vendas",
            "hung up",
            42,
        )
        assert deployment.kept() == {}
        assert deployment.deferred() == []

    def test_events_may_come_one_by_one_in_any_order_and_again(
        self, deployment: Deployment, clock: StoppedClock
    ) -> None:
        begin = clock.now - timedelta(minutes=2)
        events = [
            event("c1", "completed", begin + timedelta(seconds=70)),
            event("c1", "queued", begin),
            event("c1", "answered", begin + timedelta(seconds=10), agent="ana"),
            event("c1", "ringing", begin + timedelta(seconds=4), agent="ana"),
        ]
        for told in [*events, *events]:
            assert deployment.ask("IngestCalls", canonical(clock.now, told)).status == 200
        call = call_of(deployment, "c1")
        assert (call["status"], call["agent"], call["missed"]) == ("completed", "ana", False)
        assert (call["wait_seconds"], call["ring_seconds"], call["talk_seconds"]) == (10, 6, 60)

    def test_each_event_is_judged_by_itself_and_the_refused_are_kept(
        self, deployment: Deployment, clock: StoppedClock
    ) -> None:
        lost = event("c2", "lost", clock.now)
        taken = deployment.ask(
            "IngestCalls",
            canonical(clock.now, event("c1", "queued", clock.now), lost, "nonsense"),
        )
        assert taken.status == 200
        assert taken.body["accepted"] == 1
        assert [(each["index"], each["field"]) for each in taken.body["refused"]] == [
            (1, "stage"),
            (2, "event"),
        ]
        assert all(each["reason"] for each in taken.body["refused"])
        assert call_of(deployment, "c1")["status"] == "queued"
        ((key, payload),) = deployment.kept().items()
        assert key.startswith("canonical/2026-03-02/")
        assert json.loads(payload) == {"events": [lost, "nonsense"]}

    def test_no_events_are_taken_too(self, deployment: Deployment, clock: StoppedClock) -> None:
        taken = deployment.ask("IngestCalls", canonical(clock.now))
        assert (taken.status, taken.body) == (200, {"accepted": 0, "refused": [], "deferred": 0})

    @pytest.mark.parametrize("body", [b"{", b"\xff\xfe", b'{"event": []}', b""])
    def test_a_payload_that_cannot_be_read_is_kept_as_it_came(
        self, deployment: Deployment, clock: StoppedClock, body: bytes
    ) -> None:
        request = signed(CANONICAL, body, clock.now, in_base64=True)
        for _ in range(2):
            refused = deployment.ask("IngestCalls", request)
            assert (refused.status, refused.content_type) == (422, "application/problem+json")
        ((key, payload),) = deployment.kept().items()
        assert key.startswith("canonical/2026-03-02/")
        assert payload == body

    def test_too_many_events_are_kept_too(
        self, deployment: Deployment, clock: StoppedClock
    ) -> None:
        request = canonical(clock.now, *[event("c1", "queued", clock.now)] * 501)
        refused = deployment.ask("IngestCalls", request)
        assert (refused.status, refused.content_type) == (413, "application/problem+json")
        assert refused.body["errors"] == [{"field": "events", "reason": "at most 500 at a time"}]
        assert len(deployment.kept()) == 1
        assert not is_known(deployment, "c1")


class TestAsterisk:
    def test_an_answered_call(self, deployment: Deployment, clock: StoppedClock) -> None:
        entered = clock.now - timedelta(seconds=160)
        taken = deployment.ask(
            "IngestCalls",
            queue_log(
                clock.now,
                line(entered, "ENTERQUEUE", "", "11987654321", 1),
                line(entered + timedelta(seconds=40), "CONNECT", 40, "1.2", 10, agent="João"),
                "",
                line(entered, "CONFIGRELOAD", call="NONE"),
                "hello",
                line(clock.now, "COMPLETECALLER", 40, 120, 1, agent="João"),
            ),
        )
        assert (taken.status, taken.content_type) == (200, "application/json")
        assert taken.body == {
            "taken": 3,
            "ignored": 2,
            "unreadable": [{"line": 5, "reason": "ends before its event"}],
            "deferred": 0,
        }
        call = call_of(deployment, "c1")
        assert (call["status"], call["agent"], call["talk_seconds"]) == ("completed", "João", 120)
        ((key, payload),) = deployment.kept().items()
        assert key.startswith("asterisk/2026-03-02/")
        assert payload == b"hello\n"

    def test_a_call_in_several_posts(self, deployment: Deployment, clock: StoppedClock) -> None:
        entered = clock.now - timedelta(seconds=30)
        for told in (
            line(clock.now, "ABANDON", 1, 1, 30),
            line(entered, "ENTERQUEUE", "", "11987654321", 1),
        ):
            assert deployment.ask("IngestCalls", queue_log(clock.now, told)).status == 200
        call = call_of(deployment, "c1")
        assert (call["status"], call["missed"], call["number"]) == ("cancelled", True, CUSTOMER)
        assert call["wait_seconds"] == 30


class TestTwilio:
    def test_a_call_that_an_operator_answered(
        self, deployment: Deployment, clock: StoppedClock
    ) -> None:
        caller = {"CallSid": "CA1", "Direction": "inbound", "From": CUSTOMER, "To": "+551133334444"}
        leg = {"CallSid": "CA2", "ParentCallSid": "CA1", "From": CUSTOMER, "To": "client:ana"}
        for form in (
            caller | {"CallStatus": "in-progress", "Timestamp": "Mon, 02 Mar 2026 11:00:00 +0000"},
            leg | {"CallStatus": "in-progress", "Timestamp": "Mon, 02 Mar 2026 11:00:20 +0000"},
            leg | {"CallStatus": "completed", "Timestamp": "Mon, 02 Mar 2026 11:01:20 +0000"},
            caller | {"CallStatus": "completed", "Timestamp": "Mon, 02 Mar 2026 11:01:21 +0000"},
        ):
            taken = deployment.ask("IngestCalls", twilio(form))
            assert (taken.status, taken.body) == (200, {"accepted": 1, "deferred": 0})
        call = call_of(deployment, "CA1")
        assert (call["status"], call["agent"], call["missed"]) == ("completed", "ana", False)
        assert (call["number"], call["wait_seconds"]) == (CUSTOMER, 20)
        assert not is_known(deployment, "CA2")

    def test_the_address_says_whose_leg_a_detection_is_about(
        self, deployment: Deployment, clock: StoppedClock
    ) -> None:
        client = {"CallSid": "CA1", "Direction": "inbound", "From": "client:ana", "To": ""}
        leg = {"CallSid": "CA2", "ParentCallSid": "CA1", "From": "client:ana", "To": CUSTOMER}
        detected = {"CallSid": "CA2", "AccountSid": "AC1", "AnsweredBy": "machine_start"}
        for request in (
            twilio(detected, query={"ParentCallSid": "CA1"}),
            twilio(client | {"CallStatus": "in-progress"}),
            twilio(leg | {"CallStatus": "in-progress"}),
        ):
            assert deployment.ask("IngestCalls", request).status == 200
        call = call_of(deployment, "CA1")
        assert (call["answered_by"], call["agent"], call["number"]) == (
            "voicemail",
            "ana",
            CUSTOMER,
        )
        assert not is_known(deployment, "CA2")

    def test_the_address_is_signed_with_the_form(self, deployment: Deployment) -> None:
        request = twilio({"CallSid": "CA2", "AnsweredBy": "human"}, query={"ParentCallSid": "CA1"})
        request["rawQueryString"] = "ParentCallSid=CA9"
        assert deployment.ask("IngestCalls", request).status == 401
        assert not is_known(deployment, "CA9")

    def test_what_the_address_says_is_kept_with_a_value_that_nobody_knows(
        self, deployment: Deployment
    ) -> None:
        form = {"CallSid": "CA2", "AnsweredBy": "parrot"}
        deployment.ask("IngestCalls", twilio(form, query={"ParentCallSid": "CA1"}))
        assert list(deployment.kept().values()) == [
            b"ParentCallSid=CA1&CallSid=CA2&AnsweredBy=parrot"
        ]

    def test_a_form_that_cannot_be_read_is_kept(self, deployment: Deployment) -> None:
        refused = deployment.ask("IngestCalls", twilio({"CallStatus": "ringing"}))
        assert (refused.status, refused.content_type) == (422, "application/problem+json")
        assert refused.body["errors"][0]["field"] == "CallSid"
        ((key, payload),) = deployment.kept().items()
        assert key.startswith("twilio/2026-03-02/")
        assert payload == b"CallStatus=ringing"

    def test_a_value_that_nobody_knows_is_counted_and_kept(
        self,
        deployment: Deployment,
        capsys: pytest.CaptureFixture[str],
    ) -> None:
        form = {"CallSid": "CA1", "Direction": "inbound", "CallStatus": "levitating"}
        for _ in range(2):
            assert deployment.ask("IngestCalls", twilio(form)).status == 200
        assert call_of(deployment, "CA1")["direction"] == "inbound"
        assert '"UnknownValues":[1.0]' in capsys.readouterr().out
        ((key, payload),) = deployment.kept().items()
        assert (key.split("/")[0], b"levitating" in payload) == ("twilio", True)
        # Until the value is known, reading it again changes nothing.
        replayed = deployment.call("ReplayPayloads", {"provider": "twilio"})
        assert replayed == {"read": 0, "still_unreadable": 1}
        assert deployment.kept() == {key: payload}


class TestZenvia:
    def test_a_customer_whom_nobody_answered(
        self, deployment: Deployment, clock: StoppedClock
    ) -> None:
        began = clock.now - timedelta(minutes=2)
        origin = leg(CUSTOMER, "movel", "atendida", at=began, total=40)
        target = leg("+551133334444", "fixo", "sem resposta", at=began, total=40)
        ended = two_legs(51, began, origin, target)
        taken = deployment.ask("IngestCalls", zenvia(ended, route=ZENVIA_DID))
        assert (taken.status, taken.content_type) == (200, "application/json")
        assert taken.body == {"accepted": 1, "ignored": 0, "deferred": 0}
        call = call_of(deployment, "zenvia-51")
        assert (call["direction"], call["missed"], call["number"]) == ("inbound", True, CUSTOMER)
        assert (call["provider"], call["end_reason"]) == ("zenvia", "sem resposta")

    def test_a_customer_whom_an_operator_rang(
        self, deployment: Deployment, clock: StoppedClock
    ) -> None:
        began = clock.now - timedelta(minutes=2)
        target = leg(CUSTOMER, "movel", "atendida", at=began, total=60, talk=50)
        ended = two_legs(51, began, leg("4000", "ramal"), target)
        assert deployment.ask("IngestCalls", zenvia(ended)).status == 200
        call = call_of(deployment, "zenvia-51")
        assert (call["agent"], call["talk_seconds"], call["number"]) == ("4000", 50, CUSTOMER)

    def test_a_message_in_a_voicemail_is_ignored(self, deployment: Deployment) -> None:
        message = {
            "id": 1,
            "numero_telefone": CUSTOMER,
            "data_mensagem": "2026-03-02T09:00:00-03:00",
        }
        taken = deployment.ask("IngestCalls", zenvia(message))
        assert (taken.status, taken.body) == (200, {"accepted": 0, "ignored": 1, "deferred": 0})

    @pytest.mark.parametrize("route", [ZENVIA, ZENVIA_DID])
    def test_another_secret_is_refused(self, deployment: Deployment, route: str) -> None:
        for secret in ("wrong", WEBHOOK_SECRET, ZENVIA_SECRET + "x", ZENVIA_SECRET[:-1]):
            refused = deployment.ask("IngestCalls", zenvia(b"{", route=route, secret=secret))
            assert (refused.status, refused.content_type) == (401, "application/problem+json")
        assert deployment.kept() == {}

    @pytest.mark.parametrize("lost", [False, True])
    def test_the_secret_is_in_no_answer_and_no_log(
        self, deployment: Deployment, lost: bool, caplog: pytest.LogCaptureFixture
    ) -> None:
        if lost:
            deployment.lose_bucket()
        refused = deployment.ask("IngestCalls", zenvia(b'{"origem": {}, "destino": {}}'))
        assert refused.status == (503 if lost else 422)
        assert ("the bucket does not answer" in caplog.text) == lost
        assert ZENVIA_SECRET not in json.dumps(refused.body) + caplog.text

    def test_both_secrets_hold_while_they_rotate(self, deployment: Deployment) -> None:
        deployment.rotate("ZenviaSecret", current="new", previous=ZENVIA_SECRET)
        for secret, field in (("new", "body"), (ZENVIA_SECRET, "body")):
            refused = deployment.ask("IngestCalls", zenvia(b"{", secret=secret))
            assert refused.body["errors"][0]["field"] == field
        deployment.rotate("ZenviaSecret", current="new")
        assert deployment.ask("IngestCalls", zenvia(b"{")).status == 401

    @pytest.mark.parametrize(
        ("route", "provider", "direction"),
        [(ZENVIA, "zenvia", "outbound_auto"), (ZENVIA_DID, "zenvia-did", "inbound")],
    )
    def test_what_could_not_be_read_is_read_again_as_what_it_came_as(
        self,
        deployment: Deployment,
        clock: StoppedClock,
        route: str,
        provider: str,
        direction: str,
    ) -> None:
        """The sender's clock was three days ahead."""
        early = clock.now + timedelta(days=3)
        legs = leg("+551133334444", "fixo"), leg(CUSTOMER, "movel", "ocupado", total=9)
        payload = two_legs(51, early, *legs)
        assert deployment.ask("IngestCalls", zenvia(payload, route=route)).status == 422
        assert [key.split("/")[0] for key in deployment.kept()] == [provider]
        clock.advance(days=3)
        replayed = deployment.call("ReplayPayloads", {"provider": provider})
        assert replayed == {"read": 1, "still_unreadable": 0}
        assert call_of(deployment, "zenvia-51")["direction"] == direction

    def test_a_status_that_nobody_knows_is_counted_and_kept(
        self, deployment: Deployment, clock: StoppedClock, capsys: pytest.CaptureFixture[str]
    ) -> None:
        payload = received(51, clock.now, "estacionada", 9, 0)
        assert deployment.ask("IngestCalls", zenvia(payload)).status == 200
        assert '"UnknownValues":[1.0]' in capsys.readouterr().out
        assert [json.loads(kept) for kept in deployment.kept().values()] == [payload]
        assert call_of(deployment, "zenvia-51")["status"] == "ringing"


class TestSignature:
    @pytest.mark.parametrize("route", [CANONICAL, ASTERISK, TWILIO])
    def test_a_payload_without_one_is_refused_and_not_kept(
        self, deployment: Deployment, route: str
    ) -> None:
        refused = deployment.ask("IngestCalls", http(route, body=b"CallSid=CA1"))
        assert (refused.status, refused.content_type) == (401, "application/problem+json")
        assert deployment.kept() == {}

    @pytest.mark.parametrize("route", [CANONICAL, ASTERISK])
    def test_a_wrong_or_stale_one_is_refused_and_nothing_is_kept(
        self, deployment: Deployment, clock: StoppedClock, route: str
    ) -> None:
        body = json.dumps({"events": [event("c1", "queued", clock.now), "nonsense"]}).encode()
        for request in (
            signed(route, body, clock.now, secret="another"),
            signed(route, body, clock.now - timedelta(minutes=6)),
            signed(route, body, clock.now + timedelta(minutes=6)),
            signed(route, body, clock.now) | {"body": body.decode() + " "},
        ):
            assert deployment.ask("IngestCalls", request).status == 401
        assert deployment.kept() == {}
        assert not is_known(deployment, "c1")

    def test_twilios_own_is_of_its_token(self, deployment: Deployment) -> None:
        form = {"CallSid": "CA1", "CallStatus": "ringing"}
        assert deployment.ask("IngestCalls", twilio(form, token=WEBHOOK_SECRET)).status == 401
        assert not is_known(deployment, "CA1")

    def test_both_secrets_hold_while_they_rotate(
        self, deployment: Deployment, clock: StoppedClock
    ) -> None:
        def status(secret: str) -> int:
            request = canonical(clock.now, secret=secret)
            return deployment.ask("IngestCalls", request).status

        assert (status(WEBHOOK_SECRET), status("new")) == (200, 401)
        deployment.rotate("WebhookSecret", current="new", previous=WEBHOOK_SECRET)
        assert (status(WEBHOOK_SECRET), status("new")) == (200, 200)
        deployment.rotate("WebhookSecret", current="new")
        assert (status(WEBHOOK_SECRET), status("new")) == (401, 200)

    def test_without_secrets_there_is_no_service(
        self, deployment: Deployment, clock: StoppedClock
    ) -> None:
        deployment.lose_secret("WebhookSecret")
        refused = deployment.ask("IngestCalls", canonical(clock.now))
        assert (refused.status, refused.content_type) == (503, "application/problem+json")

    @pytest.mark.parametrize("kept", ["not JSON", "12345678", "null"])
    def test_a_secret_in_another_form_is_no_secret(self, deployment: Deployment, kept: str) -> None:
        boto3.client("secretsmanager").put_secret_value(SecretId="twilio", SecretString=kept)
        refused = deployment.ask("IngestCalls", twilio({"CallSid": "CA1"}))
        assert (refused.status, refused.content_type) == (503, "application/problem+json")


def store_deferred(deployment: Deployment, *messages: str) -> list[str]:
    """The ids of the messages that could not be stored."""
    answer = deployment.call("StoreDeferredCalls", sqs(*messages))
    return [failure["itemIdentifier"] for failure in answer["batchItemFailures"]]


class TestTrouble:
    def test_what_the_table_does_not_take_is_stored_later(
        self, deployment: Deployment, clock: StoppedClock
    ) -> None:
        deployment.lose_table()
        taken = deployment.ask(
            "IngestCalls",
            canonical(
                clock.now,
                event("c1", "queued", clock.now - timedelta(seconds=9)),
                event("c1", "cancelled", clock.now),
                event("c2", "queued", clock.now),
            ),
        )
        assert (taken.status, taken.content_type) == (202, "application/json")
        assert taken.body == {"accepted": 3, "refused": [], "deferred": 2}
        messages = deployment.deferred()

        deployment.restore_table()
        assert store_deferred(deployment, *messages, *messages) == []
        call = call_of(deployment, "c1")
        assert (call["status"], call["missed"], call["wait_seconds"]) == ("cancelled", True, 9)
        assert call_of(deployment, "c2")["status"] == "queued"

    @pytest.mark.parametrize(
        ("request_of", "body"),
        [
            (
                lambda now: queue_log(now, line(now, "ENTERQUEUE", "", "11987654321", 1)),
                {"taken": 1, "ignored": 0, "unreadable": [], "deferred": 1},
            ),
            (
                lambda now: twilio({"CallSid": "c1", "CallStatus": "ringing"}),
                {"accepted": 1, "deferred": 1},
            ),
        ],
        ids=["asterisk", "twilio"],
    )
    def test_every_provider_is_told_that_it_is_safe(
        self, deployment: Deployment, clock: StoppedClock, request_of: Any, body: dict[str, Any]
    ) -> None:
        deployment.lose_table()
        taken = deployment.ask("IngestCalls", request_of(clock.now))
        assert (taken.status, taken.body) == (202, body)
        deployment.restore_table()
        store_deferred(deployment, *deployment.deferred())
        assert is_known(deployment, "c1")

    def test_a_late_message_takes_nothing_back(
        self, deployment: Deployment, clock: StoppedClock
    ) -> None:
        begin = clock.now - timedelta(minutes=1)
        deployment.lose_table()
        deployment.ask("IngestCalls", canonical(clock.now, event("c1", "queued", begin)))
        deployment.restore_table()
        deployment.ask("IngestCalls", canonical(clock.now, event("c1", "cancelled", clock.now)))
        store_deferred(deployment, *deployment.deferred())
        call = call_of(deployment, "c1")
        assert (call["status"], call["wait_seconds"]) == ("cancelled", 60)

    def test_hundreds_of_calls_are_deferred_whole(
        self, deployment: Deployment, clock: StoppedClock
    ) -> None:
        deployment.lose_table()
        call_ids = {f"{index:03}-{'c' * 100}" for index in range(500)}
        events = [
            event(call_id, "queued", clock.now, queue="q" * 128, agent="a" * 128, branch="b" * 128)
            for call_id in call_ids
        ]
        taken = deployment.ask("IngestCalls", canonical(clock.now, *events))
        assert (taken.status, taken.body["deferred"]) == (202, 500)
        messages = deployment.deferred()
        assert all(len(message.encode()) <= 256 * 1024 for message in messages)
        assert {call_id for message in messages for call_id in json.loads(message)} == call_ids

    def test_a_message_that_cannot_be_stored_does_not_hold_up_the_others(
        self, deployment: Deployment, clock: StoppedClock
    ) -> None:
        deployment.lose_table()
        for call_id in ("c1", "c2"):
            deployment.ask("IngestCalls", canonical(clock.now, event(call_id, "queued", clock.now)))
        deployment.restore_table()
        one, other = deployment.deferred()
        assert store_deferred(deployment, one, "poison", '{"c3": {"no_such_fact": ""}}', other) == [
            "1",
            "2",
        ]
        assert is_known(deployment, "c1")
        assert is_known(deployment, "c2")

    def test_a_message_waits_while_the_table_is_away(
        self, deployment: Deployment, clock: StoppedClock
    ) -> None:
        deployment.lose_table()
        deployment.ask("IngestCalls", canonical(clock.now, event("c1", "queued", clock.now)))
        (message,) = deployment.deferred()
        with pytest.raises(Exception, match="All records failed processing"):
            store_deferred(deployment, message)

    def test_the_provider_must_try_again_when_nothing_takes_the_calls(
        self, deployment: Deployment, clock: StoppedClock
    ) -> None:
        deployment.lose_table()
        deployment.lose_queue()
        request = canonical(clock.now, event("c1", "queued", clock.now))
        refused = deployment.ask("IngestCalls", request)
        assert (refused.status, refused.content_type) == (503, "application/problem+json")
        deployment.restore_table()
        assert deployment.ask("IngestCalls", request).status == 200
        assert is_known(deployment, "c1")

    def test_the_provider_must_try_again_when_a_refused_payload_cannot_be_kept(
        self, deployment: Deployment, clock: StoppedClock
    ) -> None:
        deployment.lose_bucket()
        refused = deployment.ask("IngestCalls", signed(CANONICAL, b"{", clock.now))
        assert refused.status == 503

    def test_good_events_are_written_though_the_refused_cannot_be_kept(
        self, deployment: Deployment, clock: StoppedClock
    ) -> None:
        deployment.lose_bucket()
        request = canonical(clock.now, event("c1", "queued", clock.now), "nonsense")
        assert deployment.ask("IngestCalls", request).status == 503
        assert is_known(deployment, "c1")

    def test_a_slow_table_does_not_keep_the_provider_waiting(
        self, deployment: Deployment, clock: StoppedClock
    ) -> None:
        times = iter([0.0, 1.0, 5.0, 9.0])
        ingestion = CallIngestion(
            CallStore("calls"),
            DeferredCalls(deployment.queue_url),
            KeptPayloads("kept-payloads"),
            NumberPlan(),
            clock,
            stopwatch=lambda: next(times),
        )
        sent = canonical(
            clock.now, *(event(f"c{index}", "queued", clock.now) for index in range(5))
        )
        headers = {name.lower(): text for name, text in sent["headers"].items()}
        request = WebhookRequest("", headers, sent["body"].encode())
        receipt = ingestion.take(CANONICAL_PROVIDER, request, [WEBHOOK_SECRET])
        assert receipt.deferred == 3
        assert [is_known(deployment, f"c{index}") for index in range(5)] == [True] * 2 + [False] * 3
        store_deferred(deployment, *deployment.deferred())
        assert all(is_known(deployment, f"c{index}") for index in range(5))


class TestReplay:
    def replay(self, deployment: Deployment, provider: str) -> dict[str, int]:
        counts: dict[str, int] = deployment.call("ReplayPayloads", {"provider": provider})
        return counts

    def test_what_can_be_read_now_is_read_and_dropped(
        self, deployment: Deployment, clock: StoppedClock
    ) -> None:
        # The sender's clock was three days ahead.
        early = event("c1", "queued", clock.now + timedelta(days=3))
        deployment.ask("IngestCalls", canonical(clock.now, early))
        assert self.replay(deployment, "canonical") == {"read": 0, "still_unreadable": 1}
        assert not is_known(deployment, "c1")

        clock.advance(days=3)
        assert self.replay(deployment, "canonical") == {"read": 1, "still_unreadable": 0}
        assert call_of(deployment, "c1")["number"] == CUSTOMER
        assert deployment.kept() == {}

    def test_what_cannot_be_read_stays(self, deployment: Deployment, clock: StoppedClock) -> None:
        for body in (b"{", b"\xff"):
            deployment.ask("IngestCalls", signed(CANONICAL, body, clock.now, in_base64=True))
        kept = deployment.kept()
        assert self.replay(deployment, "canonical") == {"read": 0, "still_unreadable": 2}
        assert deployment.kept() == kept

    def test_of_a_payload_read_in_part_the_rest_is_kept(
        self, deployment: Deployment, clock: StoppedClock
    ) -> None:
        early = event("c1", "queued", clock.now + timedelta(days=3))
        deployment.ask("IngestCalls", canonical(clock.now, early, "nonsense"))
        clock.advance(days=3)
        assert self.replay(deployment, "canonical") == {"read": 1, "still_unreadable": 0}
        assert is_known(deployment, "c1")
        (payload,) = deployment.kept().values()
        assert json.loads(payload) == {"events": ["nonsense"]}

    @pytest.mark.parametrize(
        ("provider", "payload", "call_id"),
        [
            ("asterisk", b"1772452800|c1|vendas|NONE|ENTERQUEUE||11987654321|1\n", "c1"),
            ("twilio", b"CallSid=CA1&CallStatus=ringing&Direction=inbound", "CA1"),
        ],
    )
    def test_every_provider_has_its_own(
        self, deployment: Deployment, provider: str, payload: bytes, call_id: str
    ) -> None:
        deployment.keep(f"{provider}/2026-03-01/digest", payload)
        deployment.keep("canonical/2026-03-01/digest", b"{")
        assert self.replay(deployment, provider) == {"read": 1, "still_unreadable": 0}
        assert is_known(deployment, call_id)
        assert list(deployment.kept()) == ["canonical/2026-03-01/digest"]

    def test_nothing_kept_is_nothing_to_do(self, deployment: Deployment) -> None:
        assert self.replay(deployment, "canonical") == {"read": 0, "still_unreadable": 0}

    def test_a_payload_stays_while_the_table_is_away(
        self, deployment: Deployment, clock: StoppedClock
    ) -> None:
        deployment.keep("asterisk/2026-03-01/d", line(clock.now, "ABANDON", 1, 1, 5).encode())
        deployment.lose_table()
        with pytest.raises(Exception, match="the table does not answer"):
            self.replay(deployment, "asterisk")
        assert list(deployment.kept()) == ["asterisk/2026-03-01/d"]


class TestSweep:
    def sweep(self, deployment: Deployment) -> None:
        deployment.publish()
        deployment.call("SweepCalls", {})

    def test_closes_a_call_four_hours_after_it_began(
        self, deployment: Deployment, clock: StoppedClock
    ) -> None:
        began = clock.now
        deployment.ask("IngestCalls", canonical(clock.now, event("c1", "queued", began)))
        clock.advance(hours=4)
        self.sweep(deployment)
        assert call_of(deployment, "c1")["status"] == "queued"
        clock.advance(minutes=30)
        self.sweep(deployment)
        call = call_of(deployment, "c1")
        assert (call["status"], call["end_reason"], call["missed"]) == (
            "failed",
            "no_end_event",
            True,
        )
        # By the call's own times, whenever the sweeper came.
        assert datetime.fromisoformat(call["ended_at"]) == began + timedelta(hours=4)

    def test_an_end_that_comes_late_counts_for_more(
        self, deployment: Deployment, clock: StoppedClock
    ) -> None:
        began = clock.now
        deployment.ask("IngestCalls", canonical(clock.now, event("c1", "queued", began)))
        clock.advance(hours=5)
        self.sweep(deployment)
        deployment.ask(
            "IngestCalls",
            canonical(
                clock.now,
                event("c1", "answered", began + timedelta(seconds=20), agent="ana"),
                event("c1", "completed", began + timedelta(seconds=80)),
            ),
        )
        call = call_of(deployment, "c1")
        assert (call["status"], call["missed"], call["agent"]) == ("completed", False, "ana")
        assert (call["end_reason"], call["talk_seconds"]) == ("completed", 60)

    def test_an_answered_call_without_an_end_is_not_missed(
        self, deployment: Deployment, clock: StoppedClock
    ) -> None:
        deployment.ask(
            "IngestCalls",
            canonical(
                clock.now,
                event("c1", "queued", clock.now),
                event("c1", "answered", clock.now + timedelta(seconds=9), agent="ana"),
            ),
        )
        clock.advance(hours=5)
        self.sweep(deployment)
        call = call_of(deployment, "c1")
        assert (call["status"], call["missed"], call["talk_seconds"]) == ("failed", False, None)

    def test_leaves_ended_calls_as_they_are(
        self, deployment: Deployment, clock: StoppedClock
    ) -> None:
        deployment.ask(
            "IngestCalls",
            canonical(
                clock.now,
                event("c1", "queued", clock.now),
                event("c1", "cancelled", clock.now + timedelta(seconds=9)),
            ),
        )
        before = call_of(deployment, "c1")
        clock.advance(days=2)
        self.sweep(deployment)
        assert call_of(deployment, "c1") == before

    def test_goes_by_the_record_and_not_by_what_is_seen(
        self, deployment: Deployment, clock: StoppedClock
    ) -> None:
        deployment.ask("IngestCalls", canonical(clock.now, event("c1", "queued", clock.now)))
        deployment.publish()
        ended = event("c1", "cancelled", clock.now + timedelta(seconds=9))
        deployment.ask("IngestCalls", canonical(clock.now, ended))
        deployment.new_records()
        clock.advance(hours=5)
        deployment.call("SweepCalls", {})
        assert deployment.new_records() == []

    def test_closes_a_caller_who_went_on_to_a_queue_that_told_nothing_more(
        self, deployment: Deployment, clock: StoppedClock
    ) -> None:
        deployment.ask(
            "IngestCalls",
            queue_log(
                clock.now,
                line(clock.now - timedelta(seconds=60), "ENTERQUEUE", "", "11987654321", 1),
                line(clock.now, "EXITWITHTIMEOUT", 1, 1, 60),
                line(clock.now, "ENTERQUEUE", "", "11987654321", 1),
            ),
        )
        assert call_of(deployment, "c1")["status"] == "queued"
        clock.advance(hours=5)
        self.sweep(deployment)
        call = call_of(deployment, "c1")
        assert (call["end_reason"], call["missed"]) == ("no_end_event", True)
