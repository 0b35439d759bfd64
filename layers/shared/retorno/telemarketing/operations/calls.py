"""What is known of calls, brought into the operations in which they were made.

A call may end before it is linked to its operation, or after, and what is known of it may change
later. Whoever links a call looks at it after that, and whoever is told of a call looks at what it
is linked to: one of the two sees the other.
"""

from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from retorno.calls.model import Call, CallRules
from retorno.calls.service import CallReader, call_reader, call_rules, change_of
from retorno.dynamodb import RefusedTogether
from retorno.errors import NotFound, Unavailable
from retorno.settings import CallTrackingSettings
from retorno.telemarketing.operations.model import told_of_call
from retorno.telemarketing.operations.store import OperationStore

# Each loser of a race looks again at what the winner wrote; so many losses are no race.
MAX_LOOKS = 50


class CallTracking:
    def __init__(self, store: OperationStore, calls: CallReader, rules: CallRules) -> None:
        self._store = store
        self._calls = calls
        self._rules = rules

    def follow(self, record: Mapping[str, Any]) -> None:
        """Of the calls table's stream. Told twice, late or out of order, it does no harm.

        Raises Unavailable.
        """
        change = change_of(record, self._rules)
        if change is None or change.after.ended_at is None:
            return
        if change.before is None or _known(change.before) != _known(change.after):
            self.track(change.after.call_id)

    def track(self, call_id: str) -> None:
        """Brings what is known of a call that is over into its operation, if it has one.

        Raises Unavailable.
        """
        for _ in range(MAX_LOOKS):
            operation_id = self._store.of_call(call_id)
            operation = self._store.get(operation_id) if operation_id else None
            if operation is None or operation.call_id != call_id:
                return
            # After the operation: if this is no longer true, the write is refused.
            try:
                call = self._calls.one(call_id)
            except NotFound:
                return
            after = told_of_call(operation, call) if call.ended_at else operation
            if after == operation:
                return
            with suppress(RefusedTogether):
                self._store.save(after)
                return
        raise Unavailable("the operation is being written by too many at once")


def _known(call: Call) -> tuple[object, ...]:
    return call.ended_at, call.answered_at, call.answered_by, call.talk_seconds


def call_tracking(settings: CallTrackingSettings) -> CallTracking:
    return CallTracking(
        OperationStore(settings.operations_table, settings.operations_kept_days),
        call_reader(settings),
        call_rules(settings),
    )
