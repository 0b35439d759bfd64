"""What was seen live of a person."""

import json
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

from retorno.persons import Erased, Person
from retorno.realtime.model import SUPERVISORS, Entry, feed_of_agent
from retorno.realtime.sights import CONVERSATION
from retorno.realtime.store import FeedStore
from retorno.settings import FeedSettings


class SightsOfPerson:
    """What is there to be seen is told anew by the streams of the tables that are rewritten. What
    is gone stays in the feeds for three days, for those who were away: without its view.
    """

    name = "live_views"

    def __init__(self, store: FeedStore) -> None:
        self._store = store

    def show(self, person: Person) -> Iterator[Mapping[str, Any]]:
        """Nothing that is not kept elsewhere."""
        return iter(())

    def erase(self, person: Person, now: datetime) -> Iterator[Erased]:
        for entry in self._store.everything():
            if _names(entry, person):
                yield self._erase(entry)

    def _erase(self, entry: Entry) -> Erased:
        if entry.present:
            return Erased.LATER
        agent = entry.view.get("agent") if entry.view else None
        forget = self._store.forget if entry.kind == CONVERSATION else self._store.forget_view
        # The supervisors' comes last: it leads to the other.
        feeds = [feed_of_agent(agent)] if agent else []
        forgotten = [forget(feed, entry) for feed in (*feeds, SUPERVISORS)]
        return Erased.DONE if all(forgotten) else Erased.LATER


def _names(entry: Entry, person: Person) -> bool:
    if entry.kind == CONVERSATION and entry.thing_id in person.number_keys:
        return True
    view = json.dumps(entry.view)
    ids = (*person.pseudonyms, *person.number_keys, *person.customers)
    return any(f'"{each}"' in view for each in ids)


def sights_of_person(settings: FeedSettings) -> SightsOfPerson:
    return SightsOfPerson(FeedStore(settings.feeds_table))
