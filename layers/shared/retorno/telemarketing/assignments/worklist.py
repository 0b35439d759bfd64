"""What an agent is to do: lists, searches, and the next customer."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from heapq import merge
from itertools import chain, islice
from zoneinfo import ZoneInfo

from retorno.customers.model import Customer
from retorno.customers.service import (
    CustomerDirectory,
    CustomerFinding,
    customer_directory,
    customer_finding,
)
from retorno.dynamodb import RefusedTogether, write_together
from retorno.errors import NotAllowed
from retorno.settings import AssignmentSettings
from retorno.telemarketing.assignments.model import (
    Assignment,
    State,
    Worker,
    handed,
    may_be_handed,
)
from retorno.telemarketing.assignments.store import (
    AssignmentStore,
    Spot,
    assignment_store,
    line_of,
    line_of_all,
)
from retorno.telemarketing.setup.model import Campaign, Criteria, Day
from retorno.telemarketing.setup.service import Filters, Setup, filters, setup
from retorno.text import fold

# A list that is filtered looks at so many customers for one page, so many at a time.
FILTER_LIMIT = 1_000
LOOK_AT_ONCE = 100

# Of those who wait so many may be held by others before nobody is handed out.
HANDING_LIMIT = 500
HAND_AT_ONCE = 25


NO_CRITERIA = Criteria()


@dataclass(frozen=True, slots=True)
class Listed:
    """`customer` is None where they were deleted since."""

    assignment: Assignment
    customer: Customer | None


@dataclass(frozen=True, slots=True)
class Page:
    """Where the next page begins is None at the end."""

    items: Sequence[Listed]
    next_start: Mapping[str, str] | None


@dataclass(frozen=True, slots=True)
class Wanted:
    """A list of a worklist: whose customers, None for all that the worker may see."""

    campaign: Campaign
    state: State
    agent: str | None = None
    criteria: Criteria = NO_CRITERIA


class Worklists:
    """Lists of what there is to do, for whoever asks. Index reads are a moment behind the truth;
    each customer that they show is as they are.
    """

    def __init__(
        self,
        store: AssignmentStore,
        setup: Setup,
        filters: Filters,
        directory: CustomerDirectory,
        finding: CustomerFinding,
        zone: ZoneInfo,
    ) -> None:
        self._store = store
        self._setup = setup
        self._filters = filters
        self._directory = directory
        self._finding = finding
        self._zone = zone

    def wanted(
        self,
        campaign_id: str,
        state: State,
        agent: str | None,
        filter_id: str | None,
        user: str,
        worker: Worker,
        now: datetime,
    ) -> Wanted:
        """A list as it is asked for; `user` is whose saved filters there are.

        Raises NotFound, Unavailable; Conflict where the campaign is not active, which leaders see
        all the same; NotAllowed for another agent's list.
        """
        if agent not in (None, worker.agent) and not worker.leads:
            raise NotAllowed("another agent's list is for supervisors to see")
        return Wanted(
            self._campaign(campaign_id, worker, now),
            state,
            agent,
            self._filters.one(filter_id, user).criteria if filter_id else NO_CRITERIA,
        )

    def _campaign(self, campaign_id: str, worker: Worker, now: datetime) -> Campaign:
        if worker.leads:
            return self._setup.campaign(campaign_id)
        return self._setup.to_run(campaign_id, now.astimezone(self._zone).date())

    def page(
        self,
        wanted: Wanted,
        worker: Worker,
        now: datetime,
        limit: int,
        start: Mapping[str, str] | None,
    ) -> Page:
        """Who is due first, then by priority, then the oldest; of those concluded the last first.

        With criteria it looks at 1,000 at most; a page may be short, or empty, and there are more.
        Raises Unavailable.
        """
        spots = self._spots(
            lines_of(wanted, worker), wanted.state, start["place"] if start else None
        )
        takes = self._filter(wanted, worker, now)
        found: list[Listed] = []
        looked_at = 0
        while looked_at < FILTER_LIMIT:
            some = list(islice(spots, LOOK_AT_ONCE))
            for spot, listed in self._listed(some):
                if takes(listed):
                    found.append(listed)
                    if len(found) == limit:
                        return Page(found, {"place": spot.place})
            if len(some) < LOOK_AT_ONCE:
                return Page(found, None)
            looked_at += len(some)
        return Page(found, {"place": some[-1].place})

    def search(self, wanted: Wanted, text: str, worker: Worker, now: datetime, limit: int) -> Page:
        """Those in the list whose number, code or document it is, or whose name begins so: one page
        of them, in the list's order. It looks at the first 500 such customers. Raises Unavailable.
        """
        customers = self._finding.by_text(text)
        campaign_id = wanted.campaign.campaign_id
        found = self._store.get_many([(campaign_id, each) for each in customers])
        takes = self._filter(wanted, worker, now)
        listed = [Listed(each, customers[each.customer_id]) for each in found.values()]
        ordered = sorted(
            filter(takes, listed),
            key=lambda each: each.assignment.place,
            reverse=wanted.state is State.CONCLUDED,
        )
        return Page(ordered[:limit], None)

    def next(self, campaign_id: str, worker: Worker, now: datetime) -> Listed | None:
        """Hands out the first customer who waits for this agent, and nobody else gets them for five
        minutes. Asked again, it is the same one. None where nobody waits.

        Raises NotFound; Conflict where the campaign is not active; Unavailable.
        """
        campaign = self._setup.to_run(campaign_id, now.astimezone(self._zone).date())
        waiting = self._waiting(campaign_id, worker, team=campaign.queue in worker.queues)
        spots = islice(waiting, HANDING_LIMIT)
        while some := list(islice(spots, HAND_AT_ONCE)):
            for _, listed in self._listed(some):
                assignment = listed.assignment
                if listed.customer is None or not may_be_handed(assignment, worker.agent, now):
                    continue
                if not worker.may_act_on(assignment, campaign.queue):
                    continue
                if assignment.held_by(now) == worker.agent:
                    return listed
                try:
                    after = handed(assignment, worker.agent, now)
                    write_together([self._store.writing(after)])
                except RefusedTogether:
                    continue
                return Listed(after, listed.customer)
        return None

    def _waiting(self, campaign_id: str, worker: Worker, *, team: bool) -> Iterator[Spot]:
        """Who is due, and then who was not acted on: the agent's own, and the team's."""
        whose = [worker.agent, None] if team else [worker.agent]
        due = [line_of(campaign_id, each, State.SCHEDULED) for each in whose]
        others = [line_of(campaign_id, each, State.NOT_ACTED) for each in whose]
        return chain(
            merge(*map(self._store.due_along, due)),
            merge(*(self._store.along(line, None) for line in others)),
        )

    def _spots(self, lines: Iterable[str], state: State, place: str | None) -> Iterator[Spot]:
        latest_first = state is State.CONCLUDED
        along = [self._store.along(line, place, latest_first=latest_first) for line in lines]
        return merge(*along, reverse=latest_first)

    def _listed(self, spots: Sequence[Spot]) -> Iterator[tuple[Spot, Listed]]:
        found = self._store.get_many([spot.key for spot in spots])
        customers = self._directory.some([customer_id for _, customer_id in found])
        for spot in spots:
            if spot.key in found:
                assignment = found[spot.key]
                yield spot, Listed(assignment, customers.get(assignment.customer_id))

    def _filter(self, wanted: Wanted, worker: Worker, now: datetime) -> Callable[[Listed], bool]:
        today = now.astimezone(self._zone).date()

        def takes(listed: Listed) -> bool:
            assignment = listed.assignment
            return (
                assignment.state is wanted.state
                and worker.may_act_on(assignment, wanted.campaign.queue)
                and wanted.agent in (None, assignment.agent)
                and suits(wanted.criteria, listed, today, self._zone)
            )

        return takes


def lines_of(wanted: Wanted, worker: Worker) -> list[str]:
    """Where those stand whom a worker may see."""
    campaign_id, state = wanted.campaign.campaign_id, wanted.state
    if worker.leads and wanted.agent is None:
        return [line_of_all(campaign_id, state)]
    if worker.leads:
        lines = [line_of(campaign_id, wanted.agent, state)]
        # Where their time came while the agent was away.
        return [*lines, line_of(campaign_id, None, state)] if state is State.SCHEDULED else lines
    lines = [line_of(campaign_id, worker.agent, state)]
    if wanted.campaign.queue in worker.queues:
        lines.append(line_of(campaign_id, None, state))
    return lines


def suits(criteria: Criteria, listed: Listed, today: date, zone: ZoneInfo) -> bool:
    """Whether a customer is as a filter wants them. Days are those of `zone`."""
    assignment, customer = listed.assignment, listed.customer

    def day_of(moment: datetime | None) -> date | None:
        return moment.astimezone(zone).date() if moment else None

    scheduled = assignment.schedule.at if assignment.schedule else None
    return (
        _is(criteria.city, customer.city if customer else None)
        and (criteria.tag is None or _has(criteria.tag, customer))
        and criteria.last_outcome in (None, assignment.last_outcome)
        and criteria.last_reason in (None, assignment.last_reason)
        and criteria.agent in (None, assignment.agent)
        and (criteria.operations_min or 0) <= assignment.operations
        and (criteria.operations_max is None or assignment.operations <= criteria.operations_max)
        and _between(criteria.scheduled_from, day_of(scheduled), criteria.scheduled_to, today)
        and _between(criteria.linked_from, day_of(assignment.linked_at), criteria.linked_to, today)
    )


def _is(wanted: str | None, text: str | None) -> bool:
    return wanted is None or (text is not None and fold(wanted) == fold(text))


def _has(tag: str, customer: Customer | None) -> bool:
    return customer is not None and any(_is(tag, each) for each in customer.tags)


def _between(since: Day | None, day: date | None, until: Day | None, today: date) -> bool:
    if since is None and until is None:
        return True
    return (
        day is not None
        and (since is None or _date(since, today) <= day)
        and (until is None or day <= _date(until, today))
    )


def _date(day: Day, today: date) -> date:
    return today + timedelta(days=day) if isinstance(day, int) else day


def worklists(settings: AssignmentSettings) -> Worklists:
    return Worklists(
        assignment_store(settings),
        setup(settings),
        filters(settings),
        customer_directory(settings),
        customer_finding(settings),
        settings.time_zone,
    )
