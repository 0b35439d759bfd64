"""Whose a number is, and what is known of a person as a customer."""

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any, TypeVar

from retorno.customers.model import Customer, Reached, Stored
from retorno.customers.store import Changed, CustomerStore, Saving
from retorno.persons import Erased, Person
from retorno.phone import match_key
from retorno.settings import CustomerSettings

ReachedT = TypeVar("ReachedT", bound=Reached)


class CustomersOfPerson:
    """Their own records go. From those of others, in which their number is a contact's or a
    branch's, the contact goes, or the branch's number.
    """

    name = "customers"

    def __init__(self, store: CustomerStore) -> None:
        self._store = store

    def own(self, number_key: str) -> list[Stored]:
        """Those who have a number as their own, and not as a contact's or a branch's. Raises
        Unavailable.
        """
        return [
            each for each in self._holders(number_key) if _has_as_own(each.customer, number_key)
        ]

    def holders(self, number_key: str) -> frozenset[str]:
        """The ids of all in whose records a number stands. Raises Unavailable."""
        return frozenset(self._store.all_holders(number_key))

    def one(self, customer_id: str) -> Stored | None:
        """Raises Unavailable."""
        return self._store.get(customer_id)

    def show(self, person: Person) -> Iterator[Mapping[str, Any]]:
        for stored in self._store.get_many(person.customers, at_this_moment=True).values():
            yield stored.customer.model_dump(mode="json", exclude_none=True)
        for number_key in person.number_keys:
            for stored in self._holders(number_key):
                customer = stored.customer
                if customer.customer_id not in person.customers:
                    places = customer.numbers().get(number_key, [])
                    yield {
                        "customer_id": customer.customer_id,
                        "places": [each.model_dump(exclude_none=True) for each in places],
                    }

    def erase(self, person: Person, now: datetime) -> Iterator[Erased]:
        for number_key in person.number_keys:
            if self._store.forget_choices(number_key):
                yield Erased.DONE
            for stored in self._holders(number_key):
                if stored.customer.customer_id not in person.customers:
                    customer = _without(stored.customer, number_key)
                    yield self._save(Saving(customer, stored), now)
        for stored in self._store.get_many(person.customers, at_this_moment=True).values():
            yield self._delete(stored)

    def _holders(self, number_key: str) -> list[Stored]:
        ids = list(self._store.all_holders(number_key))
        return list(self._store.get_many(ids, at_this_moment=True).values())

    def _save(self, saving: Saving, now: datetime) -> Erased:
        try:
            self._store.save(saving, now)
        except Changed:
            return Erased.LATER
        return Erased.DONE

    def _delete(self, stored: Stored) -> Erased:
        try:
            self._store.delete(stored)
        except Changed:
            return Erased.LATER
        return Erased.DONE


def _has_as_own(customer: Customer, number_key: str) -> bool:
    places = customer.numbers().get(number_key, [])
    return any(place.branch is None and place.contact is None for place in places)


def _without(customer: Customer, number_key: str) -> Customer:
    """Without the contacts that have a number, and without it where it is a branch's or, beside
    another person's, the customer's own."""

    def has(number: str | None) -> bool:
        return number is not None and match_key(number) == number_key

    def cleared(reached: ReachedT) -> ReachedT:
        return reached.model_copy(
            update={name: None for name in ("phone", "mobile") if has(getattr(reached, name))}
        )

    others = (each for each in customer.contacts if not (has(each.phone) or has(each.mobile)))
    return cleared(customer).model_copy(
        update={
            "branches": tuple(map(cleared, customer.branches)),
            "contacts": tuple(others),
        }
    )


def customers_of_person(settings: CustomerSettings) -> CustomersOfPerson:
    return CustomersOfPerson(CustomerStore(settings.customers_table))
