"""A deployment on a clock of its own, where whatever runs may die, be late, or come again.

Functions run at the same time, in threads that take turns: each gives way at its requests, until
the time that a request takes is over. So a seed repeats; and each thing that is done has dice of
its own, and gives of them to what it brings about, so that what is left out changes no other's.
What AWS promises holds: messages and records come at least once, those of a stream in the order of
their key's changes; and nothing else does.
"""

import heapq
import json
import os
from collections import defaultdict, deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cache
from itertools import count
from random import Random
from threading import Semaphore, Thread, local
from typing import Any, NamedTuple, TypeVar
from unittest.mock import patch
from zlib import crc32

import boto3
from aws_lambda_powertools.utilities.batch import BatchProcessor
from botocore.client import BaseClient
from botocore.exceptions import ClientError, EndpointConnectionError, ReadTimeoutError

from tests.support.clock import StoppedClock
from tests.support.deployment import CONTEXT, Deployment
from tests.support.events import Answer as Answered
from tests.support.events import Claims, answer, http, sqs
from tests.support.functions import (
    consumers,
    followers,
    function_of,
    functions,
    handler_of,
    module_of,
)
from tests.support.quick_dynamodb import Item, QuickDynamoDB
from tests.support.stream import Record, Stream
from tests.support.tables import template

FUNCTION_LIFE = timedelta(seconds=29)
VISIBILITY_SECONDS = 180
MAX_RECEIVES = 10
MAX_RETRIES = 60
URL = "https://example.com"
SERVER_ERROR = 500

# Keys share shards, and so batches, as in DynamoDB's streams.
SHARDS = 4
LARGEST_BATCH = 8
# What a mapping takes at once where the template does not say.
BATCH_OF_QUEUE = 10

# What the SDK sends again, and AWS then does twice; transactions have a token against it.
TAKES_AGAIN = frozenset(
    {
        "UpdateItem",
        "PutItem",
        "DeleteItem",
        "SendMessage",
        "SendMessageBatch",
        "PutEvents",
        "CreateSchedule",
        "DeleteSchedule",
    }
)
# Indexes are behind by less.
STALE_SECONDS = 2
# Why a part of a transaction is not written though its condition holds.
BUSY = ("TransactionConflict", "ThrottlingError")

# What counts what happens.
COUNTING = frozenset({"AnnounceChanges", "AggregateMetrics"})
# What looks on and is asked by nobody: those who watch, and waits, have histories of their own.
ONLOOKERS = COUNTING | {"PushUpdates", "WatchWaits"}

Answer = TypeVar("Answer")


class Killed(BaseException):
    """Lambda ends the function: nothing in it catches that."""


@dataclass(frozen=True)
class Trouble:
    """How often, of all requests: a function dies before or after one; AWS says nothing, or that
    it is too much, or does it and says nothing, or does it and the SDK asks again; an item of a
    transaction is somebody else's just then; of what is asked for at once a part is not done; a
    read that asks for no more sees what was there up to `STALE_SECONDS` before. How often, of all
    that is delivered, it comes again. And by how many seconds the clock of a function is wrong, at
    most.
    """

    kills: float = 0.004
    silence: float = 0.002
    throttles: float = 0.002
    timeouts: float = 0.002
    losses: float = 0.004
    conflicts: float = 0.01
    partials: float = 0.01
    stale: float = 0.1
    repeats: float = 0.05
    skew_seconds: float = 1


class ProcessorOfThread(local, BatchProcessor):
    """What a function notes of its batch is its own: on Lambda no other shares its memory."""


class Fault(NamedTuple):
    """What went wrong, once. The `dice` that were thrown for it tell it from all others."""

    dice: float
    at: datetime
    what: str


@dataclass
class Invocation:
    function: str
    dies_at: datetime
    skew: timedelta
    is_dead: bool = False


class Change(NamedTuple):
    at: datetime
    key: Item
    old: Item | None


@dataclass
class Shard:
    """The records of some keys that a function has not yet taken, by their sequence numbers."""

    records: deque[tuple[str, Record]] = field(default_factory=deque)
    is_read: bool = False


class Cloud:
    """`is_real` has moto keep the tables, which takes a hundred times as long: what the tables in
    memory do is then done by DynamoDB's other likeness. Of the faults that the seed brings `only`
    some come, by their dice; None stands for all. Functions `aside` are brought nothing.
    """

    def __init__(
        self,
        deployment: Deployment,
        clock: StoppedClock,
        seed: str,
        trouble: Trouble,
        *,
        only: frozenset[float] | None = None,
        aside: frozenset[str] = ONLOOKERS,
        is_real: bool = False,
    ) -> None:
        self.clock = clock
        self.trouble = trouble
        self.faults: list[Fault] = []
        # What functions were brought, of queues and streams.
        self.brought: list[tuple[str, Mapping[str, Any]]] = []
        self.killed = 0
        self.requests = 0
        self.dead_letters: list[str] = []
        self.schedules: dict[str, datetime] = {}
        self.events: list[dict[str, Any]] = []
        self.watching: list[Callable[[str, Item | None, Item | None], object]] = []
        self._deployment = deployment
        self._consumers = {
            queue: function for queue, function in consumers().items() if function not in aside
        }
        self._queues = {
            deployment.name(queue): queue for queue in self._consumers if deployment.has(queue)
        }
        tables = template()["Resources"]
        self._followers = {
            name: (tables[table]["Properties"]["KeySchema"][0]["AttributeName"], wanted)
            for table, name in deployment.tables.items()
            if (wanted := [each for each in followers().get(table, ()) if each not in aside])
        }
        self._agenda: list[tuple[datetime, int, Random, Callable[[], object] | Semaphore]] = []
        self._order = count()
        self._mine = local()
        self._mine.random = Random(seed)
        self._turn = Semaphore(0)
        self._failures: list[BaseException] = []
        self._is_over = False
        self._only = only
        self._shards: dict[tuple[str, int], Shard] = defaultdict(Shard)
        self._arrived: dict[str, list[tuple[str, int]]] = defaultdict(list)
        # By table: when an item was changed, its key, and what it was.
        self._changes: dict[str, deque[Change]] = defaultdict(deque)
        self._dynamodb = QuickDynamoDB(deployment.tables, self._told)
        self._streams = {name: Stream(name) for name in self._followers} if is_real else {}
        self._is_real = is_real
        self._moto: Any = boto3.client("dynamodb")
        self._request = BaseClient._make_api_call  # type: ignore[attr-defined]

    @contextmanager
    def running(self) -> Iterator["Cloud"]:
        variables: dict[str, str] = {}
        for name in functions():
            variables |= self._deployment.environment(name)

        def requested(client: BaseClient, operation: str, parameters: Any) -> Any:
            return self._requested(client, operation, parameters)

        patches: list[Any] = [
            patch.dict(os.environ, variables),
            patch.object(BaseClient, "_make_api_call", requested),
            patch("retorno.clock.now", self._now_here),
            patch("retorno.dynamodb.time.sleep", self.passes),
            # Where ids come from, and how long is waited before something is tried again.
            patch("os.urandom", self._random_bytes),
            patch("random.uniform", self._random_number),
        ]
        for module in map(module_of, functions()):
            if hasattr(module, "processor"):
                shared = module.processor
                own = ProcessorOfThread(
                    shared.event_type,
                    raise_on_entire_batch_failure=shared.raise_on_entire_batch_failure,
                )
                patches.append(patch.object(module, "processor", own))
        with ExitStack() as stack:
            for each in patches:
                stack.enter_context(each)
            yield self

    @property
    def random(self) -> Random:
        """The dice of what is being done; threads that are none of ours have their own."""
        if not hasattr(self._mine, "random"):
            self._mine.random = Random(0)
        random: Random = self._mine.random
        return random

    def items(self, table: str) -> list[Item]:
        if not self._is_real:
            return self._dynamodb.items(table)
        found: list[Item] = self._moto.scan(TableName=table)["Items"]
        return found

    def _random_bytes(self, size: int) -> bytes:
        return self.random.randbytes(size)

    def _random_number(self, low: float, high: float) -> float:
        return self.random.uniform(low, high)

    # --- Time -----------------------------------------------------------------------------------

    def _now_here(self) -> datetime:
        """By the clock of the function that asks."""
        invocations = self._invocations
        return self.clock.now + (invocations[-1].skew if invocations else timedelta(0))

    def after(self, seconds: float, do: Callable[[], object], random: Random | None = None) -> None:
        at = self.clock.now + timedelta(seconds=seconds)
        own = random or Random(self.random.getrandbits(64))
        heapq.heappush(self._agenda, (at, next(self._order), own, do))

    def every(self, seconds: float, do: Callable[[], object]) -> None:
        def again() -> None:
            self.after(seconds, again)
            do()

        self.after(seconds, again)

    def run(self, until: datetime) -> None:
        while self._agenda and self._agenda[0][0] <= until:
            self._goes_on()
        self._is_over = True
        while self._agenda:
            self._goes_on()
        self.clock.now = until

    def _goes_on(self) -> None:
        at, _, random, next_one = heapq.heappop(self._agenda)
        if isinstance(next_one, Semaphore):
            self.clock.now = max(self.clock.now, at)
            next_one.release()
        elif self._is_over:
            return
        else:
            self.clock.now = max(self.clock.now, at)
            Thread(target=self._process, args=(next_one, random)).start()
        self._turn.acquire()
        if self._failures:
            raise self._failures[0]

    def _process(self, do: Callable[[], object], random: Random) -> None:
        self._mine.random = random
        try:
            do()
        except BaseException as error:  # noqa: BLE001 - it is raised again where the test sees it
            if not (self._is_over and isinstance(error, Killed)):
                self._failures.append(error)
        finally:
            self._turn.release()

    def passes(self, seconds: float) -> None:
        """Time passes within a function, for others too; it may be too long for the function."""
        at = self.clock.now + timedelta(seconds=seconds)
        if self._agenda and self._agenda[0][0] <= at:
            mine = Semaphore(0)
            heapq.heappush(self._agenda, (at, next(self._order), self.random, mine))
            self._turn.release()
            mine.acquire()
        self.clock.now = max(self.clock.now, at)
        if self._is_over:
            raise Killed
        if self._invocations and self.clock.now > self._invocations[-1].dies_at:
            self.dies()

    @property
    def _invocations(self) -> list[Invocation]:
        """Those of this thread."""
        if not hasattr(self._mine, "invocations"):
            self._mine.invocations = []
        invocations: list[Invocation] = self._mine.invocations
        return invocations

    @contextmanager
    def aside(self) -> Iterator[None]:
        """What is asked for now is of no function that runs."""
        running, self._mine.invocations = self._invocations, []
        try:
            yield
        finally:
            self._mine.invocations = running

    def dies(self) -> None:
        self.killed += 1
        self._invocations[-1].is_dead = True
        raise Killed

    def may_die(self, when: str) -> None:
        if self._invocations and self._befalls(self.trouble.kills, f"dies {when}"):
            self.dies()

    def _befalls(self, share: float, what: str) -> bool:
        """Whether there is a fault now; it is remembered."""
        dice = self.random.random()
        if dice >= share or (self._only is not None and dice not in self._only):
            return False
        who = f"{self._invocations[-1].function} " if self._invocations else ""
        self.faults.append(Fault(dice, self.clock.now, who + what))
        return True

    def _chance(self, share: float) -> bool:
        return self.random.random() < share

    # --- Functions ------------------------------------------------------------------------------

    def call(self, function: str, event: Mapping[str, Any]) -> Any:
        """What a function answers; None where it died or failed."""
        return self.attempt(lambda: _handler(function)(dict(event), CONTEXT), function)

    def brings(self, function: str, event: Mapping[str, Any], ids: Iterable[str]) -> set[str]:
        """Has a function take what it is brought, and says by their ids what of it it did not."""
        self.brought.append((function, event))
        answer = self.attempt(lambda: (_handler(function)(dict(event), CONTEXT),), function)
        if answer is None:
            return set(ids)
        failures = (answer[0] or {}).get("batchItemFailures", ())
        return {each["itemIdentifier"] for each in failures}

    def attempt(self, do: Callable[[], Answer], function: str = "somebody") -> Answer | None:
        most = self.trouble.skew_seconds
        skew = timedelta(seconds=self.random.uniform(-most, most))
        self._invocations.append(Invocation(function, self.clock.now + FUNCTION_LIFE, skew))
        try:
            return do()
        except (Exception, Killed):  # noqa: BLE001 - whoever called comes again
            return None
        finally:
            self._invocations.pop()

    def insist(self, do: Callable[[], object]) -> None:
        """As somebody does who asks again until they are told that it is done."""
        done = self.attempt(lambda: (do(), True))
        if done is None:
            self.after(5, lambda: self.insist(do))
        elif self._befalls(self.trouble.repeats, "what was done is asked for again"):
            self.after(self.random.uniform(0, 30), lambda: self.attempt(do))

    def ask(
        self,
        route: str,
        claims: Claims,
        body: Any = None,
        headers: Mapping[str, str] | None = None,
        *,
        then: Callable[[Answered], object] = lambda answer: None,
        **parts: Any,
    ) -> None:
        """Somebody asks over HTTP, and asks again until they have an answer; `then` reads it."""
        event = request(route, claims, body, headers, **parts)
        told = self.call(function_of(route), event)
        if told is None or told["statusCode"] >= SERVER_ERROR:
            self.after(5, lambda: self.ask(route, claims, body, headers, then=then, **parts))
            return
        if self._befalls(self.trouble.repeats, f"{route} comes again"):
            self.after(self.random.uniform(0, 30), lambda: self.call(function_of(route), event))
        then(answer(told))

    def _requested(self, client: BaseClient, operation: str, parameters: Any) -> Any:
        if not self._invocations:
            return self._served(client, operation, parameters)
        if self._invocations[-1].is_dead:
            raise Killed
        asked = f"{operation} of {place_of(parameters)}"
        slow = self._chance(0.01)
        self.passes(self.random.uniform(1, 6) if slow else self.random.uniform(0.002, 0.02))
        self.may_die(f"before {asked}")
        self._may_fail(operation, parameters, asked)
        if operation in TAKES_AGAIN and self._befalls(self.trouble.losses, f"does {asked} twice"):
            # The answer is lost on its way, and the SDK sends the request again.
            self._served(client, operation, parameters)
        answer = self._in_part(client, operation, parameters, asked)
        self.may_die(f"after {asked}")
        if self._befalls(self.trouble.timeouts, f"does not learn that {asked} was done"):
            raise ReadTimeoutError(endpoint_url=URL)
        return answer

    def _may_fail(self, operation: str, parameters: Any, asked: str) -> None:
        """Nothing is done, and the SDK's own attempts are used up."""
        if self._befalls(self.trouble.silence, f"has no answer, and no {asked} was done"):
            silence = self.random.choice([EndpointConnectionError, ReadTimeoutError])
            raise silence(endpoint_url=URL)
        if self._befalls(self.trouble.throttles, f"is throttled: {asked}"):
            raise ClientError({"Error": {"Code": "ThrottlingException", "Message": ""}}, operation)
        if operation == "TransactWriteItems" and self._befalls(
            self.trouble.conflicts, f"meets another: {asked}"
        ):
            reasons = [{"Code": "None"} for _ in parameters["TransactItems"]]
            self.random.choice(reasons)["Code"] = self.random.choice(BUSY)
            refusal: Any = {
                "Error": {"Code": "TransactionCanceledException", "Message": ""},
                "CancellationReasons": reasons,
            }
            raise ClientError(refusal, operation)

    def _in_part(self, client: BaseClient, operation: str, parameters: Any, asked: str) -> Any:
        """What is asked for at once is at times done but for one part of it, which AWS says."""
        parts = parts_of(operation, parameters)
        if not parts or not self._befalls(self.trouble.partials, f"has but a part of {asked} done"):
            return self._served(client, operation, parameters)
        left_out = self.random.choice(parts)
        if operation != "BatchGetItem":
            entries = [each for each in parts if each is not left_out]
            answer = self._served(client, operation, {**parameters, "Entries": entries})
            failed = {"Id": left_out.get("Id"), "Code": "InternalError", "SenderFault": False}
            return {**answer, "Failed": [failed], "FailedEntryCount": 1}
        items = parameters["RequestItems"]
        of_table, key = left_out
        kept = {
            table: {
                **wanted,
                "Keys": [each for each in wanted["Keys"] if (table, each) != left_out],
            }
            for table, wanted in items.items()
        }
        answer = self._served(client, operation, {**parameters, "RequestItems": kept})
        return {**answer, "UnprocessedKeys": {of_table: {**items[of_table], "Keys": [key]}}}

    def _served(self, client: BaseClient, operation: str, parameters: Any) -> Any:  # noqa: PLR0911
        self.requests += 1
        match operation:
            case "SendMessage":
                self._take(parameters["QueueUrl"], parameters)
                return {"MessageId": "message"}
            case "SendMessageBatch":
                for entry in parameters["Entries"]:
                    self._take(parameters["QueueUrl"], entry)
                return {"Successful": parameters["Entries"]}
            case "CreateSchedule":
                return self._schedule(parameters)
            case "DeleteSchedule":
                if not self.schedules.pop(parameters["Name"], None):
                    refusal: Any = {"Error": {"Code": "ResourceNotFoundException", "Message": ""}}
                    raise ClientError(refusal, operation)
                return {}
            case "PutEvents":
                self.events += [json.loads(entry["Detail"]) for entry in parameters["Entries"]]
                return {"FailedEntryCount": 0, "Entries": []}
        if client.meta.service_model.service_name != "dynamodb":
            return self._request(client, operation, parameters)
        if not self._is_real:
            with self._as_read(operation, parameters):
                return self._dynamodb(operation, parameters)
        answer = self._request(client, operation, parameters)
        for table, stream in self._streams.items():
            for record in stream.new_records():
                self._tell(table, record)
        return answer

    def _as_read(self, operation: str, asked: Any) -> AbstractContextManager[None]:
        """Who does not ask for what is there now, or asks an index, may see what was there."""
        wanted = asked["RequestItems"] if operation == "BatchGetItem" else {"": asked}
        reads = operation in ("GetItem", "Query", "BatchGetItem") and self._invocations
        if not reads or all(each.get("ConsistentRead") for each in wanted.values()):
            return nullcontext()
        since = self.clock.now - timedelta(seconds=self.random.uniform(0, STALE_SECONDS))
        table = next(iter(wanted)) or asked["TableName"]
        newer = [(each.key, each.old) for each in self._changes[table] if each.at > since]
        if not newer or not self._befalls(self.trouble.stale, f"sees {table} as it was"):
            return nullcontext()
        return self._dynamodb.as_it_was(table, newer)

    def _delay(self) -> float:
        return self.random.uniform(2, 40) if self._chance(0.05) else self.random.uniform(0.02, 0.6)

    # --- Queues, schedules and streams ----------------------------------------------------------

    def _take(self, url: str, message: Mapping[str, Any]) -> None:
        if url not in self._queues:
            return
        queue = self._queues[url]
        for _ in range(
            1 + self._befalls(self.trouble.repeats, f"sends to {queue}, and it comes twice")
        ):
            delay = message.get("DelaySeconds", 0) + self._delay()
            self._send(queue, message["MessageBody"], delay, 1)

    def _send(self, queue: str, body: str, delay: float, receive: int) -> None:
        """Messages that come at about the same time may be delivered together."""
        function, most = self._consumers[queue], batch_of(queue)
        waiting = self._arrived[queue]

        def deliver() -> None:
            batch = [waiting.pop(0) for _ in waiting[: self.random.randint(1, most)]]
            event = sqs(*(body for body, _ in batch))
            ids = [each["messageId"] for each in event["Records"]]
            failed = self.brings(function, event, ids) if batch else ()
            for number, (text, receives) in zip(ids, batch, strict=True):
                if number in failed and receives == MAX_RECEIVES:
                    self.dead_letters.append(text)
                elif number in failed:
                    self._send(queue, text, VISIBILITY_SECONDS, receives + 1)

        def arrives() -> None:
            waiting.append((body, receive))
            self.after(self.random.uniform(0, 1), deliver) if most > 1 else deliver()

        self.after(delay, arrives)

    def _schedule(self, asked: Mapping[str, Any]) -> dict[str, str]:
        """Fires within the minute, unless it was taken back by then; made again it stays."""
        name = asked["Name"]
        if name in self.schedules:
            refusal: Any = {"Error": {"Code": "ConflictException", "Message": ""}}
            raise ClientError(refusal, "CreateSchedule")
        at = datetime.fromisoformat(asked["ScheduleExpression"][3:-1]).replace(tzinfo=UTC)
        self.schedules[name] = at
        queue = asked["Target"]["Arn"].rpartition(":")[2]

        def fire() -> None:
            if self.schedules.get(name) == at:
                del self.schedules[name]
                self._send(queue, asked["Target"]["Input"], 0, 1)

        late = self.random.uniform(0, 59)
        self.after(max(0, (at - self.clock.now).total_seconds()) + late, fire)
        return {"ScheduleArn": name}

    def _told(self, table: str, key: Item, old: Item | None, new: Item | None) -> None:
        for watch in self.watching:
            watch(table, old, new)
        changes, too_old = self._changes[table], self.clock.now - timedelta(seconds=STALE_SECONDS)
        changes.append(Change(self.clock.now, key, old))
        while changes[0].at < too_old:
            changes.popleft()
        if table not in self._followers:
            return
        images = {"OldImage": old, "NewImage": new}
        event = "MODIFY" if old and new else "INSERT" if new else "REMOVE"
        told: dict[str, Any] = {name: image for name, image in images.items() if image}
        told |= {"Keys": key, "SequenceNumber": str(next(self._order))}
        arn = f"arn:aws:dynamodb:sa-east-1:123456789012:table/{table}/stream/2026"
        self._tell(table, {"eventName": event, "eventSourceARN": arn, "dynamodb": told})

    def _tell(self, table: str, record: Record) -> None:
        name, functions = self._followers[table]
        told = record["dynamodb"]
        for function in functions:
            shard = self._shards[function, crc32(told["Keys"][name]["S"].encode()) % SHARDS]
            shard.records.append((told["SequenceNumber"], record))
            if not shard.is_read:
                shard.is_read = True
                self._read(function, shard, self._delay(), 0)

    def _read(self, function: str, shard: Shard, delay: float, retries: int) -> None:
        """What a function did not take comes again, with all that came after it."""

        def deliver() -> None:
            batch = list(shard.records)[: self.random.randint(1, LARGEST_BATCH)]
            ids = [number for number, _ in batch]
            event = {"Records": [record for _, record in batch]}
            failed = self.brings(function, event, ids)
            taken = min(map(ids.index, failed), default=len(batch))
            again = f"what {function} took of a stream comes again"
            if failed or not self._befalls(self.trouble.repeats, again):
                for _ in range(taken):
                    shard.records.popleft()
            if failed:
                assert retries < MAX_RETRIES, f"{function} does not get on"
                self._read(function, shard, self.random.uniform(0.5, 4), retries + 1)
            elif shard.records:
                self._read(function, shard, self._delay(), 0)
            else:
                shard.is_read = False

        self.after(delay, deliver)


def place_of(asked: Mapping[str, Any]) -> str:
    """The tables, the queue or whatever else a request is about."""
    writes = [each for one in asked.get("TransactItems", ()) for each in one.values()]
    tables = [*asked.get("RequestItems", ()), *(each["TableName"] for each in writes)]
    queue = asked.get("QueueUrl", "").rpartition("/")[2]
    place = asked.get("TableName") or queue or asked.get("Name") or "the bus"
    return ", ".join(dict.fromkeys(tables)) or place


def parts_of(operation: str, asked: Mapping[str, Any]) -> list[Any]:
    """Of a request for several things at once."""
    if operation == "BatchGetItem":
        wanted = asked["RequestItems"].items()
        return [(table, key) for table, each in wanted for key in each["Keys"]]
    return list(asked["Entries"]) if operation in ("SendMessageBatch", "PutEvents") else []


def batch_of(queue: str) -> int:
    """How many messages of a queue a function takes at once, at most."""
    for properties in functions().values():
        for event in properties.get("Events", {}).values():
            asked = event["Properties"]
            if event["Type"] == "SQS" and asked["Queue"]["Fn::GetAtt"][0] == queue:
                return int(asked.get("BatchSize", BATCH_OF_QUEUE))
    raise LookupError(queue)


def request(
    route: str,
    claims: Claims,
    body: Any = None,
    headers: Mapping[str, str] | None = None,
    **parts: Any,
) -> dict[str, Any]:
    """Of a route such as "GET /calls/{call_id}", whose `parts` are said."""
    return http(
        route,
        path=route.partition(" ")[2].format(**parts),
        headers={"content-type": "application/json", **(headers or {})},
        body=None if body is None else json.dumps(body).encode(),
        claims=claims,
    )


@cache
def _handler(function: str) -> Callable[[dict[str, Any], Any], Any]:
    return handler_of(function)
