"""Two handlers at the same time, in every order of their requests that makes a difference.

However their requests cross, the end is that of one after the other, once all that follows has
been followed. A handler that says that it did nothing may have done nothing.
"""

import json
import os
import re
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from threading import local
from typing import Any, NamedTuple
from unittest.mock import patch

from botocore.client import BaseClient
from botocore.exceptions import ClientError

from retorno.promises.model import State as Promised
from tests.conftest import moto
from tests.support.clock import StoppedClock
from tests.support.deployment import CONTEXT, deployed, forget
from tests.support.events import sqs
from tests.support.functions import consumers, followers, functions, handler_of
from tests.support.quick_dynamodb import Item, QuickDynamoDB
from tests.support.simulated_cloud import ONLOOKERS
from tests.support.stream import Record
from tests.support.turns import Job, Table, Touched, Turns, every_order_that_matters

NOW = datetime(2026, 3, 2, 12, 30, tzinfo=UTC)
CLIENT_ERROR = 400
# What writes nothing that others decide by, but the feed of what is there: test_live_orders.py.
ASIDE = ONLOOKERS | {"PublishUpdates"}
MUCH = 200

# Random ids tell only whose they are, and of the writes how many there were is nobody's matter.
RANDOM_ID = re.compile(r"a{8}-?a{4}-?4aaa-?[89ab]aaa-?a{8}[0-9a-f]{4}")
UNTOLD = frozenset({"revision", "call_revision", "written_by"})

State = str


class End(NamedTuple):
    """Which of two steps were refused, and all that there is then."""

    refused: frozenset[int]
    state: State


class Step(NamedTuple):
    """A function, and what it is asked or brought; what depends on what is there is asked late."""

    function: str
    event: Callable[["Crossing"], Mapping[str, Any]]


class Crossing:
    """A deployment whose tables are in memory; each request gives way to others."""

    def __init__(self) -> None:
        self.deployment = deployed()
        self.clock = StoppedClock(NOW)
        self.table = Table()
        self.records: dict[str, list[Record]] = {}
        # By table and the item's first key attribute by name: the last record of each.
        self.last: dict[tuple[str, str], Record] = {}
        self.messages: deque[tuple[str, str]] = deque()
        self.schedules: set[str] = set()
        self._names = {name: logical for logical, name in self.deployment.tables.items()}
        self._consumers = {
            self.deployment.name(queue): function
            for queue, function in consumers().items()
            if function not in ASIDE and self.deployment.has(queue)
        }
        self.dynamodb = QuickDynamoDB(self.deployment.tables, self._told)
        self._mine = local()

    @contextmanager
    def running(self) -> Iterator["Crossing"]:
        variables: dict[str, str] = {}
        for name in functions():
            variables |= self.deployment.environment(name)
        request = BaseClient._make_api_call  # type: ignore[attr-defined]

        def requested(client: BaseClient, operation: str, asked: Any) -> Any:
            answer = self._request(client.meta.service_model.service_name, operation, asked)
            return request(client, operation, asked) if answer is None else answer

        patches: list[Any] = [
            patch.dict(os.environ, variables),
            patch.object(BaseClient, "_make_api_call", requested),
            patch("retorno.clock.now", self.clock),
            patch("retorno.dynamodb.time.sleep"),
            patch("os.urandom", self._random),
        ]
        with ExitStack() as stack:
            for each in patches:
                stack.enter_context(each)
            yield self

    def _random(self, size: int) -> bytes:
        """Of whoever asks, and how often they have asked."""
        job = getattr(self._mine, "job", 0)
        self._mine.asked = getattr(self._mine, "asked", 0) + 1
        return (b"\xaa" * size)[:-2] + bytes([job, self._mine.asked % 256])

    def _request(self, service: str, operation: str, asked: Any) -> Any:
        match operation:
            case "SendMessage":
                self._take(asked["QueueUrl"], asked)
                return {"MessageId": "message"}
            case "SendMessageBatch":
                for entry in asked["Entries"]:
                    self._take(asked["QueueUrl"], entry)
                return {"Successful": asked["Entries"]}
            case "PutEvents":
                return {"FailedEntryCount": 0, "Entries": []}
            case "CreateSchedule" | "DeleteSchedule":
                self.table.give_way(frozenset([("schedules", asked["Name"], True)]))
                return self._schedule(operation, asked["Name"])
        if service != "dynamodb":
            return None
        self.table.give_way(self.dynamodb.touched(operation, asked))
        return self.dynamodb(operation, asked)

    def _schedule(self, operation: str, name: str) -> dict[str, Any]:
        makes = operation == "CreateSchedule"
        if makes == (name in self.schedules):
            code = "ConflictException" if makes else "ResourceNotFoundException"
            raise ClientError({"Error": {"Code": code, "Message": ""}}, operation)
        self.schedules ^= {name}
        return {"ScheduleArn": name}

    def _take(self, url: str, message: Mapping[str, Any]) -> None:
        """What is due at once; what is to come is another time's."""
        if url in self._consumers and not message.get("DelaySeconds"):
            self.messages.append((self._consumers[url], message["MessageBody"]))

    def _told(self, table: str, key: Item, old: Item | None, new: Item | None) -> None:
        images = {"OldImage": old, "NewImage": new}
        event = "MODIFY" if old and new else "INSERT" if new else "REMOVE"
        told = {name: image for name, image in images.items() if image}
        record = {"eventName": event, "dynamodb": {"Keys": key, **told}}
        self.records.setdefault(self._names[table], []).append(record)
        self.last[self._names[table], key[min(key)]["S"]] = record

    # --- What is done ---------------------------------------------------------------------------

    def call(self, function: str, event: Mapping[str, Any]) -> Any:
        return handler_of(function)(dict(event), CONTEXT)

    def flow(self) -> None:
        """All that follows, in the order in which it came, and what is looked at each minute."""
        self._follow()
        self.call("WatchCallbacks", {})
        self._follow()

    def _follow(self) -> None:
        for _ in range(MUCH):
            if not self.records and not self.messages:
                return
            told, self.records = self.records, {}
            for table, records in told.items():
                for function in followers().get(table, ()):
                    if function not in ASIDE:
                        self.call(function, {"Records": records})
            waiting, self.messages = self.messages, deque()
            for function, body in waiting:
                self.call(function, sqs(body))
        raise AssertionError("it goes round")

    def snapshot(self) -> tuple[Any, frozenset[str]]:
        return self.dynamodb.snapshot(), frozenset(self.schedules)

    def restore(self, snapshot: tuple[Any, frozenset[str]]) -> None:
        self.dynamodb.restore(snapshot[0])
        self.schedules = set(snapshot[1])
        self.records, self.messages = {}, deque()

    def state(self) -> State:
        """Of all tables, without what only counts writes."""
        told = [
            f"{table} {json.dumps(known, sort_keys=True, default=repr)}"
            for table, items in self.dynamodb.snapshot().items()
            for item in items
            for known in [{name: value for name, value in item.items() if name not in UNTOLD}]
        ]
        text = "\n".join(sorted(RANDOM_ID.sub("id", each) for each in told))
        return f"{text}\n{sorted(filter(self._stands, self.schedules))}"

    def _stands(self, schedule: str) -> bool:
        """One of a promise as it was before, or that is no more to be listed, fires for nothing."""
        kind, _, name = schedule.partition("-")
        promise, _, version = name.rpartition("-")
        promises = self.dynamodb.items("promises") if kind == "promise" else []
        return not promises or any(
            (each["promise_id"]["S"], each["version"]["N"]) == (promise, version)
            and each["state"]["S"] == Promised.PROMISED
            for each in promises
        )

    # --- One after the other, or across ---------------------------------------------------------

    def job(self, number: int, step: Step, refused: set[int]) -> Job:
        event = step.event(self)

        def do() -> None:
            if is_refusal(self.call(step.function, event)):
                refused.add(number)

        return self.by(number, do)

    def by(self, number: int, do: Job) -> Job:
        """A job whose random ids are its own."""

        def done() -> None:
            self._mine.job, self._mine.asked = number, 0
            do()

        return done

    def serially(self, steps: Sequence[Step], order: Sequence[int], start: Any) -> End:
        self.restore(start)
        refused: set[int] = set()
        jobs = {number: self.job(number, steps[number], refused) for number in order}
        for number in order:
            self.table.run([jobs[number]], ())
        self.flow()
        return End(frozenset(refused), self.state())

    def differences(self, steps: Sequence[Step], start: Any, most: int | None) -> Iterator[str]:
        """The orders of two steps, up to so many, of which nothing comes that comes of one after
        the other: whose requests they were, who was refused, and what is not (-), but this (+).
        """
        serial = {order: self.serially(steps, order, start) for order in ((0, 1), (1, 0))}
        alone: dict[int, End] = {}
        refused: set[int] = set()

        def make() -> list[Job]:
            self.restore(start)
            refused.clear()
            return [self.job(number, step, refused) for number, step in enumerate(steps)]

        for count, turns in enumerate(every_order_that_matters(self.table, make)):
            order = in_words(turns, self.table.touched)
            self.flow()
            end = End(frozenset(refused), self.state())
            allowed = set(serial.values())
            for number in end.refused:
                if 1 - number not in alone:
                    alone[1 - number] = self.serially(steps, (1 - number,), start)
                other = alone[1 - number]
                allowed.add(End(other.refused | {number}, other.state))
            if end.refused == {0, 1}:
                allowed.add(End(end.refused, self._unchanged(start)))
            if end not in allowed:
                differs = changed(serial[0, 1].state, end.state)
                refused_else = " or ".join(sorted({said(each.refused) for each in allowed}))
                refusals = f"refused: {said(end.refused)}; one after the other: {refused_else}"
                yield "\n".join([*order, refusals, differs])
            if most and count + 1 >= most:
                return

    def _unchanged(self, start: Any) -> State:
        self.restore(start)
        return self.state()


def is_refusal(answer: Any) -> bool:
    if isinstance(answer, dict) and "statusCode" in answer:
        return int(answer["statusCode"]) >= CLIENT_ERROR
    return bool(answer and answer.get("batchItemFailures"))


def in_words(turns: Turns, touched: Sequence[Touched]) -> list[str]:
    """The requests of the first step and of the second, as they came."""
    return [
        f"{number + 1} {' and '.join(sorted({_in_words(*each) for each in touches}))}"
        for number, touches in zip(turns, touched, strict=True)
    ]


def _in_words(table: str, place: object, writes: bool) -> str:
    return f"{'writes' if writes else 'reads'} {table}"


def said(refused: Iterable[int]) -> str:
    return " and ".join(str(number + 1) for number in sorted(refused)) or "nobody"


def changed(expected: State, found: State) -> str:
    """What one state has of the lines that the other has not."""
    one, other = expected.splitlines(), found.splitlines()
    return "\n".join(
        [
            *(f"- {line}" for line in one if line not in other),
            *(f"+ {line}" for line in other if line not in one),
        ]
    )


@contextmanager
def crossing() -> Iterator[Crossing]:
    with moto():
        forget()
        with Crossing().running() as made:
            yield made
        forget()
