"""A person on the call list."""

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

from retorno.callbacks.model import OPEN, Contact, State, withdrawn
from retorno.callbacks.service import MAX_LISTS
from retorno.callbacks.store import ContactStore
from retorno.dynamodb import Refused
from retorno.persons import Erased, Person
from retorno.retention import KeptItem
from retorno.settings import FulfilPersonalDataSettings

REASON = "erased"


class ContactsOfPerson:
    """Nobody dials for them any more: who waits is taken off the list, and who is in a call is left
    until it is over. How often the number was dialled lately is forgotten.

    Missed calls that are blocked stay so: recovery is told nothing.
    """

    name = "call_list"

    def __init__(self, store: ContactStore) -> None:
        self._store = store

    def show(self, person: Person) -> Iterator[Mapping[str, Any]]:
        for number_key in person.number_keys:
            for contact in self._store.of_number(number_key, MAX_LISTS):
                yield contact.model_dump(mode="json", exclude_none=True)

    def erase(self, person: Person, now: datetime) -> Iterator[Erased]:
        for number_key in person.number_keys:
            for contact in self._store.of_number(number_key, MAX_LISTS):
                if contact.number_key == number_key:
                    yield self._erase(contact, person, now)
            if self._store.delete_log(number_key):
                yield Erased.DONE

    def kept(self, person: Person) -> Iterator[KeptItem]:
        for number_key in person.number_keys:
            yield from self._store.kept_of_number(number_key, MAX_LISTS)

    def _erase(self, contact: Contact, person: Person, now: datetime) -> Erased:
        ended = withdrawn(contact, State.CANCELLED, REASON, now)
        if ended.state in OPEN:
            return Erased.LATER
        erased = {"number": person.instead_of(contact.number), "note": None}
        try:
            self._store.save(ended.model_copy(update=erased))
        except Refused:
            return Erased.LATER
        return Erased.DONE


def contacts_of_person(settings: FulfilPersonalDataSettings) -> ContactsOfPerson:
    return ContactsOfPerson(ContactStore(settings.contacts_table, settings.calls_kept_days))
