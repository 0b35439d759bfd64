"""What was seen live of a person."""

import json
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from typing import Any

from retorno.agents.service import AgentFilter, Agents, agents
from retorno.persons import Erased, Person
from retorno.realtime.model import SUPERVISORS, Entry, feed_of_agent
from retorno.realtime.sights import CONVERSATION
from retorno.realtime.store import FeedStore
from retorno.settings import FeedPersonSettings

AGENTS_AT_ONCE = 100


class SightsOfPerson:
    """What is there to be seen is told anew by the streams of the tables that are rewritten. What
    is gone stays in the feeds for three days, for those who were away: without its view.
    """

    name = "live_views"

    def __init__(self, store: FeedStore, agents: Agents) -> None:
        self._store = store
        self._agents = agents

    def show(self, person: Person) -> Iterator[Mapping[str, Any]]:
        """Nothing that is not kept elsewhere."""
        return iter(())

    def erase(self, person: Person, now: datetime) -> Iterator[Erased]:
        for entry in self._store.everything():
            if not _names(entry, person):
                continue
            if entry.present:
                yield Erased.LATER
            elif entry.kind == CONVERSATION:
                # Its very id is the number's key, and nothing tells any more whose feeds have it.
                feeds = [feed_of_agent(agent) for agent in self._all_agents(now)]
                yield self._forget(self._store.forget, feeds, entry)
            else:
                agent = entry.view.get("agent") if entry.view else None
                feeds = [feed_of_agent(agent)] if agent else []
                yield self._forget(self._store.forget_view, feeds, entry)

    @staticmethod
    def _forget(forget: Callable[[str, Entry], bool], feeds: list[str], entry: Entry) -> Erased:
        # The supervisors' comes last: it leads to the others.
        forgotten = [forget(feed, entry) for feed in (*feeds, SUPERVISORS)]
        return Erased.DONE if all(forgotten) else Erased.LATER

    def _all_agents(self, now: datetime) -> Iterator[str]:
        start: str | None = None
        while True:
            page = self._agents.page(AgentFilter(), AGENTS_AT_ONCE, start, now)
            yield from (stored.agent.agent for stored in page.items)
            start = page.next_start
            if start is None:
                return


def _names(entry: Entry, person: Person) -> bool:
    if entry.kind == CONVERSATION and entry.thing_id in person.number_keys:
        return True
    view = json.dumps(entry.view)
    ids = (*person.pseudonyms, *person.number_keys, *person.customers)
    return any(f'"{each}"' in view for each in ids)


def sights_of_person(settings: FeedPersonSettings) -> SightsOfPerson:
    return SightsOfPerson(FeedStore(settings.feeds_table), agents(settings))
