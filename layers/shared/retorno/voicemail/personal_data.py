"""Calls to a person that were answered."""

from collections.abc import Iterator

from retorno.calls.personal_data import CallsOfPerson
from retorno.persons import Person
from retorno.retention import KeptItem
from retorno.settings import AnswerTableSettings
from retorno.voicemail.model import answer_of
from retorno.voicemail.store import AnswerStore


class AnswersOfPerson:
    """They say what their calls say, and are written anew where those change."""

    def __init__(self, store: AnswerStore, calls: CallsOfPerson) -> None:
        self._store = store
        self._calls = calls

    def kept(self, person: Person) -> Iterator[KeptItem]:
        found = map(answer_of, self._calls.calls(person))
        return self._store.kept(answer for answer in found if answer)


def answers_of_person(settings: AnswerTableSettings, calls: CallsOfPerson) -> AnswersOfPerson:
    return AnswersOfPerson(AnswerStore(settings.answers_table), calls)
