"""Erasing, exporting and holding one person's data, after a day in which everything happened."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from itertools import count
from typing import Any
from unittest.mock import patch

import pytest
from botocore.client import BaseClient

from tests.support.clock import StoppedClock
from tests.support.deployment import Deployment
from tests.support.events import Answer, answer
from tests.support.messages import chatting
from tests.support.personal_data import Company, Somebody
from tests.support.telemarketing import Office
from tests.support.webhooks import canonical
from tools.personal_data import request, words

# A Monday in São Paulo, 9:30.
NOW = datetime(2026, 3, 2, 12, 30, tzinfo=UTC)
LANDLINE = "+551133334444"

# Of so many requests one is broken off.
STEP = 4

JOANA = Somebody("joana", "Joana Prado", "123.456.789-09", "987654321")
RUI = Somebody("rui", "Rui Tavares", "555.666.777-88", "976543210")


@pytest.fixture
def company(deployment: Deployment, clock: StoppedClock) -> Iterator[Company]:
    clock.now = NOW
    with chatting(deployment, clock) as chat:
        company = Company(Office(deployment, clock), chat)
        company.opens()
        yield company


@pytest.fixture
def day(company: Company) -> Company:
    company.day_of(JOANA)
    company.day_of(RUI)
    return company


# Who it was, and what was said: the rest of a missed call is figures.
WHO = ("number", "customer", "linked_by", "quotes")


def figures(company: Company) -> dict[str, Any]:
    ask = company.office.ask
    return {
        "dashboard": ask("GET /dashboard").body["total"],
        "missed": ask("GET /missed-calls/summary").body,
        "missed_calls": [
            {name: value for name, value in item.items() if name not in WHO}
            for item in ask("GET /missed-calls").body["items"]
        ],
    }


def ask_erasure(company: Company, key: str = "k1", **wish: Any) -> Answer:
    return company.admin("POST /personal-data/erasures", {"reason": "pedido 17", **wish}, key=key)


def test_nothing_of_who_was_erased_is_found_anywhere(
    day: Company, capsys: pytest.CaptureFixture[str]
) -> None:
    assert {"calls", "recoveries", "messages", "feeds", "files"} <= set(day.traces(JOANA))
    others, before = day.theirs(RUI), figures(day)
    capsys.readouterr()
    erased = day.erased(customer_id=day.customers["joana"])
    assert (erased["state"], erased["waits_for"]) == ("done", [])
    assert day.traces(JOANA) == {}
    assert day.theirs(RUI) == others
    assert figures(day) == before
    logged = capsys.readouterr()
    assert not [trace for trace in JOANA.traces if trace in logged.out + logged.err]
    assert waiting(day) == ["+5511976543210"]
    told_late(day)
    assert day.traces(JOANA) == {}
    assert figures(day) == before


def waiting(company: Company) -> list[str]:
    """Whom the dialler would call."""
    query = {"list_name": "vendas", "state": "waiting"}
    items = company.office.ask("GET /callback-contacts", query=query).body["items"]
    return [item["number"] for item in items]


def told_late(company: Company) -> None:
    """What the telephone system tells again, and what WhatsApp does."""
    event = {
        "call_id": "joana-miss",
        "event_id": "late",
        "stage": "ringing",
        "direction": "inbound",
        "from": JOANA.number,
        "to": "+551130304040",
        "queue": "vendas",
        "occurred_at": NOW.isoformat(),
    }
    taken = company.deployment.ask("IngestCalls", canonical(company.clock.now, event))
    assert taken.status == 200
    company.settles()


class Died(BaseException):
    """The function is no more."""


@contextmanager
def dying_after(requests: int, *, unanswered: bool) -> Iterator[None]:
    """Whatever runs dies at its next request after so many: before it is served, or `unanswered`,
    as it was."""
    served: Any = BaseClient._make_api_call  # type: ignore[attr-defined]
    made = count(1)

    def requested(client: BaseClient, operation: str, parameters: Any) -> Any:
        dies = next(made) > requests
        if dies and not unanswered:
            raise Died
        answer = served(client, operation, parameters)
        if dies:
            raise Died
        return answer

    with patch.object(BaseClient, "_make_api_call", requested):
        yield


def test_it_comes_to_the_same_end_wherever_it_is_broken_off(day: Company) -> None:
    others, before = day.theirs(RUI), figures(day)
    asked = ask_erasure(day, customer_id=day.customers["joana"])
    died = 0
    for requests in count(1, STEP):
        try:
            with dying_after(requests, unanswered=died % 2 == 1):
                day.takes("erasure", asked.body["erasure_id"])
            break
        except Died:
            died += 1
            if died % 4 == 0:
                day.deployment.work()
    assert died > 10
    day.settles()
    day.clock.advance(minutes=11)
    assert day.erased(customer_id=day.customers["joana"])["state"] == "done"
    assert day.traces(JOANA) == {}
    assert day.theirs(RUI) == others
    assert figures(day) == before


class TestWhoIsMeant:
    def test_by_a_number_its_owner_and_no_other_number(self, company: Company) -> None:
        customer_id = company.office.customer("Joana Prado", mobile=JOANA.number, phone=LANDLINE)
        company.tell("c1", "queued", "cancelled", **{"from": JOANA.number})
        company.tell("c2", "queued", "cancelled", **{"from": LANDLINE})
        assert company.erased(number="(11) 8765-4321")["state"] == "done"
        gone = company.office.ask("GET /customers/{customer_id}", customer_id=customer_id)
        assert gone.status == 404
        numbers = {
            item["call_id"]: item["number"]
            for item in company.office.ask("GET /missed-calls").body["items"]
        }
        assert (numbers["c1"].partition("-")[0], numbers["c2"]) == ("erased", LANDLINE)

    def test_of_a_company_the_person_alone_who_has_the_number(self, company: Company) -> None:
        contacts = [
            {"name": "Joana Prado", "mobile": JOANA.number},
            {"name": "Rui Tavares", "mobile": RUI.number},
        ]
        customer_id = company.office.customer("Padaria Aurora", phone=LANDLINE, contacts=contacts)
        assert company.erased(number=JOANA.number)["items"]["customers"] == 1
        left = company.office.ask("GET /customers/{customer_id}", customer_id=customer_id).body
        assert (left["name"], left["phone"]) == ("Padaria Aurora", LANDLINE)
        assert [contact["name"] for contact in left["contacts"]] == ["Rui Tavares"]

    def test_a_number_of_several_is_erased_with_the_last_of_them(self, company: Company) -> None:
        first, last = (
            company.office.customer(name, phone=LANDLINE) for name in ("Joana Prado", "Rui Tavares")
        )
        company.tell("c1", "queued", "cancelled", **{"from": LANDLINE})
        refused = ask_erasure(company, number=LANDLINE)
        assert (refused.status, "customer_id" in refused.body["detail"]) == (409, True)
        company.erased(customer_id=first)
        assert missed_number(company) == LANDLINE
        company.erased("k2", customer_id=last)
        assert missed_number(company).startswith("erased-")

    @pytest.mark.parametrize(
        ("wish", "status"),
        [
            ({"number": "nobody"}, 422),
            ({}, 422),
            ({"number": "+5511987654321", "customer_id": "c"}, 422),
            ({"customer_id": "nobody"}, 404),
            ({"number": "+5511987654321", "reason": " "}, 422),
        ],
    )
    def test_has_to_be_said(self, company: Company, wish: dict[str, Any], status: int) -> None:
        refused = ask_erasure(company, **wish)
        assert (refused.status, refused.content_type) == (status, "application/problem+json")
        assert JOANA.line not in json.dumps(refused.body)


def missed_number(company: Company) -> str:
    (item,) = company.office.ask("GET /missed-calls").body["items"]
    number: str = item["number"]
    return number


class TestRequests:
    def test_asked_again_with_the_same_key_are_the_same(self, company: Company) -> None:
        first, again = (ask_erasure(company, number=JOANA.number) for _ in range(2))
        assert first.body["erasure_id"] == again.body["erasure_id"]
        assert first.headers["Location"] == f"/personal-data/erasures/{first.body['erasure_id']}"
        assert (first.body["state"], first.body["known_as"]) == ("accepted", "…4321")
        assert ask_erasure(company, "k2", number=JOANA.number).body != first.body

    def test_that_were_lost_on_their_way_are_taken_up_each_day(self, company: Company) -> None:
        asked = ask_erasure(company, number=JOANA.number).body["erasure_id"]
        company.deployment.messages("PersonalDataQueue")
        company.deployment.call("FulfilPersonalData", {"source": "aws.scheduler"})
        (message,) = company.deployment.messages("PersonalDataQueue")
        assert (message["kind"], message["request_id"]) == ("erasure", asked)

    def test_are_done_only_when_a_later_look_finds_nothing(self, company: Company) -> None:
        asked = ask_erasure(company, number=JOANA.number).body["erasure_id"]
        company.looks("erasure", asked)
        company.clock.advance(minutes=5)
        company.tell("c1", "queued", "cancelled", **{"from": JOANA.number})
        company.clock.advance(minutes=6)
        company.looks("erasure", asked)
        assert company.erasure(asked)["state"] == "running"
        assert company.erasure(asked)["items"]["calls"] == 1
        company.clock.advance(minutes=11)
        company.looks("erasure", asked)
        assert company.erasure(asked)["state"] == "done"

    def test_forget_whom_they_were_about(self, company: Company) -> None:
        company.erased(number=JOANA.number)
        assert company.traces(JOANA) == {}

    def test_put_numbers_on_the_do_not_call_list_where_that_is_asked(
        self, company: Company
    ) -> None:
        company.erased(number=JOANA.number, also_do_not_call=True)
        assert set(company.traces(JOANA)) == {"do-not-call"}

    def test_of_nobody_are_not_found(self, company: Company) -> None:
        for route in ("erasures/{erasure_id}", "exports/{export_id}"):
            name = route.partition("{")[2].rstrip("}")
            answer = company.admin(f"GET /personal-data/{route}", **{name: "nothing"})
            assert answer.status == 404

    def test_who_works_with_them_ends_first(self, company: Company) -> None:
        customer_id = company.office.linked("ana", "Joana Prado", mobile=JOANA.number)
        operation = company.office.opened(customer_id)
        company.office.save(operation, {"conversation": JOANA.says("conversa")})
        asked = ask_erasure(company, customer_id=customer_id).body["erasure_id"]
        company.looks("erasure", asked)
        assert company.erasure(asked)["waits_for"] == ["operations", "campaigns"]
        assert company.office.do(operation, "release").status == 200
        for _ in range(3):
            company.clock.advance(minutes=11)
            company.looks("erasure", asked)
        assert company.erasure(asked)["state"] == "done"
        company.customers["joana"] = customer_id
        assert company.traces(JOANA) == {}


def test_the_command_asks_as_an_admin_does_and_says_how_far_it_is(company: Company) -> None:
    wish = {"number": JOANA.number, "reason": "pedido 17"}
    asked = [
        answer(company.deployment.call("ManagePersonalData", request("erase", wish)))
        for _ in range(2)
    ]
    assert [each.status for each in asked] == [202, 202]
    assert asked[0].body["erasure_id"] == asked[1].body["erasure_id"]
    assert words(asked[0].body) == "…4321: accepted; nothing yet."


class TestHolds:
    HOLD = "/personal-data/holds/{number}"

    def place(self, company: Company, reason: str = "processo 12/2026") -> Answer:
        return company.admin(f"PUT {self.HOLD}", {"reason": reason}, number="(11) 98765-4321")

    def test_forbid_an_erasure_until_they_are_lifted(self, company: Company) -> None:
        customer_id = company.office.customer("Joana Prado", mobile=JOANA.number)
        placed = self.place(company)
        assert (placed.status, placed.body["number"]) == (200, JOANA.number)
        for wish in ({"number": JOANA.number}, {"customer_id": customer_id}):
            refused = ask_erasure(company, **wish)
            detail = "held by ada since 2026-03-02: processo 12/2026"
            assert (refused.status, refused.body["detail"]) == (409, detail)
        shown = company.admin(f"GET {self.HOLD}", number=JOANA.number)
        assert shown.body == placed.body
        for status in (204, 404):
            assert company.admin(f"DELETE {self.HOLD}", number=JOANA.number).status == status
        assert company.admin(f"GET {self.HOLD}", number=JOANA.number).status == 404
        assert ask_erasure(company, number=JOANA.number).status == 202

    def test_stop_an_erasure_that_was_accepted(self, company: Company) -> None:
        company.tell("c1", "queued", "cancelled", **{"from": JOANA.number})
        asked = ask_erasure(company, number=JOANA.number).body["erasure_id"]
        self.place(company)
        company.looks("erasure", asked)
        assert company.erasure(asked)["state"] == "held"
        assert missed_number(company) == JOANA.number


class TestExport:
    def test_shows_all_of_a_person_and_nothing_of_others(self, day: Company) -> None:
        wish = {"reason": "pedido 18", "customer_id": day.customers["joana"]}
        asked = day.admin("POST /personal-data/exports", wish, key="k1")
        export_id = asked.body["export_id"]
        assert (asked.status, asked.body["url"]) == (202, None)
        day.takes("export", export_id)
        route = "GET /personal-data/exports/{export_id}"
        shown = day.admin(route, export_id=export_id).body
        assert (shown["state"], shown["url"].startswith("https://")) == ("done", True)
        file = day.objects()[f"exports/personal-data/{export_id}.json"].decode()
        data = json.loads(file)["data"]
        assert {name: len(found) for name, found in data.items() if found} == shown["items"]
        assert {name for name, found in data.items() if not found} == {"live_views", "do_not_call"}
        for said in ("nota", "plano maior", "caro", "ligar", "mensagem", "resposta", "conversa"):
            assert JOANA.says(said) in file
        assert not [trace for trace in RUI.traces if trace in file]
        assert day.erased(customer_id=day.customers["joana"])["state"] == "done"
        assert day.traces(JOANA) == {}
