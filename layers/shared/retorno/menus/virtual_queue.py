"""The virtual queue: a caller asks for a call back, and keeps the place that they had."""

from datetime import datetime
from typing import Annotated

from pydantic import Field, StringConstraints

from retorno.callbacks.model import Contact, Wanted, line_of_queue
from retorno.callbacks.service import CallList, call_list
from retorno.calling_rules.model import Purpose
from retorno.calls.model import Call
from retorno.calls.service import CallReader, call_reader
from retorno.errors import Conflict, InvalidInput, NotFound
from retorno.frozen import Strict
from retorno.phone import NumberPlan
from retorno.settings import CallListSettings
from retorno.telephony.ports import CALL_ID, MAX_NAME_LENGTH, Direction

WrittenNumber = Annotated[str, StringConstraints(min_length=1, max_length=256)]
QueueName = Annotated[
    str, StringConstraints(strip_whitespace=True, min_length=1, max_length=MAX_NAME_LENGTH)
]


class CallbackWish(Strict):
    """Whom to call back: a waiting call, or a number and the queue whose operators call. What is
    said beside a call counts for more than what the call tells."""

    call_id: Annotated[str, StringConstraints(pattern=f"^{CALL_ID.pattern}$")] | None = None
    number: Annotated[WrittenNumber | None, Field(description="In any written form")] = None
    queue: QueueName | None = None


class VirtualQueue:
    def __init__(self, calls: CallReader, contacts: CallList, plan: NumberPlan) -> None:
        self._calls = calls
        self._contacts = contacts
        self._plan = plan

    def ask(self, wish: CallbackWish, now: datetime) -> Contact:
        """The same caller and queue are one request, however often it is made.

        Raises InvalidInput where number or queue are not told, NotFound for a call that nobody
        knows, Conflict for one that was answered or did not come in, Unavailable.
        """
        call = self._calls.one(wish.call_id) if wish.call_id else None
        if call:
            _check(call)
        number = self._plan.parse(wish.number or (call.number if call else None))
        if number is None:
            reason = "is not a phone number" if wish.number else "is required: none is known"
            raise InvalidInput("number", reason)
        queue = wish.queue or (call.queue if call else None)
        if queue is None:
            raise InvalidInput("queue", "is required: none is known")
        return self._ask(call, wish.call_id, number.e164, queue, now)

    def ask_for_caller(self, call_id: str, number: str, queue: str, now: datetime) -> Contact:
        """For a caller who is on the line; `number` is in E.164. Raises Unavailable."""
        try:
            call = self._calls.one(call_id)
        except NotFound:
            call = None
        return self._ask(call, call_id, number, queue, now)

    def _ask(
        self, call: Call | None, call_id: str | None, number: str, queue: str, now: datetime
    ) -> Contact:
        waiting_since = (call.queued_at or call.started_at) if call else None
        wanted = Wanted(
            list_name=line_of_queue(queue),
            number=number,
            queue=queue,
            purpose=Purpose.REQUESTED_CALLBACK,
            # A provider's clock may run ahead.
            asked_at=min(waiting_since or now, now),
            due_at=now,
            call_id=call_id,
        )
        return self._contacts.ask(wanted, now)


def _check(call: Call) -> None:
    if call.direction is not Direction.INBOUND:
        raise Conflict("the call did not come in")
    if call.got_through:
        raise Conflict("the call was answered")


def virtual_queue(settings: CallListSettings) -> VirtualQueue:
    return VirtualQueue(call_reader(settings), call_list(settings), settings.number_plan)
