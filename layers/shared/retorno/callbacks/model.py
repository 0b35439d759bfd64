"""A contact: somebody to be called back, and what became of trying.

Contacts stand in lists: a campaign's; `queue:vendas`, of who asked for a call back while waiting
in a queue that has no campaign; `promise:<id>`, of one who was promised a time, and
`telemarketing:<id>`, of one whose time in telemarketing has come. A list has one contact for each
customer, who may have been missed many times.

Each function here makes one step of a contact's life, and gives the contact as it was where the
step no longer applies: steps are told twice, late, and by workers who were taken for dead.
"""

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Self

from pydantic import Field

from retorno.callback_campaigns.model import Campaign, Pace, Result
from retorno.calling_rules.model import Purpose
from retorno.calls.model import Call
from retorno.frozen import Frozen
from retorno.phone import match_key
from retorno.telephony.ports import OPERATOR_NO_ANSWER, AnsweredBy, Stage

# Who reserves a contact lives for 29 seconds (the functions' time-out).
LEASE = timedelta(seconds=90)

# A call that was placed rings the agent and then the customer, and is answered or not by then.
RINGING = timedelta(minutes=4)

# An agent is held for so long from the reservation on: the order may come half a minute later.
HELD = RINGING + timedelta(seconds=30)

# A telephone system that cannot say for so long whether it placed a call never will.
UNCERTAIN_FOR = timedelta(minutes=10)

# While no call is placed, it is tried again after a while that grows.
FIRST_RETRY = timedelta(seconds=30)
LAST_RETRY = timedelta(minutes=15)

# The customer is in a call already.
IN_CALL_WAIT = timedelta(seconds=30)

# Of the missed calls that are closed so many are remembered, so that one that opens again, because
# it was a voicemail that answered, is not taken for a new one.
MAX_CLOSED = 20
MAX_MISSES = 200

# Calls to a number are counted by the day, and a day may be as long as this.
LOGGED = timedelta(hours=50)
MAX_LOGGED = 200


class State(StrEnum):
    WAITING = "waiting"
    DIALLING = "dialling"
    """An agent is reserved for them; the call rings, or goes on."""
    BLOCKED = "blocked"
    """No more calls until a person says so."""
    REACHED = "reached"
    RETURNED = "returned"
    """The customer rang, and was answered."""
    DISMISSED = "dismissed"
    DO_NOT_CALL = "do_not_call"
    EXPIRED = "expired"
    CANCELLED = "cancelled"


OPEN = frozenset({State.WAITING, State.DIALLING, State.BLOCKED})
# What nobody dials for, at the moment or ever.
AT_REST = frozenset({State.WAITING, State.BLOCKED})


class Wanted(Frozen):
    """A call back that somebody asked for.

    `queue` is whose agents call, `agent` the only one who will do. Who asked earlier is called
    earlier; no dial begins before `due_at`, or after `until`. `call_id` is of the call in which it
    was asked for, and `caller_id` what the customer sees, where not what others do.
    """

    list_name: str
    number: str
    queue: str
    agent: str | None = None
    purpose: Purpose = Purpose.REQUESTED_CALLBACK
    asked_at: datetime
    due_at: datetime
    until: datetime | None = None
    call_id: str | None = None
    note: str | None = None
    max_attempts: int = 3
    caller_id: str | None = None


class Contact(Frozen):
    """`misses` are the missed calls that a success closes, the last of them at `missed_at`;
    `closed` those that are over, and `closed_as` what the last of them became.

    `attempts` count against the limit, `dials` never begin anew. `dial_id`, `dial_agent` and
    `call_id` are of the dial in progress, or the last. `known_blocked` is what recovery was told
    last. `leased_until` is when somebody else looks after it: after its dial, or after recovery
    being told. `failures` count the orders in a row that placed no call.
    """

    contact_id: str
    list_name: str
    number: str
    queue: str
    agent: str | None = None
    purpose: Purpose
    state: State = State.WAITING
    reason: str
    asked_at: datetime
    due_at: datetime
    until: datetime | None = None
    note: str | None = None
    max_attempts: int | None = None
    caller_id: str | None = None
    misses: tuple[str, ...] = ()
    missed_at: datetime | None = None
    closed: tuple[str, ...] = ()
    closed_as: State | None = None
    attempts: int = 0
    dials: int = 0
    failures: int = 0
    dial_id: str | None = None
    dial_agent: str | None = None
    known_blocked: bool = False
    leased_until: datetime | None = None
    call_id: str | None = None
    result: Result | None = None
    first_dialled_at: datetime | None = None
    dialled_at: datetime | None = None
    changed_at: datetime
    revision: int = 0

    @property
    def over_since(self) -> datetime | None:
        """None while somebody is to call, or may yet decide that."""
        return None if self.state in OPEN else self.changed_at

    @property
    def number_key(self) -> str:
        return match_key(self.number)

    @property
    def recovery_knows(self) -> bool:
        """Whether recovery knows if anybody calls."""
        return self.known_blocked == (self.state is State.BLOCKED)

    @property
    def line(self) -> str:
        """Where they wait, once they are due: for an agent, for a queue's, or in a campaign."""
        if self.agent:
            return line_of_agent(self.agent)
        return line_of_list(self.list_name, self.queue)

    @property
    def rank(self) -> int:
        """Who asked for a call comes first, then who was missed oftenest. In `RANKS`."""
        if self.purpose is Purpose.REQUESTED_CALLBACK:
            return 0
        return max(RANKS) - min(max(len(self.misses), 1), max(RANKS)) + 1

    def limit(self, pace: Pace) -> int:
        return self.max_attempts or pace.max_attempts

    def changed(self, now: datetime, **values: object) -> Self:
        """Checked, as a new one would be."""
        return type(self).model_validate({**self.model_dump(), **values, "changed_at": now})


RANKS = range(4)

# What the names of lists begin with that hold one promise each.
PROMISES = "promise:"

# … and one appointment each: its contact is made once, and known by its list alone.
APPOINTMENTS = "telemarketing:"


def line_of_agent(agent: str) -> str:
    return f"agent:{agent}"


def line_of_queue(queue: str) -> str:
    return f"queue:{queue}"


def line_of_campaign(campaign_id: str) -> str:
    return f"campaign:{campaign_id}"


def line_of_list(list_name: str, queue: str) -> str:
    """Of the lists' names only a campaign's has no colon."""
    return line_of_queue(queue) if ":" in list_name else line_of_campaign(list_name)


def contact_id_of(list_name: str, number_key: str) -> str:
    # The number of an appointment's customer may have been changed since.
    known_by = "" if list_name.startswith(APPOINTMENTS) else number_key
    return hashlib.sha256(f"{list_name}\n{known_by}".encode()).hexdigest()[:32]


def dial_id_of(contact: Contact) -> str:
    """Of its next dial."""
    return hashlib.sha256(f"{contact.contact_id}\n{contact.dials + 1}".encode()).hexdigest()[:32]


# --- Joining and leaving a list ------------------------------------------------------------------


class Miss(Frozen):
    """A missed call that waits for its customer to be won back."""

    call_id: str
    number: str
    missed_at: datetime


def joined(before: Contact | None, miss: Miss, campaign: Campaign, now: datetime) -> Contact:
    """A miss joins its campaign's list.

    Another one raises the contact's rank. A new one begins a contact's life anew where it was
    over; one that is open again, or still, because nobody was reached after all, does not.
    """
    if before is None:
        return Contact(
            contact_id=contact_id_of(campaign.campaign_id, match_key(miss.number)),
            list_name=campaign.campaign_id,
            number=miss.number,
            queue=campaign.callback_queue,
            purpose=campaign.purpose,
            reason="missed",
            asked_at=miss.missed_at,
            due_at=miss.missed_at,
            misses=(miss.call_id,),
            missed_at=miss.missed_at,
            changed_at=now,
        )
    if miss.call_id in before.misses and before.state is not State.REACHED:
        return before
    is_again = miss.call_id in (*before.misses, *before.closed)
    others = (each for each in before.misses if each != miss.call_id)
    contact = before.changed(
        now,
        misses=(*others, miss.call_id)[-MAX_MISSES:],
        missed_at=max(before.missed_at or miss.missed_at, miss.missed_at),
        closed=tuple(each for each in before.closed if each != miss.call_id),
        closed_as=None,
    )
    if before.state in OPEN:
        # Whoever asked had a time until when; whoever was missed has none.
        return contact.changed(now, until=None)
    if is_again:
        return _after_attempt(contact, Result.VOICEMAIL, now, campaign, now)
    return _begun_anew(contact, miss.missed_at, now, reason="missed").changed(
        now,
        number=miss.number,
        queue=campaign.callback_queue,
        purpose=campaign.purpose,
        asked_at=miss.missed_at,
    )


def asked(before: Contact | None, wanted: Wanted, now: datetime) -> Contact:
    """Somebody asks for a call back: who waits already keeps the better place of the two. To be
    told again of a call in which they asked, or of an appointment, changes nothing.
    """
    if before and wanted.list_name.startswith(APPOINTMENTS):
        return before
    if before and wanted.call_id and wanted.call_id in (*before.misses, *before.closed):
        return before
    contact = before or Contact(
        contact_id=contact_id_of(wanted.list_name, match_key(wanted.number)),
        reason="asked",
        changed_at=now,
        **wanted.model_dump(exclude={"call_id"}),
    )
    misses = contact.misses
    if wanted.call_id:
        misses = (*misses, wanted.call_id)[-MAX_MISSES:]
    if before is None:
        return contact.changed(now, misses=misses)
    again = {
        "purpose": wanted.purpose,
        "note": wanted.note or before.note,
        "misses": misses,
        "closed_as": None,
    }
    if before.state is State.DIALLING:
        return contact.changed(now, **again)
    if before.state is State.WAITING:
        return contact.changed(
            now,
            asked_at=min(before.asked_at, wanted.asked_at),
            due_at=min(before.due_at, wanted.due_at),
            **again,
        )
    place = {"asked_at": wanted.asked_at, "agent": wanted.agent, "until": wanted.until}
    renewed = _begun_anew(contact, wanted.due_at, now, reason="asked")
    return renewed.changed(now, number=wanted.number, queue=wanted.queue, **place, **again)


def _begun_anew(contact: Contact, due_at: datetime, now: datetime, reason: str) -> Contact:
    return contact.changed(
        now,
        state=State.WAITING,
        reason=reason,
        due_at=due_at,
        closed_as=None,
        attempts=0,
        failures=0,
        leased_until=None,
        result=None,
        first_dialled_at=None,
        dialled_at=None,
    )


def closed(contact: Contact, call_id: str, state: State, now: datetime) -> Contact:
    """One of its misses is over. With the last of them the contact is, at once or after the call
    that goes on.
    """
    if call_id not in contact.misses:
        return contact
    misses = tuple(each for each in contact.misses if each != call_id)
    after = contact.changed(
        now,
        misses=misses,
        closed=(*contact.closed, call_id)[-MAX_CLOSED:],
        closed_as=contact.closed_as if misses else state,
    )
    if misses or contact.state not in AT_REST:
        return after
    return _over(after, state, state.value, now)


def withdrawn(contact: Contact, state: State, reason: str, now: datetime) -> Contact:
    """Ends a contact for which nobody dials."""
    return _over(contact, state, reason, now) if contact.state in AT_REST else contact


def called_off(contact: Contact, state: State, reason: str, now: datetime) -> Contact:
    """Nobody dials for them any more; a call that goes on is the last, and so is one that reached
    them, should it turn out that it did not.
    """
    if contact.state in (State.DIALLING, State.REACHED) and contact.closed_as is None:
        return contact.changed(now, closed_as=state)
    return withdrawn(contact, state, reason, now)


def freed(contact: Contact, now: datetime) -> Contact:
    if contact.state is not State.BLOCKED:
        return contact
    return contact.changed(
        now,
        state=State.WAITING,
        reason="freed",
        due_at=now,
        attempts=0,
        failures=0,
        leased_until=None,
    )


def postponed(contact: Contact, due_at: datetime, reason: str, now: datetime) -> Contact:
    if contact.state is not State.WAITING:
        return contact
    return contact.changed(now, due_at=due_at, reason=reason)


def barred(contact: Contact, reason: str, now: datetime) -> Contact:
    """No time is known at which a rule would let them be called."""
    return _blocked(contact, reason, now) if contact.state is State.WAITING else contact


def _over(contact: Contact, state: State, reason: str, now: datetime) -> Contact:
    after = contact.changed(now, state=state, reason=reason, leased_until=None)
    return after if after.recovery_knows else _to_be_told(after, now)


# --- Dialling ------------------------------------------------------------------------------------


def reserved(contact: Contact, agent: str, now: datetime) -> Contact:
    """For one dial, which counts as an attempt from now on: no race passes the limit."""
    return contact.changed(
        now,
        state=State.DIALLING,
        reason="dialling",
        attempts=contact.attempts + 1,
        dials=contact.dials + 1,
        dial_id=dial_id_of(contact),
        dial_agent=agent,
        call_id=None,
        leased_until=now + LEASE,
    )


def placed(
    contact: Contact, dial_id: str, call_id: str, ordered_at: datetime, now: datetime
) -> Contact:
    if not _is_dialling(contact, dial_id) or contact.call_id:
        return contact
    return contact.changed(
        now,
        call_id=call_id,
        failures=0,
        first_dialled_at=contact.first_dialled_at or ordered_at,
        dialled_at=ordered_at,
        leased_until=now + RINGING,
    )


def watched(contact: Contact, dial_id: str, until: datetime, now: datetime) -> Contact:
    """Nothing is known yet, and somebody looks again then."""
    return contact.changed(now, leased_until=until) if _is_dialling(contact, dial_id) else contact


def not_placed(
    contact: Contact, dial_id: str, reason: str, retry_at: datetime | None, now: datetime
) -> Contact:
    """No call was placed, to the knowledge of all: it was no attempt."""
    if not _is_dialling(contact, dial_id) or contact.call_id:
        return contact
    wait = min(FIRST_RETRY * 2 ** min(contact.failures, 10), LAST_RETRY)
    after = contact.changed(
        now,
        attempts=contact.attempts - 1,
        failures=contact.failures + 1,
        leased_until=None,
    )
    return _resting(after, f"not placed: {reason}", max(now + wait, retry_at or now), now)


def refused(contact: Contact, dial_id: str, reason: str, now: datetime) -> Contact:
    """The telephone system will never place it, so a person has to look."""
    if not _is_dialling(contact, dial_id) or contact.call_id:
        return contact
    after = contact.changed(now, attempts=contact.attempts - 1, leased_until=None)
    return _blocked(after, f"refused: {reason}", now)


def not_rung(contact: Contact, dial_id: str, now: datetime) -> Contact:
    """The agent did not pick up, so nobody rang the customer: it was no attempt."""
    if not _is_dialling(contact, dial_id):
        return contact
    after = contact.changed(now, attempts=contact.attempts - 1, leased_until=None)
    return _resting(after, OPERATOR_NO_ANSWER, now, now)


def ended(
    contact: Contact, dial_id: str, result: Result, at: datetime, pace: Pace, now: datetime
) -> Contact:
    """The call ended at `at`, or it is given up; or it turns out that it ended otherwise."""
    if contact.dial_id != dial_id:
        return contact
    told = contact.changed(now, result=result, leased_until=None)
    if contact.state is State.DIALLING:
        return _reached(told, at, now) if result is Result.HUMAN else _tried(told, at, pace, now)
    if contact.result in (None, result):
        return contact
    if result is Result.HUMAN and contact.state in AT_REST:
        return _reached(told, at, now)
    if contact.result is Result.HUMAN and contact.state is State.REACHED:
        return _tried(told, at, pace, now)
    return told


def _reached(contact: Contact, at: datetime, now: datetime) -> Contact:
    """Over; but a call wins back no miss that came after it began."""
    missed_at, dialled_at = contact.missed_at, contact.dialled_at
    is_missed = contact.misses and contact.closed_as is None
    if is_missed and missed_at and dialled_at and missed_at > dialled_at:
        return _begun_anew(contact, at, now, reason="missed")
    return _over(contact, State.REACHED, State.REACHED.value, now)


def _tried(contact: Contact, at: datetime, pace: Pace, now: datetime) -> Contact:
    return _after_attempt(contact, contact.result or Result.UNKNOWN, at, pace, now)


def _after_attempt(
    contact: Contact, result: Result, at: datetime, pace: Pace, now: datetime
) -> Contact:
    if contact.attempts >= contact.limit(pace):
        return _blocked(contact, "attempts", now)
    return _resting(contact, result.value, at + pace.waits.after(result), now)


def _resting(contact: Contact, reason: str, due_at: datetime, now: datetime) -> Contact:
    """Waiting, unless it is over meanwhile."""
    if contact.closed_as:
        return _over(contact, contact.closed_as, contact.closed_as.value, now)
    return contact.changed(now, state=State.WAITING, reason=reason, due_at=due_at)


def _blocked(contact: Contact, reason: str, now: datetime) -> Contact:
    if contact.closed_as:
        return _over(contact, contact.closed_as, contact.closed_as.value, now)
    return _to_be_told(contact.changed(now, state=State.BLOCKED, reason=reason), now)


def _to_be_told(contact: Contact, now: datetime) -> Contact:
    """Whoever is to tell recovery may die before."""
    return contact.model_copy(update={"leased_until": now + LEASE})


def known_to_recovery(contact: Contact) -> Contact:
    """Recovery was told; what is being dialled is still looked after."""
    told: dict[str, object] = {"known_blocked": contact.state is State.BLOCKED}
    if contact.state is not State.DIALLING:
        told["leased_until"] = None
    return contact.model_copy(update=told)


def _is_dialling(contact: Contact, dial_id: str) -> bool:
    return contact.state is State.DIALLING and contact.dial_id == dial_id


# What the providers say of a line that is engaged.
BUSY_REASONS = frozenset(
    {"busy", "ocupado", "outbusy", "user_busy", "telecom_busy", "sit_tone_busy", "17"}
)


def result_of(call: Call) -> Result:
    """Of a call that is over."""
    match call.answered_by:
        case AnsweredBy.HUMAN:
            return Result.HUMAN
        case AnsweredBy.VOICEMAIL:
            return Result.VOICEMAIL
        case AnsweredBy.UNKNOWN:
            return Result.UNKNOWN
    if (call.end_reason or "").lower() in BUSY_REASONS:
        return Result.BUSY
    return Result.FAILED if call.status is Stage.FAILED else Result.NO_ANSWER


# --- How often a number is called, by all lists together -----------------------------------------


class LoggedDial(Frozen):
    dial_id: str
    at: datetime


class NumberLog(Frozen):
    """The dials to a number in the last days. `revision` counts the writes."""

    number_key: str
    dials: tuple[LoggedDial, ...] = Field(default=(), max_length=MAX_LOGGED)
    revision: int = 0

    def with_dial(self, dial_id: str, at: datetime) -> "NumberLog":
        kept = [each for each in self.dials if each.at > at - LOGGED]
        dials = (*kept, LoggedDial(dial_id=dial_id, at=at))[-MAX_LOGGED:]
        return self.model_copy(update={"dials": dials})

    def without(self, dial_id: str) -> "NumberLog":
        dials = tuple(each for each in self.dials if each.dial_id != dial_id)
        return self.model_copy(update={"dials": dials})


@dataclass(frozen=True, slots=True)
class Day:
    """A day where a number is; `ends` is not included."""

    begins: datetime
    ends: datetime

    def count(self, moments: Iterable[datetime]) -> int:
        return sum(self.begins <= moment < self.ends for moment in moments)


@dataclass(frozen=True, slots=True)
class Limit:
    """What keeps a contact from being called now, and until when."""

    reason: str
    until: datetime


def calls_in(
    day: Day, log: NumberLog, by_lists: Sequence[datetime], by_people: Sequence[datetime]
) -> int:
    """How many calls there are to a number in a day. Those of lists are logged, and later known of
    as others are: each counts once, and also where it is one or the other alone.
    """
    logged = [each.at for each in log.dials]
    dialled = max(day.count(logged), day.count(by_lists))
    return dialled + day.count(by_people)


def limit_of(
    log: NumberLog,
    by_lists: Sequence[datetime],
    by_people: Sequence[datetime],
    day: Day,
    pace: Pace,
    now: datetime,
) -> Limit | None:
    """What the pace says of one more call to a number; the calls to it are those known of."""
    if calls_in(day, log, by_lists, by_people) >= pace.max_calls_a_day:
        return Limit(reason="calls_a_day", until=day.ends)
    last = max([*(each.at for each in log.dials), *by_lists, *by_people], default=None)
    free_at = last + timedelta(minutes=pace.min_gap_minutes) if last else now
    return Limit(reason="gap", until=free_at) if free_at > now else None
