"""How the cost of reads and writes grows with what is stored: it should not.

The same things happen in stores of a thousand calls to a million, a fifth of them missed, of
half as many numbers; and once more with a number that has 10,000 calls of its own. The calls are
written straight to the store's tables, on disk, in the form that the handlers gave the first ones.
Requests and units are counted; the time is the handlers' CPU alone, without the store's, so it
shows what they do with the answers and says nothing of DynamoDB.
"""

import json
import os
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, redirect_stdout
from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from itertools import count
from pathlib import Path
from statistics import median
from threading import Lock
from typing import Any, NamedTuple
from unittest.mock import patch

from botocore.client import BaseClient

from benchmarks.large_tables import LargeDynamoDB
from benchmarks.tables import table
from retorno.phone import match_key
from retorno.times import stamp
from tests.support.capacity import Meter
from tests.support.clock import StoppedClock
from tests.support.deployment import CONTEXT, WEBHOOK_SECRET, forget
from tests.support.events import answer, http, user
from tests.support.functions import environment_of, function_of, handler_of
from tests.support.quick_dynamodb import Item
from tests.support.tables import template
from tests.support.webhooks import canonical

SIZES = (1_000, 10_000, 100_000, 1_000_000)
BUSY_CALLS = 10_000
# The first is counted, the others are timed.
TIMES = 1 + 30

NOW = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
# When the last of the stored calls was, and the number of the first ones.
EXAMPLE = NOW - timedelta(hours=1)
EXAMPLES = "+5511985000000"
MINUTE = timedelta(minutes=1)
MINUTE_LENGTH = len("2026-03-02T11:00")
TABLES = {
    "CallsTable": "calls",
    "RecoveriesTable": "recoveries",
    "CustomersTable": "customers",
    "QuotesTable": "quotes",
}
FUNCTIONS = ("IngestCalls", "MatchRecoveries", "ReadCalls", "ManageMissedCalls")
QUIET, BUSY = "+5511987000000", "+5511986000000"
ANA = user("[supervisor]", "ana")


class Store:
    """Plays DynamoDB, and what else the functions ask for. `seconds` are its own CPU's."""

    def __init__(self) -> None:
        self.records: list[dict[str, Any]] = []
        self.seconds = 0.0
        self.dynamodb = LargeDynamoDB(TABLES, self._told)
        # Functions ask for several things at the same time.
        self._turn = Lock()

    @contextmanager
    def asked(self) -> Iterator[None]:
        """The functions ask this one."""

        def requested(_: BaseClient, operation: str, asked: Any) -> Any:
            return self._answer(operation, asked)

        with patch.object(BaseClient, "_make_api_call", requested):
            yield

    def _answer(self, operation: str, asked: Any) -> Any:
        if operation == "GetSecretValue":
            return {"SecretString": json.dumps({"current": WEBHOOK_SECRET})}
        with self._turn:
            began = time.thread_time()
            try:
                return self.dynamodb(operation, asked)
            finally:
                self.seconds += time.thread_time() - began

    def _told(self, name: str, key: Item, old: Item | None, new: Item | None) -> None:
        images = {"Keys": key, "OldImage": old, "NewImage": new}
        if name == "calls":
            told = {image: item for image, item in images.items() if item}
            self.records.append({"eventName": "MODIFY", "dynamodb": told})


class Centre:
    """What tells the functions of calls, and asks them."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._ids = count()

    def call(self, stages: Sequence[str], number: str, at: datetime) -> str:
        """What is told of a call, stage by stage, and followed up."""
        call_id = f"call-{next(self._ids)}"
        for seconds, stage in enumerate(stages):
            self.tell(call_id, stage, number, at + timedelta(seconds=seconds))
            self.match()
        return call_id

    def tell(self, call_id: str, stage: str, number: str, at: datetime) -> None:
        event = {
            "event_id": f"{call_id}-{stage}",
            "call_id": call_id,
            "stage": stage,
            "occurred_at": at.isoformat(),
            "direction": "inbound",
            "from": number,
            "queue": "vendas",
            "agent": "ana" if stage == "answered" else None,
        }
        told = answer(handler_of("IngestCalls")(canonical(NOW, event), CONTEXT))
        assert told.body["accepted"] == 1, told.body

    def match(self) -> None:
        records, self._store.records = self._store.records, []
        for record in records:
            asked = {"Records": [record]}
            assert handler_of("MatchRecoveries")(asked, CONTEXT) == {"batchItemFailures": []}

    def read(self, route: str, path: str | None = None, **query: str) -> None:
        event = http(route, path=path, query=query, claims=ANA)
        told = answer(handler_of(function_of(route))(event, CONTEXT))
        assert told.status == HTTPStatus.OK, told.body

    def fill(self, calls: int, numbers: Callable[[int], str], name: str) -> None:
        """A minute before each other: four were answered, and then one was missed."""
        answered = self._example(["queued", "ringing", "answered", "completed"])
        missed = self._example(["queued", "cancelled"])
        for kind in ("calls", "recoveries"):
            self._store.dynamodb.load(
                kind,
                (
                    example.at(f"{name}{index}", numbers(index), EXAMPLE - index * MINUTE)
                    for index in range(calls)
                    for example in [(answered if index % 5 else missed)[kind]]
                ),
            )

    def _example(self, stages: Sequence[str]) -> dict[str, "Example"]:
        call_id = self.call(stages, EXAMPLES, EXAMPLE)
        return {
            kind: Example(json.dumps(item), call_id)
            for kind in ("calls", "recoveries")
            for item in self._store.dynamodb.items(kind)
            if item["call_id"]["S"] == call_id
        }


class Example(NamedTuple):
    """An item as the handlers wrote it, of which others are made."""

    text: str
    call_id: str

    def at(self, call_id: str, number: str, at: datetime) -> Item:
        other: Item = json.loads(
            self.text.replace(self.call_id, call_id)
            .replace(EXAMPLES, number)
            .replace(match_key(EXAMPLES), match_key(number))
            .replace(stamp(EXAMPLE)[:MINUTE_LENGTH], stamp(at)[:MINUTE_LENGTH])
        )
        return other


def things(centre: Centre, number: str) -> dict[str, Callable[[int], object]]:
    """What is done, again and again, and always a minute later."""

    def at(again: int) -> datetime:
        return EXAMPLE + (again + 1) * MINUTE

    return {
        "an event in order": lambda n: centre.tell(f"new-{number}-{n}", "queued", number, at(n)),
        "an event again": lambda n: centre.tell(f"new-{number}-{n}", "queued", number, at(n)),
        "a missed call, matched": lambda n: centre.call(["cancelled"], number, at(n)),
        "a call that ends it, matched": lambda n: centre.call(["completed"], number, at(n)),
        "GET /calls of a number": lambda n: centre.read("GET /calls", number=number),
        "GET /missed-calls": lambda n: centre.read("GET /missed-calls"),
        "GET /missed-calls that are open": lambda n: centre.read("GET /missed-calls", state="open"),
    }


class Growth(NamedTuple):
    requests: int
    read_units: float
    write_units: float
    milliseconds: Sequence[float]


class Column:
    """A centre of so many calls, and as many of one number as `busy` says."""

    def __init__(self, calls: int, busy: int = 0) -> None:
        self.store = Store()
        with self.store.asked():
            centre = Centre(self.store)
            centre.fill(calls, lambda index: f"+55119{index % (calls // 2):08}", "old")
            centre.fill(busy, lambda index: BUSY, "busy")
        self.things = things(centre, BUSY if busy else QUIET)

    def cost(self, thing: str) -> tuple[int, float, float]:
        """Of the first time."""
        with self.store.asked():
            meter = Meter(TABLES)
            with meter.reading() as bills, meter.running("all"):
                self.things[thing](0)
        bill = bills["all"]
        return bill.requests_to("dynamodb"), bill.read_units, bill.write_units

    def milliseconds(self, thing: str, again: int) -> float:
        with self.store.asked():
            began, of_store = time.process_time(), self.store.seconds
            self.things[thing](again)
            of_all, of_store = time.process_time() - began, self.store.seconds - of_store
        return (of_all - of_store) * 1000


@contextmanager
def running() -> Iterator[None]:
    """The functions' environment."""
    names = {name: name for name in template()["Resources"]} | TABLES
    variables = {"AWS_DEFAULT_REGION": "sa-east-1", "AWS_ACCESS_KEY_ID": "testing"}
    variables["AWS_SECRET_ACCESS_KEY"] = "testing"
    for function in FUNCTIONS:
        variables |= environment_of(function, names)
    with (
        patch.dict(os.environ, variables),
        patch("retorno.clock.now", StoppedClock(NOW)),
        Path(os.devnull).open("w") as nowhere,
        redirect_stdout(nowhere),
    ):
        forget()
        yield
        forget()


def grown(columns: Sequence[Column]) -> dict[str, list[Growth]]:
    """Of each thing, in each column; they take turns."""
    found = {}
    for thing in columns[0].things:
        costs = [column.cost(thing) for column in columns]
        rounds = [
            [column.milliseconds(thing, again) for column in columns] for again in range(1, TIMES)
        ]
        times = zip(*rounds, strict=True)
        found[thing] = [Growth(*cost, of) for cost, of in zip(costs, times, strict=True)]
    return found


def report() -> str:
    with running():
        columns = [Column(calls) for calls in SIZES] + [Column(SIZES[1], BUSY_CALLS)]
        found = grown(columns)
    titles = [*(f"{calls:,} calls" for calls in SIZES), f"{BUSY_CALLS:,} of the number"]
    rows = [[name, *(_shown(each, of[0]) for each in of)] for name, of in found.items()]
    return table(["requests / read / write units, CPU", *titles], rows)


def _shown(cost: Growth, first: Growth) -> str:
    ratio = median(cost.milliseconds) / median(first.milliseconds)
    return f"{cost.requests} / {cost.read_units:g} / {cost.write_units:g}, ×{ratio:.1f}"


if __name__ == "__main__":
    print(report())
