"""Erasing, exporting and holding one person's data, after a day in which everything happened."""

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from itertools import count
from typing import Any
from unittest.mock import patch
from zoneinfo import ZoneInfo

import boto3
import pytest
from botocore.client import BaseClient

from functions.fulfil_personal_data.handler import requests
from retorno.callbacks.model import NumberLog
from retorno.callbacks.store import ContactStore
from retorno.personal_data.model import Hold
from retorno.personal_data.store import PersonalDataStore
from retorno.phone import match_key
from retorno.promises.store import PromiseStore
from retorno.retention import HELD, KeptItem, hold
from tests.faults.conditions import broken, sites
from tests.support.clock import StoppedClock
from tests.support.deployment import Deployment
from tests.support.events import Answer, answer
from tests.support.messages import chatting
from tests.support.personal_data import Company, Somebody
from tests.support.telemarketing import Office
from tests.support.webhooks import canonical
from tools.apply_retention import TABLES
from tools.personal_data import request, words

# A Monday in São Paulo, 9:30.
NOW = datetime(2026, 3, 2, 12, 30, tzinfo=UTC)
LANDLINE = "+551133334444"

# Of so many requests one is broken off.
STEP = 4

JOANA = Somebody("joana", "Joana Prado", "123.456.789-09", "987654321")
RUI = Somebody("rui", "Rui Tavares", "555.666.777-88", "976543210")

HOLD = "/personal-data/holds/{number}"
KEY = match_key(JOANA.number)


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
    assert {"calls", "recoveries", "messages", "feed", "files"} <= set(day.traces(JOANA))
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
    for most in count(1, STEP):
        try:
            with dying_after(most, unanswered=died % 2 == 1):
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
    assert words(asked[0].body).splitlines() == [
        "…4321: accepted; nothing yet.",
        "The same command says how far it is.",
    ]
    company.tell("c1", "queued", "cancelled", **{"from": JOANA.number})
    for _ in range(2):
        company.looks("erasure", asked[0].body["erasure_id"])
        company.clock.advance(minutes=11)
    done = answer(company.deployment.call("ManagePersonalData", request("erase", wish)))
    assert words(done.body).startswith("…4321: done; ")
    assert "how far" not in words(done.body)


class TestHolds:
    def place(self, company: Company, reason: str = "processo 12/2026") -> Answer:
        return company.admin(f"PUT {HOLD}", {"reason": reason}, number="(11) 98765-4321")

    def test_forbid_an_erasure_until_they_are_lifted(self, company: Company) -> None:
        customer_id = company.office.customer("Joana Prado", mobile=JOANA.number)
        placed = self.place(company)
        assert (placed.status, placed.body["number"]) == (200, JOANA.number)
        for wish in ({"number": JOANA.number}, {"customer_id": customer_id}):
            refused = ask_erasure(company, **wish)
            detail = "held by ada since 2026-03-02: processo 12/2026"
            assert (refused.status, refused.body["detail"]) == (409, detail)
        shown = company.admin(f"GET {HOLD}", number=JOANA.number)
        assert shown.body == placed.body
        for _ in range(2):
            assert company.admin(f"DELETE {HOLD}", number=JOANA.number).status == 204
        shown = company.admin(f"GET {HOLD}", number=JOANA.number)
        assert shown.body["lifted_at"] is not None
        asked = ask_erasure(company, number=JOANA.number)
        assert asked.status == 202
        company.looks("erasure", asked.body["erasure_id"])
        assert company.erasure(asked.body["erasure_id"])["waits_for"] == ["holds"]
        company.clock.advance(minutes=15)
        company.takes("hold", KEY)
        for method in ("GET", "DELETE"):
            assert company.admin(f"{method} {HOLD}", number=JOANA.number).status == 404
        assert company.erased(number=JOANA.number)["state"] == "done"

    def test_stop_an_erasure_that_was_accepted(self, company: Company) -> None:
        company.tell("c1", "queued", "cancelled", **{"from": JOANA.number})
        asked = ask_erasure(company, number=JOANA.number).body["erasure_id"]
        self.place(company)
        company.looks("erasure", asked)
        assert company.erasure(asked)["state"] == "held"
        assert missed_number(company) == JOANA.number

    def test_placed_anew_while_they_are_lifted_hold_again(self, company: Company) -> None:
        self.place(company)
        company.takes("hold", KEY)
        company.admin(f"DELETE {HOLD}", number=JOANA.number)
        anew = self.place(company, "processo 13/2026").body
        assert (anew["looked_at"], anew["lifted_at"]) == (None, None)
        company.clock.advance(minutes=15)
        company.takes("hold", KEY)
        held = company.admin(f"GET {HOLD}", number=JOANA.number).body
        assert (held["reason"], held["looked_at"]) == ("processo 13/2026", "2026-03-02T12:45:00Z")
        assert ask_erasure(company, number=JOANA.number).status == 409


# What tells no time of its own is kept from when it is written, or released.
TIMELESS = re.compile(r"id:|wamid:|call#")


def place(company: Company, number: str = JOANA.number) -> None:
    placed = company.admin(f"PUT {HOLD}", {"reason": "processo 12/2026"}, number=number)
    assert placed.status == 200


def lift(company: Company, number: str = JOANA.number) -> None:
    assert company.admin(f"DELETE {HOLD}", number=number).status == 204


def takes_though_it_dies(company: Company) -> int:
    """How often it died before it came to an end."""
    for died in count():
        try:
            with dying_after(1 + died * STEP, unanswered=died % 2 == 1):
                company.takes("hold", KEY)
        except Died:
            continue
        return died
    raise AssertionError


def let_expire(company: Company) -> None:
    """Whatever is held, at some time."""
    client = boto3.client("dynamodb")
    for table in company.deployment.tables.values():
        schema = client.describe_table(TableName=table)["Table"]["KeySchema"]
        for item in client.scan(TableName=table)["Items"]:
            if item.get("expires_at") == {"N": str(HELD)}:
                client.update_item(
                    TableName=table,
                    Key={part["AttributeName"]: item[part["AttributeName"]] for part in schema},
                    UpdateExpression="SET expires_at = :end",
                    ExpressionAttributeValues={":end": {"N": "1900000000"}},
                )


@pytest.fixture
def ended(day: Company) -> Company:
    """The same day; of each kind something is over."""
    for who in (JOANA, RUI):
        log = NumberLog(number_key=match_key(who.number))
        ContactStore("contacts", 760).save_log(log.with_dial("dial", day.clock.now))
        (promise,) = PromiseStore("promises", ZoneInfo("UTC"), 760).of_number(who.number)
        asked = day.office.ask(
            "DELETE /callbacks/{callback_id}", callback_id=promise.promise_id, if_match="*"
        )
        assert asked.status == 204, asked.body
    day.settles()
    return day


class TestWhatIsHeld:
    def test_does_not_expire_until_it_is_released(self, ended: Company) -> None:
        others, before, ends = ended.theirs(RUI), figures(ended), ended.expiring(JOANA)
        kept = {ended.deployment.tables[each] for each in TABLES} - {"agents"}
        assert {table for table, _ in ends} == kept
        place(ended)
        assert takes_though_it_dies(ended) > 10
        ended.settles()
        assert (ended.expiring(JOANA), figures(ended)) == ({}, before)

        ended.tell("joana-again", "queued", "cancelled", **{"from": JOANA.number})
        note = {"text": JOANA.says("depois")}
        ended.office.ask("POST /calls/{call_id}/notes", note, "ana", call_id="joana-talk")
        assert {table for table, _ in ended.expiring(JOANA)} >= {"calls", "recoveries", "notes"}
        ended.looks_each_day()
        assert ended.expiring(JOANA) == {}

        ended.settles()
        before = figures(ended)
        lift(ended)
        assert takes_though_it_dies(ended) > 10
        for _ in range(2):
            ended.settles()
            ended.clock.advance(minutes=16)
            ended.takes("hold", KEY)
        assert ended.admin(f"GET {HOLD}", number=JOANA.number).status == 404
        released = ended.expiring(JOANA)
        assert set(ends) < set(released)
        for place_of, end in ends.items():
            timeless = TIMELESS.search(place_of[1])
            assert released[place_of] > end if timeless else released[place_of] == end, place_of
        assert not [place_of for *place_of, text in ended.items() if str(HELD) in text]
        assert ended.theirs(RUI) == others
        assert figures(ended) == before
        assert ended.erased(customer_id=ended.customers["joana"])["state"] == "done"
        assert ended.traces(JOANA) == {}

    def test_is_found_by_each_context(self, ended: Company) -> None:
        """Left out, something would expire."""
        place(ended)
        ended.takes("hold", KEY)
        contexts = [context for _, some in requests()._kept for context in some]
        for left_out in contexts:
            let_expire(ended)
            with patch.object(left_out, "kept", lambda person: iter(())):
                ended.takes("hold", KEY)
            assert ended.expiring(JOANA) != {}, left_out


def lost_quote(company: Company, call_id: str) -> None:
    made = company.office.ask("POST /quotes", {"call_id": call_id, "value": "9"}, "ana", key="q")
    quote_id = made.body["quote_id"]
    reason = {"reason": "caro"}
    lost = company.office.ask("POST /quotes/{quote_id}/lose", reason, "ana", quote_id=quote_id)
    assert lost.status == 200, lost.body


def end_of_quote(company: Company) -> int:
    (item,) = boto3.client("dynamodb").scan(TableName="quotes")["Items"]
    return int(item["expires_at"]["N"])


def lifted_in_a_look(company: Company) -> bool:
    """Whether a hold is lifted, and stays so, though a look that began before goes on holding."""
    let_expire(company)
    lifts = iter([lift])

    def late(item: KeptItem) -> None:
        for lifted in lifts:
            lifted(company)
            company.takes("hold", KEY)
        hold(item)

    with patch("retorno.personal_data.fulfilment.keep", late):
        company.takes("hold", KEY)
    shown = company.admin(f"GET {HOLD}", number=JOANA.number)
    return shown.body["lifted_at"] is not None


def placed_in_the_last_look(company: Company) -> bool:
    """Whether a hold is there that is placed anew as the last look after its lifting ends."""
    forget = PersonalDataStore.forget_hold

    def late(store: PersonalDataStore, lifted: Hold) -> None:
        place(company)
        forget(store, lifted)

    company.clock.advance(minutes=16)
    with patch.object(PersonalDataStore, "forget_hold", late):
        company.takes("hold", KEY)
    return company.admin(f"GET {HOLD}", number=JOANA.number).status == 200


class TestHoldsOfOnePerson:
    @pytest.fixture
    def customer_id(self, company: Company) -> str:
        customer_id = company.office.customer("Joana Prado", mobile=JOANA.number, phone=LANDLINE)
        company.tell("c1", "queued", "answered", agent="ana", **{"from": LANDLINE})
        lost_quote(company, "c1")
        company.clock.advance(days=1829)
        place(company)
        company.takes("hold", KEY)
        assert end_of_quote(company) == HELD
        return customer_id

    def test_hold_on_when_another_is_lifted(self, company: Company, customer_id: str) -> None:
        place(company, LANDLINE)
        company.looks_each_day()
        company.clock.advance(days=10)
        lift(company)
        company.takes("hold", KEY)
        # It should be gone, and is there until the other looks.
        assert end_of_quote(company) == company.clock.now.timestamp() + 2 * 24 * 60 * 60
        company.takes("hold", match_key(LANDLINE))
        assert end_of_quote(company) == HELD

    def test_release_what_was_of_who_had_the_number(
        self, company: Company, customer_id: str
    ) -> None:
        office = company.office
        found = office.ask("GET /customers/{customer_id}", customer_id=customer_id)
        changed = office.ask(
            "PUT /customers/{customer_id}",
            {"name": "Joana Prado", "phone": LANDLINE},
            customer_id=customer_id,
            if_match=found.headers["ETag"],
        )
        assert changed.status == 200, changed.body
        company.looks_each_day()
        assert end_of_quote(company) == HELD
        lift(company)
        company.takes("hold", KEY)
        assert end_of_quote(company) < HELD

    def test_release_what_a_look_held_that_began_before(
        self, company: Company, customer_id: str
    ) -> None:
        assert lifted_in_a_look(company)
        assert end_of_quote(company) == HELD
        for _ in range(2):
            company.clock.advance(minutes=10)
            company.takes("hold", KEY)
        assert end_of_quote(company) < HELD
        assert company.admin(f"GET {HOLD}", number=JOANA.number).status == 404

    def test_placed_anew_in_the_last_look_stay(self, company: Company, customer_id: str) -> None:
        lift(company)
        company.takes("hold", KEY)
        assert placed_in_the_last_look(company)

    def test_are_undone_where_conditions_are(self, company: Company, customer_id: str) -> None:
        with broken(sites()["personal_data.store.PersonalDataStore._save"]):
            assert not lifted_in_a_look(company)
        lift(company)
        company.takes("hold", KEY)
        with broken(sites()["personal_data.store.PersonalDataStore.forget_hold"]):
            assert not placed_in_the_last_look(company)


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
