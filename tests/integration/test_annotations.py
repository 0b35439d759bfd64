"""What people say of calls: dispositions, notes and verdicts, and what follows from them."""

import json
from datetime import datetime, timedelta
from typing import Any

import boto3
import pytest

from tests.support.clock import StoppedClock
from tests.support.deployment import Deployment
from tests.support.events import Answer, http, user
from tests.support.functions import function_of
from tests.support.tables import create_table
from tests.support.webhooks import canonical

ANA = user("[agent]", "ana@example.com", **{"custom:agent": "ana"})
RUI = user("[supervisor]", "rui")
CUSTOMER = "+5511987654321"


def ask(deployment: Deployment, route: str, body: Any = None, **path: str) -> Answer:
    """Agents annotate; the rest is asked by a supervisor."""
    pattern = route.partition(" ")[2]
    event = http(
        route,
        path=pattern.format(**path),
        body=None if body is None else json.dumps(body).encode(),
        headers={"content-type": "application/json"},
        claims=ANA if pattern.startswith("/calls") else RUI,
    )
    return deployment.ask(function_of(route), event)


def dispose(deployment: Deployment, code: str, call_id: str = "out") -> Answer:
    return ask(deployment, "PUT /calls/{call_id}/disposition", {"code": code}, call_id=call_id)


def review(deployment: Deployment, verdict: object, call_id: str = "out") -> Answer:
    body = {"answered_by": verdict}
    return ask(deployment, "POST /voicemail-reviews/{call_id}", body, call_id=call_id)


def note(deployment: Deployment, text: object, call_id: str = "out") -> Answer:
    return ask(deployment, "POST /calls/{call_id}/notes", {"text": text}, call_id=call_id)


def call(deployment: Deployment, call_id: str = "out") -> dict[str, Any]:
    shown: dict[str, Any] = ask(deployment, "GET /calls/{call_id}", call_id=call_id).body
    return shown


def outbound(began: datetime, talk: float, call_id: str = "out") -> list[dict[str, Any]]:
    said = {"call_id": call_id, "direction": "outbound_manual", "to": CUSTOMER, "agent": "ana"}
    moments = {"ringing": 0, "answered": 10, "completed": 10 + talk}
    return [
        {
            **said,
            "event_id": stage,
            "stage": stage,
            "occurred_at": (began + timedelta(seconds=seconds)).isoformat(),
        }
        for stage, seconds in moments.items()
    ]


def missed(began: datetime) -> list[dict[str, Any]]:
    said = {"call_id": "in", "direction": "inbound", "from": CUSTOMER, "queue": "vendas"}
    return [
        {**said, "event_id": stage, "stage": stage, "occurred_at": moment.isoformat()}
        for stage, moment in (("queued", began), ("cancelled", began + timedelta(seconds=30)))
    ]


@pytest.fixture
def rung_back(deployment: Deployment, clock: StoppedClock) -> Deployment:
    """A customer was missed, and rung back; somebody or something answered for 9 seconds."""
    began = clock.now - timedelta(minutes=30)
    events = [*missed(began), *outbound(began + timedelta(minutes=10), talk=9)]
    assert deployment.ask("IngestCalls", canonical(clock.now, *events)).status == 200
    deployment.flow()
    return deployment


def state(deployment: Deployment) -> tuple[str, int, str | None]:
    shown = ask(deployment, "GET /missed-calls/{call_id}", call_id="in").body
    return shown["state"], shown["attempts"], shown["recovered_by"]


def suspects(deployment: Deployment) -> list[str]:
    answer = ask(deployment, "GET /voicemail-reviews")
    return [each["call_id"] for each in answer.body["items"]]


class TestDisposition:
    def test_is_shown_with_the_call(self, rung_back: Deployment) -> None:
        given = dispose(rung_back, "venda")
        assert (given.status, given.body["answered_by"]) == (200, "human")
        flags = ["customer_contact", "final", "human_answered", "sale"]
        assert sorted(given.body["flags"]) == flags
        shown = call(rung_back)["disposition"]
        assert (shown["code"], shown["by"]) == ("venda", "ana")
        assert sorted(shown["flags"]) == flags

    def test_recovery_follows_each_change_of_mind(
        self, rung_back: Deployment, clock: StoppedClock
    ) -> None:
        assert state(rung_back) == ("open", 1, None)
        for code, expected in (
            ("resolvido", ("recovered", 0, "out")),
            ("caixa_postal", ("open", 1, None)),
            ("caixa_postal", ("open", 1, None)),
            ("venda", ("recovered", 0, "out")),
            # It does not tell who answered, so that the talk time does.
            ("queda", ("open", 1, None)),
        ):
            clock.advance(seconds=1)
            assert dispose(rung_back, code).status == 200
            rung_back.flow()
            assert state(rung_back) == expected, code

    def test_the_same_again_changes_nothing(
        self, rung_back: Deployment, clock: StoppedClock
    ) -> None:
        first = dispose(rung_back, "resolvido").body
        assert dispose(rung_back, "resolvido").body == first

    def test_who_does_not_want_to_be_called_stays_on_the_list(
        self, rung_back: Deployment, clock: StoppedClock
    ) -> None:
        route = "GET /do-not-call/{number}"
        for code, origins in (("venda", []), ("nao_ligar", ["disposition"])):
            assert dispose(rung_back, code).status == 200
            listed = ask(rung_back, route, number=CUSTOMER).body["entries"]
            assert [each["origin"] for each in listed] == origins
        clock.advance(seconds=1)
        dispose(rung_back, "venda")
        (entry,) = ask(rung_back, route, number=CUSTOMER).body["entries"]
        assert (entry["scope"], entry["added_by"]) == ("telemarketing", "ana")

    def test_the_list_is_made_good_when_it_did_not_answer(self, rung_back: Deployment) -> None:
        boto3.client("dynamodb").delete_table(TableName=rung_back.name("DoNotCallTable"))
        assert dispose(rung_back, "nao_ligar").status == 503
        create_table("DoNotCallTable", rung_back.name("DoNotCallTable"))
        assert dispose(rung_back, "nao_ligar").status == 200
        (entry,) = ask(rung_back, "GET /do-not-call/{number}", number=CUSTOMER).body["entries"]
        assert entry["origin"] == "disposition"

    @pytest.mark.parametrize("code", ["nunca_ouvi", "", "A B", "x" * 41, 7, None])
    def test_has_to_be_of_the_list(self, rung_back: Deployment, code: Any) -> None:
        refused = dispose(rung_back, code)
        assert refused.status == 422
        assert [error["field"] for error in refused.body["errors"]] == ["code"]
        assert call(rung_back)["disposition"] is None

    def test_of_no_call(self, rung_back: Deployment) -> None:
        assert dispose(rung_back, "venda", "nowhere").status == 404


class TestList:
    def test_begins_with_the_usual_ones(self, deployment: Deployment) -> None:
        items = ask(deployment, "GET /dispositions").body["items"]
        assert {"venda", "caixa_postal", "nao_ligar"} <= {each["code"] for each in items}
        labels = [each["label"] for each in items]
        assert labels == sorted(labels, key=str.casefold)

    def test_one_may_be_added_and_changed(self, rung_back: Deployment) -> None:
        route = "PUT /dispositions/{code}"
        recado = {"label": "Deixei recado", "flags": ["voicemail"]}
        assert ask(rung_back, route, recado, code="recado").status == 200
        assert dispose(rung_back, "recado").body["answered_by"] == "voicemail"
        changed = {"label": "Deixei recado com alguém", "flags": ["human_answered"]}
        assert ask(rung_back, route, changed, code="recado").body["label"] == changed["label"]
        # The call keeps what it meant when it was given.
        assert call(rung_back)["answered_by"] == "voicemail"
        items = ask(rung_back, "GET /dispositions").body["items"]
        (found,) = (each for each in items if each["code"] == "recado")
        assert found == {"code": "recado", "retired": False, **changed}

    @pytest.mark.parametrize("code", ["venda", "promessa"])
    def test_a_retired_one_is_given_no_more(self, rung_back: Deployment, code: str) -> None:
        route = "PUT /dispositions/{code}"
        assert ask(rung_back, route, {"label": "Promessa"}, code="promessa").status == 200
        assert dispose(rung_back, code).status == 200
        gone = ask(rung_back, "DELETE /dispositions/{code}", code=code)
        assert (gone.status, gone.body) == (204, None)
        assert dispose(rung_back, code).status == 422
        assert call(rung_back)["disposition"]["code"] == code
        items = ask(rung_back, "GET /dispositions").body["items"]
        assert [each["code"] for each in items if each["retired"]] == [code]

    def test_what_never_was_cannot_be_retired(self, deployment: Deployment) -> None:
        assert ask(deployment, "DELETE /dispositions/{code}", code="nunca").status == 404

    @pytest.mark.parametrize(
        ("meaning", "field"),
        [
            ({}, "label"),
            ({"label": "  "}, "label"),
            ({"label": "x" * 81}, "label"),
            ({"label": "X", "flags": ["rich"]}, "flags.0"),
            ({"label": "X", "flags": ["voicemail", "sale"]}, "body"),
            ({"label": "X", "flags": ["customer_contact"]}, "body"),
        ],
    )
    def test_a_wrong_one_is_refused(
        self, deployment: Deployment, meaning: dict[str, Any], field: str
    ) -> None:
        refused = ask(deployment, "PUT /dispositions/{code}", meaning, code="x")
        assert refused.status == 422
        assert [error["field"] for error in refused.body["errors"]] == [field]


class TestReview:
    def test_suspects_are_listed_until_somebody_tells(
        self, rung_back: Deployment, clock: StoppedClock
    ) -> None:
        later = outbound(clock.now - timedelta(minutes=5), talk=2, call_id="later")
        rung_back.ask("IngestCalls", canonical(clock.now, *later))
        rung_back.flow()
        assert suspects(rung_back) == ["out", "later"]
        dispose(rung_back, "caixa_postal", "later")
        rung_back.flow()
        assert suspects(rung_back) == ["out"]
        review(rung_back, "voicemail")
        rung_back.flow()
        assert suspects(rung_back) == []

    def test_recovery_follows_the_verdict(self, rung_back: Deployment) -> None:
        verdict = review(rung_back, "human")
        assert (verdict.status, verdict.body["by"]) == (200, "rui")
        rung_back.flow()
        assert state(rung_back) == ("recovered", 0, "out")
        # What the operator says after that changes nothing.
        dispose(rung_back, "caixa_postal")
        rung_back.flow()
        assert state(rung_back) == ("recovered", 0, "out")
        kinds = [each["kind"] for each in call(rung_back)["evidence"]]
        assert kinds == ["review", "disposition", "talk_time"]

    def test_is_final(self, rung_back: Deployment) -> None:
        first = review(rung_back, "human").body
        assert review(rung_back, "human").body == first
        assert review(rung_back, "voicemail").status == 409
        assert call(rung_back)["answered_by"] == "human"

    def test_takes_no_other_word(self, rung_back: Deployment) -> None:
        for word in ("unknown", "robot", None, 1):
            refused = review(rung_back, word)
            assert refused.status == 422
            assert [error["field"] for error in refused.body["errors"]] == ["answered_by"]

    def test_of_a_call_that_nobody_answered(self, rung_back: Deployment) -> None:
        assert review(rung_back, "human", "in").status == 409
        assert review(rung_back, "human", "nowhere").status == 404

    def test_the_list_comes_in_pages(self, deployment: Deployment, clock: StoppedClock) -> None:
        began = clock.now - timedelta(hours=20)
        events = [
            event
            for index in range(7)
            for event in outbound(began + index * timedelta(hours=2), 3, f"c{index}")
        ]
        deployment.ask("IngestCalls", canonical(clock.now, *events))
        deployment.flow()
        found, query = [], {"limit": "3"}
        for _ in range(3):
            route = "GET /voicemail-reviews"
            page = deployment.ask("ReviewVoicemail", http(route, query=query, claims=RUI)).body
            found.append([each["call_id"] for each in page["items"]])
            query = {"limit": "3", "cursor": page["cursor"]}
        assert found == [["c0", "c1", "c2"], ["c3", "c4", "c5"], ["c6"]]
        assert page["cursor"] is None

    def test_an_answer_that_turns_out_earlier_moves_to_its_day(
        self, rung_back: Deployment, clock: StoppedClock
    ) -> None:
        (_, answered, _) = outbound(clock.now - timedelta(days=1), 1)
        rung_back.ask("IngestCalls", canonical(clock.now, answered))
        rung_back.flow()
        assert suspects(rung_back) == []
        reports = rung_back.call("ReportVoicemail", {"week": "2026-03-02"})
        assert [each["answered"] for each in reports] == [0]
        (report,) = rung_back.call("ReportVoicemail", {"week": "2026-02-23"})
        assert (report["answered"], report["human"]) == (1, 1)


class TestReports:
    def test_are_written_by_the_week_and_read_newest_first(
        self, rung_back: Deployment, clock: StoppedClock
    ) -> None:
        review(rung_back, "voicemail")
        rung_back.flow()
        clock.advance(days=8)
        rung_back.call("ReportVoicemail", {})
        pages, query = [], {"limit": "3"}
        for _ in range(2):
            route = "GET /voicemail-reviews/reports"
            page = rung_back.ask("ReviewVoicemail", http(route, query=query, claims=RUI)).body
            pages.append([each["week"] for each in page["items"]])
            query = {"limit": "3", "cursor": page["cursor"]}
        assert pages == [["2026-03-02", "2026-02-23", "2026-02-16"], ["2026-02-09"]]
        assert page["cursor"] is None

    def test_a_late_verdict_is_in_the_next_writing(
        self, rung_back: Deployment, clock: StoppedClock
    ) -> None:
        clock.advance(days=8)
        first = rung_back.call("ReportVoicemail", {})[0]
        assert (first["suspects"], first["agreement"]["judged"]) == (1, 0)
        review(rung_back, "voicemail")
        rung_back.flow()
        clock.advance(days=7)
        second = rung_back.call("ReportVoicemail", {})[1]
        assert second["week"] == first["week"] == "2026-03-02"
        assert (second["suspects"], second["voicemail"], second["human"]) == (0, 1, 0)
        agreement = second["agreement"]
        assert (agreement["judged"], agreement["precision"], agreement["recall"]) == (1, 1, 1)
        assert second["by_hour"] == [{"name": "08", "answered": 1, "voicemails": 1, "share": 1}]


class TestNotes:
    def test_are_read_in_the_order_of_their_writing(
        self, rung_back: Deployment, clock: StoppedClock
    ) -> None:
        for text in ("pediu preço", " volta a ligar à tarde 📞 "):
            clock.advance(minutes=1)
            assert note(rung_back, text).status == 201
        notes = ask(rung_back, "GET /calls/{call_id}/notes", call_id="out").body["items"]
        assert [(each["text"], each["by"]) for each in notes] == [
            ("pediu preço", "ana"),
            ("volta a ligar à tarde 📞", "ana"),
        ]

    def test_the_same_note_is_written_once(
        self, rung_back: Deployment, clock: StoppedClock
    ) -> None:
        first = note(rung_back, "pediu preço").body
        clock.advance(seconds=5)
        assert note(rung_back, "pediu preço").body == first
        notes = ask(rung_back, "GET /calls/{call_id}/notes", call_id="out").body["items"]
        assert notes == [first]

    @pytest.mark.parametrize("text", ["", "   ", "x" * 5001, None, 7])
    def test_a_wrong_one_is_refused(self, rung_back: Deployment, text: Any) -> None:
        refused = note(rung_back, text)
        assert refused.status == 422
        assert [error["field"] for error in refused.body["errors"]] == ["text"]

    def test_a_call_has_only_so_many(
        self, rung_back: Deployment, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("retorno.calls.annotation.MAX_NOTES", 2)
        assert [note(rung_back, text).status for text in "abc"] == [201, 201, 409]

    def test_on_no_call(self, rung_back: Deployment) -> None:
        assert note(rung_back, "olá", "nowhere").status == 404
        assert ask(rung_back, "GET /calls/{call_id}/notes", call_id="nowhere").status == 404
