"""Customers that come as rows of a file, and go out as such."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from retorno.customers.model import Customer, Stored
from retorno.customers.rows import HEADER, Told, merge, read, written
from retorno.customers.service import new_id
from retorno.customers.store import CustomerStore, Saving, claim_of
from retorno.errors import Unavailable
from retorno.imports.model import Chunk, Export, Import, Outcome, Problem, RowReport
from retorno.imports.service import ChunkTaking, chunk_taking
from retorno.phone import NumberPlan
from retorno.settings import CustomerTransferSettings

# What imports and exports of customers are called.
KIND = "customers"

# Each loser of a race looks again at what the winner wrote; so many losses are no race.
MAX_ATTEMPTS = 20

# How many customers an export asks the index for: their keys are less than the megabyte of a page.
PAGE = 5_000


@dataclass(frozen=True, slots=True)
class Reading:
    """What a row tells, and what of it could not be read."""

    number: int
    told: Told
    problems: Sequence[Problem]


@dataclass(slots=True)
class Plan:
    """What becomes of a customer, and of each row that tells of it, by number.

    Of rows that an earlier run of the same chunk wrote, the outcome is what it was then.
    """

    before: Stored | None
    customer: Customer | None
    outcomes: dict[int, Outcome] = field(default_factory=dict)
    problems: dict[int, Sequence[Problem]] = field(default_factory=dict)


class Merging:
    """Merges rows into customers, in the order of the rows.

    `claims` says whose each document and each code is, `stored` which customers there are.
    """

    def __init__(
        self,
        claims: Mapping[str, str],
        stored: Mapping[str, Stored],
        new_id: Callable[[], str],
    ) -> None:
        self._claims = dict(claims)
        self._stored = stored
        self._new_id = new_id
        self.plans: dict[str, Plan] = {}

    def add(self, reading: Reading) -> None:
        told, problems = reading.told, list(reading.problems)
        customer_id = self._customer_id(told)
        if told.document and self._owner("document", told.document) not in (None, customer_id):
            problems.append(Problem(field="document", reason="another customer has it"))
            told = told.model_copy(update={"document": None})
        plan = self.plans.setdefault(customer_id, self._untouched(customer_id))
        customer, unfit = merge(told, customer_id, plan.customer, self._new_id)
        if plan.customer is None:
            plan.outcomes[reading.number] = Outcome.CREATED
        else:
            is_new = customer != plan.customer
            plan.outcomes[reading.number] = Outcome.UPDATED if is_new else Outcome.UNCHANGED
        plan.customer = customer
        plan.problems[reading.number] = [*problems, *unfit]
        for name in ("document", "code"):
            if value := getattr(customer, name):
                self._claims[claim_of(name, value)] = customer_id

    def _customer_id(self, told: Told) -> str:
        """By the code, else by the document; that of a customer of another code is not it."""
        if told.code:
            owner = self._owner("code", told.code)
            if owner or self._customer(told.customer_id):
                return owner or told.customer_id
        if told.document:
            owner = self._owner("document", told.document)
            known = self._customer(owner) if owner else None
            if known and not (told.code and known.code):
                return known.customer_id
        return told.customer_id

    def _owner(self, name: str, value: str) -> str | None:
        return self._claims.get(claim_of(name, value))

    def _customer(self, customer_id: str) -> Customer | None:
        return self.plans.get(customer_id, self._untouched(customer_id)).customer

    def _untouched(self, customer_id: str) -> Plan:
        before = self._stored.get(customer_id)
        return Plan(before, before.customer if before else None)


class CustomerImport:
    """Takes rows that tell of customers; a RowTaker."""

    def __init__(
        self, store: CustomerStore, plan: NumberPlan, new_id: Callable[[], str] = new_id
    ) -> None:
        self._store = store
        self._plan = plan
        self._new_id = new_id

    def take(self, chunk: Chunk, source: Import, now: datetime) -> list[RowReport]:
        """One report a row, in their order; the same when the chunk is taken again.

        Raises Unavailable.
        """
        reports: dict[int, RowReport] = {}
        readings: list[Reading] = []
        for row in chunk.rows:
            told, problems = read(row, self._plan)
            if told:
                readings.append(Reading(row.number, told, problems))
            else:
                reports[row.number] = RowReport(
                    number=row.number, outcome=Outcome.REFUSED, problems=tuple(problems)
                )
        for _ in range(MAX_ATTEMPTS):
            if not readings:
                return [reports[row.number] for row in chunk.rows]
            for report in self._take(readings, chunk, now):
                reports[report.number] = report
            readings = [each for each in readings if each.number not in reports]
        raise Unavailable("the customers are being written by too many at once")

    def _take(
        self, readings: Sequence[Reading], chunk: Chunk, now: datetime
    ) -> Iterator[RowReport]:
        """Reports the rows that were taken: not those of a customer whom someone wrote since."""
        plans = self._plans(readings, chunk)
        savings = [
            Saving(plan.customer, plan.before, _mark(chunk, plan.outcomes))
            for plan in plans.values()
            if plan.customer and (plan.before is None or plan.customer != plan.before.customer)
        ]
        failed = {each.customer.customer_id for each in self._store.save_many(savings, now)}
        for customer_id in plans.keys() - failed:
            plan = plans[customer_id]
            for number, problems in plan.problems.items():
                yield RowReport(
                    number=number,
                    outcome=plan.outcomes[number],
                    record_id=customer_id,
                    problems=tuple(problems),
                )

    def _plans(self, readings: Sequence[Reading], chunk: Chunk) -> dict[str, Plan]:
        claims = self._store.claimants(
            (each.told.document for each in readings if each.told.document),
            (each.told.code for each in readings if each.told.code),
        )
        ids = {*claims.values(), *(each.told.customer_id for each in readings)}
        stored = self._store.get_many(sorted(ids), at_this_moment=True)
        merging = Merging(claims, stored, self._new_id)
        for reading in readings:
            merging.add(reading)
        for plan in merging.plans.values():
            plan.outcomes |= _outcomes(plan.before, chunk)
        return merging.plans


def _mark(chunk: Chunk, outcomes: Mapping[int, Outcome]) -> str:
    """Says with a customer what became of a chunk's rows, so that it can be told again if the
    chunk comes again: "<import>/<chunk> 2:created,3:updated"."""
    return f"{chunk.name} {','.join(f'{number}:{each}' for number, each in outcomes.items())}"


def _outcomes(stored: Stored | None, chunk: Chunk) -> dict[int, Outcome]:
    """What the customer's last version says of this chunk's rows."""
    name, _, outcomes = ((stored and stored.written_by) or "").partition(" ")
    if name != chunk.name:
        return {}
    pairs = (each.split(":") for each in outcomes.split(","))
    return {int(number): Outcome(outcome) for number, outcome in pairs}


class CustomerExport:
    """All customers as rows, in the order of names."""

    def __init__(self, store: CustomerStore) -> None:
        self._store = store

    def __call__(self, export: Export) -> Iterator[list[str]]:
        """The header first. Raises Unavailable."""
        yield HEADER
        start: Mapping[str, str] | None = None
        while True:
            page = self._store.by_name("", PAGE, start)
            stored = self._store.get_many(page.customer_ids)
            for customer_id in page.customer_ids:
                if customer_id in stored:
                    yield from written(stored[customer_id].customer)
            if page.next_start is None:
                return
            start = page.next_start


def customer_import(settings: CustomerTransferSettings) -> ChunkTaking:
    taker = CustomerImport(CustomerStore(settings.customers_table), settings.number_plan)
    return chunk_taking({KIND: taker}, settings)


def customer_export(settings: CustomerTransferSettings) -> CustomerExport:
    return CustomerExport(CustomerStore(settings.customers_table))
