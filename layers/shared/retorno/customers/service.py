"""What is done with customers: kept by people, found by name and number, linked to calls."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from typing import TypeVar
from uuid import uuid4

from retorno.customers.lookup import Lookup
from retorno.customers.model import (
    Choice,
    Customer,
    CustomerDraft,
    Link,
    NumberLine,
    Place,
    Sought,
    Stored,
    link,
    name_key,
)
from retorno.customers.rows import as_id
from retorno.customers.store import Changed, CustomerStore, IdPage, Saving, claim_of
from retorno.errors import InvalidInput, NotFound, PreconditionFailed, Unavailable
from retorno.phone import NumberPlan
from retorno.settings import CustomerSettings

T = TypeVar("T")

# Each loser of a race looks again at what the winner wrote; so many losses are no race.
MAX_ATTEMPTS = 20

# Of more, whoever searches writes more of the name.
MAX_FOUND = 500

# A page of calls asks for many numbers at once; more threads than this only wait for a processor.
LOOKUP_THREADS = 16


def new_id() -> str:
    return str(uuid4())


@dataclass(frozen=True, slots=True)
class Found:
    """A customer, and where the number that was asked for stands with them."""

    stored: Stored
    places: Sequence[Place] = ()


@dataclass(frozen=True, slots=True)
class FoundPage:
    """Where the next page begins is None at the end."""

    items: Sequence[Found]
    next_start: Mapping[str, str] | None


class CustomerRecords:
    """Keeps customers for people. `expected` is the version that a person saw, None for any."""

    def __init__(
        self, store: CustomerStore, plan: NumberPlan, new_id: Callable[[], str] = new_id
    ) -> None:
        self._store = store
        self._plan = plan
        self._new_id = new_id

    def one(self, customer_id: str) -> Stored:
        """Raises NotFound, Unavailable."""
        found = self._store.get(customer_id)
        if found is None:
            raise NotFound("there is no such customer")
        return found

    def create(self, draft: CustomerDraft, now: datetime) -> Stored:
        """Raises InvalidInput; Conflict for another's document or code; Unavailable."""
        customer = draft.customer(self._new_id(), self._plan, self._new_id)
        return self._store.save(Saving(customer), now)

    def replace(
        self, customer_id: str, draft: CustomerDraft, expected: int | None, now: datetime
    ) -> Stored:
        """All of a customer. Since when a number is theirs stays known.

        Raises NotFound, PreconditionFailed, InvalidInput; Conflict for another's document or
        code; Unavailable.
        """
        customer = draft.customer(customer_id, self._plan, self._new_id)
        return self._decided(
            customer_id, expected, lambda before: self._store.save(Saving(customer, before), now)
        )

    def delete(self, customer_id: str, expected: int | None) -> None:
        """Raises NotFound, PreconditionFailed, Unavailable."""
        self._decided(customer_id, expected, self._store.delete)

    def _decided(self, customer_id: str, expected: int | None, write: Callable[[Stored], T]) -> T:
        for _ in range(MAX_ATTEMPTS):
            before = self.one(customer_id)
            if expected not in (None, before.version):
                raise PreconditionFailed("the customer was changed since; look at it again")
            try:
                return write(before)
            except Changed:
                continue
        raise Unavailable("the customer is being written by too many at once")

    def by_name(self, prefix: str, limit: int, start: Mapping[str, str] | None) -> FoundPage:
        """Those whose name begins so, accents and case aside; in the order of names.

        Raises InvalidInput for a `start` of another list, Unavailable.
        """
        page = self._store.by_name(prefix, limit, start)
        return self._found(page, lambda _: ())

    def by_number(self, number: str, limit: int, start: Mapping[str, str] | None) -> FoundPage:
        """Those who have a number in any written form. Raises InvalidInput, Unavailable."""
        parsed = self._plan.parse(number)
        if parsed is None:
            raise InvalidInput("number", "is not a phone number")
        key = parsed.match_key
        page = self._store.holders(key, limit, start)
        return self._found(page, lambda customer: customer.numbers().get(key, ()))

    def _found(self, page: IdPage, places: Callable[[Customer], Sequence[Place]]) -> FoundPage:
        stored = self._store.get_many(page.customer_ids)
        found = [stored[each] for each in page.customer_ids if each in stored]
        return FoundPage([Found(each, places(each.customer)) for each in found], page.next_start)


class CustomerDirectory:
    """Says whose calls, codes, documents and numbers are."""

    def __init__(self, store: CustomerStore) -> None:
        self._store = store

    def links(self, lookups: Sequence[Lookup]) -> list[Link]:
        """The link of each call, in their order; each number is looked up once.

        Raises Unavailable.
        """
        lines = self._lines(lookup.number_key for lookup in lookups)
        wanted = {lookup.chosen for lookup in lookups if lookup.chosen}
        for line in lines.values():
            wanted |= line.holders.keys()
            wanted |= {choice.customer_id for choice in line.choices if choice.customer_id}
        stored = self._store.get_many(sorted(wanted))
        existing = {customer_id: each.customer for customer_id, each in stored.items()}
        return [
            link(lookup, lines.get(lookup.number_key or "", NumberLine()), existing)
            for lookup in lookups
        ]

    def _lines(self, number_keys: Iterable[str | None]) -> dict[str, NumberLine]:
        distinct = sorted({key for key in number_keys if key})
        if not distinct:
            return {}
        with ThreadPoolExecutor(min(LOOKUP_THREADS, len(distinct))) as pool:
            return dict(zip(distinct, pool.map(self._store.line, distinct), strict=True))

    def remember(self, number_key: str, customer_id: str | None, call_began_at: datetime) -> None:
        """From this call on, calls of the number are that customer's; None takes a choice back.

        What was chosen at later calls stands. Raises Unavailable.
        """
        self._store.remember(number_key, Choice(at=call_began_at, customer_id=customer_id))

    def find(self, sought: Sequence[Sought]) -> list[Sequence[str]]:
        """The ids of those whom each may be, in their order: of a number, all who have it now.

        Whether there is a customer of an id is not looked up. Raises Unavailable.
        """
        claims = self._store.claimants(
            (each.document for each in sought if each.document),
            (each.code for each in sought if each.code),
        )
        lines = self._lines(each.number_key for each in sought)
        return [_whom(each, claims, lines) for each in sought]

    def some(self, customer_ids: Sequence[str]) -> dict[str, Customer]:
        """Those that exist, by id. Raises Unavailable."""
        stored = self._store.get_many(customer_ids, at_this_moment=True)
        return {customer_id: each.customer for customer_id, each in stored.items()}

    def exists(self, customer_id: str) -> bool:
        """Raises Unavailable."""
        return self._store.get(customer_id) is not None


def _whom(
    sought: Sought, claims: Mapping[str, str], lines: Mapping[str, NumberLine]
) -> Sequence[str]:
    found: str | None = None
    if sought.customer_id:
        found = sought.customer_id
    elif sought.code:
        found = claims.get(claim_of("code", sought.code)) or as_id(sought.code)
    elif sought.document:
        found = claims.get(claim_of("document", sought.document))
    elif sought.number_key:
        return list(lines[sought.number_key].holders)
    return [found] if found else []


class CustomerFinding:
    """Finds customers by whatever somebody knows of them."""

    def __init__(self, store: CustomerStore, plan: NumberPlan) -> None:
        self._store = store
        self._plan = plan

    def by_text(self, text: str) -> dict[str, Customer]:
        """Whose number, code or document it is, or whose name begins so: of the latter the first
        500. By id. Raises Unavailable.
        """
        ids = list(self._store.claimants([text], [text]).values())
        number = self._plan.parse(text)
        if number:
            ids += self._store.holders(number.match_key, MAX_FOUND).customer_ids
        if name_key(text):
            ids += self._store.by_name(text, MAX_FOUND).customer_ids
        return {each: stored.customer for each, stored in self._store.get_many(ids).items()}


def customer_records(settings: CustomerSettings) -> CustomerRecords:
    return CustomerRecords(CustomerStore(settings.customers_table), settings.number_plan)


def customer_finding(settings: CustomerSettings) -> CustomerFinding:
    return CustomerFinding(CustomerStore(settings.customers_table), settings.number_plan)


def customer_directory(settings: CustomerSettings) -> CustomerDirectory:
    return CustomerDirectory(CustomerStore(settings.customers_table))
