"""A deployment on a clock of its own, where whatever runs may die, be late, or come again.

Functions run at the same time, in threads that take turns: each gives way at its requests, until
the time that a request takes is over. So a seed repeats. What AWS promises holds: messages and
records come at least once, those of a stream in the order of their key's changes; and nothing else
does.
"""

import heapq
import os
from collections import defaultdict, deque
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import cache
from itertools import count
from random import Random
from threading import Semaphore, Thread, local
from typing import Any, TypeVar
from unittest.mock import patch

from botocore.client import BaseClient
from botocore.exceptions import EndpointConnectionError

from tests.support.clock import StoppedClock
from tests.support.deployment import CONTEXT, Deployment
from tests.support.events import sqs
from tests.support.functions import functions, handler_of
from tests.support.quick_dynamodb import Item, QuickDynamoDB
from tests.support.stream import Record

FUNCTION_LIFE = timedelta(seconds=29)
VISIBILITY_SECONDS = 180
MAX_RECEIVES = 10
MAX_RETRIES = 60

# Who follows which table's stream, and by what its records are kept in order.
FOLLOWERS = {
    "calls": ("call_id", ("MatchRecoveries", "FollowCalls")),
    "recoveries": ("number_key", ("FillCallList",)),
    "agents": ("pk", ("FollowAgents",)),
    "do-not-call": ("number_key", ("FollowDoNotCall",)),
}
CONSUMERS = {
    "DiallerQueue": "DialCallbacks",
    "OffersQueue": "OfferCalls",
    "DeferredCallsQueue": "StoreDeferredCalls",
}

Answer = TypeVar("Answer")


class Killed(BaseException):
    """Lambda ends the function: nothing in it catches that."""


@dataclass(frozen=True)
class Trouble:
    """How often, of all requests, a function dies before or after one; of how many the table says
    nothing, and the answer of how many is lost; and of all that is delivered, how often it comes
    again.
    """

    kills: float = 0.004
    silence: float = 0.003
    losses: float = 0.004
    repeats: float = 0.05


@dataclass
class Invocation:
    dies_at: datetime
    is_dead: bool = False


@dataclass
class Shard:
    """The records of one key that a function has not yet taken."""

    records: deque[Record] = field(default_factory=deque)
    is_read: bool = False


class Cloud:
    def __init__(
        self, deployment: Deployment, clock: StoppedClock, random: Random, trouble: Trouble
    ) -> None:
        self.clock = clock
        self.random = random
        self.trouble = trouble
        self.killed = 0
        self.requests = 0
        self.dead_letters: list[str] = []
        self._deployment = deployment
        self._queues = {deployment.name(queue): queue for queue in CONSUMERS}
        self._agenda: list[tuple[datetime, int, Callable[[], object] | Semaphore]] = []
        self._order = count()
        self._mine = local()
        self._turn = Semaphore(0)
        self._failures: list[BaseException] = []
        self._is_over = False
        self._shards: dict[tuple[str, str], Shard] = defaultdict(Shard)
        self._dynamodb = QuickDynamoDB(deployment.tables, self._told)
        self._request = BaseClient._make_api_call  # type: ignore[attr-defined]

    @contextmanager
    def running(self) -> Iterator["Cloud"]:
        variables: dict[str, str] = {}
        for name in functions():
            variables |= self._deployment.environment(name)

        def requested(client: BaseClient, operation: str, parameters: Any) -> Any:
            return self._requested(client, operation, parameters)

        with (
            patch.dict(os.environ, variables),
            patch.object(BaseClient, "_make_api_call", requested),
        ):
            yield self

    # --- Time -----------------------------------------------------------------------------------

    def after(self, seconds: float, do: Callable[[], object]) -> None:
        at = self.clock.now + timedelta(seconds=seconds)
        heapq.heappush(self._agenda, (at, next(self._order), do))

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
        at, _, next_one = heapq.heappop(self._agenda)
        if isinstance(next_one, Semaphore):
            self.clock.now = max(self.clock.now, at)
            next_one.release()
        elif self._is_over:
            return
        else:
            self.clock.now = max(self.clock.now, at)
            Thread(target=self._process, args=(next_one,)).start()
        self._turn.acquire()
        if self._failures:
            raise self._failures[0]

    def _process(self, do: Callable[[], object]) -> None:
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
            heapq.heappush(self._agenda, (at, next(self._order), mine))
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

    def may_die(self) -> None:
        if self._invocations and self._chance(self.trouble.kills):
            self.dies()

    def _chance(self, share: float) -> bool:
        return self.random.random() < share

    # --- Functions ------------------------------------------------------------------------------

    def call(self, function: str, event: Mapping[str, Any]) -> Any:
        """What a function answers; None where it died or failed."""
        return self.attempt(lambda: _handler(function)(dict(event), CONTEXT))

    def attempt(self, do: Callable[[], Answer]) -> Answer | None:
        self._invocations.append(Invocation(self.clock.now + FUNCTION_LIFE))
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
        elif self._chance(self.trouble.repeats):
            self.after(self.random.uniform(0, 30), lambda: self.attempt(do))

    def _requested(self, client: BaseClient, operation: str, parameters: Any) -> Any:
        if not self._invocations:
            return self._served(client, operation, parameters)
        if self._invocations[-1].is_dead:
            raise Killed
        slow = self._chance(0.01)
        self.passes(self.random.uniform(1, 6) if slow else self.random.uniform(0.002, 0.02))
        self.may_die()
        if self._chance(self.trouble.silence):
            raise EndpointConnectionError(endpoint_url="https://example.com")
        if operation == "UpdateItem" and self._chance(self.trouble.losses):
            # The answer is lost on its way, and the SDK sends the request again.
            self._served(client, operation, parameters)
        answer = self._served(client, operation, parameters)
        self.may_die()
        return answer

    def _served(self, client: BaseClient, operation: str, parameters: Any) -> Any:
        self.requests += 1
        if operation == "SendMessage" and parameters["QueueUrl"] in self._queues:
            queue = self._queues[parameters["QueueUrl"]]
            for _ in range(2 if self._chance(self.trouble.repeats) else 1):
                delay = parameters.get("DelaySeconds", 0) + self._delay()
                self._send(queue, parameters["MessageBody"], delay, 1)
            return {"MessageId": "message"}
        if client.meta.service_model.service_name == "dynamodb":
            return self._dynamodb(operation, parameters)
        return self._request(client, operation, parameters)

    def _delay(self) -> float:
        return self.random.uniform(2, 40) if self._chance(0.05) else self.random.uniform(0.02, 0.6)

    # --- Queues and streams ---------------------------------------------------------------------

    def _send(self, queue: str, body: str, delay: float, receive: int) -> None:
        def deliver() -> None:
            if self.call(CONSUMERS[queue], sqs(body)) == {"batchItemFailures": []}:
                return
            if receive == MAX_RECEIVES:
                self.dead_letters.append(body)
            else:
                self._send(queue, body, VISIBILITY_SECONDS, receive + 1)

        self.after(delay, deliver)

    def _told(self, table: str, key: Item, old: Item | None, new: Item | None) -> None:
        if table not in FOLLOWERS:
            return
        images = {"OldImage": old, "NewImage": new}
        event = "MODIFY" if old and new else "INSERT" if new else "REMOVE"
        told = {name: image for name, image in images.items() if image}
        record = {"eventName": event, "dynamodb": {"Keys": key, **told}}
        name, followers = FOLLOWERS[table]
        for function in followers:
            shard = self._shards[function, key[name]["S"]]
            shard.records.append(record)
            if not shard.is_read:
                shard.is_read = True
                self._read(function, shard, self._delay(), 0)

    def _read(self, function: str, shard: Shard, delay: float, retries: int) -> None:
        def deliver() -> None:
            batch = list(shard.records)[: self.random.randint(1, 4)]
            if self.call(function, {"Records": batch}) != {"batchItemFailures": []}:
                assert retries < MAX_RETRIES, f"{function} does not get on"
                self._read(function, shard, self.random.uniform(0.5, 4), retries + 1)
                return
            if not self._chance(self.trouble.repeats):
                for _ in batch:
                    shard.records.popleft()
            if shard.records:
                self._read(function, shard, self._delay(), 0)
            else:
                shard.is_read = False

        self.after(delay, deliver)


@cache
def _handler(function: str) -> Callable[[dict[str, Any], Any], Any]:
    return handler_of(function)
