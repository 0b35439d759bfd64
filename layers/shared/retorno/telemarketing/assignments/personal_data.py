"""A person in campaigns, and what was done there."""

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

from retorno.dynamodb import RefusedTogether, write_together
from retorno.persons import Erased, Person
from retorno.retention import KeptItem
from retorno.settings import AssignmentTableSettings
from retorno.telemarketing.assignments.model import Assignment, Change, Entry, State, What, changed
from retorno.telemarketing.assignments.store import AssignmentStore, assignment_store

# In how many campaigns a customer is.
MAX_CAMPAIGNS = 1_000

BY = "erased"
GONE: Mapping[str, object] = {
    "state": State.UNLINKED,
    "schedule": None,
    "check_at": None,
    "hold": None,
    "open_operation": None,
}
WORDS = frozenset({"conversation", "note", "phone", "script"})
OVER = frozenset({State.CONCLUDED, State.UNLINKED})


class AssignmentsOfPerson:
    """Who still waits in a campaign leaves it, as anybody who is unlinked does; who is concluded
    stays counted. Of the history, notes and numbers go. An agent who works on them ends first.
    """

    name = "campaigns"

    def __init__(self, store: AssignmentStore) -> None:
        self._store = store

    def show(self, person: Person) -> Iterator[Mapping[str, Any]]:
        for assignment in self._assignments(person):
            of = (assignment.campaign_id, assignment.customer_id)
            yield {
                **assignment.model_dump(mode="json", exclude={"revision"}, exclude_none=True),
                "history": [each.model_dump(mode="json") for each in self._store.all_history(*of)],
            }

    def erase(self, person: Person, now: datetime) -> Iterator[Erased]:
        for assignment in self._assignments(person):
            if assignment.held_by(now):
                yield Erased.LATER
                continue
            if assignment.state not in OVER:
                yield self._leave(assignment, now)
            of = (assignment.campaign_id, assignment.customer_id)
            for entry in self._store.all_history(*of):
                if not WORDS.isdisjoint(entry.changes):
                    self._store.rewrite(_without_words(entry))
                    yield Erased.DONE

    def kept(self, person: Person) -> Iterator[KeptItem]:
        for assignment in self._assignments(person):
            yield from self._store.kept_history(assignment.campaign_id, assignment.customer_id)

    def _assignments(self, person: Person) -> Iterator[Assignment]:
        for customer_id in person.customers:
            for campaign_id, _ in self._store.of_customer(customer_id, MAX_CAMPAIGNS):
                assignment = self._store.get(campaign_id, customer_id)
                if assignment:
                    yield assignment

    def _leave(self, before: Assignment, now: datetime) -> Erased:
        told = {"agent": before.agent}
        change: Change = changed(before, What.UNLINKED, BY, now, told, GONE)
        try:
            write_together(self._store.changing(change))
        except RefusedTogether:
            return Erased.LATER
        return Erased.DONE


def _without_words(entry: Entry) -> Entry:
    changes = {name: value for name, value in entry.changes.items() if name not in WORDS}
    return entry.model_copy(update={"changes": changes})


def assignments_of_person(settings: AssignmentTableSettings) -> AssignmentsOfPerson:
    return AssignmentsOfPerson(assignment_store(settings))
