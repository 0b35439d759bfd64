"""A feed that many write and watch at the same time: in every order of their requests, and through
any history of changes, cuts and workers that die.
"""

import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from unittest.mock import patch

import pytest
from botocore.client import BaseClient
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from local.live import Picture
from retorno.changes import Change, Kind
from retorno.dynamodb import write_together
from retorno.realtime import store as store_module
from retorno.realtime.connections import Gone
from retorno.realtime.model import Audience, Entry, Head, Key, Sight, Watch
from retorno.realtime.publishing import Publishing
from retorno.realtime.service import SNAPSHOT_REQUIRED, Pushing, Watching
from retorno.realtime.store import FeedStore
from tests.support.quick_dynamodb import Item, QuickDynamoDB
from tests.support.turns import Job, Table, every_order

NOW = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
ENDS = NOW + timedelta(hours=8)
FIRST = Head.first(NOW)


class Killed(BaseException):
    pass


@dataclass(frozen=True)
class Truth:
    """A call, as its record has it."""

    state: str
    agent: str | None = None
    queue: str | None = "vendas"
    present: bool = True


@dataclass
class Line:
    """A connection and the client at its other end, who reads when the test says so."""

    picture: Picture
    queues: frozenset[str]
    subscribe: Callable[[], None]
    sent: list[str] = field(default_factory=list)

    def read(self) -> None:
        while self.sent:
            message = json.loads(self.sent.pop(0))
            if message["type"] == SNAPSHOT_REQUIRED:
                self.picture.forget()
                self.subscribe()
            self.picture.take(message)


class World:
    """A feed in memory; each request gives way to others, and may be the last."""

    def __init__(self) -> None:
        self.table = Table()
        self.store = FeedStore("feed")
        self.publishing = Publishing(self.store, self.look)
        self.watching = Watching(self.store, self)
        self.pushing = Pushing(self.store, self)
        self.begin()

    def begin(self) -> None:
        self._dynamodb = QuickDynamoDB({"FeedTable": "feed"}, self._told)
        self.truths: dict[str, Truth] = {}
        self.records: list[dict[str, Any]] = []
        self.lines: dict[str, Line] = {}
        self.dies_after: int | None = None

    @contextmanager
    def running(self) -> Iterator["World"]:
        with (
            patch.object(BaseClient, "_make_api_call", lambda _, *asked: self._request(*asked)),
            patch("retorno.realtime.publishing.time.sleep"),
            patch("retorno.realtime.service.POSTS_AT_ONCE", 1),
        ):
            yield self

    def _request(self, operation: str, asked: Any) -> Any:
        self.table.give_way()
        if self.dies_after is not None:
            self.dies_after -= 1
            if self.dies_after < 0:
                raise Killed
        return self._dynamodb(operation, asked)

    def _told(self, table: str, key: Item, old: Item | None, new: Item | None) -> None:
        if key["sk"] == {"S": "head"} and new:
            images = {"Keys": key, "NewImage": new} | ({"OldImage": old} if old else {})
            self.records.append({"dynamodb": images})

    def look(self, changes: Sequence[Change], now: datetime) -> list[Sight]:
        self.table.give_way()
        return [self.sight(change.keys["call_id"]) for change in changes]

    def sight(self, call_id: str) -> Sight:
        truth = self.truths.get(call_id)
        if truth is None:
            return Sight(kind="call", thing_id=call_id, present=False)
        return Sight(
            kind="call",
            thing_id=call_id,
            present=truth.present,
            view={"state": truth.state, "agent": truth.agent, "queue": truth.queue},
            audience=Audience(
                agents=frozenset([truth.agent] if truth.agent else ()),
                queues=frozenset([truth.queue] if truth.queue else ()),
            ),
        )

    # --- The gateway ----------------------------------------------------------------------------

    def post(self, connection_id: str, message: str) -> None:
        if connection_id not in self.lines:
            raise Gone
        self.lines[connection_id].sent.append(message)

    def cut(self, connection_id: str) -> None:
        self.lines.pop(connection_id, None)

    # --- What is done ---------------------------------------------------------------------------

    def change(self, call_id: str, truth: Truth) -> None:
        self.truths[call_id] = truth

    def publish(self, *call_ids: str) -> None:
        changes = [Change(Kind.CALL, {"call_id": each}) for each in call_ids]
        self.publishing.publish(changes, NOW)

    def push(self) -> None:
        told, self.records = self.records, []
        self.pushing.push(told, NOW)

    def dial_in(
        self,
        connection_id: str,
        picture: Picture,
        agent: str | None = None,
        queues: frozenset[str] = frozenset(),
    ) -> Line:
        watch = Watch(connection_id=connection_id, agent=agent, until=ENDS)
        self.watching.admit(watch)
        line = Line(picture, queues, lambda: self.subscribe(connection_id))
        self.lines[connection_id] = line
        return line

    def subscribe(self, connection_id: str) -> None:
        line = self.lines.get(connection_id)
        if line:
            said = json.loads(line.picture.subscription(line.queues))
            after = said.get("after")
            self.watching.subscribe(connection_id, after, frozenset(said["queues"]), NOW)

    def expected(
        self, agent: str | None = None, queues: frozenset[str] = frozenset()
    ) -> dict[str, Any]:
        return {
            call_id: self.sight(call_id).view
            for call_id, truth in self.truths.items()
            if truth.present
            and agent in (None, truth.agent)
            and (not queues or truth.queue is None or truth.queue in queues)
        }


@pytest.fixture(scope="module")
def world() -> Iterator[World]:
    with World().running() as world:
        yield world


def is_wrong(world: World) -> bool:
    """Whether the feed does not show what there is, or the log not how it came to that."""
    there = {each.key: each for each in world.store.present()}
    head, log = world.store.head() or FIRST, list(world.store.log(0))
    latest = {each.key: each for each in log}
    return (
        {each.thing_id: each.view for each in there.values()} != world.expected()
        or [each.seq for each in log] != list(range(FIRST.seq + 1, head.seq + 1))
        or {key: each.seq for key, each in latest.items() if each.present}
        != {key: each.seq for key, each in there.items()}
    )


def changed_and_published(world: World, call_id: str, truth: Truth) -> Job:
    def job() -> None:
        world.table.give_way()
        world.change(call_id, truth)
        world.publish(call_id)

    return job


# --- Two publishers at once ---------------------------------------------------------------------


def two_publishers(world: World) -> list[Job]:
    """The same call goes from Ana to Bia, and another one is answered."""
    world.begin()
    world.change("c1", Truth("answered", "ana"))
    world.publish("c1")
    return [
        changed_and_published(world, "c1", Truth("answered", "bia")),
        changed_and_published(world, "c1", Truth("ended", "bia", present=False)),
    ]


def what_comes_and_goes(world: World) -> list[Job]:
    """A call that no feed shows yet is over at once."""
    world.begin()
    return [
        changed_and_published(world, "c1", Truth("queued")),
        changed_and_published(world, "c1", Truth("ended", present=False)),
    ]


def what_is_as_before(world: World) -> list[Job]:
    """Something changes, and changes back."""
    world.begin()
    world.change("c1", Truth("queued"))
    world.publish("c1")
    return [
        changed_and_published(world, "c1", Truth("queued", queue="suporte")),
        changed_and_published(world, "c1", Truth("queued")),
    ]


PUBLISHERS = (two_publishers, what_comes_and_goes, what_is_as_before)


@pytest.mark.parametrize("publishers", PUBLISHERS)
def test_the_last_entry_is_the_last_truth(
    world: World, publishers: Callable[[World], list[Job]]
) -> None:
    """Whoever of two comes last, and whichever of them saw what."""
    ran = 0
    for _ in every_order(world.table, lambda: publishers(world)):
        assert not is_wrong(world)
        ran += 1
    assert ran > 50


def test_without_the_condition_on_the_head_it_would_not_be(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    def unconditional(writes: Sequence[Any]) -> None:
        for write in writes:
            object.__setattr__(write, "condition", None)
        write_together(writes)

    monkeypatch.setattr(store_module, "write_together", unconditional)
    assert any(is_wrong(world) for _ in every_order(world.table, lambda: two_publishers(world)))


def test_looking_before_the_head_is_read_would_not_do(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Hasty(Publishing):
        def publish(self, changes: Sequence[Change], now: datetime) -> None:
            seen = self._look(changes, now)
            Publishing(self._store, lambda *_: seen).publish(changes, now)

    monkeypatch.setattr(world, "publishing", Hasty(world.store, world.look))
    assert any(is_wrong(world) for _ in every_order(world.table, lambda: two_publishers(world)))


@pytest.mark.parametrize("publishers", [what_comes_and_goes, what_is_as_before])
def test_writing_only_what_is_new_would_not_do(
    world: World, monkeypatch: pytest.MonkeyPatch, publishers: Callable[[World], list[Job]]
) -> None:
    class Sparing(FeedStore):
        def write(self, before: Any, after: Any, entries: Any, now: datetime) -> None:
            if entries:
                super().write(before, after, entries, now)

    monkeypatch.setattr(world, "publishing", Publishing(Sparing("feed"), world.look))
    assert any(is_wrong(world) for _ in every_order(world.table, lambda: publishers(world)))


# --- A client that subscribes while changes are written -----------------------------------------


MEANWHILE = {
    "changes": ("c1", Truth("answered")),
    "ends": ("c1", Truth("ended", present=False)),
    "goes to another queue": ("c1", Truth("queued", queue="suporte")),
    "begins": ("c3", Truth("queued")),
}


def a_client_comes(
    world: World, meanwhile: str = "changes", knows: bool = False
) -> Callable[[], list[Job]]:
    queues = frozenset({"vendas"})

    def make() -> list[Job]:
        world.begin()
        world.change("c1", Truth("queued"))
        world.change("c2", Truth("queued"))
        world.publish("c1", "c2")
        world.push()
        picture = Picture()
        world.dial_in("before", picture, queues=queues)
        world.subscribe("before")
        line = world.lines["before"]
        line.read()
        world.watching.leave("before")
        del world.lines["before"]
        world.change("c2", Truth("ended", present=False))
        world.publish("c2")
        world.dial_in("now", picture if knows else Picture(), queues=queues)

        def change_and_push() -> None:
            changed_and_published(world, *MEANWHILE[meanwhile])()
            world.push()

        return [change_and_push, lambda: world.subscribe("now")]

    return make


def picture_is_wrong(world: World) -> bool:
    line = world.lines["now"]
    line.read()
    shown = line.picture.things("call")
    return (shown, line.picture.after) != (world.expected(queues=line.queues), FIRST.seq + 4)


@pytest.mark.parametrize("knows", [False, True])
@pytest.mark.parametrize("meanwhile", MEANWHILE)
def test_who_comes_as_something_changes_sees_it(world: World, meanwhile: str, knows: bool) -> None:
    ran = 0
    for _ in every_order(world.table, a_client_comes(world, meanwhile, knows)):
        assert not picture_is_wrong(world)
        ran += 1
    assert ran > 100


def test_reading_before_watching_would_miss_some(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Hasty(Watching):
        def subscribe(self, connection_id: str, *asked: Any) -> None:
            watch = self._store.admitted(connection_id)
            assert watch
            for message in list(self._history(watch, None, NOW)):
                self._connections.post(connection_id, message)
            self._store.begin(watch)

    monkeypatch.setattr(world, "watching", Hasty(world.store, world))
    orders = every_order(world.table, a_client_comes(world))
    assert any(picture_is_wrong(world) for _ in orders)


def test_looking_at_things_before_the_log_would_not_do(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Hasty(FeedStore):
        def log(self, since: int) -> Iterator[Entry]:
            self.early = {entry.key: entry for entry in self.present()}
            return super().log(since)

        def there(self, things: Iterable[Key]) -> dict[Key, Entry]:
            return {key: self.early[key] for key in things if key in self.early}

    monkeypatch.setattr(world, "watching", Watching(Hasty("feed"), world))
    orders = every_order(world.table, a_client_comes(world, "begins", knows=True))
    assert any(picture_is_wrong(world) for _ in orders)


# --- Any history --------------------------------------------------------------------------------

calls = st.sampled_from(["c1", "c2", "c3"])
truths = st.builds(
    Truth,
    st.sampled_from(["queued", "answered"]),
    st.sampled_from([None, "ana", "bia"]),
    st.sampled_from(["vendas", "suporte", None]),
    st.booleans(),
)
CLIENTS = {
    "all": (None, frozenset[str]()),
    "vendas": (None, frozenset({"vendas"})),
    "ana": ("ana", frozenset[str]()),
    "ana's of vendas": ("ana", frozenset({"vendas"})),
}
steps = st.one_of(
    st.tuples(st.just("change"), calls, truths),
    st.tuples(st.just("publish"), st.lists(calls, min_size=1), st.none() | st.integers(0, 12)),
    st.tuples(st.just("push"), st.none() | st.integers(0, 6)),
    st.tuples(st.just("cut"), st.sampled_from(sorted(CLIENTS))),
    st.tuples(st.just("come"), st.sampled_from(sorted(CLIENTS)), st.none() | st.integers(0, 6)),
    st.tuples(st.just("read"), st.sampled_from(sorted(CLIENTS))),
)


class History:
    def __init__(self, world: World) -> None:
        self.world = world
        self.pictures = {name: Picture() for name in CLIENTS}
        self.connections: dict[str, str] = {}
        self.untold: set[str] = set()
        self.made = 0

    def dies(self, after: int | None, job: Callable[[], object]) -> bool:
        """Whether it was done."""
        self.world.dies_after = after
        try:
            job()
        except Killed:
            return False
        finally:
            self.world.dies_after = None
        return True

    def change(self, call_id: str, truth: Truth) -> None:
        self.world.change(call_id, truth)
        self.untold.add(call_id)

    def publish(self, call_ids: list[str], dies: int | None) -> None:
        if self.dies(dies, lambda: self.world.publish(*call_ids)):
            self.untold -= set(call_ids)

    def push(self, dies: int | None) -> None:
        records = list(self.world.records)
        if not self.dies(dies, self.world.push):
            # The stream tells it again.
            self.world.records = [*records, *self.world.records]

    def cut(self, name: str) -> None:
        """What was sent and not yet read is lost."""
        self.world.lines.pop(self.connections.pop(name, ""), None)

    def come(self, name: str, dies: int | None) -> None:
        self.cut(name)
        self.made += 1
        connection_id = self.connections[name] = f"{name}{self.made}"
        agent, queues = CLIENTS[name]
        self.world.dial_in(connection_id, self.pictures[name], agent, queues)
        if not self.dies(dies, lambda: self.world.subscribe(connection_id)):
            self.cut(name)

    def read(self, name: str) -> None:
        line = self.world.lines.get(self.connections.get(name, ""))
        if line:
            line.read()

    def settle(self) -> None:
        self.publish(sorted(self.untold), None) if self.untold else None
        self.push(None)
        for name in CLIENTS:
            if self.connections.get(name, "") not in self.world.lines:
                self.come(name, None)
            self.read(name)


@settings(max_examples=400, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(steps, max_size=40))
def test_any_history_ends_in_the_same_picture(world: World, history: list[Any]) -> None:
    world.begin()
    played = History(world)
    for what, *how in history:
        getattr(played, what)(*how)
    played.settle()
    assert not is_wrong(world)
    for name, (agent, queues) in CLIENTS.items():
        assert played.pictures[name].things("call") == world.expected(agent, queues), name


# --- Who is cut off -----------------------------------------------------------------------------


def test_who_is_gone_is_forgotten_and_whose_token_ended_is_cut_off(world: World) -> None:
    world.begin()
    for name in ("here", "gone", "ended"):
        world.dial_in(name, Picture())
        world.subscribe(name)
    del world.lines["gone"]
    ended = Watch(connection_id="ended", agent=None, until=NOW)
    world.store.begin(ended)
    world.change("c1", Truth("queued"))
    world.publish("c1")
    world.push()
    assert sorted(world.lines) == ["here"]
    assert [each.connection_id for each in world.store.watches(None)] == ["here"]
    assert world.store.admitted("gone") is None


def test_who_never_was_admitted_is_told_nothing(world: World) -> None:
    world.begin()
    world.watching.leave("nobody")
    assert world.store.watches(None) == []
