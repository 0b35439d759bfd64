"""A deployment on a clock of its own, where whatever runs may die, be late, or come again.

Nothing runs at the same time as anything else, but between any two requests of a function others
may run, and time passes. What AWS promises holds: messages and records come at least once, those
of a stream in the order of their key's changes; and nothing else does.
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
DEEPEST = 3

# Who follows which table's stream, and by what its records are kept in order.
FOLLOWERS = {
    "calls": ("call_id", ("MatchRecoveries", "FollowCalls")),
    "recoveries": ("number_key", ("FillCallList",)),
    "agents": ("pk", ("FollowAgents",)),
}
CONSUMERS = {"DiallerQueue": "DialCallbacks", "DeferredCallsQueue": "StoreDeferredCalls"}

Answer = TypeVar("Answer")


class Killed(BaseException):
    """Lambda ends the function: nothing in it catches that."""


@dataclass(frozen=True)
class Trouble:
    """How often, of all requests, a function dies before or after one; of how many the table says
    nothing, and the answer of how many is lost. How often others run between, and what is
    delivered comes again.
    """

    kills: float = 0.004
    silence: float = 0.003
    losses: float = 0.004
    others: float = 0.3
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
        self._agenda: list[tuple[datetime, int, Callable[[], object]]] = []
        self._order = count()
        self._invocations: list[Invocation] = []
        self._depth = 0
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
            at, _, do = heapq.heappop(self._agenda)
            self.clock.now = max(self.clock.now, at)
            do()
        self.clock.now = max(self.clock.now, until)

    def passes(self, seconds: float) -> None:
        """Time passes within a function, and others use it; it may be too long for the function."""
        self.clock.advance(seconds=seconds)
        if self._depth < DEEPEST and self._chance(self.trouble.others):
            self._depth += 1
            with self.aside():
                while self._agenda and self._agenda[0][0] <= self.clock.now:
                    heapq.heappop(self._agenda)[2]()
            self._depth -= 1
        if self._invocations and self.clock.now > self._invocations[-1].dies_at:
            self.dies()

    @contextmanager
    def aside(self) -> Iterator[None]:
        """What is asked for now is of no function that runs."""
        running, self._invocations = self._invocations, []
        try:
            yield
        finally:
            self._invocations = running

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
