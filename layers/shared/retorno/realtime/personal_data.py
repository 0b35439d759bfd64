"""What was seen live of a person."""

import json
from collections.abc import Iterator, Mapping
from datetime import datetime
from functools import partial
from typing import Any

from retorno.persons import Erased, Person
from retorno.realtime.model import Entry
from retorno.realtime.sights import CONVERSATION
from retorno.realtime.store import FeedStore
from retorno.settings import FeedSettings


class SightsOfPerson:
    """What is there to be seen is told anew by the streams of the tables that are rewritten. How
    something ended stays in the log for three days, for those who were away: it is taken out.
    """

    name = "live_views"

    def __init__(self, store: FeedStore) -> None:
        self._store = store

    def show(self, person: Person) -> Iterator[Mapping[str, Any]]:
        """Nothing that is not kept elsewhere."""
        return iter(())

    def erase(self, person: Person, now: datetime) -> Iterator[Erased]:
        for entry in self._store.present():
            if _names(entry, person):
                yield Erased.LATER
        for is_done in self._store.rewrite_log(partial(_without, person)):
            yield Erased.DONE if is_done else Erased.LATER


def _without(person: Person, entry: Entry) -> Entry | None:
    if not _names(entry, person):
        return entry
    # The very id of a conversation is the number's key.
    return None if entry.kind == CONVERSATION else entry.model_copy(update={"view": None})


def _names(entry: Entry, person: Person) -> bool:
    if entry.kind == CONVERSATION and entry.thing_id in person.number_keys:
        return True
    view = json.dumps(entry.view)
    ids = (*person.pseudonyms, *person.number_keys, *person.customers)
    return any(f'"{each}"' in view for each in ids)


def sights_of_person(settings: FeedSettings) -> SightsOfPerson:
    return SightsOfPerson(FeedStore(settings.feed_table))
