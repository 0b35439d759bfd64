"""Plays the centre against the API: sends its calls, and hands its operators the API's list."""

import time
from collections import Counter
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from operator import itemgetter
from typing import Any

from local.client import Client
from local.simulate.carrier import Event
from local.simulate.centre import Centre
from local.simulate.truth import Outcome, differences
from local.simulate.view import Days, Scene

TICK_SECONDS = 0.5
TICKS_BETWEEN_SUMMARIES = 4
MOST_ATTEMPTS = 4
EVENTS_AT_A_TIME = 500
LATEST_RECOVERIES = 20
# Calls whose end never came are closed once a minute; all else is there within seconds.
CATCH_UP_SECONDS = 120


class Play:
    def __init__(self, client: Client, centre: Centre, start: datetime) -> None:
        self.scene = Days(centre)
        self._client = client
        self._centre = centre
        self._start = start
        self._to_sum_up: list[tuple[str, str]] = []

    def introduce(self) -> str:
        """Imports the customers whom the company knows; says how many."""
        known = self._centre.known()
        lines = [f"{code};{each.name};{each.number}" for code, each in known.items()]
        content = "\n".join(["código;nome;telefone", *lines]).encode()
        imported = self._client.import_customers(content)
        return (
            f"{imported['created']} of {len(self._centre.customers)} customers are known by name."
        )

    def run(self, minutes: float, show: Callable[[Scene], None]) -> None:
        """Each tick is the same share of the open time, so that where the API is slow the play
        gets longer, and nobody acts on a list that is older than a tick."""
        ticks = max(1, round(minutes * 60 / TICK_SECONDS))
        began = time.monotonic()
        for tick in range(ticks):
            self.scene.progress = (tick + 1) / ticks
            self._send(self._centre.advance(self._centre.hours.moment(self.scene.progress)))
            self._sum_up()
            self._hand_out_list()
            if tick % TICKS_BETWEEN_SUMMARIES == 0:
                self._read_summary()
            show(self.scene)
            time.sleep(max(0, began + (tick + 1) * TICK_SECONDS - time.monotonic()))
        self._send(self._centre.delayed_events())
        self._sum_up()

    def _sum_up(self) -> None:
        """Of a call that the API does not know yet, the operator tries again a tick later."""
        self._to_sum_up += self._centre.summed_up()
        self._to_sum_up = [
            (call_id, code)
            for call_id, code in self._to_sum_up
            if not self._client.dispose(call_id, code)
        ]

    def differences(self) -> list[str]:
        """Where the API and the truth differ still, once the API has had the time to catch up."""
        deadline = time.monotonic() + CATCH_UP_SECONDS
        while (found := self._differences()) and time.monotonic() < deadline:
            time.sleep(1)
        return found

    def summary(self) -> dict[str, Any]:
        return self._client.summary(*self._period())

    def _period(self) -> tuple[datetime, datetime]:
        """All that is played, and what happens live after it."""
        return self._start, datetime.now(UTC)

    def _send(self, events: list[Event]) -> None:
        for first in range(0, len(events), EVENTS_AT_A_TIME):
            self._client.send_calls(events[first : first + EVENTS_AT_A_TIME])

    def _hand_out_list(self) -> None:
        """Whom fewest calls were made to comes first, and of those who waits longest.

        The API may list a miss of later than the simulation's present: a call whose end was lost
        counts as ended hours after it began.
        """
        now = self._centre.now
        known = [item for item in self._missed_calls("open") if _missed_at(item) <= now]
        to_call = [item for item in known if item["attempts"] < MOST_ATTEMPTS]
        to_call.sort(key=lambda item: (item["attempts"], _missed_at(item)))
        self._centre.worklist = [item["call_id"] for item in to_call]
        self.scene.open_calls = sorted(known, key=_missed_at, reverse=True)

    def _read_summary(self) -> None:
        self.scene.summary = self.summary()
        latest = sorted(self._missed_calls("recovered"), key=itemgetter("recovered_at"))
        self.scene.recoveries = latest[: -LATEST_RECOVERIES - 1 : -1]

    def _missed_calls(self, state: str) -> list[dict[str, Any]]:
        return self._of_this_run(self._client.missed_calls(*self._period(), state))

    def _of_this_run(self, items: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
        """The stack may hold the calls of other runs, and of other senders."""
        return [item for item in items if item["call_id"].startswith(self._centre.run_id)]

    def _differences(self) -> list[str]:
        listed = list(self._client.missed_calls(*self._period()))
        found = {
            item["call_id"]: Outcome(item["state"], item["recovered_by"])
            for item in self._of_this_run(listed)
        }
        summary = self.summary()
        counts = Counter(item["state"] for item in listed)
        counts["missed"] = len(listed)
        miscounted = [
            f"the summary counts {summary[name]} {name}, but the list holds {count}"
            for name, count in counts.items()
            if summary[name] != count
        ]
        return differences(self._centre.truth.outcomes(), found) + miscounted


def _missed_at(item: dict[str, Any]) -> datetime:
    return datetime.fromisoformat(item["missed_at"])
