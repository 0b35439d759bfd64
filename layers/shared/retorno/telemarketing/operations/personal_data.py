"""What was done with a person in campaigns."""

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

from retorno.dynamodb import RefusedTogether
from retorno.persons import Erased, Person
from retorno.retention import KeptItem
from retorno.settings import OperationTableSettings
from retorno.telemarketing.assignments.store import AssignmentStore, assignment_store
from retorno.telemarketing.operations.model import Operation, Stage, left_open
from retorno.telemarketing.operations.store import OperationStore


class OperationsOfPerson:
    """What was said goes, and the script, which was filled in with their name. The result stays."""

    name = "operations"

    def __init__(self, store: OperationStore, assignments: AssignmentStore) -> None:
        self._store = store
        self._assignments = assignments

    def show(self, person: Person) -> Iterator[Mapping[str, Any]]:
        for operation in self._operations(person):
            yield operation.model_dump(mode="json", exclude={"revision"}, exclude_none=True)

    def erase(self, person: Person, now: datetime) -> Iterator[Erased]:
        for operation in self._operations(person):
            if self._is_worked_on(operation, now):
                yield Erased.LATER
                continue
            erased = operation
            if operation.stage is Stage.OPEN:
                erased = left_open(operation, now)
            erased = erased.model_copy(update={"conversation": "", "script": None})
            if erased != operation:
                yield self._save(erased.model_copy(update={"revision": operation.revision + 1}))

    def kept(self, person: Person) -> Iterator[KeptItem]:
        for customer_id in person.customers:
            yield from self._store.kept_of_customer(customer_id)

    def _operations(self, person: Person) -> Iterator[Operation]:
        for customer_id in person.customers:
            yield from self._store.of_customer(customer_id)

    def _is_worked_on(self, operation: Operation, now: datetime) -> bool:
        if operation.stage is not Stage.OPEN:
            return False
        assignment = self._assignments.get(operation.campaign_id, operation.customer_id)
        return assignment is not None and assignment.held_by(now) is not None

    def _save(self, operation: Operation) -> Erased:
        try:
            self._store.save(operation)
        except RefusedTogether:
            return Erased.LATER
        return Erased.DONE


def operations_of_person(settings: OperationTableSettings) -> OperationsOfPerson:
    return OperationsOfPerson(
        OperationStore(settings.operations_table, settings.operations_kept_days),
        assignment_store(settings),
    )
