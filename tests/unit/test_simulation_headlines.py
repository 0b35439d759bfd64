"""What the simulation holds against the dashboard's headlines, without a stack."""

from collections import Counter
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any, cast

from local.client import Client
from local.simulate.headlines import Dashboard, happened
from local.simulate.people import settle
from local.simulate.quotes import OPEN, WON, Deal, Quote
from local.simulate.switch import Call, Order, Switch
from local.simulate.truth import Outcome
from local.simulate.verdict import verdict_on

NOW = datetime(2026, 3, 5, 17, 30, tzinfo=UTC)


def calls() -> list[Call]:
    """One who hung up, one who was reached, and one for whom no operator picked up."""
    waiting, reached, unlucky = settle(3, seed=3, start=NOW)
    reached.habit = ("talks",)
    switch = Switch("x", 1, [waiting, reached, unlucky])
    switch.ring_in(waiting, "vendas", 20, NOW)
    switch.place(Order("1", reached.number, "4001", "ana"), NOW)
    # The telephone is engaged.
    switch.place(Order("2", unlucky.number, "4001", "ana"), NOW)
    switch.advance(NOW + timedelta(minutes=10))
    return switch.all_calls()


def quote(call: Call, state: str, value: str) -> Quote:
    deal = Deal(state, "Instalação", None, Decimal(value), None, timedelta(), told_twice=False)
    return Quote(call, "ana", deal, value, NOW, state)


def all_that_happened() -> dict[str, Any]:
    made = calls()
    outcomes = [Outcome("open"), Outcome("recovered", "x"), Outcome("recovered", "y")]
    quotes = [quote(made[1], WON, "10.50"), quote(made[1], WON, "9.50"), quote(made[1], OPEN, "7")]
    begun = Counter(inbound=5, outbound_manual=4)
    return dict(happened(begun, made, outcomes, quotes))


def test_what_happened_is_counted_as_the_dashboard_does() -> None:
    assert all_that_happened() == {
        "inbound.calls": 6,
        "outbound_manual.calls": 4,
        "outbound_auto.calls": 1,
        "outbound_auto.operator_no_answer": 1,
        "undirected.calls": 0,
        "missed.calls": 3,
        "missed.open": 1,
        "missed.blocked": 0,
        "missed.recovered": 2,
        "missed.returned": 0,
        "quotes.quotes": 3,
        "quotes.open": 1,
        "quotes.won": 2,
        "quotes.lost": 0,
        "quotes.won_value": Decimal("20.00"),
    }


class Api:
    """A dashboard on which an earlier run has left its figures."""

    def __init__(self) -> None:
        self.total: dict[str, dict[str, Any]] = {}
        for name in all_that_happened():
            section, _, figure = name.partition(".")
            value = "100.25" if figure == "won_value" else 100
            self.total.setdefault(section, {})[figure] = value
        self.days: tuple[date, date] | None = None

    def count(self) -> None:
        for name, value in all_that_happened().items():
            section, _, figure = name.partition(".")
            found = self.total[section][figure]
            counted = Decimal(found) + value
            self.total[section][figure] = str(counted) if figure == "won_value" else int(counted)

    def dashboard(self, first: date, last: date) -> dict[str, Any]:
        self.days = first, last
        return {"total": {section: dict(told) for section, told in self.total.items()}}


def test_the_dashboard_has_to_count_what_happened_and_no_more() -> None:
    api = Api()
    dashboard = Dashboard(cast(Client, api), NOW)
    dashboard.expected = all_that_happened()
    assert "missed.recovered: 2 happened, but 0 were counted" in dashboard.differences()
    api.count()
    verdict = verdict_on(dashboard, 0)
    assert verdict.differences == []
    assert verdict.happened == "11 calls, 3 missed, 2 recovered, 3 quotes, R$ 20,00 won"
    api.total["undirected"]["calls"] += 1
    assert list(dashboard.differences()) == ["undirected.calls: 0 happened, but 1 were counted"]
    assert api.days
    assert api.days[0] < NOW.date() < api.days[1]
