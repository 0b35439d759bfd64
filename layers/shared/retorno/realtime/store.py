"""The feeds table: what each feed says, and who watches it."""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import date, datetime
from typing import Any

from pynamodb.attributes import ListAttribute, NumberAttribute, UnicodeAttribute
from pynamodb.indexes import AllProjection, LocalSecondaryIndex
from pynamodb.models import Model

from retorno.dynamodb import (
    Refused,
    RefusedTogether,
    Write,
    bind,
    delete,
    unavailable_on_trouble,
    update,
    write_together,
)
from retorno.realtime.model import GONE_KEPT, SUPERVISORS, Entry, Head, Watch
from retorno.times import read_stamp, stamp

HEAD = "head"
RECORD = "record"
THING = "thing#"
PRESENT = "present"
GONE = "gone"

# Numbers as text of one width sort as they do.
DIGITS = 15


class ByPlace(LocalSecondaryIndex["FeedItem"]):
    class Meta:
        index_name = "by_place"
        projection = AllProjection()

    pk = UnicodeAttribute(hash_key=True)
    place = UnicodeAttribute(range_key=True)


class FeedItem(Model):
    """`pk` and `sk` are

    - `feed#supervisors` or `feed#agent#ana`, `head`: how far the feed has come.
    - `feed#supervisors`, `thing#call#1546015415.757927`: what it says of a thing, with its `place`
      `present#000000000000041` or `gone#000000000000041`.
    - `connection#L0SM9cOFvHcCIhw=`, `record`: a connection, and what it may watch.
    - `watches#supervisors`, `L0SM9cOFvHcCIhw=`: that it does.
    """

    pk = UnicodeAttribute(hash_key=True)
    sk = UnicodeAttribute(range_key=True)
    seq = NumberAttribute(null=True)
    version = NumberAttribute(null=True)
    expires_at = NumberAttribute(null=True)

    day = UnicodeAttribute(null=True)
    day_began = NumberAttribute(null=True)
    eve_began = NumberAttribute(null=True)

    place = UnicodeAttribute(null=True)
    kind = UnicodeAttribute(null=True)
    thing_id = UnicodeAttribute(null=True)
    view = UnicodeAttribute(null=True)
    agents: ListAttribute[Any] = ListAttribute(of=UnicodeAttribute, null=True)
    queues: ListAttribute[Any] = ListAttribute(of=UnicodeAttribute, null=True)
    left: ListAttribute[Any] = ListAttribute(of=UnicodeAttribute, null=True)

    feed = UnicodeAttribute(null=True)
    until = UnicodeAttribute(null=True)

    by_place = ByPlace()


class Changed(Exception):
    """Somebody else wrote to the feeds since they were read."""


class FeedStore:
    def __init__(self, table_name: str) -> None:
        self._item = bind(FeedItem, table_name)

    def heads(self, feeds: Iterable[str]) -> dict[str, Head]:
        """How far each has come, as it is at this moment. Raises Unavailable."""
        found = self._get_many((_feed_pk(feed), HEAD) for feed in feeds)
        return {feed: _head(found.get((_feed_pk(feed), HEAD))) for feed in feeds}

    def entries(self, feed: str, things: Iterable[tuple[str, str]]) -> dict[tuple[str, str], Entry]:
        """What a feed says of things, by kind and id, at this moment. Raises Unavailable."""
        pk = _feed_pk(feed)
        found = self._get_many((pk, _thing_sk(*thing)) for thing in things)
        return {(item.kind, item.thing_id): _entry(item) for item in found.values()}

    def _get_many(self, keys: Iterable[tuple[str, str]]) -> dict[tuple[str, str], FeedItem]:
        wanted = list(keys)
        with unavailable_on_trouble():
            found = self._item.batch_get(wanted, consistent_read=True) if wanted else []
            return {(item.pk, item.sk): item for item in found}

    def write(
        self,
        before: Head,
        heads: Mapping[str, Head],
        entries: Sequence[tuple[str, Entry]],
        now: datetime,
    ) -> None:
        """Writes what feeds say, and how far they have come then, all or nothing.

        `before` is the supervisors' head, which each write changes: so one who writes what was read
        after it writes what is still so. Raises Changed where somebody else wrote since;
        Unavailable.
        """
        known = self._item.version
        unchanged = known == before.version if before.version else known.does_not_exist()
        writes = [
            Write(self._head_item(feed, head), unchanged if feed == SUPERVISORS else None)
            for feed, head in heads.items()
        ]
        writes += [Write(self._entry_item(feed, entry, now)) for feed, entry in entries]
        try:
            write_together(writes)
        except RefusedTogether:
            raise Changed from None

    def _head_item(self, feed: str, head: Head) -> FeedItem:
        return self._item(
            _feed_pk(feed),
            HEAD,
            seq=head.seq,
            version=head.version,
            day=head.day.isoformat(),
            day_began=head.day_began,
            eve_began=head.eve_began,
        )

    def _entry_item(self, feed: str, entry: Entry, now: datetime) -> FeedItem:
        return self._item(
            _feed_pk(feed),
            _thing_sk(entry.kind, entry.thing_id),
            seq=entry.seq,
            place=_place(PRESENT if entry.present else GONE, entry.seq),
            kind=entry.kind,
            thing_id=entry.thing_id,
            view=json.dumps(entry.view) if entry.view else None,
            agents=sorted(entry.agents) or None,
            queues=sorted(entry.queues) or None,
            left=sorted(entry.left) or None,
            expires_at=None if entry.present else int((now + GONE_KEPT).timestamp()),
        )

    def present(self, feed: str) -> Iterator[Entry]:
        """All that a feed shows. Raises Unavailable."""
        return self._since(feed, PRESENT, 0)

    def since(self, feed: str, seq: int) -> Iterator[Entry]:
        """What changed after a number, also what is gone. Raises Unavailable."""
        yield from self._since(feed, GONE, seq)
        yield from self._since(feed, PRESENT, seq)

    def _since(self, feed: str, where: str, seq: int) -> Iterator[Entry]:
        index = self._item.by_place
        later = self._item.place.between(_place(where, seq + 1), f"{where}#~")
        with unavailable_on_trouble():
            for item in index.query(_feed_pk(feed), later, consistent_read=True):
                yield _entry(item)

    # --- What is erased -------------------------------------------------------------------------

    def everything(self) -> Iterator[Entry]:
        """All that the supervisors' feed knows of, also what is gone, and so of each agent's.

        Raises Unavailable.
        """
        begins = self._item.sk.startswith(THING)
        with unavailable_on_trouble():
            for item in self._item.query(_feed_pk(SUPERVISORS), begins, consistent_read=True):
                yield _entry(item)

    def forget_view(self, feed: str, entry: Entry) -> bool:
        """Of what is gone only that it is gone is kept. Says whether that is so now: not where
        somebody wrote it meanwhile. Raises Unavailable.
        """
        item = self._item(_feed_pk(feed), _thing_sk(entry.kind, entry.thing_id))
        known = self._item
        gone = known.place.does_not_exist() | known.place.startswith(GONE)
        try:
            update(item, [known.view.remove()], known.pk.exists() & gone)
        except Refused as refusal:
            return refusal.item is None
        return True

    def forget(self, feed: str, entry: Entry) -> bool:
        """As `forget_view`, of a thing whose very id says too much."""
        item = self._item(_feed_pk(feed), _thing_sk(entry.kind, entry.thing_id))
        known = self._item.place
        try:
            delete(item, known.does_not_exist() | known.startswith(GONE))
        except Refused:
            return False
        return True

    # --- Who watches ----------------------------------------------------------------------------

    def admit(self, watch: Watch) -> None:
        """Remembers what a connection may watch. Raises Unavailable."""
        self._put(_connection_pk(watch.connection_id), RECORD, watch)

    def admitted(self, connection_id: str) -> Watch | None:
        """Raises Unavailable."""
        pk = _connection_pk(connection_id)
        with unavailable_on_trouble():
            try:
                return _watch(self._item.get(pk, RECORD, consistent_read=True), connection_id)
            except self._item.DoesNotExist:
                return None

    def begin(self, watch: Watch) -> None:
        """From now on it is told of its feed. Raises Unavailable."""
        self._put(_watches_pk(watch.feed), watch.connection_id, watch)

    def _put(self, pk: str, sk: str, watch: Watch) -> None:
        with unavailable_on_trouble():
            self._item(
                pk,
                sk,
                feed=watch.feed,
                queues=sorted(watch.queues) or None,
                until=stamp(watch.until),
                expires_at=int(watch.until.timestamp()),
            ).save()

    def end(self, watch: Watch) -> None:
        """Told again it changes nothing. Raises Unavailable."""
        with unavailable_on_trouble():
            self._item(_watches_pk(watch.feed), watch.connection_id).delete()
            self._item(_connection_pk(watch.connection_id), RECORD).delete()

    def watches(self, feed: str) -> list[Watch]:
        """All who watch a feed at this moment. Raises Unavailable."""
        with unavailable_on_trouble():
            found = self._item.query(_watches_pk(feed), consistent_read=True)
            return [_watch(item, item.sk) for item in found]


def moved(records: Iterable[Mapping[str, Any]]) -> dict[str, tuple[int, int]]:
    """From which number to which feeds have come, by records of the table's stream that tell of
    their heads.
    """
    found: dict[str, tuple[int, int]] = {}
    for record in records:
        images = record["dynamodb"]
        feed = images["Keys"]["pk"]["S"].partition("#")[2]
        before, after = (
            int(images.get(name, {}).get("seq", {"N": "0"})["N"])
            for name in ("OldImage", "NewImage")
        )
        since, until = found.get(feed, (before, after))
        found[feed] = (min(since, before), max(until, after))
    return {feed: (since, until) for feed, (since, until) in found.items() if since < until}


def _feed_pk(feed: str) -> str:
    return f"feed#{feed}"


def _watches_pk(feed: str) -> str:
    return f"watches#{feed}"


def _connection_pk(connection_id: str) -> str:
    return f"connection#{connection_id}"


def _thing_sk(kind: str, thing_id: str) -> str:
    return f"{THING}{kind}#{thing_id}"


def _place(where: str, seq: int) -> str:
    return f"{where}#{seq:0{DIGITS}}"


def _head(item: FeedItem | None) -> Head:
    if item is None:
        return Head()
    return Head(
        seq=int(item.seq),
        version=int(item.version),
        day=date.fromisoformat(item.day),
        day_began=int(item.day_began),
        eve_began=int(item.eve_began),
    )


def _entry(item: FeedItem) -> Entry:
    return Entry(
        kind=item.kind,
        thing_id=item.thing_id,
        seq=int(item.seq),
        present=item.place.startswith(PRESENT),
        view=json.loads(item.view) if item.view else None,
        agents=frozenset(item.agents or ()),
        queues=frozenset(item.queues or ()),
        left=frozenset(item.left or ()),
    )


def _watch(item: FeedItem, connection_id: str) -> Watch:
    return Watch(
        connection_id=connection_id,
        feed=item.feed,
        until=read_stamp(item.until),
        queues=frozenset(item.queues or ()),
    )
