"""What is seen live: things as they are now, and the number of the last change of each.

A feed is a log of which each thing's last entry alone is kept. So it is at once the picture of what
there is now, and all that somebody has to be told who knows it up to some number: also of what is
there no more, for a while.
"""

import json
from collections.abc import Iterable, Iterator, Mapping
from datetime import date, datetime, timedelta
from typing import Any

from retorno.frozen import Frozen

# Where all is shown. An agent's feed shows what is their own.
SUPERVISORS = "supervisors"

# Of what is gone, feeds tell for two to three days. Who was away for longer begins anew; that is
# asked by whole days of UTC, and a day later nobody asks for it any more.
GONE_KEPT = timedelta(days=3)

# API Gateway takes messages of 128 KB.
MAX_MESSAGE_BYTES = 120_000


def feed_of_agent(agent: str) -> str:
    return f"agent#{agent}"


class Sight(Frozen):
    """A thing as its own record shows it. What is not `present` is over, and part of no picture;
    its `view` is the last, or None where there is no such thing. `agents` are those whose own it
    is. What is of no queue is shown to all supervisors.
    """

    kind: str
    thing_id: str
    present: bool
    view: Mapping[str, Any] | None = None
    agents: frozenset[str] = frozenset()
    queues: frozenset[str] = frozenset()


class Entry(Frozen):
    """What a feed says of a thing. `seq` is the number of the change, and `left` are the queues
    that it was of before. Of the supervisors' feed, `agents` are those whose feeds show it.
    """

    kind: str
    thing_id: str
    seq: int
    present: bool
    view: Mapping[str, Any] | None
    agents: frozenset[str] = frozenset()
    queues: frozenset[str] = frozenset()
    left: frozenset[str] = frozenset()

    def change(self, queues: frozenset[str]) -> Mapping[str, Any] | None:
        """What of it is told to who watches some queues, or all where none are named; None where
        it is nothing to them. What went to another queue is gone for them.
        """
        is_theirs = not queues or not self.queues or bool(queues & self.queues)
        if not is_theirs and not queues & self.left:
            return None
        return {
            "kind": self.kind,
            "id": self.thing_id,
            "seq": self.seq,
            "gone": not (self.present and is_theirs),
            "view": self.view if is_theirs else None,
        }


def news(before: Entry | None, sight: Sight) -> Entry | None:
    """What the supervisors' feed is to say after `before`, still with its number; None where that
    would be nothing new.
    """
    if not sight.present and not (before and before.present):
        return None
    queues = sight.queues
    left: frozenset[str] = frozenset()
    if before:
        # Of a thing that there is no more nobody knows the queues; it is gone from those it was of.
        queues = queues if sight.view else before.queues
        left = (before.left | before.queues) - queues
    after = Entry(
        kind=sight.kind,
        thing_id=sight.thing_id,
        seq=before.seq if before else 0,
        present=sight.present,
        view=sight.view,
        agents=sight.agents if sight.present else frozenset(),
        queues=queues,
        left=left,
    )
    return None if after == before else after


def agents_entries(before: Entry | None, after: Entry, sight: Sight) -> Mapping[str, Entry]:
    """What the feeds of those agents are to say who see the thing, or saw it before."""
    return {
        agent: after.model_copy(
            update={
                "present": agent in after.agents,
                "view": after.view if agent in sight.agents else None,
                "agents": frozenset(),
                "left": frozenset(),
            }
        )
        for agent in sorted(after.agents | (before.agents if before else frozenset()))
    }


class Head(Frozen):
    """How far a feed has come: the number of its last change, 0 before the first. `version` counts
    those who wrote it, also those who had looked and found no change. `day` is that of the last of
    them, in UTC; `day_began` and `eve_began` are how far it had come as that day began, and the day
    before.
    """

    seq: int = 0
    version: int = 0
    day: date = date.min
    day_began: int = 0
    eve_began: int = 0

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


class Watch(Frozen):
    """A connection that is told of a feed, `until` its token ends; of all queues where none are
    named.
    """

    connection_id: str
    feed: str
    until: datetime
    queues: frozenset[str] = frozenset()


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
