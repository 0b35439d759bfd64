"""What is seen live is brought up to date with what things are."""

import random
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import datetime

from retorno.changes import Change
from retorno.errors import Unavailable
from retorno.realtime.model import (
    SUPERVISORS,
    Entry,
    Head,
    Sight,
    agents_entries,
    feed_of_agent,
    news,
)
from retorno.realtime.sights import sights
from retorno.realtime.store import Changed, FeedStore
from retorno.settings import PublishUpdatesSettings

# Things that are written at once: each in the supervisors' feed, and with that feed's head in those
# of two agents, whose heads move, too. DynamoDB takes 100 items.
THINGS_AT_ONCE = 19

MAX_LOOKS = 10
PAUSE_SECONDS = 0.05

Look = Callable[[Sequence[Change], datetime], Sequence[Sight]]


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


def publishing(settings: PublishUpdatesSettings) -> Publishing:
    return Publishing(FeedStore(settings.feeds_table), sights(settings).look)
