"""Operations that were done in another system, taken over into this one."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime

from retorno.dynamodb import RefusedTogether, write_together
from retorno.errors import InvalidInput, NotFound, RetornoError, Unavailable
from retorno.settings import HistorySettings
from retorno.telemarketing.assignments.store import AssignmentStore, assignment_store
from retorno.telemarketing.operations.model import PastOperation, taken_over
from retorno.telemarketing.operations.store import OperationStore, Taken
from retorno.telemarketing.setup.model import Entry, Outcome
from retorno.telemarketing.setup.service import Setup, setup

# Each loser of a race looks again at what the winner wrote; so many losses are no race.
MAX_LOOKS = 50

Naming = tuple[str, str | None, str | None, str | None]
"""What a record names: a campaign, an action type, an outcome, a reason."""

Named = tuple[Outcome | None, Sequence[Entry]]
"""Its outcome, and all that it names."""


class HistoryTaking:
    """Takes them over. `mark` names the file that tells of them, or a part of it."""

    def __init__(self, store: OperationStore, assignments: AssignmentStore, setup: Setup) -> None:
        self._store = store
        self._assignments = assignments
        self._setup = setup

    def take(
        self, pasts: Sequence[PastOperation], mark: str, by: str, now: datetime
    ) -> list[Taken | RetornoError]:
        """What becomes of each, in their order; told again with its mark it says the same.

        Raises Unavailable.
        """
        results: list[Taken | RetornoError] = []
        known: dict[Naming, Named] = {}
        for past in pasts:
            try:
                results.append(self._take(past, known, mark, by, now))
            except Unavailable:
                raise
            except RetornoError as refusal:
                results.append(refusal)
        return results

    def _take(
        self,
        past: PastOperation,
        known: dict[Naming, Named],
        mark: str,
        by: str,
        now: datetime,
    ) -> Taken:
        """`known` is what others of the same file named. Raises InvalidInput, HeldByAnother,
        Unavailable.
        """
        naming = (past.campaign_id, past.action_type, past.outcome, past.reason)
        for _ in range(MAX_LOOKS):
            taken = self._store.taken(past, mark)
            if taken:
                return taken
            if naming not in known:
                known[naming] = self._named(past)
            outcome, marked = known[naming]
            before = self._assignments.get(past.campaign_id, past.customer_id)
            step = taken_over(past, outcome, before, by, now)
            try:
                write_together(
                    [
                        *self._assignments.changing(step.change),
                        self._store.writing(step.operation),
                        self._store.taking(past, step.operation, mark),
                        *self._setup.marking(*marked),
                    ]
                )
            except RefusedTogether:
                # Perhaps since something that it names was deleted.
                known.clear()
                continue
            if not all(each.used for each in marked):
                # Now they are: nobody else need mark them.
                del known[naming]
            return Taken(step.operation.operation_id, is_new=True)
        raise Unavailable("the customer is being written by too many at once")

    def _named(self, past: PastOperation) -> Named:
        """What a record names, be it retired. Raises InvalidInput, Unavailable."""
        if (past.outcome is None) == (past.reason is None):
            raise InvalidInput("outcome", "or a reason is required, and not both")
        with _naming("campaign"):
            named: list[Entry] = [self._setup.campaign(past.campaign_id)]
        if past.action_type is not None:
            with _naming("action_type"):
                named.append(self._setup.action_type(past.action_type))
        if past.reason is not None:
            with _naming("reason"):
                named.append(self._setup.reason(past.reason))
            return None, named
        with _naming("outcome"):
            outcome = self._setup.outcome(past.outcome or "")
        return outcome, [*named, outcome]


@contextmanager
def _naming(field: str) -> Iterator[None]:
    try:
        yield
    except NotFound as error:
        raise InvalidInput(field, str(error)) from None


def history_taking(settings: HistorySettings) -> HistoryTaking:
    return HistoryTaking(
        OperationStore(settings.operations_table, settings.operations_kept_days),
        assignment_store(settings),
        setup(settings),
    )
