"""The simulation's supervisor who watches live, without a stack."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from threading import Event as Signal
from typing import Any, cast

import pytest

from local.client import Client
from local.live import Picture, Watcher
from local.simulate import feed as module
from local.simulate.feed import CUTS, Feed

NOW = datetime(2026, 3, 5, 17, 30, tzinfo=UTC).isoformat()


def change(kind: str, name: str, seq: int, view: dict[str, Any] | None) -> dict[str, Any]:
    return {"kind": kind, "id": name, "seq": seq, "gone": view is None, "view": view}


def presence(state: str, until: str | None = None) -> dict[str, Any]:
    told = {"state": state, "reason": None, "until": until}
    return {"agent": "ana", "presence": {**told, "next_state": "offline", "next_reason": None}}


def missed(state: str) -> dict[str, Any]:
    return {"call_id": "m1", "state": state, "attempts": 0}


HISTORY = [
    change("agent", "ana", 1, presence("available")),
    change("call", "c1", 2, {"call_id": "c1", "status": "queued"}),
    change("missed_call", "m1", 3, missed("open")),
    change("agent", "ana", 4, presence("paused")),
    change("call", "c1", 5, None),
    change("missed_call", "m1", 6, missed("blocked")),
    change("conversation", "+551187654321", 7, {"unread": 1, "failed": False}),
]


class Line:
    """Stands for a watcher's connection: of what there is to tell it tells two changes, and then
    nothing until the next."""

    def __init__(self) -> None:
        self.picture = Picture()
        self.subscriptions: list[int | None] = []
        self.is_up = False
        self._untold: list[dict[str, Any]] = []

    def connect(self) -> None:
        after = json.loads(self.picture.subscription(())).get("after")
        self.subscriptions.append(after)
        reached = min((after or 0) + 2, len(HISTORY))
        changes = [each for each in HISTORY[:reached] if each["seq"] > (after or 0)]
        told = {"type": "changes", "changes": changes}
        self._untold = [told, {"type": "ready", "seq": reached}]
        self.is_up = True

    def hear(self, seconds: float) -> list[dict[str, Any]]:
        assert self.is_up
        if not self._untold:
            raise TimeoutError
        return self.picture.take(self._untold.pop(0))

    def cut(self) -> None:
        self.is_up = False


class Api:
    def __init__(self) -> None:
        self.presence = "paused"
        self.miss = "blocked"
        self.unread = 1
        self.until: str | None = None
        self.ended_at: str | None = NOW

    def agents(self) -> list[dict[str, Any]]:
        return [presence(self.presence, self.until)]

    def conversations(self) -> list[dict[str, Any]]:
        told = {"conversation": "+551187654321", "unread": self.unread, "failed": False}
        return [told, {"conversation": "+551187650000", "unread": 0, "failed": False}]

    def missed_calls(self, since: datetime, until: datetime, state: str) -> Iterator[Any]:
        yield from ([missed(state)] if state == self.miss else [])

    def call(self, call_id: str) -> dict[str, Any]:
        return {"ended_at": self.ended_at}


class Shift(Signal):
    """Nobody waits for it; it closes when so much is known."""

    def __init__(self, line: Line, after: int) -> None:
        super().__init__()
        self._line, self._after = line, after

    def is_set(self) -> bool:
        return (self._line.picture.after or 0) >= self._after

    def wait(self, timeout: float | None = None) -> bool:
        return self.is_set()


@pytest.fixture(autouse=True)
def _cut_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "CUT_AFTER", (0.01, 0.02))


def watched(after: int = len(HISTORY)) -> tuple[Line, Api, Feed]:
    line, api = Line(), Api()
    feed = Feed(cast(Watcher, line), cast(Client, api), 1)
    feed.work(Shift(line, after))
    return line, api, feed


def test_who_is_cut_off_goes_on_where_they_were() -> None:
    line, _, feed = watched()
    assert line.subscriptions == [None, 2, 4, 6]
    assert (feed.cuts, feed.after, feed.changes) == (CUTS, 7, 7)
    assert [each["seq"] for each in feed.newest] == [7, 6, 5, 4, 3, 2, 1]
    assert not line.is_up
    assert feed.summary() == (
        "7 changes up to number 7, cut off 3 times, and 3 things shown at the end"
    )


def test_the_picture_is_what_the_api_says() -> None:
    _, api, feed = watched()
    assert list(feed.differences()) == []
    api.presence, api.miss = "busy", "open"
    assert list(feed.differences()) == [
        "agent ana is ('paused', None), but the API says ('busy', None)",
        "missed_call m1 is ('blocked', 0), but the API says ('open', 0)",
    ]
    api.miss, api.unread = "recovered", 0
    told = list(feed.differences())
    assert "missed_call m1 is ('blocked', 0), but the API says not there" in told
    assert "conversation +551187654321 is (1, False), but the API says not there" in told


def test_what_ends_by_itself_is_told_by_nobody() -> None:
    _, api, feed = watched()
    api.presence, api.until = "offline", NOW
    assert "agent ana is ('paused', None), but the API says ('offline', None)" in feed.differences()
    agents = {"ana": presence("wrap_up", until=NOW)}
    feed.things = {**feed.things, "agent": agents}
    assert list(feed.differences()) == []


def test_a_call_that_goes_on_in_the_picture_alone_is_told() -> None:
    _, api, feed = watched(after=2)
    api.presence, api.miss, api.unread = "available", "recovered", 0
    assert list(feed.differences()) == [f"call of c1 is there, but the call ended at {NOW}"]
    api.ended_at = None
    assert list(feed.differences()) == []
