"""A person on the do-not-call list."""

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

from retorno.calling_rules.service import DoNotCallList, do_not_call_list
from retorno.persons import Erased, Person
from retorno.settings import DoNotCallSettings


class DoNotCallOfPerson:
    """Their entries stay: without the number nobody could keep to what they asked for."""

    name = "do_not_call"

    def __init__(self, forbidden: DoNotCallList) -> None:
        self._forbidden = forbidden

    def show(self, person: Person) -> Iterator[Mapping[str, Any]]:
        for number in person.pseudonyms:
            for entry in self._forbidden.of_number(number).entries:
                yield entry.model_dump(mode="json", exclude_none=True)

    def erase(self, person: Person, now: datetime) -> Iterator[Erased]:
        return iter(())


def do_not_call_of_person(settings: DoNotCallSettings) -> DoNotCallOfPerson:
    return DoNotCallOfPerson(do_not_call_list(settings))
