"""Telemarketing in bulk: links that come as files or by filter, portfolios that are moved, and the
files of operations and history that go out."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import date, datetime
from itertools import islice
from typing import Any, Generic, Protocol, Self, TypeVar
from zoneinfo import ZoneInfo

from retorno.agents.service import Agents, agents
from retorno.customers.model import Customer, Sought
from retorno.customers.service import (
    CustomerDirectory,
    CustomerRecords,
    customer_directory,
    customer_records,
)
from retorno.errors import InvalidInput, NotFound, RetornoError
from retorno.imports.model import (
    Chunk,
    Export,
    Import,
    Outcome,
    Page,
    PageTaker,
    Problem,
    Row,
    RowReport,
    RowTaker,
    Task,
)
from retorno.imports.service import (
    ChunkTaking,
    TaskRunning,
    chunk_taking,
    task_running,
)
from retorno.phone import NumberPlan
from retorno.settings import (
    ManageTelemarketingFileSettings,
    TelemarketingJobSettings,
    TelemarketingTransferSettings,
)
from retorno.telemarketing.assignments.model import LinkWish, NewcomerWish
from retorno.telemarketing.assignments.service import (
    Linked,
    Linking,
    ReadEntries,
    check_of_team,
    linking,
    read_entries,
)
from retorno.telemarketing.operations.model import PastOperation
from retorno.telemarketing.operations.past import HistoryTaking, history_taking
from retorno.telemarketing.operations.service import ReadOperations, read_operations
from retorno.telemarketing.setup.model import Campaign
from retorno.telemarketing.setup.service import Setup, setup
from retorno.telemarketing.transfer.model import (
    FileWish,
    LinkingByFilter,
    PortfolioMove,
    What,
)
from retorno.telemarketing.transfer.rows import (
    ENTRY_HEADER,
    HISTORY_ROWS,
    LINK_ROWS,
    OPERATION_HEADER,
    HistoryTold,
    LinkTold,
    Names,
    entry_row,
    operation_row,
    past_operation,
    read_history,
    read_link,
)

# What jobs and exports are called.
LINKING_BY_FILTER = "telemarketing-linking"
PORTFOLIO_MOVE = "telemarketing-move"
FILES: Mapping[What, str] = {each: f"telemarketing-{each}" for each in What}

# How many customers a page of a job looks at, and how many are looked up for a file at once.
PAGE = 200


class LinkImport:
    """Takes rows that link customers to a campaign, the import's parameter; a RowTaker."""

    def __init__(self, linking: Linking, directory: CustomerDirectory, plan: NumberPlan) -> None:
        self._linking = linking
        self._directory = directory
        self._plan = plan

    def take(self, chunk: Chunk, source: Import, now: datetime) -> list[RowReport]:
        """One report a row, in their order; the same when the chunk is taken again.

        Raises Unavailable.
        """
        rows: Rows[LinkTold] = Rows.read(
            chunk, lambda row: read_link(row, self._plan), self._directory
        )
        for turn in _turns(rows.customers):
            wishes = [(customer_id, _wish(rows.told[number])) for number, customer_id in turn]
            results = self._link(source, wishes, chunk.name, now)
            for (number, _), result in zip(turn, results, strict=True):
                if isinstance(result, Linked):
                    rows.report(number, Outcome(result.done.value))
                else:
                    rows.refuse(number, problem_of(result))
        return rows.in_order()

    def _link(
        self,
        source: Import,
        wishes: Sequence[tuple[str, LinkWish | None]],
        mark: str,
        now: datetime,
    ) -> Sequence[Linked | RetornoError]:
        campaign = source.parameters["campaign"]
        try:
            return self._linking.link_many(campaign, wishes, source.created_by, now, mark)
        except NotFound as error:
            # The campaign was deleted since.
            return [error for _ in wishes]


class HistoryImport:
    """Takes rows of a previous system's history; a RowTaker."""

    def __init__(
        self,
        taking: HistoryTaking,
        setup: Setup,
        directory: CustomerDirectory,
        plan: NumberPlan,
        zone: ZoneInfo,
    ) -> None:
        self._taking = taking
        self._setup = setup
        self._directory = directory
        self._plan = plan
        self._zone = zone

    def take(self, chunk: Chunk, source: Import, now: datetime) -> list[RowReport]:
        """One report a row, in their order; the same when the chunk is taken again. Of rows that
        say the same the first counts.

        Raises Unavailable.
        """
        rows: Rows[HistoryTold] = Rows.read(
            chunk, lambda row: read_history(row, self._plan, self._zone, now), self._directory
        )
        names = self._names()
        rows_of: dict[PastOperation, list[int]] = {}
        for number, customer_id in rows.customers.items():
            try:
                past = past_operation(rows.told[number], customer_id, names)
            except InvalidInput as error:
                rows.refuse(number, problem_of(error))
            else:
                rows_of.setdefault(past, []).append(number)
        in_time = sorted(rows_of, key=lambda past: past.ended_at)
        results = self._taking.take(in_time, chunk.name, source.created_by, now)
        for past, result in zip(in_time, results, strict=True):
            for number in rows_of[past]:
                if isinstance(result, RetornoError):
                    rows.refuse(number, problem_of(result))
                else:
                    is_new = result.is_new and number == rows_of[past][0]
                    rows.report(number, Outcome.CREATED if is_new else Outcome.UNCHANGED)
        return rows.in_order()

    def _names(self) -> Names:
        setup = self._setup
        return {
            "campaign": [(each.campaign_id, each.name) for each in setup.campaigns()],
            "action_type": [(each.code, each.name) for each in setup.action_types()],
            "outcome": [(each.code, each.name) for each in setup.outcomes()],
            "reason": [(each.code, each.name) for each in setup.reasons()],
        }


class Told(Protocol):
    @property
    def customer(self) -> Sought: ...


TellingT = TypeVar("TellingT", bound=Told)


class Rows(Generic[TellingT]):
    """The rows of a chunk: what each tells, whom it names, and what becomes of it; by number."""

    def __init__(self, chunk: Chunk) -> None:
        self._chunk = chunk
        self._problems: dict[int, Sequence[Problem]] = {}
        self._reports: dict[int, RowReport] = {}
        self.told: dict[int, TellingT] = {}
        self.customers: dict[int, str] = {}

    @classmethod
    def read(
        cls,
        chunk: Chunk,
        read: Callable[[Row], tuple[TellingT | None, Sequence[Problem]]],
        directory: CustomerDirectory,
    ) -> Self:
        """Those that cannot be read, or name no one customer, are refused. Raises Unavailable."""
        rows = cls(chunk)
        for row in chunk.rows:
            told, rows._problems[row.number] = read(row)
            if told:
                rows.told[row.number] = told
            else:
                rows.refuse(row.number)
        found = directory.find([told.customer for told in rows.told.values()])
        for (number, told), ids in zip(rows.told.items(), found, strict=True):
            if len(ids) == 1:
                rows.customers[number] = ids[0]
            else:
                rows.refuse(number, _not_found(told.customer, len(ids)))
        return rows

    def refuse(self, number: int, *problems: Problem) -> None:
        self._problems[number] = [*self._problems[number], *problems]
        self.report(number, Outcome.REFUSED)

    def report(self, number: int, outcome: Outcome) -> None:
        self._reports[number] = RowReport(
            number=number,
            outcome=outcome,
            record_id=self.customers.get(number),
            problems=tuple(self._problems[number]),
        )

    def in_order(self) -> list[RowReport]:
        return [self._reports[row.number] for row in self._chunk.rows]


def _not_found(sought: Sought, count: int) -> Problem:
    (name,) = sought.model_fields_set
    field = "phone" if name == "number_key" else name
    reason = f"is of {count} customers: say a code" if count else "is no customer's"
    return Problem(field=field, reason=reason)


def _turns(rows: Mapping[int, str]) -> Iterator[list[tuple[int, str]]]:
    """Rows with their customers, in which each customer is named once; what comes later of one
    comes in a later turn."""
    while rows:
        first: dict[str, int] = {}
        for number, customer_id in rows.items():
            first.setdefault(customer_id, number)
        yield [(number, customer_id) for customer_id, number in first.items()]
        taken = set(first.values())
        rows = {number: each for number, each in rows.items() if number not in taken}


def _wish(told: LinkTold) -> LinkWish | None:
    if told.unlinks:
        return None
    kind = NewcomerWish if told.keeps_agent else LinkWish
    return kind(agent=told.agent, priority=told.priority)


def problem_of(error: RetornoError) -> Problem:
    if isinstance(error, InvalidInput):
        return Problem(field=error.field, reason=error.reason)
    return Problem(field="row", reason=str(error))


# --- Jobs ---------------------------------------------------------------------------------------


def _report(number: int, customer_id: str, result: Linked | RetornoError) -> RowReport:
    if isinstance(result, Linked):
        outcome = Outcome(result.done.value)
        return RowReport(number=number, outcome=outcome, record_id=customer_id)
    return RowReport(
        number=number,
        outcome=Outcome.REFUSED,
        record_id=customer_id,
        problems=(problem_of(result),),
    )


class FilterLinking:
    """Links the customers who suit a filter; a PageTaker. Its position is that of customers by
    name, and in a page only those are linked who were not yet."""

    def __init__(self, linking: Linking, customers: CustomerRecords) -> None:
        self._linking = linking
        self._customers = customers

    def take(self, task: Task, now: datetime) -> Page:
        """Raises NotFound where the campaign is gone, Unavailable."""
        asked = LinkingByFilter.model_validate(task.parameters)
        page = self._customers.by_name(asked.filter.name or "", PAGE, task.position)
        suiting = [
            each.stored.customer for each in page.items if asked.filter.takes(each.stored.customer)
        ]
        ids = [customer.customer_id for customer in suiting]
        known = self._linking.in_campaign(asked.campaign, ids) if ids else {}
        wishes: list[tuple[str, LinkWish | None]] = []
        turn = task.counts.created
        for customer in suiting:
            before = known.get(customer.customer_id)
            is_new = before is None or before.was_marked(task.task_id)
            agent = asked.agent_of(customer, turn) if is_new else None
            turn += is_new
            # Not checked as a name: who looks after a customer is any text, and perhaps no agent.
            wish = NewcomerWish.model_construct(
                agent=agent, priority=asked.priority if is_new else None
            )
            wishes.append((customer.customer_id, wish))
        results = self._linking.link_many(
            asked.campaign, wishes, task.created_by, now, task.task_id
        )
        reports = (
            _report(number, customer_id, result)
            for number, (customer_id, result) in enumerate(
                zip(ids, results, strict=True), task.counts.done + 1
            )
        )
        return Page(reports=tuple(reports), next_position=page.next_start)


class PortfolioMoving:
    """Gives an agent's customers to another, campaign by campaign; a PageTaker."""

    def __init__(self, linking: Linking) -> None:
        self._linking = linking

    def take(self, task: Task, now: datetime) -> Page:
        """Raises NotFound where a campaign is gone, Unavailable."""
        asked = PortfolioMove.model_validate(task.parameters["move"])
        campaigns: Sequence[str] = task.parameters["campaigns"]
        position = task.position or {"campaign": 0, "start": None}
        if not campaigns:
            return Page(reports=(), next_position=None)
        moved = self._linking.move(
            campaigns[position["campaign"]],
            asked.from_agent,
            asked.to_agent,
            asked.states,
            task.created_by,
            now,
            task.task_id,
            position["start"],
        )
        reports = (
            _report(number, customer_id, result)
            for number, (customer_id, result) in enumerate(
                moved.results.items(), task.counts.done + 1
            )
        )
        return Page(
            reports=tuple(reports),
            next_position=_next(position, moved.next_start, len(campaigns)),
        )


def _next(
    position: Mapping[str, Any], start: str | None, campaigns: int
) -> Mapping[str, Any] | None:
    if start:
        return {**position, "start": start}
    following = position["campaign"] + 1
    return {"campaign": following, "start": None} if following < campaigns else None


class Checking:
    """Finds what is wrong with a wish before a job begins."""

    def __init__(self, setup: Setup, agents: Agents) -> None:
        self._setup = setup
        self._agents = agents

    def campaign(self, campaign_id: str) -> Campaign:
        """Raises InvalidInput where there is none, Unavailable."""
        try:
            return self._setup.campaign(campaign_id)
        except NotFound as error:
            raise InvalidInput("campaign", str(error)) from None

    def linking(self, asked: LinkingByFilter) -> None:
        """Raises InvalidInput, also for an agent who is not of the team; Unavailable."""
        campaign = self.campaign(asked.campaign)
        for index, agent in enumerate(asked.agents):
            check_of_team(self._agents, agent, campaign, f"agents.{index}")

    def moving(self, asked: PortfolioMove, today: date) -> Sequence[str]:
        """The campaigns that are concerned. Who of several is not of a team is told in the report.

        Raises InvalidInput, Unavailable.
        """
        if asked.campaign:
            check_of_team(self._agents, asked.to_agent, self.campaign(asked.campaign), "to_agent")
            return [asked.campaign]
        try:
            if asked.to_agent:
                self._agents.one(asked.to_agent)
        except NotFound:
            raise InvalidInput("to_agent", "is not registered") from None
        return [each.campaign_id for each in self._setup.campaigns() if each.runs_on(today)]

    def file(self, asked: FileWish, zone: ZoneInfo) -> None:
        """Raises InvalidInput, Unavailable."""
        asked.period(zone)
        if asked.campaign:
            self.campaign(asked.campaign)


# --- Files that go out --------------------------------------------------------------------------


class OfCustomer(Protocol):
    @property
    def customer_id(self) -> str: ...


ToldT = TypeVar("ToldT", bound=OfCustomer)


class TelemarketingExport:
    """The operations, or the history, of campaigns as rows, in the order of time."""

    def __init__(
        self,
        setup: Setup,
        operations: ReadOperations,
        entries: ReadEntries,
        directory: CustomerDirectory,
        zone: ZoneInfo,
    ) -> None:
        self._setup = setup
        self._operations = operations
        self._entries = entries
        self._directory = directory
        self._zone = zone

    def __call__(self, export: Export) -> Iterator[list[str]]:
        """The header first. Raises Unavailable."""
        asked = FileWish.model_validate(export.parameters)
        period = asked.period(self._zone)
        campaigns = [asked.campaign] if asked.campaign else self._all_campaigns()
        if asked.what is What.OPERATIONS:
            yield OPERATION_HEADER
            for campaign in campaigns:
                for operation, customer in self._with_customers(self._operations(campaign, period)):
                    yield operation_row(operation, customer, self._zone)
        else:
            yield ENTRY_HEADER
            for campaign in campaigns:
                for entry, customer in self._with_customers(self._entries(campaign, period)):
                    yield entry_row(entry, customer, self._zone)

    def _all_campaigns(self) -> list[str]:
        return [each.campaign_id for each in self._setup.campaigns()]

    def _with_customers(self, told: Iterator[ToldT]) -> Iterator[tuple[ToldT, Customer | None]]:
        while some := list(islice(told, PAGE)):
            customers = self._directory.some([each.customer_id for each in some])
            for each in some:
                yield each, customers.get(each.customer_id)


def checking(settings: ManageTelemarketingFileSettings) -> Checking:
    return Checking(setup(settings), agents(settings))


def telemarketing_import(settings: TelemarketingTransferSettings) -> ChunkTaking:
    directory = customer_directory(settings)
    plan, zone = settings.number_plan, settings.time_zone
    taking = history_taking(settings)
    takers: dict[str, RowTaker] = {
        LINK_ROWS: LinkImport(linking(settings), directory, plan),
        HISTORY_ROWS: HistoryImport(taking, setup(settings), directory, plan, zone),
    }
    return chunk_taking(takers, settings)


def telemarketing_jobs(settings: TelemarketingJobSettings) -> TaskRunning:
    links = linking(settings)
    takers: dict[str, PageTaker] = {
        LINKING_BY_FILTER: FilterLinking(links, customer_records(settings)),
        PORTFOLIO_MOVE: PortfolioMoving(links),
    }
    return task_running(takers, settings.telemarketing_jobs_queue, settings)


def telemarketing_export(settings: TelemarketingTransferSettings) -> TelemarketingExport:
    return TelemarketingExport(
        setup(settings),
        read_operations(settings),
        read_entries(settings),
        customer_directory(settings),
        settings.time_zone,
    )
