"""Quotes over the API: made in calls, decided, listed, and shown where they matter."""

from typing import Any

import pytest

from retorno.changes import Kind
from retorno.dynamodb import RefusedTogether
from retorno.errors import Unavailable
from retorno.quotes.model import QuoteId, QuotesOfCall
from retorno.quotes.service import MAX_QUOTES_OF_CALL, QuoteReader
from retorno.quotes.store import QuoteStore
from tests.support.clock import StoppedClock
from tests.support.deployment import Deployment
from tests.support.events import Answer
from tests.support.requests import counted
from tests.support.telemarketing import Office
from tests.support.webhooks import canonical

NUMBER = "+5511987654321"


@pytest.fixture
def office(deployment: Deployment, clock: StoppedClock) -> Office:
    return Office(deployment, clock)


def tell(office: Office, call_id: str, *stages: str, **facts: str | None) -> None:
    """What happens to a call, a minute apart; it is ana's, and inbound, unless that is said."""
    told = {"direction": "inbound", "from": NUMBER, "queue": "vendas", "agent": "ana", **facts}
    for stage in stages:
        office.clock.advance(minutes=1)
        event = {
            **told,
            "event_id": stage,
            "call_id": call_id,
            "stage": stage,
            "occurred_at": office.clock.now.isoformat(),
        }
        taken = office.deployment.ask("IngestCalls", canonical(office.clock.now, event))
        assert taken.status == 200
    office.deployment.flow()


@pytest.fixture(autouse=True)
def call(office: Office) -> None:
    """Ana speaks with a customer."""
    tell(office, "c1", "queued", "answered")


def make(
    office: Office, call_id: str = "c1", key: str = "k1", who: str = "ana", **fields: Any
) -> Answer:
    return office.ask("POST /quotes", {"call_id": call_id, **fields}, who, key=key)


def made(office: Office, call_id: str = "c1", key: str = "k1", **fields: Any) -> str:
    answer = make(office, call_id, key, **fields)
    assert answer.status == 201, answer.body
    quote_id: str = answer.body["quote_id"]
    return quote_id


def win(office: Office, quote_id: str, value: Any = None, who: str | None = "ana") -> Answer:
    body = None if value is None else {"value": value}
    return office.ask("POST /quotes/{quote_id}/win", body, who, quote_id=quote_id)


def lose(office: Office, quote_id: str, reason: str = "preço", who: str | None = "ana") -> Answer:
    route = "POST /quotes/{quote_id}/lose"
    return office.ask(route, {"reason": reason}, who, quote_id=quote_id)


def one(office: Office, quote_id: str) -> dict[str, Any]:
    body: dict[str, Any] = office.ask("GET /quotes/{quote_id}", None, "ana", quote_id=quote_id).body
    return body


def listed(office: Office, **query: str) -> list[str]:
    """The calls of the quotes of a list, by pages of two."""
    found: list[str] = []
    while True:
        page = office.ask("GET /quotes", None, "bia", query={"limit": "2", **query})
        assert page.status == 200, page.body
        found += [item["call_id"] for item in page.body["items"]]
        if page.body["cursor"] is None:
            return found
        query["cursor"] = page.body["cursor"]


class TestMade:
    def test_takes_who_it_is_from_the_call(self, office: Office) -> None:
        contacts = [{"name": "Rosa", "mobile": "(11) 8765-4321"}]
        customer_id = office.customer("Padaria Aurora", contacts=contacts)
        answer = make(office, description=" Plano anual ", value="1200")
        quote_id = answer.body["quote_id"]
        assert answer.status == 201
        assert (answer.headers["Location"], answer.headers["ETag"]) == (
            f"/quotes/{quote_id}",
            '"1"',
        )
        assert answer.body == {
            "quote_id": quote_id,
            "state": "open",
            "call_id": "c1",
            "channel": "phone",
            "number": NUMBER,
            "customer": {
                "customer_id": customer_id,
                "name": "Padaria Aurora",
                "places": [{"branch": None, "contact": "Rosa", "line": "mobile"}],
            },
            "queue": "vendas",
            "agent": "ana",
            "description": "Plano anual",
            "value": "1200.00",
            "won_value": None,
            "reason": None,
            "created_at": "2026-03-02T12:02:00Z",
            "created_by": "ana",
            "decided_at": None,
            "decided_by": None,
            "version": 1,
        }
        assert one(office, quote_id) == answer.body

    def test_asked_for_again_with_its_key_is_the_same_whatever_became_of_it(
        self, office: Office
    ) -> None:
        quote_id = made(office, value="90")
        win(office, quote_id)
        office.clock.advance(hours=1)
        again = make(office, value=90)
        assert (again.status, again.body["quote_id"], again.body["state"]) == (201, quote_id, "won")
        assert listed(office, agent="ana") == ["c1"]

    def test_may_be_one_of_several(self, office: Office) -> None:
        tell(office, "c2", "queued")
        ids = {made(office, key="k1"), made(office, key="k2"), made(office, "c2", "k1")}
        assert len(ids) == 3
        assert listed(office, agent="ana") == ["c2", "c1", "c1"]

    def test_of_a_call_that_is_over_or_that_went_out_too(self, office: Office) -> None:
        tell(office, "c1", "completed")
        tell(office, "out", "answered", direction="outbound_manual", to=NUMBER)
        numbers = {one(office, made(office, call_id))["number"] for call_id in ("c1", "out")}
        assert numbers == {NUMBER}

    def test_of_a_withheld_number_is_nobodys(self, office: Office) -> None:
        tell(office, "c2", "queued", **{"from": "anonymous"})
        quote = make(office, "c2").body
        assert (quote["number"], quote["customer"]) == (None, None)
        shown = office.ask("GET /calls/{call_id}", None, "ana", call_id="c2").body
        assert [each["quote_id"] for each in shown["quotes"]] == [quote["quote_id"]]

    @pytest.mark.parametrize("call_id", ["a-b_c~d:e@f", "1546015415.757927", "a#b?d"])
    def test_of_a_call_with_any_id_is_found_by_its_location(
        self, office: Office, call_id: str
    ) -> None:
        tell(office, call_id, "queued")
        location = make(office, call_id).headers["Location"]
        route = "GET /quotes/{quote_id}"
        found = office.ask(route, None, "ana", quote_id=location.removeprefix("/quotes/"))
        assert (found.status, found.body["call_id"]) == (200, call_id)

    def test_is_refused_with_the_field(self, office: Office) -> None:
        made(office, key="taken", value="90")
        refusals: list[tuple[str, dict[str, Any], str | None]] = [
            ("call_id", {"call_id": "no-call"}, "k1"),
            ("call_id", {"call_id": "c/1"}, "k1"),
            ("call_id", {"call_id": None}, "k1"),
            ("value", {"value": "-1"}, "k1"),
            ("value", {"value": {}}, "k1"),
            ("description", {"description": ["x"]}, "k1"),
            ("state", {"state": "won"}, "k1"),
            ("idempotency-key", {}, None),
            ("idempotency-key", {}, "k" * 201),
            ("idempotency-key", {"value": "91"}, "taken"),
        ]
        for field, fields, key in refusals:
            refused = office.ask("POST /quotes", {"call_id": "c1", **fields}, "ana", key=key)
            named = [error["field"].lower() for error in refused.body["errors"]]
            assert (refused.status, named) == (422, [field]), fields
        assert listed(office, agent="ana") == ["c1"]

    def test_of_a_call_with_too_many_is_refused(self, office: Office) -> None:
        for number in range(MAX_QUOTES_OF_CALL):
            made(office, key=f"k{number}")
        assert make(office, key="one-more").status == 409
        assert make(office, key="k0").status == 201

    def test_while_the_table_is_away_is_a_problem_of_ours(self, office: Office) -> None:
        office.deployment.lose_table("quotes")
        assert make(office).status == 503


class TestDecided:
    def test_is_won_for_its_value_or_another(self, office: Office) -> None:
        quote_id, other = made(office, value="90"), made(office, key="k2", value="90")
        office.clock.advance(minutes=5)
        answer = win(office, quote_id)
        assert (answer.status, answer.headers["ETag"]) == (200, '"2"')
        assert {name: answer.body[name] for name in ("state", "won_value", "decided_by")} == {
            "state": "won",
            "won_value": "90.00",
            "decided_by": "ana",
        }
        assert answer.body["decided_at"] == "2026-03-02T12:07:00Z"
        assert win(office, other, "85.50").body["won_value"] == "85.50"
        assert win(office, other, "85.5").body == one(office, other)
        assert win(office, other, "85.51").status == 409

    def test_without_a_value_it_has_to_be_said(self, office: Office) -> None:
        quote_id = made(office)
        refused = win(office, quote_id)
        assert (refused.status, refused.body["errors"][0]["field"]) == (422, "value")
        assert win(office, quote_id, "0").body["won_value"] == "0.00"

    def test_is_lost_for_a_reason(self, office: Office) -> None:
        quote_id = made(office)
        assert lose(office, quote_id, " ").status == 422
        lost = lose(office, quote_id, " preço ")
        assert (lost.status, lost.body["state"], lost.body["reason"]) == (200, "lost", "preço")
        assert lose(office, quote_id).body == lost.body
        assert win(office, quote_id, "1").status == 409

    def test_is_reopened_by_leaders(self, office: Office) -> None:
        quote_id = made(office, value="90")
        lose(office, quote_id)
        route = "POST /quotes/{quote_id}/reopen"
        assert office.ask(route, None, "ana", quote_id=quote_id).status == 403
        opened = office.ask(route, None, quote_id=quote_id).body
        assert (opened["state"], opened["reason"], opened["decided_at"]) == ("open", None, None)
        assert office.ask(route, None, quote_id=quote_id).body == opened
        assert win(office, quote_id).body["state"] == "won"

    def test_is_for_whoever_made_it_and_for_leaders(self, office: Office) -> None:
        quote_id = made(office, value="90")
        put = "PUT /quotes/{quote_id}"
        assert win(office, quote_id, who="bia").status == 403
        assert lose(office, quote_id, who="bia").status == 403
        assert office.ask(put, {}, "bia", if_match="*", quote_id=quote_id).status == 403
        assert win(office, quote_id, who=None).body["decided_by"] == "leo"

    def test_is_edited_while_it_is_open_by_who_saw_it(self, office: Office) -> None:
        quote_id = made(office, description="Plano mensal", value="90")

        def put(if_match: str | None, **draft: Any) -> Answer:
            route = "PUT /quotes/{quote_id}"
            return office.ask(route, draft, "ana", if_match, quote_id=quote_id)

        assert put(None).status == 428
        assert put('"7"').status == 412
        anew = put('"1"', value="95")
        assert (anew.body["description"], anew.body["value"]) == (None, "95.00")
        assert put('"1"', value="96").status == 412
        assert put('"2"', call_id="c2").status == 422
        win(office, quote_id)
        assert put("*", value="96").status == 409

    def test_that_does_not_exist_is_not_found(self, office: Office) -> None:
        for quote_id in ("nothing", "q1.c1", "q1.no-call", ".c1"):
            shown = office.ask("GET /quotes/{quote_id}", None, "ana", quote_id=quote_id)
            assert (shown.status, win(office, quote_id, "1").status) == (404, 404), quote_id

    def test_by_two_at_once_is_decided_once(
        self, office: Office, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        quote_id, save = made(office, value="90"), QuoteStore.save

        def loses(store: QuoteStore, quote: Any) -> None:
            monkeypatch.setattr(QuoteStore, "save", save)
            assert lose(office, quote_id).status == 200
            raise RefusedTogether([])

        monkeypatch.setattr(QuoteStore, "save", loses)
        assert win(office, quote_id).status == 409
        assert one(office, quote_id)["state"] == "lost"


class TestLists:
    @pytest.fixture(autouse=True)
    def quotes(self, office: Office) -> dict[str, str]:
        """Four of as many calls: two of a customer who rang from two numbers."""
        numbers = {"phone": NUMBER, "mobile": "(21) 99999-0001"}
        self.customer_id = office.customer("Carla Moura", **numbers)
        tell(office, "c2", "queued", **{"from": "+5521999990001"})
        tell(office, "c3", "queued", **{"from": "+5531999990002"})
        tell(office, "c4", "queued", **{"from": "anonymous"})
        ids = {}
        for call_id in ("c1", "c2", "c3", "c4"):
            office.clock.advance(minutes=1)
            who = "bia" if call_id == "c3" else "ana"
            ids[call_id] = made(office, call_id, who=who, value="10")
        win(office, ids["c1"])
        lose(office, ids["c4"])
        return ids

    def test_by_each_filter_page_by_page(self, office: Office) -> None:
        lists: list[tuple[dict[str, str], list[str]]] = [
            ({}, ["c3", "c2"]),
            ({"state": "won"}, ["c1"]),
            ({"state": "lost", "agent": "bia"}, []),
            ({"agent": "ana"}, ["c4", "c2", "c1"]),
            ({"agent": "ana", "state": "open"}, ["c2"]),
            ({"agent": "nobody"}, []),
            ({"number": "011 8765-4321"}, ["c1"]),
            ({"number": NUMBER, "state": "open"}, []),
            ({"agent": "ana", "from": "2026-03-02T12:07:00Z"}, ["c4", "c2"]),
            ({"agent": "ana", "to": "2026-03-02T12:07:00Z"}, ["c2", "c1"]),
            (
                {"agent": "ana", "from": "2026-03-02T12:07:00Z", "to": "2026-03-02T12:08:00Z"},
                ["c2"],
            ),
        ]
        for query, found in lists:
            assert listed(office, **query) == found, query

    def test_of_a_customer_whatever_number_they_rang_from(self, office: Office) -> None:
        assert listed(office, customer_id=self.customer_id) == ["c2", "c1"]
        assert listed(office, customer_id=self.customer_id, state="open") == ["c2"]
        assert listed(office, customer_id="nobody") == []

    def test_of_what_cannot_be_are_refused(self, office: Office) -> None:
        refusals: list[tuple[dict[str, str], str]] = [
            ({"state": "maybe"}, "state"),
            ({"number": "anonymous"}, "number"),
            ({"customer_id": ""}, "customer_id"),
            ({"limit": "0"}, "limit"),
            ({"from": "2026-03-03", "to": "2026-03-02"}, "to"),
            ({"cursor": "x"}, "cursor"),
        ]
        for query, field in refusals:
            refused = office.ask("GET /quotes", None, "ana", query=query)
            assert (refused.status, refused.body["errors"][0]["field"]) == (422, field)

    def test_a_cursor_is_good_for_its_own_list_alone(self, office: Office) -> None:
        first = office.ask("GET /quotes", None, "ana", query={"agent": "ana", "limit": "1"})
        query = {"agent": "bia", "cursor": first.body["cursor"]}
        assert office.ask("GET /quotes", None, "ana", query=query).status == 422


class TestCustomer:
    """Whose the call is, theirs is the quote."""

    @pytest.fixture
    def chosen(self, office: Office) -> tuple[str, str]:
        """Two who share the number."""
        return office.customer("Anna", phone=NUMBER), office.customer("Zilda", mobile=NUMBER)

    def choose(self, office: Office, customer_id: str | None) -> int:
        office.clock.advance(seconds=1)
        route = "PUT /calls/{call_id}/customer"
        return office.ask(route, {"customer_id": customer_id}, "ana", call_id="c1").status

    def name_of(self, office: Office, quote_id: str) -> str | None:
        customer = one(office, quote_id)["customer"]
        return customer and str(customer["name"])

    def test_follows_the_choice_at_the_call(self, office: Office, chosen: tuple[str, str]) -> None:
        ids = [made(office, key=key) for key in ("k1", "k2")]
        win(office, ids[1], "1")
        assert [self.name_of(office, each) for each in ids] == [None, None]
        for customer_id, name in ((chosen[0], "Anna"), (chosen[1], "Zilda"), (None, None)):
            assert self.choose(office, customer_id) == 200
            assert [self.name_of(office, each) for each in ids] == [name, name]
        assert one(office, ids[1])["state"] == "won"
        assert listed(office, customer_id=chosen[1]) == []

    def test_of_a_choice_that_was_half_written_follows_when_it_is_told_again(
        self, office: Office, chosen: tuple[str, str], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        quote_id = made(office)

        def dies(*_: object) -> None:
            raise Unavailable("out of memory")

        with monkeypatch.context() as dying:
            dying.setattr(QuoteStore, "save", dies)
            assert self.choose(office, chosen[0]) == 503
        assert self.name_of(office, quote_id) is None
        assert self.choose(office, chosen[0]) == 200
        assert self.name_of(office, quote_id) == "Anna"

    def test_chosen_while_the_quote_is_being_made_is_not_lost(
        self, office: Office, chosen: tuple[str, str], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        save = QuoteStore.save

        def slow(store: QuoteStore, quote: Any) -> None:
            monkeypatch.setattr(QuoteStore, "save", save)
            assert self.choose(office, chosen[0]) == 200
            save(store, quote)

        monkeypatch.setattr(QuoteStore, "save", slow)
        assert make(office).body["customer"]["name"] == "Anna"

    def test_of_two_choices_at_once_is_that_of_the_call(
        self, office: Office, chosen: tuple[str, str], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        quote_id, save = made(office), QuoteStore.save

        def slow(store: QuoteStore, quote: Any) -> None:
            monkeypatch.setattr(QuoteStore, "save", save)
            assert self.choose(office, chosen[1]) == 200
            save(store, quote)

        monkeypatch.setattr(QuoteStore, "save", slow)
        assert self.choose(office, chosen[0]) == 200
        assert self.name_of(office, quote_id) == "Zilda"

    def test_that_was_deleted_is_shown_no_more(
        self, office: Office, chosen: tuple[str, str]
    ) -> None:
        self.choose(office, chosen[0])
        quote_id = made(office)
        route = "DELETE /customers/{customer_id}"
        assert office.ask(route, if_match="*", customer_id=chosen[0]).status == 204
        assert self.name_of(office, quote_id) is None


class TestBesideCalls:
    def test_are_shown_with_their_call(self, office: Office) -> None:
        tell(office, "c2", "queued")
        first, second = made(office, value="90"), made(office, key="k2")
        win(office, first)
        calls = {
            call["call_id"]: [(each["quote_id"], each["state"]) for each in call["quotes"]]
            for route, query in (("GET /calls/recent", {}), ("GET /calls", {"number": NUMBER}))
            for call in office.ask(route, None, "ana", query=query).body["items"]
        }
        assert calls["c2"] == []
        assert sorted(calls["c1"]) == sorted([(first, "won"), (second, "open")])
        shown = office.ask("GET /calls/{call_id}", None, "ana", call_id="c1").body["quotes"]
        assert {each["quote_id"]: each for each in shown}[first] == {
            "quote_id": first,
            "call_id": "c1",
            "state": "won",
            "agent": "ana",
            "description": None,
            "value": "90.00",
            "won_value": "90.00",
            "created_at": "2026-03-02T12:03:00Z",
        }

    def test_missed_calls_show_what_is_open_and_what_won_the_customer_back(
        self, office: Office
    ) -> None:
        old, still_open = made(office, key="k1", value="10"), made(office, key="k2")
        win(office, old)
        tell(office, "missed", "queued", "cancelled")
        tell(office, "others", "queued", "cancelled", **{"from": "+5531999990002"})
        tell(office, "withheld", "queued", "cancelled", **{"from": "anonymous"})

        def shown() -> dict[str, list[str]]:
            items = office.ask("GET /missed-calls", None, "ana").body["items"]
            return {
                item["call_id"]: [each["quote_id"] for each in item["quotes"]] for item in items
            }

        assert shown() == {"missed": [still_open], "others": [], "withheld": []}
        back: dict[str, Any] = {
            "direction": "outbound_manual",
            "to": NUMBER,
            "answered_by": "human",
        }
        tell(office, "back", "answered", "completed", **back)
        sold = made(office, "back", value="50")
        win(office, sold)
        assert shown()["missed"] == [sold, still_open]
        detail = office.ask("GET /missed-calls/{call_id}", None, "ana", call_id="missed").body
        assert detail["recovered_by"] == "back"
        assert [each["quote_id"] for each in detail["quotes"]] == [sold, still_open]

    def test_cost_one_query_a_call_and_two_requests_a_number(self, office: Office) -> None:
        for number in range(3):
            tell(office, f"m{number}", "queued", "cancelled")
        made(office, "m0")
        with counted() as requests:
            office.ask("GET /calls/recent", None, "ana")
        # The calls' index, the number of their customer, and the quotes of each.
        assert requests.count("Query") == 2 + 4
        with counted() as requests:
            office.ask("GET /missed-calls", None, "ana")
        # The list, the number's customer, and its quotes.
        assert requests.count("Query") == 3


class TestCounting:
    """What the dashboard counts."""

    def test_each_write_is_told_to_those_who_look_on(self, office: Office) -> None:
        quote_id = made(office)
        lose(office, quote_id)
        office.deployment.work()
        told = [
            (message["call_id"], message["name"])
            for message in office.deployment.messages("CountsQueue")
            if message["kind"] == Kind.QUOTE
        ]
        assert set(told) == {QuoteId.read(quote_id)[::-1]}

    def test_a_call_counts_with_all_its_quotes_as_of_the_first(self, office: Office) -> None:
        reader = QuoteReader(QuoteStore("quotes"))
        assert reader.of_calls(["c1"]) == {"c1": []}
        first, at = made(office, value="90"), office.clock.now
        office.clock.advance(minutes=10)
        second = made(office, key="k2", who="bia", value="20")

        def counts() -> tuple[int, ...]:
            found = QuotesOfCall.of(reader.of_calls(["c1"])["c1"])
            assert found is not None
            assert (found.agent, found.queue, found.created_at) == ("ana", "vendas", at)
            return found.open, found.won, found.lost, found.won_cents, found.calls_won

        assert counts() == (2, 0, 0, 0, 0)
        win(office, first, "85.01")
        assert counts() == (1, 1, 0, 8501, 1)
        win(office, second, who="bia")
        assert counts() == (0, 2, 0, 10501, 1)
        office.ask("POST /quotes/{quote_id}/reopen", quote_id=first)
        lose(office, first)
        assert counts() == (0, 1, 1, 2000, 1)
