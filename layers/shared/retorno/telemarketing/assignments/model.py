"""An assignment: a customer who is to be contacted in a campaign, by an agent or by the team.

It stands in one of three lists: of those not acted on, who wait for a contact without a time; of
those scheduled; and of those concluded. Whoever works on it holds it, so that nobody else does.

Each function here makes one change and says it as an entry of the history, which has the number
of the assignment's revision: nothing is changed without a trace, and no two changes are one.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Annotated, Any, NamedTuple

from pydantic import Field, StringConstraints

from retorno.errors import Conflict, HeldByAnother, NotAllowed, NotFound
from retorno.frozen import Frozen, Strict
from retorno.moments import WrittenTime, WrittenZone
from retorno.telephony.ports import MAX_NAME_LENGTH
from retorno.times import stamp

# Whoever is handed a customer opens an operation within this.
HANDED = timedelta(minutes=5)

# An operation that nobody saved for so long may be taken over.
WORKED_ON = timedelta(minutes=30)

HIGHEST_PRIORITY = 9
USUAL_PRIORITY = 5

# A schedule fires within a minute of its time (the user guide of EventBridge Scheduler); one that
# did not by then is looked after.
FIRED_WITHIN = timedelta(minutes=1)

Priority = Annotated[int, Field(ge=0, le=HIGHEST_PRIORITY)]
AgentName = Annotated[
    str,
    StringConstraints(
        strip_whitespace=True,
        min_length=1,
        max_length=MAX_NAME_LENGTH,
        pattern=r"^[^\x00-\x1f\x7f]*$",
    ),
]
Note = Annotated[str, StringConstraints(strip_whitespace=True, max_length=1_000)]


class State(StrEnum):
    NOT_ACTED = "not_acted"
    SCHEDULED = "scheduled"
    CONCLUDED = "concluded"
    UNLINKED = "unlinked"
    """No longer in the campaign; what was done stays."""


# The lists of a worklist.
LISTED = (State.NOT_ACTED, State.SCHEDULED, State.CONCLUDED)


class Schedule(Frozen):
    """When the customer is contacted next. `ordinal` counts an assignment's schedules: one that
    was changed is another. `fired_at` is when its time had come, and `to_team` says that its agent
    was away then. `phone` is the number to call, in E.164, where not the customer's first.
    """

    ordinal: int
    at: datetime
    by: str
    note: str | None = None
    phone: str | None = None
    fired_at: datetime | None = None
    to_team: bool = False


class Hold(Frozen):
    """Nobody else works on the customer until then."""

    agent: str
    until: datetime


class Assignment(Frozen):
    """`agent` is None where anyone of the team may act.

    `operations` counts those that ended since the customer was linked, and `opened` all that ever
    were; `last_…` are of the last that ended. `open_operation` is the ordinal of the one that is
    open. `check_at` is when somebody looks whether the schedule has fired. `mark` says which file
    or job wrote it last, and what that did to it, as "<mark> created".
    """

    campaign_id: str
    customer_id: str
    agent: str | None = None
    state: State = State.NOT_ACTED
    priority: int = USUAL_PRIORITY
    linked_at: datetime
    linked_by: str
    operations: int = 0
    opened: int = 0
    last_outcome: str | None = None
    last_reason: str | None = None
    last_agent: str | None = None
    acted_at: datetime | None = None
    concluded_at: datetime | None = None
    schedule: Schedule | None = None
    schedules: int = 0
    check_at: datetime | None = None
    hold: Hold | None = None
    open_operation: int | None = None
    mark: str | None = None
    revision: int = 0

    @property
    def due(self) -> bool:
        """The time to contact them has come."""
        return self.schedule is not None and self.schedule.fired_at is not None

    @property
    def shown_to(self) -> str | None:
        """Whose worklist it stands in; None for the team's."""
        return None if self.schedule and self.schedule.to_team else self.agent

    @property
    def place(self) -> str:
        """Its place in a list: who is due comes first, then by priority, then the oldest.

        "1 4 2026-03-02T13:04:05.000000Z 5f3c…"
        """
        urgency = HIGHEST_PRIORITY - self.priority
        if self.state is State.CONCLUDED and self.concluded_at:
            return f"3 {stamp(self.concluded_at)} {self.customer_id}"
        if self.schedule is None:
            return f"1 {urgency} {stamp(self.linked_at)} {self.customer_id}"
        if self.due:
            return f"{DUE_PLACES} {urgency} {stamp(self.schedule.at)} {self.customer_id}"
        return f"2 {stamp(self.schedule.at)} {self.customer_id}"

    def was_marked(self, mark: str) -> bool:
        """Whether it was last written with that mark."""
        return self.mark is not None and self.mark.rpartition(" ")[0] == mark

    def held_by(self, now: datetime) -> str | None:
        return self.hold.agent if self.hold and now < self.hold.until else None


# What the places of those begin with whose time has come.
DUE_PLACES = "0"


class What(StrEnum):
    """What was done."""

    LINKED = "linked"
    UNLINKED = "unlinked"
    ASSIGNED = "assigned"
    SCHEDULED = "scheduled"
    SCHEDULE_DELETED = "schedule_deleted"
    DUE = "due"
    REOPENED = "reopened"
    OPENED = "opened"
    EDITED = "edited"
    POSTPONED = "postponed"
    NO_CONTACT = "no_contact"
    CONCLUDED = "concluded"
    RELEASED = "released"
    IMPORTED = "imported"


class Entry(Frozen):
    """One thing that was done, and by whom: None where it came of itself.

    `operation` is the ordinal of the operation in which it was done.
    """

    campaign_id: str
    customer_id: str
    number: int
    at: datetime
    by: str | None
    what: What
    operation: int | None = None
    changes: Mapping[str, Any] = Field(default_factory=dict)


class Change(NamedTuple):
    """An assignment as it is to be, and what is told of that."""

    after: Assignment
    entry: Entry


def changed(
    before: Assignment,
    what: What,
    by: str | None,
    now: datetime,
    changes: Mapping[str, Any],
    values: Mapping[str, object],
    operation: int | None = None,
) -> Change:
    """`values` are of the assignment, `changes` what its history tells."""
    number = before.revision + 1
    after = before.model_copy(update={"mark": None, **values, "revision": number})
    entry = Entry(
        campaign_id=before.campaign_id,
        customer_id=before.customer_id,
        number=number,
        at=now,
        by=by,
        what=what,
        operation=operation,
        changes=changes,
    )
    return Change(after, entry)


class LinkWish(Strict):
    """Whose customer they are to be; `agent` None for the team's. `priority` None leaves it."""

    agent: AgentName | None = Field(default=None, description="null for anyone of the team")
    priority: Priority | None = Field(
        default=None, description="9 comes first; 5, or as it was, if not said"
    )


class NewcomerWish(LinkWish):
    """Of somebody who may be linked already: whoever is, stays with their agent."""


def newcomer(
    before: Assignment | None,
    campaign_id: str,
    customer_id: str,
    wish: LinkWish,
    by: str,
    now: datetime,
) -> Assignment:
    """Who was not in the campaign, before the change that brings them in. The numbers of one who
    once was in it go on.
    """
    return Assignment(
        campaign_id=campaign_id,
        customer_id=customer_id,
        agent=wish.agent,
        priority=USUAL_PRIORITY if wish.priority is None else wish.priority,
        linked_at=now,
        linked_by=by,
        opened=before.opened if before else 0,
        schedules=before.schedules if before else 0,
        revision=before.revision if before else 0,
    )


def linked(
    before: Assignment | None,
    campaign_id: str,
    customer_id: str,
    wish: LinkWish,
    by: str,
    now: datetime,
) -> Change | None:
    """None where nothing is to be changed. Raises HeldByAnother where the customer would be taken
    from an agent who is working on them.
    """
    if before is None or before.state is State.UNLINKED:
        base = newcomer(before, campaign_id, customer_id, wish, by, now)
        told = {"agent": base.agent, "priority": base.priority}
        return changed(base, What.LINKED, by, now, told, {})
    priority = before.priority if wish.priority is None else wish.priority
    agent = before.agent if isinstance(wish, NewcomerWish) else wish.agent
    if (before.agent, before.priority) == (agent, priority):
        return None
    schedule = before.schedule
    if before.agent != agent:
        check_unheld(before, agent, now)
        schedule = schedule and schedule.model_copy(update={"to_team": False})
    told = {"agent": agent, "from": before.agent, "priority": priority}
    return changed(
        before,
        What.ASSIGNED,
        by,
        now,
        told,
        {"agent": agent, "priority": priority, "schedule": schedule},
    )


def unlinked(before: Assignment, by: str, now: datetime) -> Change:
    """Raises HeldByAnother while an agent is working on the customer; Conflict where one left an
    operation open.
    """
    check_unheld(before, None, now)
    if before.open_operation:
        raise Conflict(f"operation {before.open_operation} is open: release it first")
    return changed(
        before,
        What.UNLINKED,
        by,
        now,
        {"agent": before.agent},
        {
            "state": State.UNLINKED,
            "concluded_at": None,
            "schedule": None,
            "check_at": None,
            "hold": None,
        },
    )


class AgainWish(Strict):
    """How a customer is to be contacted again, as somebody writes it."""

    time_zone: WrittenZone = Field(
        default=None, description="The customer's own, of IANA; the company's if not said"
    )
    note: Note | None = Field(default=None, description="What the agent should know then")
    phone: Annotated[str, Field(max_length=256)] | None = Field(
        default=None, description="The number to call then, in any written form"
    )


class TimeWish(AgainWish):
    at: WrittenTime = Field(
        description="ISO 8601, with an offset; or the local time of `time_zone`"
    )


class Time(Frozen):
    """When a customer is to be contacted, as somebody says it; `at` in UTC."""

    at: datetime
    note: str | None = None
    phone: str | None = None


def scheduled(before: Assignment, time: Time, by: str, now: datetime) -> Change:
    """Has them contacted at a time, in place of any other. Raises Conflict for one who is
    concluded; HeldByAnother.
    """
    check_open(before)
    check_unheld(before, by, now)
    told = {"at": stamp(time.at), "note": time.note, "phone": time.phone}
    if before.schedule:
        told["instead_of"] = stamp(before.schedule.at)
    return changed(before, What.SCHEDULED, by, now, told, schedule_values(before, time, by))


def schedule_values(before: Assignment, time: Time, by: str) -> dict[str, object]:
    """Of the assignment with its next schedule."""
    ordinal = before.schedules + 1
    schedule = Schedule(ordinal=ordinal, at=time.at, by=by, note=time.note, phone=time.phone)
    return {
        "state": State.SCHEDULED,
        "schedule": schedule,
        "schedules": ordinal,
        "check_at": time.at + FIRED_WITHIN,
    }


def schedule_deleted(before: Assignment, by: str, now: datetime) -> Change | None:
    """Takes them back to those who wait without a time; None where nothing is scheduled.

    Raises HeldByAnother.
    """
    if before.schedule is None:
        return None
    check_unheld(before, by, now)
    return changed(
        before,
        What.SCHEDULE_DELETED,
        by,
        now,
        {"at": stamp(before.schedule.at)},
        {"state": State.NOT_ACTED, "schedule": None, "check_at": None},
    )


def fired(before: Assignment, to_team: bool, now: datetime) -> Change:
    """Its time has come. `to_team` where its agent is away."""
    if before.schedule is None:
        raise Conflict("nothing is scheduled")
    schedule = before.schedule.model_copy(update={"fired_at": now, "to_team": to_team})
    told = {"at": stamp(schedule.at), "to_team": to_team}
    return changed(before, What.DUE, None, now, told, {"schedule": schedule, "check_at": None})


def reopened(before: Assignment, by: str, now: datetime) -> Change:
    """Takes one who was concluded back to those who wait. Raises Conflict for any other."""
    if before.state is not State.CONCLUDED:
        raise Conflict("the customer is not concluded")
    values = {"state": State.NOT_ACTED, "concluded_at": None, "hold": None}
    return changed(before, What.REOPENED, by, now, {}, values)


def handed(before: Assignment, agent: str, now: datetime) -> Assignment:
    """Held for an agent who asked for the next customer. It tells nothing: nothing was done."""
    hold = Hold(agent=agent, until=now + HANDED)
    return before.model_copy(update={"hold": hold, "revision": before.revision + 1})


def may_be_handed(assignment: Assignment, agent: str, now: datetime) -> bool:
    """It waits, and nobody is working on it: not even they themselves."""
    waits = assignment.state is State.NOT_ACTED or (
        assignment.state is State.SCHEDULED and assignment.due
    )
    return waits and assignment.held_by(now) in (None, agent)


@dataclass(frozen=True, slots=True)
class Worker:
    """Who works on customers: an agent, of these queues; `leads` is who may act for anyone."""

    agent: str
    queues: frozenset[str] = frozenset()
    leads: bool = False

    def may_act_on(self, assignment: Assignment, team: str) -> bool:
        """`team` is the queue whose agents the campaign's team is."""
        if self.leads or assignment.agent == self.agent:
            return True
        return assignment.shown_to is None and team in self.queues


def check_may_act(worker: Worker, assignment: Assignment, team: str) -> None:
    """Raises NotAllowed."""
    if not worker.may_act_on(assignment, team):
        whose = assignment.agent or "the team"
        raise NotAllowed(f"the customer is {whose}'s")


def check_linked(found: Assignment | None) -> Assignment:
    if found is None or found.state is State.UNLINKED:
        raise NotFound("the customer is not in this campaign")
    return found


def check_open(assignment: Assignment) -> None:
    if assignment.state is State.CONCLUDED:
        raise Conflict("the customer is concluded; a supervisor can reopen them")


def check_unheld(assignment: Assignment, by: str | None, now: datetime) -> None:
    """Raises HeldByAnother where it is held, and not by `by`."""
    holder = assignment.held_by(now)
    if holder not in (None, by) and assignment.hold:
        raise HeldByAnother(holder or "", assignment.hold.until.astimezone(UTC))
