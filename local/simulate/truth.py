"""What the product should find: reckoned from what happened, by person and without any number."""

from collections import defaultdict
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

from local.simulate.people import Customer


class Outcome(NamedTuple):
    """What became of a missed call; `recovered_by` is the call that won the customer back."""

    state: str
    recovered_by: str | None = None


@dataclass(frozen=True)
class Contact:
    """A talk of a customer with an operator: `began` when one rang, `talked` when both did."""

    began: datetime
    talked: datetime
    outcome: Outcome


class Truth:
    def __init__(self) -> None:
        self._misses: dict[str, tuple[Customer, datetime]] = {}
        self._contacts: defaultdict[Customer, list[Contact]] = defaultdict(list)
        self._given_up: set[str] = set()

    def missed(self, call_id: str, customer: Customer, at: datetime) -> None:
        self._misses[call_id] = (customer, at)

    def rang_back(
        self, call_id: str, customer: Customer, began: datetime, talked: datetime
    ) -> None:
        self._contacts[customer].append(Contact(began, talked, Outcome("recovered", call_id)))

    def came_through(self, customer: Customer, began: datetime, talked: datetime) -> None:
        self._contacts[customer].append(Contact(began, talked, Outcome("returned")))

    def gave_up(self, call_id: str) -> None:
        """Whoever was missed was rung back as often as may be."""
        self._given_up.add(call_id)

    def outcomes(self) -> dict[str, Outcome]:
        """By the missed call's id."""
        return {
            call_id: self._outcome(call_id, customer, missed_at)
            for call_id, (customer, missed_at) in self._misses.items()
        }

    def _outcome(self, call_id: str, customer: Customer, missed_at: datetime) -> Outcome:
        """The first talk in a call that began after the miss decides; but nobody can know who
        stands behind a withheld number."""
        later = [contact for contact in self._contacts[customer] if contact.began > missed_at]
        if customer.withheld or not later:
            return Outcome("blocked" if call_id in self._given_up else "open")
        return min(later, key=lambda contact: contact.talked).outcome


def differences(expected: dict[str, Outcome], found: dict[str, Outcome]) -> list[str]:
    """A line for each missed call of which the two tell different things."""
    return [
        f"{call_id}: {_words(expected.get(call_id))}, but the API says {_words(found.get(call_id))}"
        for call_id in sorted(expected.keys() | found.keys())
        if expected.get(call_id) != found.get(call_id)
    ]


def _words(outcome: Outcome | None) -> str:
    if outcome is None:
        return "not missed"
    return f"{outcome.state} by {outcome.recovered_by}" if outcome.recovered_by else outcome.state
