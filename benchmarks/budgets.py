"""What is asked of DynamoDB: requests and capacity units of all that happens often.

It is played through the functions' own handlers, in moto, on the template's tables. What AWS brings
in batches costs no more than here, where each thing that happens is followed up before the next.
budgets.json has what each may cost, and a test holds it to that.
"""

import json
import logging
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, redirect_stdout
from functools import partial
from http import HTTPStatus
from pathlib import Path
from typing import Any, NamedTuple
from unittest.mock import patch

from benchmarks.tables import table
from tests.conftest import moto
from tests.integration.test_callbacks import CUSTOMER, NOW, Centre
from tests.support.capacity import Bill, Meter
from tests.support.clock import StoppedClock
from tests.support.deployment import deployed, forget
from tests.support.events import sqs, user
from tests.support.exchange import serving
from tests.support.switchboard import Switchboard
from tests.support.webhooks import canonical

CALLER = {"direction": "inbound", "from": CUSTOMER, "queue": "vendas"}
ANOTHER = {**CALLER, "from": "+5521976543210"}
ANA = user("[supervisor]", "ana")

# Each list, and what it has to be asked.
LISTS: Mapping[str, Mapping[str, str]] = {
    "GET /calls": {"number": CUSTOMER},
    "GET /calls/recent": {},
    "GET /missed-calls": {},
    "GET /missed-calls/summary": {},
    "GET /voicemail-reviews": {},
    "GET /customers": {},
    "GET /agents": {},
    "GET /dials": {},
    "GET /offers": {"queue": "vendas"},
    "GET /quotes": {},
    "GET /callback-campaigns": {},
    "GET /callback-contacts": {"list_name": "vendas", "state": "reached"},
    "GET /callbacks": {},
    "GET /conversations": {},
    "GET /do-not-call": {},
    "GET /telemarketing/campaigns": {},
    "GET /telemarketing/statistics": {},
    "GET /wait-compliance": {},
    "GET /wait-breaches": {},
    "GET /dashboard": {},
}


BUDGETS: Mapping[str, list[float]] = json.loads(
    Path(__file__).with_name("budgets.json").read_text(encoding="utf-8")
)


class Cost(NamedTuple):
    requests: int
    read_units: float
    write_units: float


class Spent(NamedTuple):
    """What something cost, by the function that asked for it."""

    name: str
    bills: Mapping[str, Bill]

    @property
    def cost(self) -> Cost:
        return Cost(
            sum(bill.requests_to("dynamodb") for bill in self.bills.values()),
            sum(bill.read_units for bill in self.bills.values()),
            sum(bill.write_units for bill in self.bills.values()),
        )


class Day:
    """A day in a call centre, one thing after the other."""

    def __init__(self, centre: Centre, meter: Meter) -> None:
        self._centre = centre
        self._meter = meter

    def spent(self, name: str, do: Callable[[], object]) -> Spent:
        with self._meter.reading() as bills:
            do()
        return Spent(name, bills)

    def play(self) -> Iterator[Spent]:
        tell = self._tell
        yield self.spent("a call's first event", tell("in-1", "queued", **CALLER))
        yield self.spent("… that says who is rung", tell("in-1", "ringing", agent="bia"))
        yield self.spent("… that they answered", tell("in-1", "answered", agent="bia"))
        yield self.spent("… that it is over", tell("in-1", "completed"))
        yield self.spent("an event again", tell("in-1", "completed"))
        tell("in-2", "completed")()
        yield self.spent("an event out of order", tell("in-2", "queued", **CALLER))
        yield self.spent("4 events of a call together", self._tell_together)
        self._follow()

        yield self.spent("an answered call, all told", lambda: self._call("in-4"))
        yield self.spent("a missed call, all told", lambda: self._miss("in-5", CALLER))
        yield self.spent("the call that recovers it, all told", lambda: self._recover("out-1"))
        self._centre.campaign()
        self._centre.agent("ana")
        self._follow()
        yield self.spent("a missed call that is called back", lambda: self._miss("in-6", ANOTHER))
        yield self.spent("… and reached, all told", self._reached)

        for route, query in LISTS.items():
            yield self.spent(route, partial(self._read, route, query))

    def _tell(self, call_id: str, stage: str, **facts: str) -> Callable[[], None]:
        return lambda: self._centre.tell(call_id, stage, **facts)

    def _tell_together(self) -> None:
        facts = {"call_id": "in-3", "occurred_at": NOW.isoformat(), "direction": "inbound"}
        stages = ("queued", "ringing", "answered", "completed")
        events = [{**facts, "event_id": s, "stage": s, "from": CUSTOMER} for s in stages]
        answer = self._centre.deployment.ask("IngestCalls", canonical(NOW, *events))
        assert answer.body["accepted"] == len(stages)

    def _follow(self) -> None:
        """What has to be done about what happened: decided, counted and shown."""
        deployment = self._centre.deployment
        deployment.count()
        if changes := deployment.messages("UpdatesQueue"):
            deployment.call("PublishUpdates", sqs(*map(json.dumps, changes)))

    def _stages(self, call_id: str, stages: Mapping[str, Mapping[str, str]]) -> None:
        for stage, facts in stages.items():
            self._centre.clock.advance(seconds=20)
            self._centre.tell(call_id, stage, **facts)
            self._follow()

    def _call(self, call_id: str) -> None:
        agent = {"agent": "bia"}
        told = {"queued": CALLER, "ringing": agent, "answered": agent, "completed": {}}
        self._stages(call_id, told)

    def _miss(self, call_id: str, caller: Mapping[str, str]) -> None:
        self._stages(call_id, {"queued": caller, "cancelled": {}})

    def _recover(self, call_id: str) -> None:
        dialled = {"direction": "outbound_manual", "to": CUSTOMER, "agent": "bia"}
        told = {"ringing": dialled, "answered": {"agent": "bia"}, "completed": {}}
        self._stages(call_id, told)

    def _reached(self) -> None:
        self._stages(self._centre.last_call, {"answered": {"agent": "ana"}, "completed": {}})
        (reached,) = self._centre.contacts("reached")
        assert reached["number"] == ANOTHER["from"]

    def _read(self, route: str, query: Mapping[str, str]) -> None:
        answer = self._centre.ask(route, claims=ANA, **query)
        assert answer.status == HTTPStatus.OK, answer.body


@contextmanager
def day() -> Iterator[Day]:
    clock = StoppedClock(NOW)
    with moto(), patch("retorno.clock.now", clock), serving(Switchboard()) as switchboard:
        assert isinstance(switchboard, Switchboard)
        forget()
        deployment = deployed()
        deployment.configure(DIAL_PROVIDER="canonical", DIAL_URL=switchboard.url)
        meter = Meter(deployment.tables)
        call = deployment.call

        def metered(function: str, event: Mapping[str, Any]) -> Any:
            with meter.running(function):
                return call(function, event)

        with patch.object(deployment, "call", metered):
            yield Day(Centre(deployment, clock, switchboard), meter)
        forget()


def spent() -> list[Spent]:
    # What is counted for CloudWatch goes to the standard output, and so do logs.
    logging.disable(logging.INFO)
    try:
        with Path(os.devnull).open("w") as nowhere, redirect_stdout(nowhere), day() as played:
            return list(played.play())
    finally:
        logging.disable(logging.NOTSET)


def report() -> str:
    titles = ["what happens", "requests", "read units", "write units"]
    return table(titles, [[each.name, *each.cost] for each in spent()])


if __name__ == "__main__":
    print(report())
