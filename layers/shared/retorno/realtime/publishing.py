"""What is seen live is brought up to date with what things are."""

import random
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime

from retorno.changes import Change
from retorno.errors import Unavailable
from retorno.realtime.model import Entry, Head, Key, Sight, news
from retorno.realtime.sights import sights
from retorno.realtime.store import Changed, FeedStore
from retorno.settings import PublishUpdatesSettings

# Things that are written at once. The log holds how all of them ended in one item, which DynamoDB
# takes up to 400 KB: the longest are 25 KB, conversations that ended with a long message.
THINGS_AT_ONCE = 15

MAX_LOOKS = 10
PAUSE_SECONDS = 0.05

Look = Callable[[Sequence[Change], datetime], Sequence[Sight]]


class Publishing:
    """Brings the feed up to date with what things are, in steps of which each is of one writer:
    what one writes was read after all that others wrote before.
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
            head = self._store.head() or Head.first(now)
            seen = {(each.kind, each.thing_id): each for each in self._look(changes, now)}
            entries = _news(seen, self._store.there(seen), head.seq)
            # Also where nothing is new: somebody may be about to write what they saw before that.
            try:
                self._store.write(head, head.after(len(entries), now), entries, now)
                return
            except Changed:
                time.sleep(random.uniform(0, PAUSE_SECONDS))  # noqa: S311
        raise Unavailable("the feed is being written by too many at once")


def _news(seen: Mapping[Key, Sight], there: Mapping[Key, Entry], seq: int) -> list[Entry]:
    """What is new, numbered from the next number on."""
    entries: list[Entry] = []
    for key, sight in seen.items():
        entry = news(there.get(key), sight, seq + len(entries) + 1)
        if entry:
            entries.append(entry)
    return entries


def publishing(settings: PublishUpdatesSettings) -> Publishing:
    return Publishing(FeedStore(settings.feed_table), sights(settings).look)
