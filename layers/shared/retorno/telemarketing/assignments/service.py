"""Who is to be contacted in which campaign: linked, given to others, put off, and their history."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from functools import partial
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

from retorno.agents.service import Agents, agents
from retorno.customers.model import e164
from retorno.customers.service import CustomerDirectory, customer_directory
from retorno.dynamodb import RefusedTogether, Write, write_together
from retorno.errors import InvalidInput, NotFound, RetornoError, Unavailable
from retorno.moments import moment_to_come
from retorno.phone import NumberPlan
from retorno.settings import (
    AgentSettings,
    AssignmentSettings,
    AssignmentTableSettings,
    PendingContactSettings,
)
from retorno.telemarketing.assignments.model import (
    LISTED,
    AgainWish,
    Assignment,
    Change,
    Entry,
    LinkWish,
    State,
    Time,
    Worker,
    check_linked,
    check_may_act,
    fired,
    linked,
    reopened,
    schedule_deleted,
    scheduled,
    unlinked,
)
from retorno.telemarketing.assignments.store import (
    AssignmentStore,
    EntryPage,
    assignment_store,
    read_image,
)
from retorno.telemarketing.setup.model import Campaign
from retorno.telemarketing.setup.service import Setup, setup
from retorno.times import Period

# Each loser of a race looks again at what the winner wrote; so many losses are no race.
MAX_LOOKS = 50

# What is linked at once: each is an assignment and its history, and a campaign may be marked, too.
LINKED_TOGETHER = 49

# How many of a campaign a page of a move looks at: less than the megabyte that a query reads.
MOVED_AT_ONCE = 1_000

MAX_CAMPAIGNS_OF_ONE = 100

# Further ahead a date is a slip of the pen.
MAX_AHEAD = timedelta(days=366)


class Assignments:
    """What was read is written back only where nobody wrote in between."""

    def __init__(self, store: AssignmentStore) -> None:
        self._store = store

    def one(self, campaign_id: str, customer_id: str) -> Assignment:
        """Raises NotFound where the customer is not in the campaign; Unavailable."""
        return check_linked(self._store.get(campaign_id, customer_id))

    def write(self, change: Change, writes: Sequence[Write[Any]] = ()) -> Assignment:
        """A change, and what belongs to it. Raises RefusedTogether, Unavailable."""
        write_together([*self._store.changing(change), *writes])
        return change.after

    def decide(
        self,
        campaign_id: str,
        customer_id: str,
        decide: Callable[[Assignment], Change | None],
    ) -> Assignment:
        """Looks and writes until nobody wrote in between. Raises NotFound, Unavailable."""
        for _ in range(MAX_LOOKS):
            before = self.one(campaign_id, customer_id)
            change = decide(before)
            if change is None:
                return before
            try:
                return self.write(change)
            except RefusedTogether:
                continue
        raise Unavailable("the customer is being written by too many at once")

    def history(
        self, campaign_id: str, customer_id: str, limit: int, start: Mapping[str, str] | None
    ) -> EntryPage:
        """What was done with a customer, the last first, also of one who was unlinked.

        Raises NotFound, Unavailable.
        """
        if self._store.get(campaign_id, customer_id) is None:
            raise NotFound("the customer was never in this campaign")
        return self._store.history(campaign_id, customer_id, limit, start)

    def of_customer(self, customer_id: str) -> list[Assignment]:
        """In which campaigns they are. Raises Unavailable."""
        keys = self._store.of_customer(customer_id, MAX_CAMPAIGNS_OF_ONE)
        found = self._store.get_many(keys)
        return [found[key] for key in keys if key in found and found[key].state in LISTED]

    # --- Schedules, as whoever keeps them sees them ---------------------------------------------

    def due(
        self,
        campaign_id: str,
        customer_id: str,
        ordinal: int,
        is_away: Callable[[Assignment], bool],
        now: datetime,
    ) -> Assignment | None:
        """The time of a schedule has come. None where it no longer stands; told again, it changes
        nothing. Raises Unavailable.
        """

        def decide(before: Assignment) -> Change | None:
            if not _stands(before, ordinal) or before.due:
                return None
            return fired(before, is_away(before), now)

        try:
            after = self.decide(campaign_id, customer_id, decide)
        except NotFound:
            return None
        return after if _stands(after, ordinal) else None

    def to_check(self, now: datetime, limit: int) -> list[Assignment]:
        """Those that are to be looked at by now, the longest due first. Raises Unavailable."""
        found = self._store.get_many(self._store.to_check(now, limit))
        # The index may be behind.
        return [each for each in found.values() if each.check_at and each.check_at <= now]


def _stands(assignment: Assignment, ordinal: int) -> bool:
    return assignment.schedule is not None and assignment.schedule.ordinal == ordinal


class Pending(NamedTuple):
    """A customer who is to be contacted in a campaign."""

    assignment: Assignment
    campaign: Campaign


class PendingContacts:
    """What telemarketing still wants of a customer."""

    def __init__(self, assignments: Assignments, setup: Setup, zone: ZoneInfo) -> None:
        self._assignments = assignments
        self._setup = setup
        self._zone = zone

    def of(self, customer_id: str, now: datetime) -> list[Pending]:
        """In which campaigns that run today they are to be contacted. Raises Unavailable."""
        today = now.astimezone(self._zone).date()
        pending = [
            Pending(each, self._setup.campaign(each.campaign_id))
            for each in self._assignments.of_customer(customer_id)
            if each.state is not State.CONCLUDED
        ]
        return [each for each in pending if each.campaign.runs_on(today)]


class AssignmentChange(NamedTuple):
    """None where there is none."""

    before: Assignment | None
    after: Assignment | None


def assignment_change(record: Mapping[str, Any]) -> AssignmentChange:
    """What a record of the assignments table's stream tells."""
    images = record["dynamodb"]
    return AssignmentChange(
        read_image(images.get("OldImage", {})), read_image(images.get("NewImage", {}))
    )


class Planning:
    """What an agent does with customers of theirs besides operations, and a leader with any."""

    def __init__(
        self,
        assignments: Assignments,
        setup: Setup,
        agents: Agents,
        plan: NumberPlan,
        zone: ZoneInfo,
    ) -> None:
        self._assignments = assignments
        self._setup = setup
        self._agents = agents
        self._plan = plan
        self._zone = zone

    def time_of(self, at: datetime, wish: AgainWish, now: datetime) -> Time:
        """A time as somebody wrote it; without an offset and a zone it is the company's own.

        Raises InvalidInput for what is past, or too far away; and for a phone that is none.
        """
        moment = moment_to_come(at, wish.time_zone or self._zone, now, MAX_AHEAD)
        return Time(at=moment, note=wish.note, phone=e164(wish.phone, self._plan, "phone"))

    def schedule(
        self, campaign_id: str, customer_id: str, time: Time, worker: Worker, now: datetime
    ) -> Assignment:
        """Has them contacted at a time, in place of any other.

        Raises NotFound, NotAllowed; Conflict for one who is concluded, and HeldByAnother;
        Unavailable.
        """
        return self._decide(
            campaign_id,
            customer_id,
            worker,
            lambda before: scheduled(before, time, worker.agent, now),
        )

    def delete_schedule(
        self, campaign_id: str, customer_id: str, worker: Worker, now: datetime
    ) -> Assignment:
        """Deleting twice does nothing more. Raises NotFound, NotAllowed, HeldByAnother,
        Unavailable.
        """
        return self._decide(
            campaign_id,
            customer_id,
            worker,
            lambda before: schedule_deleted(before, worker.agent, now),
        )

    def transfer(
        self, campaign_id: str, customer_id: str, agent: str | None, worker: Worker, now: datetime
    ) -> Assignment:
        """Gives a customer to another agent, or to the team.

        Raises NotFound, NotAllowed; InvalidInput for one who is not of the team; HeldByAnother;
        Unavailable.
        """
        check_of_team(self._agents, agent, self._setup.campaign(campaign_id))
        wish = LinkWish(agent=agent)
        return self._decide(
            campaign_id,
            customer_id,
            worker,
            lambda before: linked(before, campaign_id, customer_id, wish, worker.agent, now),
        )

    def reopen(
        self, campaign_id: str, customer_id: str, worker: Worker, now: datetime
    ) -> Assignment:
        """Takes back that one is concluded. Raises NotFound, Conflict, Unavailable."""
        return self._decide(
            campaign_id,
            customer_id,
            worker,
            lambda before: reopened(before, worker.agent, now),
        )

    def _decide(
        self,
        campaign_id: str,
        customer_id: str,
        worker: Worker,
        decide: Callable[[Assignment], Change | None],
    ) -> Assignment:
        team = self._setup.campaign(campaign_id).queue

        def allowed(before: Assignment) -> Change | None:
            check_may_act(worker, before, team)
            return decide(before)

        return self._assignments.decide(campaign_id, customer_id, allowed)


class Workers:
    """Who asks, as an agent."""

    def __init__(self, agents: Agents) -> None:
        self._agents = agents

    def one(self, agent: str, *, leads: bool) -> Worker:
        """Whoever is no registered agent is in no queue. Raises Unavailable."""
        try:
            queues = self._agents.one(agent).agent.queues
        except NotFound:
            queues = ()
        return Worker(agent, frozenset(queues), leads)


ReadEntries = Callable[[str, Period], Iterator[Entry]]
"""Whatever was done in a campaign in a period, in its order. Raises Unavailable."""


class Done(StrEnum):
    """What became of a wish to link somebody."""

    CREATED = "created"
    UPDATED = "updated"
    UNCHANGED = "unchanged"


@dataclass(frozen=True, slots=True)
class Linked:
    assignment: Assignment
    done: Done


@dataclass(frozen=True, slots=True)
class Moved:
    """What became of each customer whom the move is about, by id; where the next page begins is
    None at the end.
    """

    results: Mapping[str, Linked | RetornoError]
    next_start: str | None


Decide = Callable[[Assignment | None], Change | None]
"""None where nothing is to be changed. Raises RetornoError where something forbids it."""


class Linking:
    """Puts customers into campaigns, gives them to agents, and takes them out."""

    def __init__(
        self,
        store: AssignmentStore,
        setup: Setup,
        directory: CustomerDirectory,
        agents: Agents,
    ) -> None:
        self._store = store
        self._setup = setup
        self._directory = directory
        self._agents = agents

    def link(
        self, campaign_id: str, customer_id: str, wish: LinkWish, by: str, now: datetime
    ) -> Linked:
        """Raises NotFound; InvalidInput for an agent who is not of the team; HeldByAnother;
        Unavailable.
        """
        (found,) = self.link_many(campaign_id, [(customer_id, wish)], by, now)
        if isinstance(found, RetornoError):
            raise found
        return found

    def unlink(self, campaign_id: str, customer_id: str, by: str, now: datetime) -> Linked:
        """Unlinking twice does nothing more. Raises NotFound, Conflict, HeldByAnother,
        Unavailable.
        """
        (found,) = self.link_many(campaign_id, [(customer_id, None)], by, now)
        if isinstance(found, RetornoError):
            raise found
        return found

    def link_many(
        self,
        campaign_id: str,
        wishes: Sequence[tuple[str, LinkWish | None]],
        by: str,
        now: datetime,
        mark: str | None = None,
    ) -> list[Linked | RetornoError]:
        """What becomes of each, in their order; None unlinks. Each customer is named once.

        In as few requests as that takes. Told again with the same mark, it says what it said
        unless somebody else wrote in between. Raises NotFound where there is no such campaign,
        Unavailable.
        """
        campaign = self._setup.campaign(campaign_id)
        impossible = self._impossible(campaign, wishes)
        decisions: dict[str, Decide] = {
            customer_id: partial(
                _change, campaign_id=campaign_id, customer_id=customer_id, wish=wish, by=by, now=now
            )
            for customer_id, wish in wishes
            if customer_id not in impossible
        }
        results = impossible | self._decide_many(campaign_id, decisions, mark, now)
        return [results[customer_id] for customer_id, _ in wishes]

    def in_campaign(self, campaign_id: str, customer_ids: Sequence[str]) -> dict[str, Assignment]:
        """Those of the customers who are linked, by id. Raises Unavailable."""
        found = self._store.get_many([(campaign_id, each) for each in customer_ids])
        return {
            customer_id: each for (_, customer_id), each in found.items() if each.state in LISTED
        }

    def move(
        self,
        campaign_id: str,
        from_agent: str,
        to_agent: str | None,
        states: Sequence[State],
        by: str,
        now: datetime,
        mark: str,
        start: str | None,
    ) -> Moved:
        """Gives an agent's customers to another, or to the team: those of a page of the campaign.

        Told again with the same mark, it says what it said. Raises NotFound, Unavailable.
        """
        refusal = self._refusal(to_agent, self._setup.campaign(campaign_id))
        wish = LinkWish(agent=to_agent)

        def is_theirs(each: Assignment) -> bool:
            return each.agent == from_agent and each.state in states

        def decide(before: Assignment | None) -> Change | None:
            if before is None or not is_theirs(before):
                return None
            if refusal:
                raise refusal
            return linked(before, campaign_id, before.customer_id, wish, by, now)

        page, next_start = self._store.of_campaign(campaign_id, MOVED_AT_ONCE, start)
        concerned = [each.customer_id for each in page if is_theirs(each) or each.was_marked(mark)]
        decisions = dict.fromkeys(concerned, decide)
        return Moved(self._decide_many(campaign_id, decisions, mark, now), next_start)

    def _decide_many(
        self, campaign_id: str, decisions: Mapping[str, Decide], mark: str | None, now: datetime
    ) -> dict[str, Linked | RetornoError]:
        """Looks and writes until nobody wrote in between; by customer."""
        results: dict[str, Linked | RetornoError] = {}
        for _ in range(MAX_LOOKS):
            still = [each for each in decisions if each not in results]
            if not still:
                return results
            campaign = self._setup.campaign(campaign_id)
            found = self._store.get_many([(campaign_id, each) for each in still])
            changes: list[tuple[Assignment | None, Change]] = []
            for customer_id in still:
                before = found.get((campaign_id, customer_id))
                try:
                    change = decisions[customer_id](before)
                except RetornoError as refusal:
                    results[customer_id] = refusal
                    continue
                if change:
                    changes.append((before, _marked(change, mark, _done(before))))
                elif before:
                    results[customer_id] = Linked(before, _done_then(before, mark))
            for pack in _packs(changes):
                results |= self._write(campaign, pack)
        raise Unavailable("the customers are being written by too many at once")

    def _impossible(
        self, campaign: Campaign, wishes: Sequence[tuple[str, LinkWish | None]]
    ) -> dict[str, Linked | RetornoError]:
        """Who is not there, and who would be given to an agent who is not of the team."""
        existing = self._directory.some([each for each, wish in wishes if wish])
        refusals: dict[str | None, RetornoError | None] = {}
        results: dict[str, Linked | RetornoError] = {}
        for customer_id, wish in wishes:
            if wish is None:
                continue
            if wish.agent not in refusals:
                refusals[wish.agent] = self._refusal(wish.agent, campaign)
            refusal = refusals[wish.agent]
            if customer_id not in existing:
                results[customer_id] = NotFound("there is no such customer")
            elif refusal:
                results[customer_id] = refusal
        return results

    def _refusal(self, agent: str | None, campaign: Campaign) -> RetornoError | None:
        try:
            check_of_team(self._agents, agent, campaign)
        except InvalidInput as refusal:
            return refusal
        return None

    def _write(
        self, campaign: Campaign, pack: Sequence[tuple[Assignment | None, Change]]
    ) -> dict[str, Linked | RetornoError]:
        """Those that were written: nobody of them wrote in between."""
        writes = [write for _, change in pack for write in self._store.changing(change)]
        try:
            write_together([*self._setup.marking(campaign), *writes])
        except RefusedTogether:
            # One of many was written by somebody else; the others need not wait for that one.
            if len(pack) == 1:
                return {}
            half = len(pack) // 2
            return self._write(campaign, pack[:half]) | self._write(campaign, pack[half:])
        results: dict[str, Linked | RetornoError] = {}
        for before, change in pack:
            results[change.after.customer_id] = Linked(change.after, _done(before))
        return results


def _packs(
    changes: Sequence[tuple[Assignment | None, Change]],
) -> Iterator[Sequence[tuple[Assignment | None, Change]]]:
    for first in range(0, len(changes), LINKED_TOGETHER):
        yield changes[first : first + LINKED_TOGETHER]


def _done(before: Assignment | None) -> Done:
    """What a change of it is."""
    return Done.CREATED if before is None or before.state is State.UNLINKED else Done.UPDATED


def _marked(change: Change, mark: str | None, done: Done) -> Change:
    if mark is None:
        return change
    return change._replace(after=change.after.model_copy(update={"mark": f"{mark} {done}"}))


def _done_then(assignment: Assignment, mark: str | None) -> Done:
    """What became of it when it was last told with this mark."""
    if mark is None or not assignment.was_marked(mark):
        return Done.UNCHANGED
    return Done((assignment.mark or "").rpartition(" ")[2])


def _change(
    before: Assignment | None,
    campaign_id: str,
    customer_id: str,
    wish: LinkWish | None,
    by: str,
    now: datetime,
) -> Change | None:
    """None where nothing is to be changed. Raises NotFound, Conflict, HeldByAnother."""
    if wish is not None:
        return linked(before, campaign_id, customer_id, wish, by, now)
    if before is None:
        raise NotFound("the customer was never in this campaign")
    return None if before.state is State.UNLINKED else unlinked(before, by, now)


def check_of_team(
    agents: Agents, agent: str | None, campaign: Campaign, field: str = "agent"
) -> None:
    """Raises InvalidInput for an agent who is none of the campaign's team; Unavailable."""
    if agent is None:
        return
    try:
        queues = agents.one(agent).agent.queues
    except NotFound:
        raise InvalidInput(field, "is not registered") from None
    if campaign.queue not in queues:
        raise InvalidInput(field, f"is not of the queue {campaign.queue}, the campaign's team")


def assignments(settings: AssignmentTableSettings) -> Assignments:
    return Assignments(assignment_store(settings))


def pending_contacts(settings: PendingContactSettings) -> PendingContacts:
    return PendingContacts(assignments(settings), setup(settings), settings.time_zone)


def planning(settings: AssignmentSettings) -> Planning:
    return Planning(
        assignments(settings),
        setup(settings),
        agents(settings),
        settings.number_plan,
        settings.time_zone,
    )


def workers(settings: AgentSettings) -> Workers:
    return Workers(agents(settings))


def linking(settings: AssignmentSettings) -> Linking:
    return Linking(
        assignment_store(settings),
        setup(settings),
        customer_directory(settings),
        agents(settings),
    )


def read_entries(settings: AssignmentSettings) -> ReadEntries:
    return assignment_store(settings).history_of_campaign
