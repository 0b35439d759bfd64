"""What is done for what is seen live: things are brought up to date, watched, and told of."""

import json
import random
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime

from retorno.changes import Change
from retorno.errors import NotFound, Unavailable
from retorno.observability import logger
from retorno.realtime.connections import (
    POSTS_AT_ONCE,
    ApiGatewayConnections,
    Connections,
    Gone,
)
from retorno.realtime.model import (
    SUPERVISORS,
    Entry,
    Head,
    Sight,
    Watch,
    agents_entries,
    feed_of_agent,
    messages,
    news,
)
from retorno.realtime.sights import sights
from retorno.realtime.store import Changed, FeedStore, moved
from retorno.settings import PublishUpdatesSettings, PushUpdatesSettings

# Things that are written at once: each in the supervisors' feed, and with that feed's head in those
# of two agents, whose heads move, too. DynamoDB takes 100 items.
THINGS_AT_ONCE = 19

MAX_LOOKS = 10
PAUSE_SECONDS = 0.05

Look = Callable[[Sequence[Change], datetime], Sequence[Sight]]

READY = "ready"
SNAPSHOT_REQUIRED = "snapshot_required"


class Publishing:
    """Brings feeds up to date with what things are, in steps of which each is of one writer: what
    one writes was read after all that others wrote before.
    """

    def __init__(self, store: FeedStore, look: Look) -> None:
        self._store = store
        self._look = look

    def publish(self, changes: Sequence[Change], now: datetime) -> None:
        """Told again, it changes nothing. Raises Unavailable."""
        each_once = list({tuple(change.message.items()): change for change in changes}.values())
        for place in range(0, len(each_once), THINGS_AT_ONCE):
            self._publish(each_once[place : place + THINGS_AT_ONCE], now)

    def _publish(self, changes: Sequence[Change], now: datetime) -> None:
        for _ in range(MAX_LOOKS):
            head = self._store.heads([SUPERVISORS])[SUPERVISORS]
            seen = {(each.kind, each.thing_id): each for each in self._look(changes, now)}
            before = self._store.entries(SUPERVISORS, seen)
            # Also where nothing is new: somebody may be about to write what they saw before that.
            told = list(_told(seen.values(), before))
            feeds = {feed for feed, _ in told} - {SUPERVISORS}
            heads = {SUPERVISORS: head, **self._store.heads(feeds)}
            try:
                self._store.write(head, *_numbered(told, heads, now), now)
                return
            except Changed:
                time.sleep(random.uniform(0, PAUSE_SECONDS))  # noqa: S311
        raise Unavailable("the feeds are being written by too many at once")


def _told(
    seen: Iterable[Sight], before: Mapping[tuple[str, str], Entry]
) -> Iterator[tuple[str, Entry]]:
    """What is new, and in which feed."""
    for sight in seen:
        known = before.get((sight.kind, sight.thing_id))
        entry = news(known, sight)
        if entry:
            yield SUPERVISORS, entry
            for agent, theirs in agents_entries(known, entry, sight).items():
                yield feed_of_agent(agent), theirs


def _numbered(
    told: Sequence[tuple[str, Entry]], heads: Mapping[str, Head], now: datetime
) -> tuple[dict[str, Head], list[tuple[str, Entry]]]:
    """The feeds' heads after it, and what is told with its numbers."""
    come = {feed: head.seq for feed, head in heads.items()}
    numbered = []
    for feed, entry in told:
        come[feed] += 1
        numbered.append((feed, entry.model_copy(update={"seq": come[feed]})))
    after = {feed: head.after(come[feed] - head.seq, now) for feed, head in heads.items()}
    return after, numbered


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
        head = self._store.heads([watch.feed])[watch.feed]
        if after is not None and not head.knows_since(after, now):
            yield json.dumps({"type": SNAPSHOT_REQUIRED})
            return
        if after is None:
            yield from messages(
                change
                for entry in self._store.present(watch.feed)
                if (change := entry.change(watch.queues)) and not change["gone"]
            )
        else:
            yield from messages(_changes(self._store.since(watch.feed, after), watch))
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
        """What records of the heads tell. Raises Unavailable where it is to be told again."""
        for feed, (since, until) in moved(records).items():
            watches = self._store.watches(feed)
            if watches:
                self._push(watches, list(self._store.since(feed, since)), until, now)

    def _push(
        self, watches: Sequence[Watch], entries: Sequence[Entry], seq: int, now: datetime
    ) -> None:
        # Many watch the same: what they are told is written once.
        told = {watch.queues: list(messages(_changes(entries, watch), seq)) for watch in watches}
        with ThreadPoolExecutor(POSTS_AT_ONCE) as pool:
            posts = [pool.submit(self._tell, each, told[each.queues], now) for each in watches]
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


def _changes(entries: Iterable[Entry], watch: Watch) -> Iterator[Mapping[str, object]]:
    return (change for entry in entries if (change := entry.change(watch.queues)))


def publishing(settings: PublishUpdatesSettings) -> Publishing:
    return Publishing(FeedStore(settings.feeds_table), sights(settings).look)


def watching(settings: PushUpdatesSettings) -> Watching:
    return Watching(FeedStore(settings.feeds_table), _connections(settings))


def pushing(settings: PushUpdatesSettings) -> Pushing:
    return Pushing(FeedStore(settings.feeds_table), _connections(settings))


def _connections(settings: PushUpdatesSettings) -> Connections:
    return ApiGatewayConnections(settings.connections_url)
