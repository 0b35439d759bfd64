"""How long a person waited in queues."""

from collections.abc import Iterator

from retorno.calls.personal_data import CallsOfPerson
from retorno.persons import Person
from retorno.retention import KeptItem
from retorno.settings import WaitSettings
from retorno.waits.store import WaitStore


class WaitsOfPerson:
    """They name nobody, and are found by their calls."""

    def __init__(self, store: WaitStore, calls: CallsOfPerson) -> None:
        self._store = store
        self._calls = calls

    def kept(self, person: Person) -> Iterator[KeptItem]:
        return self._store.kept(call.call_id for call in self._calls.calls(person))


def waits_of_person(settings: WaitSettings, calls: CallsOfPerson) -> WaitsOfPerson:
    return WaitsOfPerson(WaitStore(settings.waits_table), calls)
