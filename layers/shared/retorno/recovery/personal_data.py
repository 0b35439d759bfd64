"""Missed calls of a person, and the calls that bear on them."""

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

from retorno.persons import Erased, Person
from retorno.recovery.store import RecoveryStore
from retorno.retention import KeptItem
from retorno.settings import PartTableSettings


class MissedCallsOfPerson:
    """They go to the pseudonym's partition as they were decided; what is open there stays so until
    it expires, and nobody is dialled for it. Whoever follows the stream finds one missed call less
    and one more, which are counted by themselves.

    This comes before the calls: of a call whose part was moved, matching has nothing to do.
    """

    name = "missed_calls"

    def __init__(self, store: RecoveryStore) -> None:
        self._store = store

    def show(self, person: Person) -> Iterator[Mapping[str, Any]]:
        for number_key in person.number_keys:
            for found in self._store.of_number(number_key):
                yield found.missed_call.model_dump(mode="json", exclude_none=True)

    def erase(self, person: Person, now: datetime) -> Iterator[Erased]:
        for number_key, pseudonym in person.number_keys.items():
            for moved in self._store.rename(number_key, pseudonym):
                yield Erased.DONE if moved else Erased.LATER

    def kept(self, person: Person) -> Iterator[KeptItem]:
        for number_key in person.number_keys:
            yield from self._store.kept_of_number(number_key)


def missed_calls_of_person(settings: PartTableSettings) -> MissedCallsOfPerson:
    return MissedCallsOfPerson(RecoveryStore(settings.recoveries_table))
