"""Who watches live, and what they are told."""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime

from retorno.changes import Kind
from retorno.errors import NotFound, Unavailable
from retorno.observability import logger
from retorno.realtime.connections import (
    POSTS_AT_ONCE,
    ApiGatewayConnections,
    Connections,
    Gone,
)
from retorno.realtime.model import Entry, Head, Key, Watch, changes, messages
from retorno.realtime.store import FeedStore, moved
from retorno.settings import FeedSettings, PushUpdatesSettings

READY = "ready"
SNAPSHOT_REQUIRED = "snapshot_required"


class Watching:
    """Connections: who may watch what, and what they are told when they begin."""

    def __init__(self, store: FeedStore, connections: Connections) -> None:
        self._store = store
        self._connections = connections

    def admit(self, watch: Watch) -> None:
        """Raises Unavailable."""
        self._store.admit(watch)

    def leave(self, connection_id: str) -> None:
        """Raises Unavailable."""
        watch = self._store.admitted(connection_id)
        if watch:
            self._store.end(watch)

    def subscribe(
        self, connection_id: str, after: int | None, queues: frozenset[str], now: datetime
    ) -> None:
        """Tells a connection of all there is, or of what changed after a number, and has it told of
        what changes from now on.

        It is told of both: first it watches, then the feed is read. Where that fails it is cut off.
        Raises NotFound for one that was not admitted, Unavailable.
        """
        try:
            self._subscribe(connection_id, after, queues, now)
        except Unavailable:
            logger.exception("a connection could not be told, and is cut off")
            self._connections.cut(connection_id)

    def _subscribe(
        self, connection_id: str, after: int | None, queues: frozenset[str], now: datetime
    ) -> None:
        admitted = self._store.admitted(connection_id)
        if admitted is None:
            raise NotFound("there is no such connection")
        watch = admitted.model_copy(update={"queues": queues})
        self._store.begin(watch)
        try:
            for message in self._history(watch, after, now):
                self._connections.post(connection_id, message)
        except Gone:
            self._store.end(watch)

    def _history(self, watch: Watch, after: int | None, now: datetime) -> Iterator[str]:
        head = self._store.head() or Head()
        if after is not None and not head.knows_since(after, now):
            yield json.dumps({"type": SNAPSHOT_REQUIRED})
            return
        if after is None:
            there = self._store.present()
            yield from messages(each.told(watch) for each in there if each.audience.includes(watch))
        else:
            log = [entry for entry in self._store.log(after) if entry.concerns(watch)]
            yield from messages(changes(log, self._store.there({each.key for each in log}), watch))
        yield json.dumps({"type": READY, "seq": head.seq})

    def answer(self, connection_id: str, message: Mapping[str, str]) -> None:
        """Raises Unavailable."""
        try:
            self._connections.post(connection_id, json.dumps(message))
        except Gone:
            self.leave(connection_id)


class Pushing:
    """Tells those who watch. Who cannot be told is cut off: they will come back, and say up to
    which number they know it all.
    """

    def __init__(self, store: FeedStore, connections: Connections) -> None:
        self._store = store
        self._connections = connections

    def push(self, records: Iterable[Mapping[str, object]], now: datetime) -> None:
        """What records of the head tell. Raises Unavailable where it is to be told again."""
        since, until = moved(records)
        if since == until:
            return
        log = list(self._store.log(since))
        # Agents first: a long list of supervisors does not keep an operator waiting.
        watches = [each for who in (*_agents(log), None) for each in self._store.watches(who)]
        if watches:
            there = self._store.there({each.key for each in log})
            self._push(watches, log, there, until, now)

    def _push(
        self,
        watches: Sequence[Watch],
        log: Sequence[Entry],
        there: Mapping[Key, Entry],
        seq: int,
        now: datetime,
    ) -> None:
        # Many watch the same: what they are told is written once.
        told = {
            (each.agent, each.queues): list(messages(changes(log, there, each), seq))
            for each in watches
        }
        with ThreadPoolExecutor(POSTS_AT_ONCE) as pool:
            posts = [
                pool.submit(self._tell, each, told[each.agent, each.queues], now)
                for each in watches
            ]
        untold = 0
        for watch, post in zip(watches, posts, strict=True):
            try:
                if not post.result():
                    self._store.end(watch)
            except Unavailable:
                untold += 1
        if untold:
            raise Unavailable(f"{untold} connections could neither be told nor cut off")

    def _tell(self, watch: Watch, told: Sequence[str], now: datetime) -> bool:
        """Whether it is told of what comes next, too."""
        try:
            if now < watch.until:
                for message in told:
                    self._connections.post(watch.connection_id, message)
                return True
        except Gone:
            return False
        except Unavailable:
            logger.warning("a connection could not be told, and is cut off")
        self._connections.cut(watch.connection_id)
        return False


class CallsSeen:
    """The calls that go on: those that are seen live, which are dropped as they end."""

    def __init__(self, store: FeedStore) -> None:
        self._store = store

    def begun_before(self, moment: datetime) -> list[str]:
        """Their ids. Raises Unavailable."""
        return [
            entry.thing_id
            for entry in self._store.present(Kind.CALL)
            if entry.view and datetime.fromisoformat(entry.view["started_at"]) < moment
        ]


def _agents(log: Iterable[Entry]) -> list[str]:
    """Whose own something was, or is."""
    audiences = [each for entry in log for each in (entry.audience, entry.before) if each]
    return sorted({agent for each in audiences for agent in each.agents})


def watching(settings: PushUpdatesSettings) -> Watching:
    return Watching(FeedStore(settings.feed_table), _connections(settings))


def pushing(settings: PushUpdatesSettings) -> Pushing:
    return Pushing(FeedStore(settings.feed_table), _connections(settings))


def calls_seen(settings: FeedSettings) -> CallsSeen:
    return CallsSeen(FeedStore(settings.feed_table))


def _connections(settings: PushUpdatesSettings) -> Connections:
    return ApiGatewayConnections(settings.connections_url)
