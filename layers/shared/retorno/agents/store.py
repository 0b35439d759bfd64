"""The agents table: each agent's record, where it stands in the queues, and the times it leaves.

All items of an agent are written together, so that a queue lists just those who are available.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from pynamodb.attributes import ListAttribute, NumberAttribute, UnicodeAttribute
from pynamodb.expressions.condition import Condition
from pynamodb.indexes import GlobalSecondaryIndex, KeysOnlyProjection

from retorno.agents.model import Agent, Hold, HoldKind, Presence, State, Stored, Stretch, Wish
from retorno.dynamodb import RefusedTogether, Write, bind, unavailable_on_trouble, write_together
from retorno.retention import KeptItem, expiry
from retorno.times import STAMP_LENGTH, read_stamp, stamp

LISTED = "agent"
RECORD = "record"
TIME = "time#"

# The least that two stamps are apart.
TICK = timedelta(microseconds=1)


class ByAgent(GlobalSecondaryIndex["AgentItem"]):
    class Meta:
        index_name = "by_agent"
        projection = KeysOnlyProjection()

    listed = UnicodeAttribute(hash_key=True)
    pk = UnicodeAttribute(range_key=True)


class AgentItem(KeptItem):
    """A record, or what goes with it. `pk` and `sk` are

    - `agent#ana`, `record`: who they are, and their presence.
    - `queue#vendas`, `2026-03-02T13:04:05.000000Z ana`: from when on ana is available to a queue.
    - `agent#ana`, `time#2026-03-02T13:04:05.000000Z`: a stretch of time that began then, its
      `state`, `reason` and `end`.
    """

    pk = UnicodeAttribute(hash_key=True)
    sk = UnicodeAttribute(range_key=True)

    # Counts all writes, and those of who they are.
    revision = NumberAttribute(null=True)
    version = NumberAttribute(null=True)
    name = UnicodeAttribute(null=True)
    queues: ListAttribute[Any] = ListAttribute(of=UnicodeAttribute, null=True)
    skills: ListAttribute[Any] = ListAttribute(of=UnicodeAttribute, null=True)
    telephone = UnicodeAttribute(null=True)
    wrap_up_seconds = NumberAttribute(null=True)
    since = UnicodeAttribute(null=True)
    calls: ListAttribute[Any] = ListAttribute(of=UnicodeAttribute, null=True)
    over: ListAttribute[Any] = ListAttribute(of=UnicodeAttribute, null=True)
    wrapping_until = UnicodeAttribute(null=True)
    hold_id = UnicodeAttribute(null=True)
    hold_kind = UnicodeAttribute(null=True)
    hold_until = UnicodeAttribute(null=True)
    # For the index alone.
    listed = UnicodeAttribute(null=True)

    # Of a record what the agent wishes, of a stretch what it was.
    state = UnicodeAttribute(null=True)
    reason = UnicodeAttribute(null=True)
    end = UnicodeAttribute(null=True)

    by_agent = ByAgent()

    def kept_from(self, now: datetime) -> datetime | None:
        return read_stamp(self.end) if self.sk.startswith(TIME) else None


@dataclass(frozen=True, slots=True)
class Place:
    """An agent is available to a queue from a moment on."""

    queue: str
    agent: str
    available_from: datetime


class Changed(Exception):
    """Someone else wrote the agent since it was read, or registered one of that name."""


@dataclass(frozen=True, slots=True)
class NamePage:
    """Agents' names, and after which of them, or where, the next page begins; None at the end."""

    agents: Sequence[str]
    next_start: str | None


class AgentStore:
    """`kept_days` are those of the times."""

    def __init__(self, table_name: str, kept_days: int = 0) -> None:
        self._item = bind(AgentItem, table_name)
        self._kept_days = kept_days

    def get(self, agent: str) -> Stored | None:
        """As it is at this moment. Raises Unavailable."""
        with unavailable_on_trouble():
            try:
                return _stored(self._item.get(_pk(agent), RECORD, consistent_read=True))
            except self._item.DoesNotExist:
                return None

    def get_many(self, agents: Iterable[str]) -> list[Stored]:
        """Those that exist, as they are at this moment, in the order asked for.

        Raises Unavailable.
        """
        keys = [(_pk(agent), RECORD) for agent in agents]
        with unavailable_on_trouble():
            found = self._item.batch_get(keys, consistent_read=True) if keys else []
            stored = {item.pk: _stored(item) for item in found}
        return [stored[pk] for pk, _ in keys if pk in stored]

    def save(self, before: Stored | None, after: Stored, over: Sequence[Stretch] = ()) -> Stored:
        """Writes an agent, and the stretches of time that are over; None before a new one.

        Gives it with its new revision. Raises Changed, Unavailable.
        """
        written = replace(after, revision=before.revision + 1 if before else 1)
        self._write(self._saving(before, written, over))
        return written

    def saving(self, before: Stored, after: Stored, over: Sequence[Stretch]) -> list[Write[Any]]:
        """The writes of `save`, for a transaction of whoever calls."""
        return self._saving(before, replace(after, revision=before.revision + 1), over)

    def _saving(
        self, before: Stored | None, written: Stored, over: Sequence[Stretch]
    ) -> list[Write[AgentItem]]:
        return [
            Write(self._record(written), self._is(before)),
            *self._moves(before, written),
            *self._times(written.agent.agent, over),
        ]

    def delete(self, before: Stored, over: Sequence[Stretch]) -> None:
        """The times stay. Raises Changed, Unavailable."""
        agent = before.agent.agent
        self._write(
            [
                Write(self._item(_pk(agent), RECORD), self._is(before), delete=True),
                *self._moves(before, None),
                *self._times(agent, over),
            ]
        )

    @staticmethod
    def _write(writes: Sequence[Write[AgentItem]]) -> None:
        try:
            write_together(writes)
        except RefusedTogether:
            raise Changed from None

    def _is(self, before: Stored | None) -> Condition:
        item = self._item
        return item.revision == before.revision if before else item.pk.does_not_exist()

    def _record(self, stored: Stored) -> AgentItem:
        agent, presence = stored.agent, stored.presence
        hold = presence.hold
        return self._item(
            _pk(agent.agent),
            RECORD,
            revision=stored.revision,
            version=stored.version,
            name=agent.name,
            queues=list(agent.queues),
            skills=list(agent.skills),
            telephone=agent.telephone,
            wrap_up_seconds=agent.wrap_up_seconds,
            state=presence.wish.state.value,
            reason=presence.wish.reason,
            since=stamp(presence.since),
            calls=list(presence.calls),
            over=list(presence.over),
            wrapping_until=stamp(presence.wrapping_until) if presence.wrapping_until else None,
            hold_id=hold.hold_id if hold else None,
            hold_kind=hold.kind.value if hold else None,
            hold_until=stamp(hold.until) if hold else None,
            listed=LISTED,
        )

    def _moves(self, before: Stored | None, after: Stored | None) -> list[Write[AgentItem]]:
        """What changes of where an agent stands in the queues."""
        old, new = _places(before), _places(after)
        return [
            *(Write(self._item(*place), delete=True) for place in old if place not in new),
            *(Write(self._item(*place)) for place in new if place not in old),
        ]

    def _times(self, agent: str, over: Sequence[Stretch]) -> list[Write[AgentItem]]:
        return [
            Write(
                self._item(
                    _pk(agent),
                    TIME + stamp(stretch.begin),
                    state=stretch.state.value,
                    reason=stretch.reason,
                    end=stamp(stretch.end),
                    expires_at=expiry(stretch.end, self._kept_days),
                )
            )
            for stretch in over
        ]

    def by_name(self, limit: int, start: str | None) -> NamePage:
        """All agents, in the order of their names, after `start`. Raises Unavailable."""
        exclusive = None
        if start:
            key = {"listed": LISTED, "pk": _pk(start), "sk": RECORD}
            exclusive = {name: {"S": text} for name, text in key.items()}
        with unavailable_on_trouble():
            found = self._item.by_agent.query(
                LISTED, limit=limit, page_size=limit, last_evaluated_key=exclusive
            )
            agents = [_agent(item.pk) for item in found]
        return NamePage(agents, agents[-1] if found.last_evaluated_key else None)

    def available(self, queue: str, now: datetime, limit: int, start: str | None) -> NamePage:
        """Who is available to a queue, as it is at this moment, the longest idle first.

        `start` is a `next_start`. Raises Unavailable.
        """
        pk, upto = _queue_pk(queue), stamp(now + TICK)
        if start and start >= upto:
            return NamePage([], None)
        exclusive = {"pk": {"S": pk}, "sk": {"S": start}} if start else None
        with unavailable_on_trouble():
            found = self._item.query(
                pk,
                self._item.sk < upto,
                consistent_read=True,
                limit=limit,
                page_size=limit,
                last_evaluated_key=exclusive,
            )
            agents = [item.sk[STAMP_LENGTH + 1 :] for item in found]
        last = found.last_evaluated_key
        return NamePage(agents, last["sk"]["S"] if last else None)

    def stretches(self, agent: str, since: datetime, before: datetime) -> Iterator[Stretch]:
        """Those that end after `since` and begin before `before`, the latest first.

        Raises Unavailable.
        """
        with unavailable_on_trouble():
            found = self._item.query(
                _pk(agent),
                self._item.sk.between(TIME, TIME + stamp(before)),
                consistent_read=True,
                scan_index_forward=False,
            )
            for item in found:
                stretch = _stretch(item)
                if stretch.end <= since:
                    return
                if stretch.begin < before:
                    yield stretch

    def stretches_at(self, keys: Iterable[tuple[str, str]]) -> list[tuple[str, Stretch]]:
        """Those of these items that are stretches of time, each with its agent.

        Raises Unavailable.
        """
        of_times = [key for key in keys if key[1].startswith(TIME)]
        with unavailable_on_trouble():
            found = self._item.batch_get(of_times, consistent_read=True) if of_times else []
            return [(_agent(item.pk), _stretch(item)) for item in found]


def new_place(record: Mapping[str, Any]) -> Place | None:
    """Of a record of the table's stream; None where it tells of something else."""
    pk, sk = (record["dynamodb"]["Keys"][name]["S"] for name in ("pk", "sk"))
    kind, _, queue = pk.partition("#")
    if record["eventName"] != "INSERT" or kind != "queue":
        return None
    return Place(queue, sk[STAMP_LENGTH + 1 :], read_stamp(sk[:STAMP_LENGTH]))


def agent_of(keys: Mapping[str, str]) -> str | None:
    """Whose record has these keys; None where they are another item's."""
    return _agent(keys["pk"]) if keys["sk"] == RECORD else None


def _pk(agent: str) -> str:
    return f"agent#{agent}"


def _agent(pk: str) -> str:
    return pk.partition("#")[2]


def _queue_pk(queue: str) -> str:
    return f"queue#{queue}"


def _places(stored: Stored | None) -> Mapping[tuple[str, str], None]:
    """The keys of the items by which the queues know that an agent is available, and when."""
    available_from = stored.presence.available_from if stored else None
    if stored is None or available_from is None:
        return {}
    place = f"{stamp(available_from)} {stored.agent.agent}"
    return {(_queue_pk(queue), place): None for queue in stored.agent.queues}


def _stored(item: AgentItem) -> Stored:
    return Stored(
        agent=Agent(
            agent=_agent(item.pk),
            name=item.name,
            queues=tuple(item.queues),
            skills=tuple(item.skills),
            telephone=item.telephone,
            wrap_up_seconds=item.wrap_up_seconds,
        ),
        presence=Presence(
            wish=Wish(state=State(item.state), reason=item.reason),
            since=read_stamp(item.since),
            calls=tuple(item.calls),
            over=tuple(item.over),
            wrapping_until=read_stamp(item.wrapping_until) if item.wrapping_until else None,
            hold=_hold(item),
        ),
        revision=int(item.revision),
        version=int(item.version),
    )


def _hold(item: AgentItem) -> Hold | None:
    if item.hold_id is None:
        return None
    return Hold(
        hold_id=item.hold_id, kind=HoldKind(item.hold_kind), until=read_stamp(item.hold_until)
    )


def _stretch(item: AgentItem) -> Stretch:
    return Stretch(
        state=State(item.state),
        reason=item.reason,
        begin=read_stamp(item.sk.removeprefix(TIME)),
        end=read_stamp(item.end),
    )
