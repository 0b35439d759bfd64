"""Asking for the erasure and the export of one person's data, and holds that keep all of it."""

from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import datetime
from uuid import uuid4

from retorno.calling_rules.model import Listing, Origin, Scope
from retorno.calling_rules.service import DoNotCallList, Wanted, do_not_call_list
from retorno.customers.model import Customer
from retorno.customers.personal_data import CustomersOfPerson, customers_of_person
from retorno.dynamodb import Refused
from retorno.errors import Conflict, InvalidInput, NotFound, Unavailable
from retorno.personal_data.files import Bucket
from retorno.personal_data.model import (
    ErasureWish,
    Hold,
    HoldWish,
    Kind,
    PersonWish,
    Request,
    State,
    masked,
    request_id_of,
)
from retorno.personal_data.store import PersonalDataStore
from retorno.persons import Person
from retorno.phone import ERASED, NumberPlan, PhoneNumber, match_key
from retorno.settings import PersonalDataSettings
from retorno.work import WorkQueue

# How often a hold is read again that somebody else wrote.
MAX_ATTEMPTS = 5

KIND = "kind"
REQUEST = "request_id"


class Persons:
    """Says who is meant by a number, and by a customer."""

    def __init__(self, customers: CustomersOfPerson, plan: NumberPlan) -> None:
        self._customers = customers
        self._plan = plan

    def meant(self, wish: PersonWish) -> Person:
        """By a number it is that number's owner: the customer who has it as their own, if there is
        one, and nobody's other numbers. By a customer it is all of them, and those of their numbers
        that no other customer has.

        Raises InvalidInput for what is no number; Conflict for the number of several customers;
        NotFound; Unavailable.
        """
        if wish.customer_id is not None:
            return self._customer(wish.customer_id)
        number = self.number(wish.number or "")
        own = [each.customer for each in self._customers.own(number.match_key)]
        if len(own) > 1:
            raise Conflict("several customers have this number: say which, by customer_id")
        return _person([number.e164], own)

    def number(self, written: str) -> PhoneNumber:
        """Raises InvalidInput."""
        number = self._plan.parse(written)
        if number is None:
            raise InvalidInput("number", "is not a phone number")
        return number

    def _customer(self, customer_id: str) -> Person:
        stored = self._customers.one(customer_id)
        if stored is None:
            raise NotFound("there is no such customer")
        customer = stored.customer
        reached = (customer, *customer.branches, *customer.contacts)
        numbers = dict.fromkeys(number for each in reached for _, number in each.lines())
        theirs = [
            number
            for number in numbers
            if self._customers.holders(match_key(number)) == {customer_id}
        ]
        return _person(theirs, [customer])


def _person(numbers: Sequence[str], customers: Sequence[Customer]) -> Person:
    return Person(
        pseudonyms={number: f"{ERASED}{uuid4().hex}" for number in numbers},
        customers=tuple(customer.customer_id for customer in customers),
        words=tuple(word for customer in customers for word in _words(customer)),
    )


def _words(customer: Customer) -> list[str]:
    """What a file may name them by. A single name is many people's."""
    names = [name for name in (customer.name,) if " " in name]
    return [*names, *([customer.document] if customer.document else [])]


class PersonalDataRequests:
    """What people ask for."""

    def __init__(
        self,
        store: PersonalDataStore,
        persons: Persons,
        forbidden: DoNotCallList,
        queue: WorkQueue,
        files: Bucket,
    ) -> None:
        self._store = store
        self._persons = persons
        self._forbidden = forbidden
        self._queue = queue
        self._files = files

    def erase(self, wish: ErasureWish, key: str, user: str, now: datetime) -> Request:
        """Asked again with the same key it is the same erasure.

        Raises InvalidInput, NotFound; Conflict where a hold forbids it, or where the number is
        several customers'; Unavailable.
        """
        asked = self._asked(Kind.ERASURE, key, user, now)
        if asked:
            return asked
        person = self._persons.meant(wish)
        for number_key in person.number_keys:
            hold = self._store.hold(number_key)
            if hold and not hold.lifted_at:
                since = f"{hold.placed_at:%Y-%m-%d}"
                raise Conflict(f"held by {hold.placed_by} since {since}: {hold.reason}")
        if wish.also_do_not_call:
            listing = Listing(origin=Origin.CUSTOMER, scope=Scope.ALL)
            for number in person.pseudonyms:
                self._forbidden.put(Wanted(number, listing), user, now)
        return self._begin(Kind.ERASURE, wish, person, key, user, now)

    def export(self, wish: PersonWish, key: str, user: str, now: datetime) -> Request:
        """Asked again with the same key it is the same export.

        Raises InvalidInput, NotFound; Conflict where the number is several customers'; Unavailable.
        """
        asked = self._asked(Kind.EXPORT, key, user, now)
        return asked or self._begin(Kind.EXPORT, wish, self._persons.meant(wish), key, user, now)

    def _asked(self, kind: Kind, key: str, user: str, now: datetime) -> Request | None:
        found = self._store.request(kind, request_id_of(kind, user, key))
        if found and not found.is_over:
            # Whoever asked first may not have come to this.
            self._send(found, now)
        return found

    def _begin(
        self, kind: Kind, wish: PersonWish, person: Person, key: str, user: str, now: datetime
    ) -> Request:
        request = Request(
            request_id=request_id_of(kind, user, key),
            kind=kind,
            known_as=wish.customer_id or masked(next(iter(person.pseudonyms))),
            reason=wish.reason,
            asked_at=now,
            asked_by=user,
            person=person,
        )
        try:
            request = self._store.save(request)
        except Refused:
            request = self.one(kind, request.request_id)
        self._send(request, now)
        return request

    def _send(self, request: Request, now: datetime) -> None:
        self._queue.send({KIND: request.kind, REQUEST: request.request_id}, now)

    def one(self, kind: Kind, request_id: str) -> Request:
        """Raises NotFound, Unavailable."""
        found = self._store.request(kind, request_id)
        if found is None:
            raise NotFound(f"there is no such {kind}")
        return found

    def download_url(self, request: Request) -> str | None:
        """None while there is no file yet."""
        return self._files.export_url(request.request_id) if request.state is State.DONE else None

    # --- Holds ------------------------------------------------------------------------------------

    def hold(self, number: str, wish: HoldWish, user: str, now: datetime) -> Hold:
        """Placed again it has the last reason. An erasure that has begun stops.

        Raises InvalidInput, Unavailable.
        """
        parsed = self._persons.number(number)
        new = Hold(number=parsed.e164, reason=wish.reason, placed_at=now, placed_by=user)

        def place(found: Hold | None) -> Hold:
            known = found or new
            kept = {"customers": known.customers, "revision": known.revision}
            return new.model_copy(update=kept)

        return self._change_hold(parsed, place, now)

    def held(self, number: str) -> Hold:
        """Raises InvalidInput, NotFound, Unavailable."""
        return _placed(self._store.hold(self._persons.number(number).match_key))

    def lift(self, number: str, now: datetime) -> None:
        """What it held is released soon: until then it is shown as lifted.

        Raises InvalidInput, NotFound, Unavailable.
        """

        def lift(found: Hold | None) -> Hold:
            hold = _placed(found)
            return hold.model_copy(update={"lifted_at": hold.lifted_at or now})

        self._change_hold(self._persons.number(number), lift, now)

    def _change_hold(
        self, number: PhoneNumber, change: Callable[[Hold | None], Hold], now: datetime
    ) -> Hold:
        for _ in range(MAX_ATTEMPTS):
            with suppress(Refused):
                hold = self._store.save_hold(change(self._store.hold(number.match_key)))
                self._queue.send({KIND: Kind.HOLD, REQUEST: number.match_key}, now)
                return hold
        raise Unavailable("the hold is being written by too many at once")


def _placed(hold: Hold | None) -> Hold:
    if hold is None:
        raise NotFound("there is no hold on this number")
    return hold


def personal_data_requests(settings: PersonalDataSettings) -> PersonalDataRequests:
    return PersonalDataRequests(
        PersonalDataStore(settings.personal_data_table),
        Persons(customers_of_person(settings), settings.number_plan),
        do_not_call_list(settings),
        WorkQueue(settings.personal_data_queue),
        Bucket(settings.files_bucket),
    )
