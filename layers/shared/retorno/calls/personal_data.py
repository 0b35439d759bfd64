"""Calls of a person, and the notes on them."""

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

from retorno.calls.model import Call, Facts, erasing, merge
from retorno.calls.service import CallReader, call_reader
from retorno.calls.store import CallStore, NoteStore
from retorno.persons import Erased, Person
from retorno.phone import NumberPlan
from retorno.retention import KeptItem
from retorno.settings import CallNotesSettings

MAX_NOTES = 1_000


class CallsOfPerson:
    """Numbers give way to pseudonyms, and notes go; all else that is known of a call stays.

    The stream tells the others: recovery finds the call's part where it was moved to, and answers
    are written anew.
    """

    name = "calls"

    def __init__(
        self, store: CallStore, notes: NoteStore, calls: CallReader, plan: NumberPlan
    ) -> None:
        self._store = store
        self._notes = notes
        self._calls = calls
        self._plan = plan

    def show(self, person: Person) -> Iterator[Mapping[str, Any]]:
        for call in self.calls(person):
            notes = self._notes.of_call(call.call_id, MAX_NOTES)
            yield {
                **call.model_dump(mode="json", exclude={"evidence"}),
                "notes": [note.model_dump(mode="json") for note in notes],
            }

    def calls(self, person: Person) -> Iterator[Call]:
        """As they were a moment ago. Raises Unavailable."""
        for number_key in person.number_keys:
            yield from self._calls.some(list(self._store.all_of_number(number_key)))

    def kept(self, person: Person) -> Iterator[KeptItem]:
        for number_key in person.number_keys:
            yield from self._store.kept_of_number(number_key)
            for call_id in self._store.all_of_number(number_key):
                yield from self._notes.kept_of_call(call_id)

    def erase(self, person: Person, now: datetime) -> Iterator[Erased]:
        for number_key, pseudonym in person.number_keys.items():
            # Those of the pseudonym, too: something may have been told or noted since.
            for known_by in (number_key, pseudonym):
                for call_id in self._store.all_of_number(known_by):
                    yield from self._erase(call_id, number_key, pseudonym)

    def _erase(self, call_id: str, number_key: str, pseudonym: str) -> Iterator[Erased]:
        # Before the number, by which they are found.
        for _ in self._notes.delete_of_call(call_id):
            yield Erased.DONE

        def tell(known: Facts) -> Facts:
            return erasing(known, number_key, pseudonym, self._plan)

        known = self._store.get(call_id)
        if known and merge(known, tell(known)) != known:
            self._store.amend(call_id, tell)
            yield Erased.DONE


def calls_of_person(settings: CallNotesSettings) -> CallsOfPerson:
    return CallsOfPerson(
        CallStore(settings.calls_table, settings.calls_kept_days),
        NoteStore(settings.notes_table),
        call_reader(settings),
        settings.number_plan,
    )
