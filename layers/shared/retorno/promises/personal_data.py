"""Times that were promised to a person."""

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

from retorno.dynamodb import Refused
from retorno.persons import Erased, Person
from retorno.promises.model import CANCELLABLE, Promise, State
from retorno.promises.store import PromiseStore
from retorno.retention import KeptItem
from retorno.settings import FulfilPersonalDataSettings

REASON = "erased"

INTERNAL = {"revision", "wish_digest", "check_at"}


class PromisesOfPerson:
    """Those to come are called off: their schedules fire, and find nothing to do."""

    name = "promises"

    def __init__(self, store: PromiseStore) -> None:
        self._store = store

    def show(self, person: Person) -> Iterator[Mapping[str, Any]]:
        for number in person.pseudonyms:
            for promise in self._store.of_number(number):
                yield promise.model_dump(mode="json", exclude=INTERNAL, exclude_none=True)

    def erase(self, person: Person, now: datetime) -> Iterator[Erased]:
        for number, pseudonym in person.pseudonyms.items():
            for promise in self._store.of_number(number):
                yield self._erase(promise, pseudonym)

    def kept(self, person: Person) -> Iterator[KeptItem]:
        for number in person.pseudonyms:
            yield from self._store.kept_of_number(number)

    def _erase(self, promise: Promise, pseudonym: str) -> Erased:
        if promise.state in CANCELLABLE:
            promise = promise.ended(State.CANCELLED, REASON)
        # A digest of what was asked for would tell the number to whoever tries all numbers.
        erased = {"number": pseudonym, "wish_digest": pseudonym, "note": None}
        try:
            self._store.save(promise.model_copy(update=erased))
        except Refused:
            return Erased.LATER
        return Erased.DONE


def promises_of_person(settings: FulfilPersonalDataSettings) -> PromisesOfPerson:
    return PromisesOfPerson(
        PromiseStore(settings.promises_table, settings.time_zone, settings.calls_kept_days)
    )
