"""What is done with agents: set up by leaders, present as they say and as their calls tell."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from itertools import islice
from typing import Any

from retorno.agents.model import (
    AT_WORK,
    Agent,
    AgentDraft,
    Engagement,
    Hold,
    Presence,
    State,
    Stored,
    Stretch,
    Times,
    Wish,
    asked,
    engagement_of,
    followed,
    held,
    released,
    stretches_of,
    times_of,
)
from retorno.agents.store import AgentStore, Changed, NamePage, agent_of, new_place
from retorno.calls.model import CallRules
from retorno.calls.service import call_rules, change_of
from retorno.dynamodb import Write
from retorno.errors import (
    Conflict,
    InvalidInput,
    NotFound,
    PreconditionFailed,
    PreconditionRequired,
    Unavailable,
)
from retorno.phone import NumberPlan
from retorno.settings import AgentSettings, FollowAgentsSettings, FollowCallsSettings
from retorno.times import Period
from retorno.work import WorkQueue

# Each loser of a race looks again at what the winner wrote; so many losses are no race.
MAX_LOOKS = 100

# A list that is filtered looks at so many agents for one page, so many at a time.
FILTER_LIMIT = 1_000
LOOK_AT_ONCE = 100

# Times are summed while someone waits.
STRETCH_LIMIT = 20_000


@dataclass(frozen=True, slots=True)
class AgentFilter:
    """None where any will do."""

    state: State | None = None
    queue: str | None = None

    def takes(self, stored: Stored, now: datetime) -> bool:
        return (self.queue is None or self.queue in stored.agent.queues) and (
            self.state is None or stored.presence.at(now).state is self.state
        )


@dataclass(frozen=True, slots=True)
class AgentPage:
    """Where the next page begins is None at the end."""

    items: Sequence[Stored]
    next_start: str | None


class Agents:
    """Agents as people set them up, see them, and say of themselves what they are."""

    def __init__(self, store: AgentStore, plan: NumberPlan) -> None:
        self._store = store
        self._plan = plan

    def one(self, agent: str) -> Stored:
        """Raises NotFound, Unavailable."""
        return _one(self._store, agent)

    def some(self, agents: Iterable[str]) -> list[Stored]:
        """Those that are registered. Raises Unavailable."""
        return self._store.get_many(agents)

    @staticmethod
    def told_of(keys: Mapping[str, str]) -> str | None:
        """The agent whose record has these keys; None where they are of something else."""
        return agent_of(keys)

    def telephone_of(self, agent: str) -> str | None:
        """What rings for an agent; None where nobody said it. Raises Unavailable."""
        found = self._store.get(agent)
        return found.agent.telephone if found else None

    def register(self, agent: str, draft: AgentDraft, now: datetime) -> Stored:
        """A new agent is offline.

        Raises InvalidInput; PreconditionRequired where there is one of that name; Unavailable.
        """
        new = Stored(draft.agent(agent, self._plan), Presence(since=now))
        try:
            return self._store.save(None, new)
        except Changed:
            raise PreconditionRequired(
                "the agent is registered; If-Match must say which version was seen"
            ) from None

    def change(self, agent: str, draft: AgentDraft, expected: int | None) -> Stored:
        """Sets an agent up anew; their presence goes on. `expected` is the version that a person
        saw, None for any.

        Raises NotFound, PreconditionFailed, InvalidInput, Unavailable.
        """
        changed = draft.agent(agent, self._plan)

        def write(before: Stored) -> Stored:
            _check_version(before, expected)
            after = replace(before, agent=changed, version=before.version + 1)
            return self._store.save(before, after)

        return _decided(self._store, agent, write)

    def remove(self, agent: str, expected: int | None, now: datetime) -> None:
        """Raises NotFound, PreconditionFailed; Conflict while they are in a call, or held for one;
        Unavailable.
        """

        def write(before: Stored) -> Stored:
            _check_version(before, expected)
            if before.presence.at(max(before.presence.since, now)).state in AT_WORK:
                raise Conflict("the agent is in a call; remove them when it is over")
            self._store.delete(before, before.presence.stretches(now))
            return before

        _decided(self._store, agent, write)

    def ask(self, agent: str, wish: Wish, now: datetime, *, at_once: bool = False) -> Stored:
        """Makes an agent what was asked for, or once their calls are over.

        Raises NotFound, Unavailable.
        """

        def write(before: Stored) -> Stored:
            return _move(self._store, before, [asked(before.presence, wish, now, at_once=at_once)])

        return _decided(self._store, agent, write)

    def page(self, wanted: AgentFilter, limit: int, start: str | None, now: datetime) -> AgentPage:
        """Agents in the order of their names; those available to a queue, the longest idle first.

        Of a filter it looks at 1,000 agents at most; a page may be short, or empty, and there are
        more. Raises Unavailable.
        """
        if wanted.queue is not None and wanted.state is State.AVAILABLE:
            names = self._store.available(wanted.queue, now, limit, start)
            return AgentPage(self._taken(names, wanted, now), names.next_start)
        if wanted == AgentFilter():
            names = self._store.by_name(limit, start)
            return AgentPage(self._taken(names, wanted, now), names.next_start)
        found: list[Stored] = []
        for _ in range(FILTER_LIMIT // LOOK_AT_ONCE):
            names = self._store.by_name(LOOK_AT_ONCE, start)
            found += self._taken(names, wanted, now)
            start = names.next_start
            if len(found) > limit:
                return AgentPage(found[:limit], found[limit - 1].agent.agent)
            if start is None:
                break
        return AgentPage(found, start)

    def _taken(self, names: NamePage, wanted: AgentFilter, now: datetime) -> list[Stored]:
        stored = self._store.get_many(names.agents)
        return [each for each in stored if wanted.takes(each, now)]

    def times(self, agent: str, period: Period, now: datetime) -> Times:
        """What an agent spent a period in, up to now.

        Raises InvalidInput for more changes than are summed while someone waits, NotFound,
        Unavailable.
        """
        presence = self.one(agent).presence
        # What was written since the look begins where the present stretch does.
        before = min(period.until, presence.since)
        earlier = self._store.stretches(agent, period.since, before)
        known = [*presence.stretches(now), *islice(earlier, STRETCH_LIMIT + 1)]
        if len(known) > STRETCH_LIMIT:
            raise InvalidInput("from", f"more than {STRETCH_LIMIT} changes: ask for less")
        return times_of(known, period)


class Reservations:
    """Agents as those see them who have calls for them: idle ones, held for one call each."""

    def __init__(self, store: AgentStore) -> None:
        self._store = store

    def idle(
        self, queue: str, now: datetime, limit: int, fits: Callable[[Agent], bool] | None = None
    ) -> Sequence[Stored]:
        """Who is available to a queue, and fits, the longest idle first. Raises Unavailable."""
        found: list[Stored] = []
        start = None
        while len(found) < limit:
            names = self._store.available(queue, now, limit, start)
            found += [
                each
                for each in self._store.get_many(names.agents)
                if _is_idle(each, now) and (fits is None or fits(each.agent))
            ]
            start = names.next_start
            if start is None:
                break
        return found[:limit]

    def one(self, agent: str, now: datetime) -> Stored | None:
        """None where they are not available. Raises Unavailable."""
        found = self._store.get(agent)
        return found if found and _is_idle(found, now) else None

    def held(self, agent: str, hold_id: str, now: datetime) -> Stored | None:
        """Whom a hold keeps; None where it no longer stands. Raises Unavailable."""
        found = self._store.get(agent)
        hold = found.presence.hold if found else None
        return found if hold and hold.hold_id == hold_id and now < hold.until else None

    def holding(self, stored: Stored, hold: Hold, now: datetime) -> list[Write[Any]]:
        """What holds an available agent, or holds them longer: for a transaction with that which
        they are held for. It is refused where somebody wrote the agent since they were read.
        """
        after = replace(stored, presence=held(stored.presence, hold, now))
        over = stretches_of([stored.presence, after.presence])
        return self._store.saving(stored, after, over)

    def release(self, agent: str, hold_id: str, now: datetime, wish: Wish | None = None) -> None:
        """Ends a hold, if it still stands. An agent who was held last for it, and did not ask for
        anything else meanwhile, is then what `wish` says. Raises Unavailable.
        """

        def write(before: Stored) -> Stored:
            presence = before.presence
            steps = [released(presence, hold_id, now)]
            was_last = presence.hold is not None and presence.hold.hold_id == hold_id
            if wish and was_last and presence.wish.state is State.AVAILABLE:
                steps.append(asked(steps[0], wish, now))
            return _move(self._store, before, steps)

        with suppress(NotFound):
            _decided(self._store, agent, write)


class TimesPast:
    """The stretches of time that agents leave behind, each of which is written once."""

    def __init__(self, store: AgentStore) -> None:
        self._store = store

    def at(self, keys: Iterable[tuple[str, str]]) -> Sequence[tuple[str, Stretch]]:
        """Those of these items of the agents table that are stretches, each with its agent.

        Raises Unavailable.
        """
        return self._store.stretches_at(keys)


class Availability:
    """Follows the agents table's stream, and has those look who have calls for a queue."""

    def __init__(self, listeners: Sequence[WorkQueue]) -> None:
        self._listeners = listeners

    def follow(self, record: Mapping[str, Any], now: datetime) -> None:
        """Tells them of an agent at the moment from which on they are available to a queue.

        Raises Unavailable.
        """
        place = new_place(record)
        if place is None:
            return
        for listener in self._listeners:
            message = {"queue": place.queue, "agent": place.agent}
            listener.send(message, now, place.available_from)


class AgentTracking:
    """Follows the calls table's stream."""

    def __init__(
        self, store: AgentStore, calls: CallRules, wrap_up: timedelta, call_max_age: timedelta
    ) -> None:
        self._store = store
        self._calls = calls
        self._wrap_up = wrap_up
        self._call_max_age = call_max_age

    def follow(self, record: Mapping[str, Any], now: datetime) -> None:
        """Brings up to date the presence of who is, or was taken to be, in a changed call. Told
        twice, late or out of order, it does no harm. Raises Unavailable.
        """
        change = change_of(record, self._calls)
        if change is None:
            return
        before = engagement_of(change.before) if change.before else None
        after = engagement_of(change.after)
        if before == after:
            return
        if before and (after is None or after.agent != before.agent):
            # It was somebody else's call after all: as though it had ended when it began.
            self._settle(replace(before, ended=before.began), now, wrap_up=timedelta(0))
        if after:
            self._settle(after, now)

    def _settle(
        self, engagement: Engagement, now: datetime, wrap_up: timedelta | None = None
    ) -> None:
        def write(before: Stored) -> Stored:
            presence = before.presence
            # Longer ago than a call can go on: it is a replayed log's, and not of today.
            is_old = engagement.began < now - self._call_max_age
            if is_old and engagement.call_id not in presence.calls:
                return before
            after_it = before.agent.wrap_up(self._wrap_up) if wrap_up is None else wrap_up
            return _move(self._store, before, followed(presence, engagement, after_it, now))

        with suppress(NotFound):
            _decided(self._store, engagement.agent, write)


def _is_idle(stored: Stored, now: datetime) -> bool:
    available_from = stored.presence.available_from
    return available_from is not None and available_from <= now


def _one(store: AgentStore, agent: str) -> Stored:
    found = store.get(agent)
    if found is None:
        raise NotFound("nobody of this name is registered as an agent; a supervisor does that")
    return found


def _decided(store: AgentStore, agent: str, write: Callable[[Stored], Stored]) -> Stored:
    """Looks and writes until nobody wrote in between."""
    for _ in range(MAX_LOOKS):
        before = _one(store, agent)
        try:
            return write(before)
        except Changed:
            continue
    raise Unavailable("the agent is being written by too many at once")


def _move(store: AgentStore, before: Stored, steps: Sequence[Presence]) -> Stored:
    if not steps or steps[-1] == before.presence:
        return before
    after = replace(before, presence=steps[-1])
    return store.save(before, after, stretches_of([before.presence, *steps]))


def _check_version(stored: Stored, expected: int | None) -> None:
    if expected not in (None, stored.version):
        raise PreconditionFailed("the agent was changed since; look at it again")


def agents(settings: AgentSettings) -> Agents:
    return Agents(
        AgentStore(settings.agents_table, settings.operations_kept_days), settings.number_plan
    )


def reservations(settings: AgentSettings) -> Reservations:
    return Reservations(AgentStore(settings.agents_table, settings.operations_kept_days))


def times_past(settings: AgentSettings) -> TimesPast:
    return TimesPast(AgentStore(settings.agents_table))


def availability(settings: FollowAgentsSettings) -> Availability:
    return Availability([WorkQueue(settings.dialler_queue), WorkQueue(settings.offers_queue)])


def agent_tracking(settings: FollowCallsSettings) -> AgentTracking:
    return AgentTracking(
        AgentStore(settings.agents_table, settings.operations_kept_days),
        call_rules(settings),
        timedelta(seconds=settings.wrap_up_seconds),
        settings.call_max_age,
    )
