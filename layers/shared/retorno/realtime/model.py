"""What is seen live: things as they are now, and the log of what changed of them.

The feed is both. Who comes takes all that is there; who knows it up to some number reads in the log
what changed since, and looks at that: so it is never told what was so for a moment only.
"""

import json
from collections.abc import Iterable, Iterator, Mapping
from datetime import date, datetime, timedelta
from typing import Any

from retorno.frozen import Frozen

# Of what changed, the log tells for two to three days. Who was away for longer begins anew; that is
# asked by whole days of UTC, and a day later nobody asks for it any more.
LOG_KEPT = timedelta(days=3)

# API Gateway takes messages of 128 KB.
MAX_MESSAGE_BYTES = 120_000

# A thing, by its kind and its id.
Key = tuple[str, str]


class Watch(Frozen):
    """A connection that is told, `until` its token ends: of an agent's own, or where no `agent` is
    named of all; and of all queues where none are named.
    """

    connection_id: str
    until: datetime
    agent: str | None
    queues: frozenset[str] = frozenset()


class Audience(Frozen):
    """Who may see a thing: the agents whose own it is, and those who watch all. What is of some
    queues is not for those who watch others, what is of none is for all of them.
    """

    agents: frozenset[str] = frozenset()
    queues: frozenset[str] = frozenset()

    def includes(self, watch: Watch) -> bool:
        is_theirs = watch.agent is None or watch.agent in self.agents
        return is_theirs and (
            not watch.queues or not self.queues or bool(watch.queues & self.queues)
        )


class Sight(Frozen):
    """A thing as its own record shows it. What is not `present` is over, and part of no picture;
    its `view` is the last, or None where there is no such thing.
    """

    kind: str
    thing_id: str
    present: bool
    view: Mapping[str, Any] | None = None
    audience: Audience = Audience()


class Entry(Frozen):
    """What the feed says of a thing, since the change of that number; of a thing that is there the
    log leaves out the `view`. `before` is who could see it until then, None where nobody could.
    """

    kind: str
    thing_id: str
    seq: int
    present: bool = True
    view: Mapping[str, Any] | None = None
    audience: Audience = Audience()
    before: Audience | None = None

    @property
    def key(self) -> Key:
        return self.kind, self.thing_id

    def concerns(self, watch: Watch) -> bool:
        """Whether they may see it, or could."""
        return any(each.includes(watch) for each in (self.audience, self.before) if each)

    def told(self, watch: Watch) -> Mapping[str, Any]:
        """What of it is told to who sees it, or saw it; it is gone for who sees it no more."""
        is_theirs = self.audience.includes(watch)
        return {
            "kind": self.kind,
            "id": self.thing_id,
            "seq": self.seq,
            "gone": not (self.present and is_theirs),
            "view": self.view if is_theirs else None,
        }


def news(known: Entry | None, sight: Sight, seq: int) -> Entry | None:
    """What the feed is to say of a thing, of which it says what is `known`; None where that would
    be nothing new.
    """
    if known is None and not sight.present:
        return None
    before = known.audience if known else None
    # Of a thing that there is no more nobody knows whose it was; it is gone from those.
    audience = sight.audience if sight.view or before is None else before
    if known and sight.present and (known.view, before) == (sight.view, audience):
        return None
    return Entry(
        kind=sight.kind,
        thing_id=sight.thing_id,
        seq=seq,
        present=sight.present,
        view=sight.view,
        audience=audience,
        before=before,
    )


def changes(
    log: Iterable[Entry], there: Mapping[Key, Entry], watch: Watch
) -> Iterator[Mapping[str, Any]]:
    """What is told to who watches of what the log says, by what is there now.

    Each entry names who could see the thing before it, so all are told who saw it at any time since
    the first of them.
    """
    concerning = {entry.key: entry for entry in log if entry.concerns(watch)}
    for key, entry in concerning.items():
        # What is there no more, but was for the log as it was read, has gone since then.
        now = there.get(key) or entry.model_copy(update={"present": False})
        yield now.told(watch)


class Head(Frozen):
    """How far the feed has come: the number of its last change, 0 before the first. `version`
    counts those who wrote it, also those who had looked and found no change. `day` is that of the
    last of them, in UTC; `day_began` and `eve_began` are how far it had come as that day began, and
    the day before.
    """

    seq: int = 0
    version: int = 0
    day: date = date.min
    day_began: int = 0
    eve_began: int = 0

    @classmethod
    def first(cls, now: datetime) -> "Head":
        """Of a feed that begins anew: with its time in milliseconds, which is more than any feed
        before it came to. So nobody who knows one of those is taken to know this one.
        """
        return cls(seq=int(now.timestamp() * 1000))

    def after(self, changes: int, now: datetime) -> "Head":
        """With so many changes more."""
        today = now.date()
        come = {"seq": self.seq + changes, "version": self.version + 1}
        if today <= self.day:  # clocks differ, and midnight comes to one before the other
            return self.model_copy(update=come)
        return Head(
            **come,
            day=today,
            day_began=self.seq,
            eve_began=self._known(today - timedelta(days=1)),
        )

    def knows_since(self, seq: int, now: datetime) -> bool:
        """Whether all is still told that changed after that number."""
        return self._known(now.date() - timedelta(days=1)) <= seq <= self.seq

    def _known(self, day: date) -> int:
        """How far it had come as a day began, or a little more."""
        if day > self.day:
            return self.seq
        return self.day_began if day == self.day else self.eve_began


def messages(changes: Iterable[Mapping[str, Any]], seq: int | None = None) -> Iterator[str]:
    """The changes in messages that API Gateway takes, and none where there are none.

    The last says `seq`, up to which all is told by then.
    """
    part: list[str] = []
    length = 0
    for change in changes:
        text = json.dumps(change, separators=(",", ":"))
        if part and length + len(text) > MAX_MESSAGE_BYTES:
            yield _changes(part, None)
            part, length = [], 0
        part.append(text)
        length += len(text) + 1
    if part:
        yield _changes(part, seq)


def _changes(changes: Iterable[str], seq: int | None) -> str:
    number = "" if seq is None else f'"seq":{seq},'
    return f'{{"type":"changes",{number}"changes":[{",".join(changes)}]}}'
