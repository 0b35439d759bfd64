"""A promise: a customer was told that they would be called back at a time.

Shortly before its time a promise is put on the call list, as one contact to be dialled from then
on; what becomes of that contact becomes of the promise. `version` counts how often people set it:
each version has a schedule and a contact of its own, so what belongs to an earlier one means
nothing any more.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from enum import StrEnum
from typing import Annotated
from zoneinfo import ZoneInfo

from pydantic import Field, StringConstraints

from retorno.callback_campaigns.model import Result
from retorno.callbacks.model import OPEN, PROMISES, Contact, Wanted
from retorno.callbacks.model import State as ContactState
from retorno.calling_rules.model import Purpose
from retorno.dialling.model import Asker
from retorno.frozen import Frozen, Strict
from retorno.moments import WrittenTime, WrittenZone
from retorno.telephony.ports import CALL_ID, MAX_NAME_LENGTH

# A schedule may fire a minute late (the user guide of EventBridge Scheduler). Where it does not
# fire at all, the check of each minute still puts the promise on the list in time.
LISTED_BEFORE = timedelta(minutes=2)
CHECKED_BEFORE = timedelta(minutes=1)

# Whoever has begun a thing is done with it, or dead (the functions' time-out).
DONE_WITHIN = timedelta(seconds=30)

# How often a promise is looked at while its customer is to be called.
CHECKED_EVERY = timedelta(minutes=1)

# A call that begins so much later than promised is late.
LATE_AFTER = timedelta(seconds=60)

# Further ahead a date is a slip of the pen.
MAX_AHEAD = timedelta(days=92)

DEFAULT_TOLERANCE = 15

MAX_NOTE_LENGTH = 1_000

Text = Annotated[
    str,
    StringConstraints(
        strip_whitespace=True,
        min_length=1,
        max_length=MAX_NAME_LENGTH,
        pattern=r"^[^\x00-\x1f\x7f]*$",
    ),
]


class PromiseWish(Strict):
    """What a customer is promised, as somebody writes it."""

    number: Annotated[str, StringConstraints(min_length=1, max_length=256)] = Field(
        description="In any written form"
    )
    at: WrittenTime = Field(
        description="ISO 8601, with an offset; or the local time of `time_zone`"
    )
    time_zone: WrittenZone = Field(
        default=None, description="The customer's own, of IANA; where their number is if not said"
    )
    queue: Text | None = Field(
        default=None, description="Whose agents call; if not said, the agent's first one"
    )
    agent: Text | None = Field(default=None, description="The only one who calls; anyone if null")
    purpose: Purpose = Purpose.REQUESTED_CALLBACK
    note: Annotated[str, StringConstraints(max_length=MAX_NOTE_LENGTH)] | None = Field(
        default=None, description="What the agent should know"
    )
    tolerance_minutes: Annotated[int, Field(ge=1, le=240)] = Field(
        default=DEFAULT_TOLERANCE, description="So long after `at` the call may still begin"
    )
    call_id: Annotated[str, StringConstraints(pattern=f"^{CALL_ID.pattern}$")] | None = Field(
        default=None, description="The call in which it was asked for"
    )
    move: bool = Field(
        default=False,
        description="Where a rule forbids the time, take the next that is allowed",
    )

    @property
    def digest(self) -> str:
        """By which a wish that is told again is known."""
        return hashlib.sha256(self.model_dump_json().encode()).hexdigest()


class State(StrEnum):
    PROMISED = "promised"
    LISTED = "listed"
    """On the call list: its time is near or here, and whoever is to call is waited for."""
    KEPT = "kept"
    LATE = "late"
    """Called, more than a minute after the time."""
    MISSED = "missed"
    """Not called within the tolerance."""
    FORBIDDEN = "forbidden"
    """By then the number was on the do-not-call list."""
    CANCELLED = "cancelled"


# Those that may still be given another time: nobody called.
CHANGEABLE = frozenset({State.PROMISED, State.LISTED, State.MISSED, State.FORBIDDEN})
CANCELLABLE = frozenset({State.PROMISED, State.LISTED})

# What became of a promise by how its contact ended before anybody dialled; else it was missed.
UNDIALLED: Mapping[ContactState, State] = {
    ContactState.DO_NOT_CALL: State.FORBIDDEN,
    ContactState.DISMISSED: State.CANCELLED,
    ContactState.CANCELLED: State.CANCELLED,
}


class Promise(Frozen):
    """`moved_from` is the time that was asked for, where a rule moved it. `dialled_at` is when the
    call to the customer began, and `reached` whether they answered it themselves.

    `check_at` is when to look what became of it, None once that is known. `revision` counts the
    writes; one that is not yet written has 0.
    """

    promise_id: str
    wish_digest: str
    version: int = 1
    number: str
    queue: str
    agent: str | None
    purpose: Purpose
    note: str | None
    call_id: str | None
    at: datetime
    moved_from: datetime | None
    time_zone: str
    tolerance_minutes: int
    asked_at: datetime
    asked_by: str
    state: State = State.PROMISED
    contact_id: str | None = None
    dialled_at: datetime | None = None
    reached: bool | None = None
    reason: str | None = None
    check_at: datetime | None
    revision: int = 0

    @property
    def over_since(self) -> datetime | None:
        """None while it is to be kept, or looked after."""
        is_open = self.state in CANCELLABLE or self.check_at is not None
        return None if is_open else self.at

    @property
    def until(self) -> datetime:
        """No call begins later."""
        return self.at + timedelta(minutes=self.tolerance_minutes)

    @property
    def lists_at(self) -> datetime:
        """When it goes onto the call list, which knows to wait for `at`."""
        return self.at - LISTED_BEFORE

    @property
    def late_seconds(self) -> float | None:
        if self.state is not State.LATE or self.dialled_at is None:
            return None
        return (self.dialled_at - self.at).total_seconds()

    @property
    def key(self) -> str:
        """What its version is known by elsewhere: its list is `promise:<key>`."""
        return f"{self.promise_id}:{self.version}"

    def day(self, zone: ZoneInfo) -> date:
        return self.at.astimezone(zone).date()

    def may_be_changed_by(self, asker: Asker) -> bool:
        """Whoever promised it may, and whoever is to call; anyone where no one is named."""
        return self.agent in (None, asker.agent) or self.asked_by == asker.name

    def wanted(self) -> Wanted:
        return Wanted(
            list_name=f"{PROMISES}{self.key}",
            number=self.number,
            queue=self.queue,
            agent=self.agent,
            purpose=self.purpose,
            asked_at=self.asked_at,
            due_at=self.at,
            until=self.until,
            call_id=self.call_id,
            note=self.note,
            max_attempts=1,
        )

    def scheduled(self) -> "Promise":
        """Its schedule is made: there is nothing to look at before that should have fired."""
        return self.model_copy(update={"check_at": self.at - CHECKED_BEFORE})

    def listed(self, now: datetime) -> "Promise":
        """On the list, or about to be. Whoever writes this has until `check_at` to see to it."""
        return self.model_copy(update={"state": State.LISTED, "check_at": now + CHECKED_EVERY})

    def with_contact(self, contact_id: str) -> "Promise":
        return self.model_copy(update={"contact_id": contact_id})

    def ended(self, state: State, reason: str | None = None) -> "Promise":
        return self.model_copy(update={"state": state, "reason": reason, "check_at": None})

    def settled(self, contact: Contact) -> "Promise":
        """As its contact leaves it; unchanged while that is still to be called, or in a call."""
        dialled_at, result = contact.first_dialled_at, contact.result
        is_blocked = contact.state is ContactState.BLOCKED
        # One that was blocked before any call may be set free by a person.
        if contact.state in OPEN and not (is_blocked and dialled_at):
            return self
        if dialled_at is None or result is Result.FAILED:
            state = UNDIALLED.get(contact.state, State.MISSED)
            return self.ended(state, result or contact.reason)
        told = {"dialled_at": dialled_at, "reached": result is Result.HUMAN}
        is_late = dialled_at > self.at + LATE_AFTER
        return self.model_copy(update=told).ended(State.LATE if is_late else State.KEPT, result)

    def in_place_of(self, before: "Promise") -> "Promise":
        kept = {"wish_digest": before.wish_digest, "revision": before.revision}
        return self.model_copy(update={**kept, "version": before.version + 1})


@dataclass(frozen=True, slots=True)
class PromiseFilter:
    """None where any will do; without a day, the state is said."""

    day: date | None = None
    agent: str | None = None
    queue: str | None = None
    state: State | None = None

    def takes(self, promise: Promise) -> bool:
        return (
            self.agent in (None, promise.agent)
            and self.queue in (None, promise.queue)
            and self.state in (None, promise.state)
        )


def first_check(at: datetime, now: datetime) -> datetime:
    """When to look at a promise whose schedule is only now being made."""
    return min(at - LISTED_BEFORE, now + DONE_WITHIN)


def promise_id_of(asker: Asker, key: str) -> str:
    """The same for the same person and key alone."""
    return hashlib.sha256(f"{asker.name}\n{key}".encode()).hexdigest()[:32]
