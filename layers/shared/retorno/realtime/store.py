"""The feed's table: what is there, the log of what changed, and who watches."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import date, datetime
from typing import Any

from pydantic import ConfigDict, TypeAdapter
from pynamodb.attributes import ListAttribute, NumberAttribute, UnicodeAttribute
from pynamodb.models import Model

from retorno.dynamodb import (
    Refused,
    RefusedTogether,
    Write,
    bind,
    unavailable_on_trouble,
    update,
    write_together,
)
from retorno.realtime.model import LOG_KEPT, Entry, Head, Key, Watch
from retorno.times import read_stamp, stamp

FEED = "feed"
HEAD = "head"
PRESENT = "present"
LOG = "log"
RECORD = "record"
SUPERVISORS = "supervisors"

# Numbers as text of one width sort as they do.
DIGITS = 15

_several = TypeAdapter(list[Entry], config=ConfigDict(defer_build=True))


class FeedItem(Model):
    """`pk` and `sk` are

    - `feed`, `head`: how far the feed has come.
    - `present`, `call#1546015415.757927`: a thing that is there, in `entry`.
    - `log`, `001772452800042`: in `entries`, what changed in one write, the last of it with that
      number.
    - `connection#L0SM9cOFvHcCIhw=`, `record`: a connection, and what it may watch.
    - `watches#supervisors` or `watches#agent#ana`, `L0SM9cOFvHcCIhw=`: that it does.
    """

    pk = UnicodeAttribute(hash_key=True)
    sk = UnicodeAttribute(range_key=True)
    expires_at = NumberAttribute(null=True)

    seq = NumberAttribute(null=True)
    version = NumberAttribute(null=True)
    day = UnicodeAttribute(null=True)
    day_began = NumberAttribute(null=True)
    eve_began = NumberAttribute(null=True)

    entry = UnicodeAttribute(null=True)
    entries = UnicodeAttribute(null=True)

    agent = UnicodeAttribute(null=True)
    until = UnicodeAttribute(null=True)
    queues: ListAttribute[Any] = ListAttribute(of=UnicodeAttribute, null=True)


class Changed(Exception):
    """Somebody else wrote to the feed since it was read."""


class FeedStore:
    def __init__(self, table_name: str) -> None:
        self._item = bind(FeedItem, table_name)

    def head(self) -> Head | None:
        """How far the feed has come at this moment, None before it begins. Raises Unavailable."""
        with unavailable_on_trouble():
            try:
                return _head(self._item.get(FEED, HEAD, consistent_read=True))
            except self._item.DoesNotExist:
                return None

    def there(self, things: Iterable[Key]) -> dict[Key, Entry]:
        """Those of some things that are there at this moment. Raises Unavailable."""
        keys = [(PRESENT, _thing_sk(thing)) for thing in things]
        with unavailable_on_trouble():
            found = self._item.batch_get(keys, consistent_read=True) if keys else []
            entries = [_entry(item) for item in found]
        return {entry.key: entry for entry in entries}

    def present(self, kind: str | None = None) -> Iterator[Entry]:
        """All that is there, or all of a kind. Raises Unavailable."""
        of_kind = self._item.sk.startswith(_thing_sk((kind, ""))) if kind else None
        with unavailable_on_trouble():
            for item in self._item.query(PRESENT, of_kind, consistent_read=True):
                yield _entry(item)

    def log(self, since: int) -> Iterator[Entry]:
        """What changed after a number, the oldest first. Raises Unavailable."""
        later = self._item.sk > _log_sk(since)
        with unavailable_on_trouble():
            for item in self._item.query(LOG, later, consistent_read=True):
                yield from _entries(item)

    def write(self, before: Head, after: Head, entries: Sequence[Entry], now: datetime) -> None:
        """Writes what is new, and how far the feed has come then, all or nothing.

        Each write changes the head: so one who writes what was read after `before` writes what is
        still so. Raises Changed where somebody else wrote since; Unavailable.
        """
        known = self._item.version
        unchanged = known == before.version if before.version else known.does_not_exist()
        writes = [Write(self._head_item(after), unchanged)]
        writes += [Write(self._thing_item(entry), delete=not entry.present) for entry in entries]
        if entries:
            writes.append(Write(self._log_item(after, entries, now)))
        try:
            write_together(writes)
        except RefusedTogether:
            raise Changed from None

    def _head_item(self, head: Head) -> FeedItem:
        return self._item(
            FEED,
            HEAD,
            seq=head.seq,
            version=head.version,
            day=head.day.isoformat(),
            day_began=head.day_began,
            eve_began=head.eve_began,
        )

    def _thing_item(self, entry: Entry) -> FeedItem:
        said = entry.model_dump_json(exclude_defaults=True, exclude={"before"})
        return self._item(PRESENT, _thing_sk(entry.key), entry=said)

    def _log_item(self, head: Head, entries: Sequence[Entry], now: datetime) -> FeedItem:
        said = [
            entry.model_copy(update={"view": None}) if entry.present else entry for entry in entries
        ]
        expires_at = int((now + LOG_KEPT).timestamp())
        return self._item(LOG, _log_sk(head.seq), entries=_text(said), expires_at=expires_at)

    def rewrite_log(self, rewritten: Callable[[Entry], Entry | None]) -> Iterator[bool]:
        """Has the log say of what changed what is to be said instead, or nothing; says of each part
        that this changes whether it is so now: not where somebody rewrote it meanwhile. Raises
        Unavailable.
        """
        with unavailable_on_trouble():
            for item in self._item.query(LOG, consistent_read=True):
                said = _entries(item)
                instead = [new for entry in said if (new := rewritten(entry))]
                if instead != said:
                    yield self._rewrite(item, _text(instead))

    def _rewrite(self, item: FeedItem, text: str) -> bool:
        known = self._item.entries
        try:
            update(item, [known.set(text)], known == item.entries)
        except Refused as refusal:
            return refusal.item is None
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
        """From now on it is told what changes. Raises Unavailable."""
        self._put(_watches_pk(watch.agent), watch.connection_id, watch)

    def _put(self, pk: str, sk: str, watch: Watch) -> None:
        with unavailable_on_trouble():
            self._item(
                pk,
                sk,
                agent=watch.agent,
                queues=sorted(watch.queues) or None,
                until=stamp(watch.until),
                expires_at=int(watch.until.timestamp()),
            ).save()

    def end(self, watch: Watch) -> None:
        """Told again it changes nothing. Raises Unavailable."""
        with unavailable_on_trouble():
            self._item(_watches_pk(watch.agent), watch.connection_id).delete()
            self._item(_connection_pk(watch.connection_id), RECORD).delete()

    def watches(self, agent: str | None) -> list[Watch]:
        """Who watches what is an agent's own, or all, at this moment. Raises Unavailable."""
        with unavailable_on_trouble():
            found = self._item.query(_watches_pk(agent), consistent_read=True)
            return [_watch(item, item.sk) for item in found]


def moved(records: Iterable[Mapping[str, Any]]) -> tuple[int, int]:
    """From which number to which the feed has come, by records of the table's stream that tell of
    its head; twice the same where nothing changed.
    """
    images = [record["dynamodb"] for record in records]
    since = min((_seq(each.get("OldImage", {})) for each in images), default=0)
    until = max((_seq(each["NewImage"]) for each in images), default=0)
    return since, until


def _seq(image: Mapping[str, Any]) -> int:
    return int(image.get("seq", {"N": "0"})["N"])


def _watches_pk(agent: str | None) -> str:
    return f"watches#{SUPERVISORS if agent is None else f'agent#{agent}'}"


def _connection_pk(connection_id: str) -> str:
    return f"connection#{connection_id}"


def _thing_sk(thing: Key) -> str:
    return "#".join(thing)


def _log_sk(seq: int) -> str:
    return f"{seq:0{DIGITS}}"


def _head(item: FeedItem) -> Head:
    return Head(
        seq=int(item.seq),
        version=int(item.version),
        day=date.fromisoformat(item.day),
        day_began=int(item.day_began),
        eve_began=int(item.eve_began),
    )


def _entry(item: FeedItem) -> Entry:
    return Entry.model_validate_json(item.entry)


def _entries(item: FeedItem) -> list[Entry]:
    return _several.validate_json(item.entries)


def _text(entries: list[Entry]) -> str:
    return _several.dump_json(entries, exclude_defaults=True).decode()


def _watch(item: FeedItem, connection_id: str) -> Watch:
    return Watch(
        connection_id=connection_id,
        agent=item.agent,
        until=read_stamp(item.until),
        queues=frozenset(item.queues or ()),
    )
