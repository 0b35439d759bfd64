"""What happens in a call centre, once or many times a minute, with all that follows of it."""

import logging
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from random import Random
from typing import Any, NamedTuple

from benchmarks.traffic import Traffic
from tests.conftest import moto
from tests.support.capacity import Bill
from tests.support.clock import StoppedClock
from tests.support.deployment import deployed, forget
from tests.support.events import answer, user
from tests.support.exchange import serving
from tests.support.functions import function_of
from tests.support.simulated_cloud import request
from tests.support.switchboard import Switchboard
from tests.support.webhooks import canonical

# A Monday in São Paulo, 9:30.
BEGINNING = datetime(2026, 3, 2, 12, 30, tzinfo=UTC)
# From one stage of a call to the next.
STAGE = timedelta(seconds=20)
CAMPAIGN = {"name": "Retorno de vendas", "monitored_queue": "vendas", "callback_queue": "retorno"}
LEADER = user("[supervisor]", "leo")

Stages = Mapping[str, Mapping[str, str]]


class Happened(NamedTuple):
    """So many times; the bills are of all of them, by function."""

    name: str
    times: int
    bills: Mapping[str, Bill]


class Centre:
    """A call centre that nothing has happened in, with an agent for each of `times`."""

    def __init__(self, traffic: Traffic, switchboard: Switchboard, times: int) -> None:
        self._traffic = traffic
        self._switchboard = switchboard
        self._switchboard.before_answer = self._dialled
        self._times = times

    def answered_calls(self) -> Happened:
        return self._happened("an answered call", self._answered)

    def events_together(self) -> Happened:
        return self._happened("4 events of a call together", self._told_together)

    def missed_calls(self) -> Happened:
        return self._happened("a missed call", self._missed)

    def recoveries(self) -> Happened:
        self._happened("missed before", self._missed)
        return self._happened("the call that recovers it", self._recovered)

    def call_backs(self) -> Happened:
        draft = {"name": "Ana", "queues": ["retorno"], "wrap_up_seconds": 0}
        self._ask("PUT /callback-campaigns/{campaign}", CAMPAIGN, campaign="vendas")
        for index in range(self._times):
            self._ask("PUT /agents/{agent}", draft, agent=f"ana-{index}")
            wish = {"state": "available"}
            self._ask("PUT /agents/{agent}/presence", wish, agent=f"ana-{index}")
        self._traffic.bills()
        happened = self._happened("a call-back, from the missed call on", self._missed)
        assert len(self._switchboard.placed) == self._times
        return happened

    def _happened(self, name: str, happens: Callable[[int], None]) -> Happened:
        """As people call: one a second, at random."""
        random, moment = Random(0), self._traffic.clock.now  # noqa: S311
        for index in range(self._times):
            moment += timedelta(seconds=random.expovariate(1))
            self._traffic.at(moment, lambda index=index: happens(index))  # type: ignore[misc]
        return Happened(name, self._times, self._traffic.bills())

    def _answered(self, index: int) -> None:
        agent = {"agent": f"bia-{index}"}
        told = {"queued": _caller(index), "ringing": agent, "answered": agent, "completed": {}}
        self._call(f"answered-{index}", told)

    def _told_together(self, index: int) -> None:
        now = self._traffic.clock.now.isoformat()
        facts = {"call_id": f"told-{index}", "occurred_at": now, **_caller(index)}
        stages = ("queued", "ringing", "answered", "completed")
        self._tell(*({**facts, "event_id": stage, "stage": stage} for stage in stages))

    def _missed(self, index: int) -> None:
        self._call(f"missed-{index}", {"queued": _caller(index), "cancelled": {}})

    def _recovered(self, index: int) -> None:
        agent = {"agent": f"bia-{index}"}
        dialled = {"direction": "outbound_manual", "to": _caller(index)["from"], **agent}
        told: Stages = {"ringing": dialled, "answered": agent, "completed": {}}
        self._call(f"recovers-{index}", told)

    def _dialled(self) -> None:
        """Whom the switchboard rings answers, and they talk."""
        order = self._switchboard.placed[-1]
        told: Stages = {"answered": {"agent": order["agent"]}, "completed": {}}
        self._call(f"call-{order['attempt_id']}", told, begins_after=STAGE)

    def _call(self, call_id: str, told: Stages, begins_after: timedelta = timedelta(0)) -> None:
        moment = self._traffic.clock.now + begins_after
        for stage, facts in told.items():
            event = {
                "call_id": call_id,
                "event_id": f"{call_id}-{stage}",
                "stage": stage,
                "occurred_at": moment.isoformat(),
                **facts,
            }
            self._traffic.at(moment, lambda event=event: self._tell(event))  # type: ignore[misc]
            moment += STAGE

    def _tell(self, *events: Mapping[str, str]) -> None:
        webhook = canonical(self._traffic.clock.now, *events)
        told = answer(self._traffic.call("IngestCalls", webhook, len(events)))
        assert told.body["accepted"] == len(events), told.body

    def _ask(self, route: str, body: Any, **parts: Any) -> None:
        asked = request(route, LEADER, body, **parts)
        told = answer(self._traffic.call(function_of(route), asked))
        assert told.status in (HTTPStatus.OK, HTTPStatus.CREATED), told.body


def _caller(index: int) -> dict[str, str]:
    return {"direction": "inbound", "from": f"+55119876{index:05}", "queue": "vendas"}


@contextmanager
def centre(times: int) -> Iterator[Centre]:
    with moto(), serving(Switchboard()) as switchboard:
        assert isinstance(switchboard, Switchboard)
        forget()
        deployment = deployed()
        deployment.configure(DIAL_PROVIDER="canonical", DIAL_URL=switchboard.url)
        with Traffic(deployment, StoppedClock(BEGINNING)).running() as traffic:
            yield Centre(traffic, switchboard, times)
        forget()


def happened(times: int) -> Iterator[Happened]:
    """Each in a call centre of its own."""
    things = (
        Centre.answered_calls,
        Centre.events_together,
        Centre.missed_calls,
        Centre.recoveries,
        Centre.call_backs,
    )
    # What people ask for beforehand is told in the logs.
    logging.disable(logging.INFO)
    try:
        for thing in things:
            with centre(times) as there:
                yield thing(there)
    finally:
        logging.disable(logging.NOTSET)
