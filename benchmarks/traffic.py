"""What follows of what happens, brought to the functions as Lambda brings it.

How many records or messages come together, and how long is waited for more, is the template's to
say, and so is what it filters out. Streams are looked into four times a second, queues give what
they have at once. Where several read, each has a batch of its own: of a stream by key, of a queue
in turn. Tables are in memory, and functions take no time, so that the same comes to the same.
"""

import heapq
import json
import os
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, redirect_stdout
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import cache
from io import StringIO
from itertools import count, cycle
from math import ceil
from random import Random
from threading import RLock
from typing import Any
from unittest.mock import patch
from zlib import crc32

from botocore.client import BaseClient

from tests.support.capacity import Bill, Meter
from tests.support.clock import StoppedClock
from tests.support.deployment import CONTEXT, Deployment
from tests.support.events import sqs
from tests.support.functions import Handler, functions, handler_of
from tests.support.quick_dynamodb import Item, QuickDynamoDB
from tests.support.tables import template

# https://docs.aws.amazon.com/lambda/latest/dg/with-ddb.html: it looks into a shard so often.
POLL = timedelta(milliseconds=250)
# https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-scaling.html: so many read a queue.
QUEUE_READERS = 5
# SQS takes and gives no more in a request.
MESSAGES_A_REQUEST = 10
# Whatever follows is over by then.
LONGEST = timedelta(hours=12)

Record = dict[str, Any]


@dataclass
class Reader:
    """What one of those who read a source has gathered, and when each came."""

    gathered: list[Record] = field(default_factory=list)
    came: list[datetime] = field(default_factory=list)

    def take(self, most: int) -> tuple[list[Record], Counter[datetime]]:
        batch, came = self.gathered[:most], Counter(self.came[:most])
        del self.gathered[:most], self.came[:most]
        return batch, came


class Source:
    """A stream or a queue as a function reads it."""

    def __init__(self, function: str, event: Mapping[str, Any]) -> None:
        asked = event["Properties"]
        self.function = function
        self.is_queue = event["Type"] == "SQS"
        self.logical_id, _ = asked["Queue" if self.is_queue else "Stream"]["Fn::GetAtt"]
        self.batch_size: int = asked.get("BatchSize", 10 if self.is_queue else 100)
        self._window = timedelta(seconds=asked.get("MaximumBatchingWindowInSeconds", 0))
        filters = asked.get("FilterCriteria", {}).get("Filters", ())
        self._patterns = [json.loads(each["Pattern"]) for each in filters]
        readers = asked.get("ParallelizationFactor", 1)
        if self.is_queue:
            readers = asked.get("ScalingConfig", {}).get("MaximumConcurrency", QUEUE_READERS)
        self._readers = [Reader() for _ in range(readers)]
        self._in_turn = cycle(self._readers)

    def wants(self, record: Record) -> bool:
        return not self._patterns or any(_matches(each, record) for each in self._patterns)

    def reader_of(self, record: Record) -> Reader:
        if self.is_queue:
            return next(self._in_turn)
        key = json.dumps(record["dynamodb"]["Keys"], sort_keys=True)
        return self._readers[crc32(key.encode()) % len(self._readers)]

    def brings_at(self, now: datetime) -> datetime:
        """A batch that begins now, unless it is full before."""
        if self.is_queue:
            return now + self._window
        return now + POLL - timedelta(seconds=now.timestamp()) % POLL + self._window

    def requests(self, came: Counter[datetime]) -> int:
        """To a queue: each time that there is something, and to delete it all. Streams are free."""
        if not self.is_queue:
            return 0
        received = sum(ceil(many / MESSAGES_A_REQUEST) for many in came.values())
        return received + ceil(came.total() / MESSAGES_A_REQUEST)


def _matches(pattern: Any, found: Any) -> bool:
    """https://docs.aws.amazon.com/lambda/latest/dg/invocation-eventfiltering.html, as far as the
    template goes.
    """
    if isinstance(pattern, dict):
        return isinstance(found, Mapping) and all(
            _matches(wanted, found.get(name)) for name, wanted in pattern.items()
        )
    return any(
        isinstance(found, str) and found.startswith(each["prefix"])
        if isinstance(each, dict)
        else found == each
        for each in pattern
    )


def sources() -> list[Source]:
    """All that the template's functions read."""
    return [
        Source(name, event)
        for name, properties in functions().items()
        for event in properties.get("Events", {}).values()
        if event["Type"] in ("DynamoDB", "SQS")
    ]


class Traffic:
    """Use it while it is `running`; what happens is put at its moment."""

    def __init__(self, deployment: Deployment, clock: StoppedClock) -> None:
        self.clock = clock
        self._tables = deployment.tables
        self._environment: dict[str, str] = {}
        for function in functions():
            self._environment |= deployment.environment(function)
        self._sources = sources()
        self._logical_ids = {
            deployment.name(each.logical_id): each.logical_id
            for each in self._sources
            if deployment.has(each.logical_id)
        }
        self._agenda: list[tuple[datetime, int, Callable[[], object]]] = []
        self._order = count()
        self._dynamodb = QuickDynamoDB(deployment.tables, self._changed)
        self._request = BaseClient._make_api_call  # type: ignore[attr-defined]
        # Functions ask for several things at the same time.
        self._asking = RLock()

    @contextmanager
    def running(self) -> Iterator["Traffic"]:
        def served(client: BaseClient, operation: str, asked: Mapping[str, Any]) -> Any:
            with self._asking:
                return self._served(client, operation, asked)

        with (
            patch.dict(os.environ, self._environment),
            patch("retorno.clock.now", self.clock),
            # Where ids come from.
            patch("os.urandom", Random(0).randbytes),  # noqa: S311
            patch.object(BaseClient, "_make_api_call", served),
        ):
            self._meter = Meter(self._tables)
            yield self

    def at(self, moment: datetime, do: Callable[[], object]) -> None:
        heapq.heappush(self._agenda, (moment, next(self._order), do))

    def call(
        self, function: str, event: Mapping[str, Any], records: int = 1, polls: int = 0
    ) -> Any:
        with self._meter.running(function) as bill, redirect_stdout(StringIO()) as told:
            bill.records += records
            bill.polls += polls
            answer = _handler(function)(dict(event), CONTEXT)
        lines = told.getvalue().splitlines()
        bill.logged += len(lines)
        bill.log_bytes += sum(len(line.encode()) for line in lines)
        return answer

    def bills(self) -> Mapping[str, Bill]:
        """Of all that happens from now on and all that follows of it, by function."""
        end = self.clock.now + LONGEST
        with self._meter.reading() as bills:
            while self._agenda:
                moment, _, do = heapq.heappop(self._agenda)
                assert moment < end, "it has no end"
                self.clock.now = max(self.clock.now, moment)
                do()
        return bills

    def _served(self, client: BaseClient, operation: str, asked: Mapping[str, Any]) -> Any:
        match client.meta.service_model.service_name, operation:
            case "dynamodb", _:
                return self._dynamodb(operation, asked)
            case "sqs", "SendMessage":
                self._send(asked["QueueUrl"], asked)
                return {}
            case "sqs", "SendMessageBatch":
                for entry in asked["Entries"]:
                    self._send(asked["QueueUrl"], entry)
                return {}
        return self._request(client, operation, asked)

    def _send(self, url: str, message: Mapping[str, Any]) -> None:
        queue = self._logical_ids[url]
        due = self.clock.now + timedelta(seconds=message.get("DelaySeconds", 0))
        self.at(due, lambda: self._tell(queue, *sqs(message["MessageBody"])["Records"]))

    def _changed(self, table: str, key: Item, old: Item | None, new: Item | None) -> None:
        if table not in self._logical_ids:
            return
        logical_id = self._logical_ids[table]
        streamed = template()["Resources"][logical_id]["Properties"]["StreamSpecification"]
        images = {"OldImage": old, "NewImage": new}
        shown = {name: image for name, image in images.items() if image}
        told = {} if streamed["StreamViewType"] == "KEYS_ONLY" else shown
        record = {
            "eventName": "MODIFY" if old and new else "INSERT" if new else "REMOVE",
            "eventSourceARN": f"arn:aws:dynamodb:any:123456789012:table/{table}/stream/any",
            "dynamodb": {"Keys": key, "SequenceNumber": str(next(self._order)), **told},
        }
        self._tell(logical_id, record)

    def _tell(self, logical_id: str, record: Record) -> None:
        for source in self._sources:
            if source.logical_id == logical_id and source.wants(record):
                self._gather(source, source.reader_of(record), record)

    def _gather(self, source: Source, reader: Reader, record: Record) -> None:
        # No two messages have one id.
        record = {**record, "messageId": str(next(self._order))}
        reader.gathered.append(record)
        reader.came.append(self.clock.now)

        def bring() -> None:
            if reader.gathered and reader.gathered[0] is record:
                self._bring(source, reader)

        if len(reader.gathered) == 1:
            self.at(source.brings_at(self.clock.now), bring)
        elif source.is_queue and len(reader.gathered) == source.batch_size:
            self._bring(source, reader)

    def _bring(self, source: Source, reader: Reader) -> None:
        while reader.gathered:
            batch, came = reader.take(source.batch_size)
            event = {"Records": batch}
            answer = self.call(source.function, event, len(batch), source.requests(came))
            assert not (answer or {}).get("batchItemFailures"), source.function


@cache
def _handler(function: str) -> Handler:
    return handler_of(function)
