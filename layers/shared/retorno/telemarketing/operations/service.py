"""Operations as agents do them: opened, noted, ended in one of three ways, and read again."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from retorno.agents.service import Agents, agents
from retorno.calling_rules.model import Listing, Origin
from retorno.calling_rules.service import Wanted, do_not_call_list
from retorno.calls.service import CallReader, call_reader
from retorno.customers.model import Customer
from retorno.customers.service import CustomerDirectory, customer_directory
from retorno.dynamodb import RefusedTogether, Write
from retorno.errors import InvalidInput, NotAllowed, NotFound, PreconditionFailed, Unavailable
from retorno.settings import HistorySettings, OperationSettings
from retorno.telemarketing.assignments.model import (
    Assignment,
    Time,
    Worker,
    check_may_act,
)
from retorno.telemarketing.assignments.service import Assignments, assignments
from retorno.telemarketing.operations.calls import call_tracking
from retorno.telemarketing.operations.model import (
    Conclusion,
    Edit,
    Operation,
    OperationId,
    Script,
    Shelf,
    Stage,
    Step,
    check_held,
    concluded,
    edited,
    left_open,
    opened,
    postponed,
    released,
    with_script,
    without_contact,
)
from retorno.telemarketing.operations.store import OperationPage, OperationStore, read_image
from retorno.telemarketing.setup.model import ActionType, Entry, OutcomeFlag, filled
from retorno.telemarketing.setup.service import Setup, setup
from retorno.times import Period

# Each loser of a race looks again at what the winner wrote; so many losses are no race.
MAX_LOOKS = 50

Forbid = Callable[[str, str, datetime], object]
"""Puts a number on the do-not-call list, by whom and when."""

Track = Callable[[str], object]
"""Brings what is known of a call into the operation that it is linked to."""


@dataclass(frozen=True, slots=True)
class Opened:
    """An operation, and what its agent sees beside it."""

    operation: Operation
    assignment: Assignment
    customer: Customer
    is_new: bool


class Operations:
    """What an agent does; `worker` is who asks. Only whoever opened an operation writes in it."""

    def __init__(
        self,
        store: OperationStore,
        assignments: Assignments,
        setup: Setup,
        directory: CustomerDirectory,
        calls: "CallsOfAgents",
        track: Track,
        forbid: Forbid,
        zone: ZoneInfo,
    ) -> None:
        self._store = store
        self._assignments = assignments
        self._setup = setup
        self._directory = directory
        self._calls = calls
        self._track = track
        self._forbid = forbid
        self._zone = zone

    def open(self, campaign_id: str, customer_id: str, worker: Worker, now: datetime) -> Opened:
        """Begins an operation, or shows the one that they have open with the customer.

        Whoever left an operation open for half an hour loses the customer to who opens another.
        Raises NotFound, NotAllowed; Conflict where the campaign is not active, or the customer is
        concluded; HeldByAnother; Unavailable.
        """
        campaign = self._setup.to_run(campaign_id, self._today(now))
        customer = self._customer(customer_id)
        for _ in range(MAX_LOOKS):
            before = self._assignments.one(campaign_id, customer_id)
            check_may_act(worker, before, campaign.queue)
            left = self._left_open(before)
            if left and left.agent == worker.agent and before.held_by(now) in (None, worker.agent):
                return Opened(left, before, customer, is_new=False)
            step = opened(before, worker.agent, now)
            writes = [self._store.writing(step.operation)]
            if left:
                writes.append(self._store.writing(left_open(left, now)))
            try:
                after = self._assignments.write(step.change, writes)
            except RefusedTogether:
                continue
            operation = self._with_current_call(step.operation, customer, now)
            return Opened(operation, after, customer, is_new=True)
        raise Unavailable("the customer is being written by too many at once")

    def one(self, operation_id: str) -> Operation:
        """Raises NotFound, Unavailable."""
        found = self._store.get(OperationId.read(operation_id))
        if found is None:
            raise NotFound("there is no such operation")
        return found

    def kept_open(self, operation_id: str, worker: Worker, now: datetime) -> Operation:
        """One that its agent goes on with.

        Raises NotFound, NotAllowed; Conflict for one that is closed, and HeldByAnother;
        Unavailable.
        """
        operation = self.one(operation_id)
        _check_own(operation, worker)
        before = self._assignments.one(operation.campaign_id, operation.customer_id)
        check_held(operation, before, now)
        return operation

    def edit(
        self, operation_id: str, edit: Edit, expected: int | None, worker: Worker, now: datetime
    ) -> Operation:
        """`expected` is the version that was seen, None for any.

        Raises NotFound, NotAllowed, InvalidInput, PreconditionFailed; Conflict for one that is
        closed, and HeldByAnother; Unavailable.
        """
        script, marked = self._script(operation_id, edit.action_type)

        def step(operation: Operation, before: Assignment) -> Step | None:
            if expected not in (None, operation.version):
                raise PreconditionFailed("the operation was changed since; look at it again")
            return edited(operation, before, edit, script, now)

        after = self._decide(operation_id, worker, step, now, marked)
        if edit.call_id:
            self._track(edit.call_id)
            return self.one(operation_id)
        return after

    def copy_script(self, operation_id: str, worker: Worker, now: datetime) -> Operation:
        """Puts the script into the conversation, at its end.

        Raises NotFound, NotAllowed; Conflict without a script, for one that is closed, and
        HeldByAnother; Unavailable.
        """
        return self._decide(
            operation_id,
            worker,
            lambda operation, before: with_script(operation, before, now),
            now,
        )

    def link_call(
        self, operation_id: str, call_id: str, worker: Worker, now: datetime
    ) -> Operation:
        """Says in which call it is done. Raises as `edit` does."""
        return self.edit(operation_id, Edit(call_id=call_id), None, worker, now)

    def conclude(
        self,
        operation_id: str,
        outcome: str,
        value: Decimal | None,
        worker: Worker,
        now: datetime,
    ) -> Operation:
        """Ends it for good, with a sale of a value or without; told again it changes nothing.

        Who does not want to be called is put on the do-not-call list, with all their own numbers.
        Raises NotFound, NotAllowed, InvalidInput; Conflict for one that is closed, and
        HeldByAnother; Unavailable.
        """
        given = self._setup.to_give_outcome(outcome)
        conclusion = Conclusion(outcome=given, value=value)
        ended = {"stage": Stage.CONCLUDED, "outcome": given.code, "value": value}
        return self._end(
            operation_id,
            ended,
            worker,
            lambda operation, before: concluded(operation, before, conclusion, now),
            now,
            given,
            forbids=OutcomeFlag.DO_NOT_CALL in given.flags,
        )

    def postpone(
        self, operation_id: str, outcome: str, time: Time, worker: Worker, now: datetime
    ) -> Operation:
        """Ends it with another time at which the customer wants to be contacted.

        Raises as `conclude` does.
        """
        given = self._setup.to_give_outcome(outcome)
        ended = {"stage": Stage.POSTPONED, "outcome": given.code, "scheduled_for": time.at}
        return self._end(
            operation_id,
            ended,
            worker,
            lambda operation, before: postponed(operation, before, given, time, now),
            now,
            given,
        )

    def no_contact(
        self, operation_id: str, reason: str, time: Time | None, worker: Worker, now: datetime
    ) -> Operation:
        """Ends it without contact, for a reason. It is tried again at a time, or after the wait
        that the reason proposes.

        Raises as `conclude` does.
        """
        given = self._setup.to_give_reason(reason)
        wait = timedelta(minutes=given.retry_minutes)
        again = time or Time(at=(now + wait).replace(microsecond=0))
        ended: dict[str, object] = {"stage": Stage.NO_CONTACT, "reason": given.code}
        if time:
            ended["scheduled_for"] = time.at
        return self._end(
            operation_id,
            ended,
            worker,
            lambda operation, before: without_contact(operation, before, given, again, now),
            now,
            given,
        )

    def release(self, operation_id: str, worker: Worker, now: datetime) -> Operation:
        """Closes it without a result, as if it had never been opened; leaders do it for others.

        Raises NotFound, NotAllowed; Conflict for one that has a result, and HeldByAnother;
        Unavailable.
        """
        if self.one(operation_id).stage is Stage.RELEASED:
            return self.one(operation_id)
        return self._decide(
            operation_id,
            worker,
            lambda operation, before: released(operation, before, worker.agent, now),
            now,
            by_leaders=True,
        )

    # --- Reading --------------------------------------------------------------------------------

    def page(
        self, shelf: Shelf, of: str, limit: int, start: Mapping[str, str] | None
    ) -> OperationPage:
        """Those of a campaign, a customer or an agent, the last begun first. Raises Unavailable."""
        return self._store.page(shelf, of, limit, start)

    def customer_of(self, operation: Operation) -> Customer | None:
        """None where they were deleted since. Raises Unavailable."""
        return self._directory.some([operation.customer_id]).get(operation.customer_id)

    # --- How it is done -------------------------------------------------------------------------

    def _end(
        self,
        operation_id: str,
        ended: Mapping[str, object],
        worker: Worker,
        step: Callable[[Operation, Assignment], Step],
        now: datetime,
        given: Entry,
        *,
        forbids: bool = False,
    ) -> Operation:
        operation = self.one(operation_id)
        _check_own(operation, worker)
        customer = self.customer_of(operation)
        after = operation
        if any(getattr(operation, name) != value for name, value in ended.items()):
            if customer and operation.call_id is None and operation.stage is Stage.OPEN:
                self._with_current_call(operation, customer, now)
            after = self._decide(operation_id, worker, step, now, [given])
        if forbids and customer:
            for _, number in customer.lines():
                self._forbid(number, worker.agent, now)
        return after

    def _decide(
        self,
        operation_id: str,
        worker: Worker,
        decide: Callable[[Operation, Assignment], Step | None],
        now: datetime,
        marked: Sequence[Entry] = (),
        *,
        by_leaders: bool = False,
    ) -> Operation:
        """Looks and writes until nobody wrote in between."""
        for _ in range(MAX_LOOKS):
            operation = self.one(operation_id)
            if not (by_leaders and worker.leads):
                _check_own(operation, worker)
            before = self._assignments.one(operation.campaign_id, operation.customer_id)
            step = decide(operation, before)
            if step is None:
                return operation
            writes: list[Write[Any]] = [
                self._store.writing(step.operation),
                *self._setup.marking(*marked),
            ]
            if step.operation.call_id and step.operation.call_id != operation.call_id:
                writes.append(self._store.linking(step.operation.call_id, step.operation))
            try:
                self._assignments.write(step.change, writes)
            except RefusedTogether:
                continue
            return step.operation
        raise Unavailable("the operation is being written by too many at once")

    def _with_current_call(
        self, operation: Operation, customer: Customer, now: datetime
    ) -> Operation:
        """Links the call that the agent is in with the customer, or just was, if there is one."""
        call_id = self._calls.with_customer(operation.agent, customer, operation.started_at)
        if call_id is None:
            return operation
        worker = Worker(operation.agent)
        return self.link_call(operation.operation_id, call_id, worker, now)

    def _left_open(self, assignment: Assignment) -> Operation | None:
        if assignment.open_operation is None:
            return None
        campaign_id, customer_id = assignment.campaign_id, assignment.customer_id
        return self._store.get(OperationId(campaign_id, customer_id, assignment.open_operation))

    def _script(
        self, operation_id: str, code: str | None
    ) -> tuple[Script | None, Sequence[ActionType]]:
        """That of an action type, filled in for who is spoken to, and by whom."""
        if code is None:
            return None, ()
        operation = self.one(operation_id)
        campaign = self._setup.campaign(operation.campaign_id)
        given = self._setup.to_give_action_type(code)
        if not campaign.allows(code):
            raise InvalidInput("action_type", "is none of the campaign's")
        customer = self._customer(operation.customer_id)
        text = given.script and filled(given.script, customer, operation.agent, campaign)
        return Script(action_type=code, version=given.script_version, text=text), (given,)

    def _customer(self, customer_id: str) -> Customer:
        found = self._directory.some([customer_id]).get(customer_id)
        if found is None:
            raise NotFound("there is no such customer")
        return found

    def _today(self, now: datetime) -> date:
        return now.astimezone(self._zone).date()


ReadOperations = Callable[[str, Period], Iterator[Operation]]
"""All of a campaign that began in a period, in that order. Raises Unavailable."""


class CallsOfAgents:
    """Which call an agent is in, or has just ended."""

    def __init__(self, agents: Agents, calls: CallReader) -> None:
        self._agents = agents
        self._calls = calls

    def with_customer(self, agent: str, customer: Customer, since: datetime) -> str | None:
        """Their last call with a customer that was not over before `since`. Raises Unavailable."""
        try:
            presence = self._agents.one(agent).presence
        except NotFound:
            return None
        numbers = customer.numbers()
        for call in self._calls.some([*reversed(presence.calls), *reversed(presence.over)]):
            if call.number_key in numbers and (call.ended_at is None or call.ended_at >= since):
                return call.call_id
        return None


def _check_own(operation: Operation, worker: Worker) -> None:
    if operation.agent != worker.agent:
        raise NotAllowed(f"the operation is {operation.agent}'s")


def operations(settings: OperationSettings) -> Operations:
    do_not_call = do_not_call_list(settings)

    def forbid(number: str, by: str, now: datetime) -> None:
        do_not_call.put(Wanted(number, Listing(origin=Origin.DISPOSITION)), by, now)

    return Operations(
        OperationStore(settings.operations_table, settings.operations_kept_days),
        assignments(settings),
        setup(settings),
        customer_directory(settings),
        CallsOfAgents(agents(settings), call_reader(settings)),
        call_tracking(settings).track,
        forbid,
        settings.time_zone,
    )


def read_operations(settings: HistorySettings) -> ReadOperations:
    return OperationStore(settings.operations_table).begun_in


def operation_change(record: Mapping[str, Any]) -> tuple[Operation | None, Operation | None]:
    """An operation before and after what a stream's record tells; None where there is none."""
    images = record["dynamodb"]
    return read_image(images.get("OldImage", {})), read_image(images.get("NewImage", {}))
