"""The dashboard's headline figures, held against what happened since the simulation began."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from local.client import Client
from local.simulate.quotes import STATES, Quote, won_value
from local.simulate.switch import Call
from local.simulate.truth import Outcome
from local.words import money

Figures = Mapping[str, int | Decimal]

DIRECTIONS = ("inbound", "outbound_manual", "outbound_auto")
MISSED_STATES = ("open", "blocked", "recovered", "returned")


def happened(
    begun: Mapping[str, int],
    live_calls: Iterable[Call],
    outcomes: Iterable[Outcome],
    quotes: Iterable[Quote],
) -> Figures:
    """As the dashboard calls it, by section; `begun` counts the calls of the days by direction."""
    calls, made = list(live_calls), list(quotes)
    not_rung = [call.reason == "operator_no_answer" for call in calls if not call.came_in]
    missed = Counter(outcome.state for outcome in outcomes)
    states = Counter(quote.state for quote in made)
    return {
        "inbound.calls": begun["inbound"] + sum(call.came_in for call in calls),
        "outbound_manual.calls": begun["outbound_manual"],
        "outbound_auto.calls": not_rung.count(False),
        "outbound_auto.operator_no_answer": not_rung.count(True),
        "undirected.calls": 0,
        "missed.calls": missed.total(),
        **{f"missed.{state}": missed[state] for state in MISSED_STATES},
        "quotes.quotes": len(made),
        **{f"quotes.{state}": states[state] for state in STATES},
        "quotes.won_value": won_value(made),
    }


class Dashboard:
    """What it has counted since this was made; earlier runs count, too."""

    name = "Dashboard"

    def __init__(self, client: Client, start: datetime) -> None:
        self.expected: Figures = {}
        self._client = client
        # The company's days may be other ones than those of UTC.
        self._first = (start - timedelta(days=1)).date()
        self._before = self._total()

    def _total(self) -> Mapping[str, Any]:
        last = (datetime.now(UTC) + timedelta(days=1)).date()
        total: Mapping[str, Any] = self._client.dashboard(self._first, last)["total"]
        return total

    def summary(self) -> str:
        """ "960 calls, 136 missed, 98 recovered, 14 quotes, R$ 2.310,40 won" """
        told = self.expected
        calls = sum(told[f"{direction}.calls"] for direction in DIRECTIONS)
        return (
            f"{calls} calls, {told['missed.calls']} missed, {told['missed.recovered']} recovered, "
            f"{told['quotes.quotes']} quotes, {money(Decimal(told['quotes.won_value']))} won"
        )

    def differences(self) -> Iterator[str]:
        """Raises CloudError."""
        after = self._total()
        for name, expected in self.expected.items():
            counted = _figure(after, name) - _figure(self._before, name)
            if counted != expected:
                yield f"{name}: {expected} happened, but {counted} were counted"


def _figure(total: Mapping[str, Any], name: str) -> Decimal:
    section, _, figure = name.partition(".")
    return Decimal(total[section][figure])
