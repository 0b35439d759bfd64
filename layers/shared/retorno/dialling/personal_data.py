"""Calls that were placed to a person."""

from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from typing import Any

from retorno.dialling.model import Dial, DialState
from retorno.dialling.store import DialStore
from retorno.dynamodb import Refused
from retorno.persons import Erased, Person
from retorno.retention import KeptItem
from retorno.settings import FulfilPersonalDataSettings

# Whoever places a call knows of it by then, or never will.
SETTLED_AFTER = timedelta(hours=1)
UNSETTLED = frozenset({DialState.RESERVED, DialState.UNCERTAIN})

INTERNAL = {"revision", "owner", "wish_digest"}


class DialsOfPerson:
    name = "dials"

    def __init__(self, store: DialStore) -> None:
        self._store = store

    def show(self, person: Person) -> Iterator[Mapping[str, Any]]:
        for number in person.pseudonyms:
            for dial in self._store.of_number(number):
                yield dial.model_dump(mode="json", exclude=INTERNAL, exclude_none=True)

    def erase(self, person: Person, now: datetime) -> Iterator[Erased]:
        for number, pseudonym in person.pseudonyms.items():
            for dial in self._store.of_number(number):
                yield self._erase(dial, pseudonym, now)

    def kept(self, person: Person) -> Iterator[KeptItem]:
        for number in person.pseudonyms:
            yield from self._store.kept_of_number(number)

    def _erase(self, dial: Dial, pseudonym: str, now: datetime) -> Erased:
        if dial.state in UNSETTLED and now < dial.ordered_at + SETTLED_AFTER:
            return Erased.LATER
        # A digest of what was asked for would tell the number to whoever tries all numbers.
        erased = {"number": pseudonym, "wish_digest": pseudonym, "reason": None, "owner": ""}
        try:
            self._store.save(dial.model_copy(update=erased))
        except Refused:
            return Erased.LATER
        return Erased.DONE


def dials_of_person(settings: FulfilPersonalDataSettings) -> DialsOfPerson:
    return DialsOfPerson(DialStore(settings.dials_table, settings.calls_kept_days))
