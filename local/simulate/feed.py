"""A supervisor who watches live, and whose connection is cut off now and then."""

import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from operator import itemgetter
from random import Random
from threading import Event as Signal
from typing import Any

from local.client import Client
from local.errors import CloudError
from local.live import Watcher

Answer = Mapping[str, Any]
Things = Mapping[str, Answer]

NEWEST = 40
CUTS = 3
# A connection may fail where there is much to do.
TRIES = 5

# Seconds, in real time.
CUT_AFTER = (12, 22)
AWAY = (2, 5)
TICK = 0.25

# Whatever was missed before has expired.
KEPT = timedelta(days=10)

# Each of these is there only while its call goes on.
OF_CALLS = ("call", "offer", "breach")
KINDS = ("agent", "missed_call", "conversation", *OF_CALLS)


class Feed:
    """`things` is the picture, by kind and id; `newest` are the last changes, the newest first.
    `cuts` counts those after which it went on from where it had been."""

    name = "Live feed"

    def __init__(self, watcher: Watcher, supervisor: Client, seed: int) -> None:
        self.things: Mapping[str, Things] = {kind: {} for kind in KINDS}
        self.newest: deque[Answer] = deque(maxlen=NEWEST)
        self.changes = self.cuts = self.after = 0
        self._watcher = watcher
        self._client = supervisor
        self._random = Random(f"{seed} feed")

    def work(self, closing: Signal) -> None:
        """Until it closes. Raises CloudError."""
        while not closing.is_set():
            self._connect(closing)
            lasts = self._random.uniform(*CUT_AFTER) if self.cuts < CUTS else float("inf")
            self._listen(closing, time.monotonic() + lasts)
            self._watcher.cut()
            if not closing.is_set():
                self.cuts += 1
                closing.wait(self._random.uniform(*AWAY))

    def _connect(self, closing: Signal) -> None:
        """As often as it takes, for a while."""
        for _ in range(TRIES):
            with suppress(CloudError):
                return self._watcher.connect()
            closing.wait(self._random.uniform(*AWAY))
        return self._watcher.connect()

    def _listen(self, closing: Signal, until: float) -> None:
        """Until then, or until the connection ends by itself."""
        while not closing.is_set() and time.monotonic() < until:
            try:
                changes = self._watcher.hear(TICK)
            except TimeoutError:
                continue
            if changes is None:
                return
            picture = self._watcher.picture
            self.changes += len(changes)
            self.newest.extendleft(changes)
            self.after = picture.after or 0
            self.things = {kind: picture.things(kind) for kind in KINDS}

    def summary(self) -> str:
        shown = sum(len(things) for things in self.things.values())
        return (
            f"{self.changes} changes up to number {self.after}, cut off {self.cuts} times, and "
            f"{shown} things shown at the end"
        )

    def differences(self) -> Iterator[str]:
        """Raises CloudError."""
        now = datetime.now(UTC)
        agents = {each["agent"]: each for each in self._client.agents()}
        yield from _unlike(self.things, "agent", agents, lambda agent: _presence(agent, now))
        unreached = {
            each["call_id"]: each
            for state in ("open", "blocked")
            for each in self._client.missed_calls(now - KEPT, now, state)
        }
        yield from _unlike(self.things, "missed_call", unreached, itemgetter("state", "attempts"))
        conversations = {
            each["conversation"]: each
            for each in self._client.conversations()
            if each["unread"] or each["failed"]
        }
        yield from _unlike(
            self.things, "conversation", conversations, itemgetter("unread", "failed")
        )
        for kind in OF_CALLS:
            for thing in self.things[kind].values():
                if ended_at := self._client.call(thing["call_id"])["ended_at"]:
                    yield f"{kind} of {thing['call_id']} is there, but the call ended at {ended_at}"


def _presence(agent: Answer, now: datetime) -> tuple[Any, ...]:
    """Nobody tells of what ends by itself."""
    presence = agent["presence"]
    if presence["until"] and datetime.fromisoformat(presence["until"]) <= now:
        return presence["next_state"], presence["next_reason"]
    return presence["state"], presence["reason"]


def _unlike(
    picture: Mapping[str, Things], kind: str, found: Things, facts: Callable[[Answer], Any]
) -> Iterator[str]:
    shown = picture[kind]
    for name in sorted(shown.keys() | found.keys()):
        there = facts(shown[name]) if name in shown else "not there"
        told = facts(found[name]) if name in found else "not there"
        if there != told:
            yield f"{kind} {name} is {there}, but the API says {told}"
