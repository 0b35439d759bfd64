"""An operation: one attempt to do with a customer what the campaign is for, as its agent notes it.

It is opened, edited, and ends in one of three ways: concluded, with or without a sale; postponed,
where the customer was spoken to and wants another time; or without contact, for a reason, and
tried again later. One that was opened by mistake is released, and counts for nothing.

Each function here makes one step of an operation and of its assignment together.
"""

import hashlib
from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import Annotated, Any, NamedTuple, Self

from pydantic import Field, StringConstraints

from retorno.calls.model import Call
from retorno.errors import Conflict, InvalidInput, NotFound
from retorno.frozen import Frozen, Strict
from retorno.telemarketing.assignments.model import (
    WORKED_ON,
    Assignment,
    Change,
    Hold,
    LinkWish,
    State,
    Time,
    What,
    changed,
    check_open,
    check_unheld,
    newcomer,
    schedule_values,
)
from retorno.telemarketing.setup.model import NoContactReason, Outcome, OutcomeFlag
from retorno.telephony.ports import AnsweredBy
from retorno.times import stamp

MAX_CONVERSATION = 20_000

Conversation = Annotated[str, StringConstraints(max_length=MAX_CONVERSATION)]
Value = Annotated[Decimal, Field(ge=0, max_digits=12, decimal_places=2)]


class Stage(StrEnum):
    OPEN = "open"
    CONCLUDED = "concluded"
    POSTPONED = "postponed"
    NO_CONTACT = "no_contact"
    RELEASED = "released"
    """Closed without a result: it was opened by mistake, or left, and another agent took over."""


# How an operation ends that counts.
ENDED = frozenset({Stage.CONCLUDED, Stage.POSTPONED, Stage.NO_CONTACT})


class Shelf(StrEnum):
    """What operations are listed by."""

    CAMPAIGN = "campaign"
    CUSTOMER = "customer"
    AGENT = "agent"


class Operation(Frozen):
    """`ordinal` counts an assignment's operations. `flags` are those that the outcome had when it
    was given; `script` is that of its action type, filled in.

    `call_id` is the call in which it was done, and `answered_at`, `answered_by` and `talk_seconds`
    what is known of that call once it is over. `version` counts what people wrote,
    `revision` all writes.
    """

    campaign_id: str
    customer_id: str
    ordinal: int
    agent: str
    stage: Stage = Stage.OPEN
    started_at: datetime
    saved_at: datetime
    ended_at: datetime | None = None
    action_type: str | None = None
    script_version: int | None = None
    script: str | None = None
    conversation: str = ""
    outcome: str | None = None
    flags: frozenset[OutcomeFlag] = frozenset()
    reason: str | None = None
    value: Decimal | None = None
    scheduled_for: datetime | None = None
    call_id: str | None = None
    answered_at: datetime | None = None
    answered_by: AnsweredBy | None = None
    talk_seconds: float | None = None
    imported: bool = False
    version: int = 1
    revision: int = 1

    @property
    def operation_id(self) -> str:
        return f"{self.campaign_id}.{self.customer_id}.{self.ordinal}"


class OperationId(NamedTuple):
    campaign_id: str
    customer_id: str
    ordinal: int

    @classmethod
    def read(cls, text: str) -> Self:
        """Raises NotFound for what is no id."""
        match text.split("."):
            case [campaign_id, customer_id, ordinal] if (
                campaign_id and customer_id and ordinal.isascii() and ordinal.isdecimal()
            ):
                return cls(campaign_id, customer_id, int(ordinal))
        raise NotFound("there is no such operation")


class Step(NamedTuple):
    """An operation and its assignment as they are to be, and what is told of that."""

    operation: Operation
    change: Change


def opened(before: Assignment, agent: str, now: datetime) -> Step:
    """Raises Conflict for a customer who is concluded; HeldByAnother."""
    check_open(before)
    check_unheld(before, agent, now)
    ordinal = before.opened + 1
    operation = Operation(
        campaign_id=before.campaign_id,
        customer_id=before.customer_id,
        ordinal=ordinal,
        agent=agent,
        started_at=now,
        saved_at=now,
    )
    left = before.open_operation
    change = changed(
        before,
        What.OPENED,
        agent,
        now,
        {"left_open": left} if left else {},
        {
            "opened": ordinal,
            "open_operation": ordinal,
            "hold": Hold(agent=agent, until=now + WORKED_ON),
        },
        ordinal,
    )
    return Step(operation, change)


class Edit(Strict):
    """What an agent changes; None leaves it as it is."""

    action_type: str | None = Field(
        default=None, min_length=1, max_length=40, description="Brings its script"
    )
    conversation: Conversation | None = None
    call_id: str | None = Field(
        default=None, min_length=1, max_length=400, description="The call in which it is done"
    )


class Script(Frozen):
    """Of an action type, filled in."""

    action_type: str
    version: int | None
    text: str | None


def edited(
    operation: Operation, before: Assignment, edit: Edit, script: Script | None, now: datetime
) -> Step | None:
    """`script` is that of the edit's action type. None where nothing is changed.

    Raises Conflict for an operation that is closed.
    """
    check_held(operation, before, now)
    values: dict[str, Any] = {}
    if script and script.action_type != operation.action_type:
        values |= {
            "action_type": script.action_type,
            "script_version": script.version,
            "script": script.text,
        }
    if edit.conversation is not None and edit.conversation != operation.conversation:
        values["conversation"] = edit.conversation
    if edit.call_id is not None and edit.call_id != operation.call_id:
        values |= _of_call(edit.call_id)
    return _saved(operation, before, values, now) if values else None


def with_script(operation: Operation, before: Assignment, now: datetime) -> Step:
    """Copies the script to the end of the conversation, to be worked on there.

    Raises Conflict where there is no script, and as `edited` does.
    """
    check_held(operation, before, now)
    if not operation.script:
        raise Conflict("choose an action type that has a script")
    text = "\n\n".join(part for part in (operation.conversation, operation.script) if part)
    if len(text) > MAX_CONVERSATION:
        raise Conflict(f"the conversation has {MAX_CONVERSATION} characters at most")
    return _saved(operation, before, {"conversation": text}, now)


def _of_call(call_id: str) -> dict[str, object]:
    """Of an operation whose call nothing is known of yet."""
    return {"call_id": call_id, **dict.fromkeys(KNOWN_OF_CALLS)}


KNOWN_OF_CALLS = ("answered_at", "answered_by", "talk_seconds")


def told_of_call(operation: Operation, call: Call) -> Operation:
    """With what is known of its call by now. No person wrote that, so it is no new version."""
    known = {name: getattr(call, name) for name in KNOWN_OF_CALLS}
    if all(getattr(operation, name) == value for name, value in known.items()):
        return operation
    return operation.model_copy(update={**known, "revision": operation.revision + 1})


def _saved(
    operation: Operation, before: Assignment, values: Mapping[str, Any], now: datetime
) -> Step:
    after = _written(operation, now, values)
    told = {name: value for name, value in values.items() if name in TOLD}
    change = changed(
        before,
        What.EDITED,
        operation.agent,
        now,
        told,
        {"hold": Hold(agent=operation.agent, until=now + WORKED_ON)},
        operation.ordinal,
    )
    return Step(after, change)


# What of an operation the history tells.
TOLD = ("action_type", "script_version", "conversation", "call_id")


class Conclusion(Frozen):
    """How it ended, for good."""

    outcome: Outcome
    value: Decimal | None = None


def concluded(
    operation: Operation, before: Assignment, conclusion: Conclusion, now: datetime
) -> Step:
    """Raises InvalidInput for an outcome that is not final, for a sale without a value, and for a
    value without a sale; Conflict for an operation that is closed.
    """
    check_held(operation, before, now)
    outcome, value = conclusion.outcome, conclusion.value
    if OutcomeFlag.FINAL not in outcome.flags:
        raise InvalidInput("outcome", "is not final: postpone the operation to another time")
    if (OutcomeFlag.SALE in outcome.flags) != (value is not None):
        needed = "is required of a sale" if value is None else "is of a sale, and this is none"
        raise InvalidInput("value", needed)
    result = {
        "outcome": outcome.code,
        "flags": outcome.flags,
        "value": value,
    }
    told = {"outcome": outcome.code, "value": None if value is None else str(value)}
    return _ended(
        operation,
        before,
        Stage.CONCLUDED,
        result,
        told,
        {
            "state": State.CONCLUDED,
            "concluded_at": now,
            "schedule": None,
            "check_at": None,
            "last_outcome": outcome.code,
            "last_reason": None,
        },
        now,
    )


def postponed(
    operation: Operation, before: Assignment, outcome: Outcome, time: Time, now: datetime
) -> Step:
    """The customer was spoken to, and is contacted again at a time.

    Raises InvalidInput for an outcome that is final; Conflict for an operation that is closed.
    """
    check_held(operation, before, now)
    if OutcomeFlag.FINAL in outcome.flags:
        raise InvalidInput("outcome", "is final: conclude the operation")
    result = {"outcome": outcome.code, "flags": outcome.flags, "scheduled_for": time.at}
    told = {"outcome": outcome.code, **_told_of(time)}
    values = schedule_values(before, time, operation.agent)
    last = {"last_outcome": outcome.code, "last_reason": None}
    return _ended(operation, before, Stage.POSTPONED, result, told, values | last, now)


def without_contact(
    operation: Operation, before: Assignment, reason: NoContactReason, time: Time, now: datetime
) -> Step:
    """Nobody was spoken to, and it is tried again at a time.

    Raises Conflict for an operation that is closed.
    """
    check_held(operation, before, now)
    result = {"reason": reason.code, "scheduled_for": time.at}
    told = {"reason": reason.code, **_told_of(time)}
    values = schedule_values(before, time, operation.agent)
    last = {"last_outcome": None, "last_reason": reason.code}
    return _ended(operation, before, Stage.NO_CONTACT, result, told, values | last, now)


def _told_of(time: Time) -> dict[str, str | None]:
    return {"at": stamp(time.at), "note": time.note, "phone": time.phone}


def released(operation: Operation, before: Assignment, by: str, now: datetime) -> Step:
    """Closes it without a result. Raises Conflict for an operation that is closed."""
    check_held(operation, before, now)
    after = _written(operation, now, {"stage": Stage.RELEASED, "ended_at": now})
    change = changed(
        before,
        What.RELEASED,
        by,
        now,
        {},
        {"hold": None, "open_operation": None},
        operation.ordinal,
    )
    return Step(after, change)


def left_open(operation: Operation, now: datetime) -> Operation:
    """As it is once another agent has taken over."""
    return _written(operation, now, {"stage": Stage.RELEASED, "ended_at": now})


ENTRIES: Mapping[Stage, What] = {
    Stage.CONCLUDED: What.CONCLUDED,
    Stage.POSTPONED: What.POSTPONED,
    Stage.NO_CONTACT: What.NO_CONTACT,
}


def _ended(
    operation: Operation,
    before: Assignment,
    stage: Stage,
    result: Mapping[str, Any],
    told: Mapping[str, Any],
    values: Mapping[str, object],
    now: datetime,
) -> Step:
    after = _written(operation, now, {"stage": stage, "ended_at": now, **result})
    acted = {
        "hold": None,
        "open_operation": None,
        "operations": before.operations + 1,
        "last_agent": operation.agent,
        "acted_at": now,
    }
    change = changed(
        before,
        ENTRIES[stage],
        operation.agent,
        now,
        told,
        {**acted, **values},
        operation.ordinal,
    )
    return Step(after, change)


def _written(operation: Operation, now: datetime, values: Mapping[str, Any]) -> Operation:
    counted = {
        "saved_at": now,
        "version": operation.version + 1,
        "revision": operation.revision + 1,
    }
    return operation.model_copy(update={**values, **counted})


def check_held(operation: Operation, assignment: Assignment, now: datetime) -> None:
    """Raises Conflict where the operation is closed; HeldByAnother where it was left for so long
    that the customer was handed to somebody else.
    """
    if assignment.open_operation != operation.ordinal:
        raise Conflict(f"the operation is {operation.stage}")
    check_unheld(assignment, operation.agent, now)


# --- What was done in another system --------------------------------------------------------------


class PastOperation(Frozen):
    """An operation that ended in another system. It has an outcome or a reason; `scheduled_for` is
    when the customer was to be contacted again.
    """

    campaign_id: str
    customer_id: str
    agent: str
    ended_at: datetime
    action_type: str | None = None
    outcome: str | None = None
    reason: str | None = None
    conversation: Conversation = ""
    value: Value | None = None
    scheduled_for: datetime | None = None

    @property
    def digest(self) -> str:
        """By which one that is told again is known."""
        return hashlib.sha256(self.model_dump_json().encode()).hexdigest()[:32]


def taken_over(
    past: PastOperation,
    outcome: Outcome | None,
    before: Assignment | None,
    by: str,
    now: datetime,
) -> Step:
    """Brings an operation of another system in; whoever was not in the campaign is linked to it.

    The customer is then as the latest of their operations left them. `outcome` is the operation's,
    None where it has a reason. Raises InvalidInput for a sale without a value, and the other way
    round; HeldByAnother.
    """
    flags = outcome.flags if outcome else frozenset()
    if (OutcomeFlag.SALE in flags) != (past.value is not None):
        needed = "is required of a sale" if past.value is None else "is of a sale, and this is none"
        raise InvalidInput("value", needed)
    if before is None or before.state is State.UNLINKED:
        wish = LinkWish(agent=past.agent)
        before = newcomer(before, past.campaign_id, past.customer_id, wish, by, now)
    check_unheld(before, None, now)
    ordinal = before.opened + 1
    stage = Stage.NO_CONTACT if outcome is None else Stage.POSTPONED
    if OutcomeFlag.FINAL in flags:
        stage = Stage.CONCLUDED
    operation = Operation(
        **past.model_dump(exclude={"ended_at"}),
        ordinal=ordinal,
        stage=stage,
        started_at=past.ended_at,
        saved_at=now,
        ended_at=past.ended_at,
        flags=flags,
        imported=True,
    )
    values: dict[str, object] = {"operations": before.operations + 1, "opened": ordinal}
    if before.acted_at is None or before.acted_at <= past.ended_at:
        values |= _as_left(before, operation, by)
    told = past.model_dump(mode="json", exclude={"campaign_id", "customer_id", "conversation"})
    told = {name: value for name, value in told.items() if value is not None}
    return Step(operation, changed(before, What.IMPORTED, by, now, told, values, ordinal))


def _as_left(before: Assignment, operation: Operation, by: str) -> dict[str, object]:
    """How an operation of another system leaves its customer."""
    values: dict[str, object] = {
        "last_outcome": operation.outcome,
        "last_reason": operation.reason,
        "last_agent": operation.agent,
        "acted_at": operation.ended_at,
        "concluded_at": None,
        "schedule": None,
        "check_at": None,
    }
    if operation.stage is Stage.CONCLUDED:
        return values | {"state": State.CONCLUDED, "concluded_at": operation.ended_at}
    if operation.scheduled_for is None:
        return values | {"state": State.NOT_ACTED}
    return values | schedule_values(before, Time(at=operation.scheduled_for), by)
