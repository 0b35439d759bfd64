"""The simulated quotes without a stack: what customers make of them, who makes them, and what the
API may tell of them.
"""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any, cast

import pytest

from local.client import Client
from local.simulate.people import Customer, settle
from local.simulate.quotes import LOST, OPEN, STATES, WON, Deal, Quote, Sales, Seller, plan
from local.simulate.switch import Order, Switch
from local.simulate.verdict import verdict_on

NOW = datetime(2026, 3, 5, 17, 30, tzinfo=UTC)
DECIDED_AFTER = timedelta(seconds=10)


def deal(state: str, *, told_twice: bool = False) -> Deal:
    won_value = Decimal("90.00") if state == WON else None
    reason = "achou caro" if state == LOST else None
    value = Decimal("100.00")
    return Deal(state, "Instalação", value, won_value, reason, DECIDED_AFTER, told_twice)


# --- What is written beforehand -------------------------------------------------------------------


def test_the_same_seed_repeats_and_another_does_not() -> None:
    customers = settle(60, seed=1, start=NOW)
    assert plan(customers, 1) == plan(customers, 1) != plan(customers, 2)


def test_all_that_may_become_of_a_quote_does() -> None:
    customers = settle(300, seed=1, start=NOW)
    deals = plan(customers, 1)
    assert len(customers) > len(deals) > 100
    assert {each.state for each in deals.values()} == set(STATES)
    won = [each for each in deals.values() if each.state == WON]
    assert all(each.won_value and not each.reason for each in won)
    assert {each.value is None for each in won} == {True, False}
    assert {each.value == each.won_value for each in won} == {True, False}
    assert all(each.reason for each in deals.values() if each.state == LOST)


# --- Who makes them -------------------------------------------------------------------------------


class Api:
    """Keeps quotes as the product would, once it knows of the call."""

    def __init__(self) -> None:
        self.knows_calls = True
        self.quotes: dict[str, dict[str, Any]] = {}
        self.told = 0

    def make_quote(self, wish: dict[str, Any], key: str) -> dict[str, Any] | None:
        if not self.knows_calls:
            return None
        self.told += 1
        told = {"state": OPEN, "channel": "phone", "agent": "ana", "number": "+5511987654321"}
        undecided = {"won_value": None, "reason": None}
        return self.quotes.setdefault(key, {"quote_id": key, **told, **undecided, **wish})

    def decide_quote(self, quote_id: str, how: str, told: dict[str, Any]) -> None:
        quote = self.quotes[quote_id]
        if how == "win":
            quote |= {"state": WON, "won_value": told.get("value", quote["value"])}
        else:
            quote |= {"state": LOST, **told}

    def quotes_of(self, agent: str, since: datetime) -> Iterator[dict[str, Any]]:
        yield from (each for each in self.quotes.values() if each["agent"] == agent)

    def call(self, call_id: str) -> dict[str, Any]:
        made = [each for each in self.quotes.values() if each["call_id"] == call_id]
        return {"call_id": call_id, "quotes": made}


@pytest.fixture
def api() -> Api:
    return Api()


def selling(api: Api, deal: Deal, habit: str = "talks") -> Seller:
    """An operator who was connected with a customer."""
    customer = next(each for each in settle(9, seed=1, start=NOW) if not each.withheld)
    customer.area, customer.line, customer.habit = "11", "87654321", [habit]
    switch = Switch("x", 1, [customer])
    switch.place(Order("1", customer.number, "4001", "ana"), NOW)
    switch.advance(NOW + timedelta(minutes=10))
    deals: dict[Customer, Deal] = {customer: deal}
    return Seller("ana", cast(Client, api), switch.all_calls, deals)


@pytest.mark.parametrize("state", STATES)
@pytest.mark.parametrize("told_twice", [True, False])
def test_a_quote_is_made_once_and_decided_in_time(api: Api, state: str, told_twice: bool) -> None:
    seller = selling(api, deal(state, told_twice=told_twice))
    seller.look(NOW)
    seller.look(NOW + DECIDED_AFTER / 2)
    [quote] = seller.quotes
    assert (quote.state, api.told) == (OPEN, 2 if told_twice else 1)
    seller.look(NOW + DECIDED_AFTER)
    seller.look(NOW + DECIDED_AFTER)
    assert quote.state == state
    assert api.quotes[quote.quote_id]["state"] == state
    assert list(book(api, seller).differences()) == []


@pytest.mark.parametrize("habit", ["is away", "has a voicemail"])
def test_nobody_quotes_to_who_was_not_reached(api: Api, habit: str) -> None:
    seller = selling(api, deal(WON), habit)
    seller.look(NOW)
    assert seller.quotes == []


def test_a_quote_in_a_call_that_is_not_known_yet_is_made_later(api: Api) -> None:
    seller = selling(api, deal(OPEN))
    api.knows_calls = False
    seller.look(NOW)
    assert seller.quotes == []
    assert list(book(api, seller).differences()) == ["in x-1 ana could make no quote"]
    api.knows_calls = True
    assert list(book(api, seller).differences()) == []
    assert [quote.call.call_id for quote in seller.quotes] == ["x-1"]


# --- What the API tells of them -------------------------------------------------------------------


def book(api: Api, seller: Seller) -> Sales:
    return Sales(cast(Client, api), [seller], NOW)


def made(api: Api, state: str) -> tuple[Seller, Quote, dict[str, Any]]:
    seller = selling(api, deal(state))
    seller.look(NOW)
    seller.look(NOW + DECIDED_AFTER)
    [quote] = seller.quotes
    return seller, quote, api.quotes[quote.quote_id]


def test_whatever_the_api_tells_otherwise_is_told(api: Api) -> None:
    seller, _, stored = made(api, WON)
    stored |= {"won_value": "90.01", "number": "+551187654321"}
    assert list(book(api, seller).differences()) == [
        "the quote in x-1: number is +5511987654321, but the API says +551187654321",
        "the quote in x-1: won_value is 90.00, but the API says 90.01",
    ]


def test_a_quote_that_is_gone_and_one_too_many_are_told(api: Api) -> None:
    seller, quote, stored = made(api, LOST)
    api.quotes["other"] = {**stored, "quote_id": "other", "call_id": "y"}
    del api.quotes[quote.quote_id]
    told = list(book(api, seller).differences())
    assert told[0] == "nobody made the quote that the API lists in y"
    assert "the quote in x-1: state is lost, but the API says None" in told
    assert told[-1] == "the quote in x-1 is lost, but not so beside its call"


def test_the_verdict_says_what_was_sold(api: Api) -> None:
    seller, _, _ = made(api, WON)
    verdict = verdict_on(book(api, seller), 0)
    assert verdict.happened == "1 made, 1 won for R$ 90,00, 0 lost, 0 open"
    assert verdict.differences == []
