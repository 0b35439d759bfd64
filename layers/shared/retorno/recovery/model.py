"""When a missed customer counts as won back.

Each call plays a part towards its customer: it missed them, it tried to reach them, or they came
back by themselves. What became of a miss follows from the parts of one number alone, whatever
order they were told in, by the calls' own times.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from enum import StrEnum
from statistics import quantiles
from typing import Any

from retorno.calls.model import NO_END_EVENT, Call
from retorno.customers.lookup import Lookup
from retorno.frozen import Frozen
from retorno.phone import match_key
from retorno.settings import RecoveryRequires
from retorno.telephony.ports import AnsweredBy, Direction, Stage
from retorno.times import LAST, Period

VOICEMAIL = "voicemail"


class Role(StrEnum):
    MISSED = "missed"
    OUTBOUND = "outbound"
    RETURN = "return"


class State(StrEnum):
    OPEN = "open"
    RECOVERED = "recovered"
    RETURNED = "returned"
    BLOCKED = "blocked"
    EXPIRED = "expired"
    DISMISSED = "dismissed"


class RecoveryRules(Frozen):
    """What a deployment decides about recovery."""

    window: timedelta = timedelta(days=7)
    requires: RecoveryRequires = RecoveryRequires.PERSON
    short_abandon_seconds: float = 5


class Part(Frozen):
    """The part that a call plays towards its customer.

    `at` is when a miss ended, and when any other call began. `reached_at` is when a person was
    reached, or the returning customer was answered. `over` outbound calls that reached nobody
    are attempts.
    """

    number_key: str
    call_id: str
    role: Role
    at: datetime
    number: str | None = None
    queue: str | None = None
    agent: str | None = None
    branch: str | None = None
    chosen_customer: str | None = None
    reached_at: datetime | None = None
    over: bool = False
    reason: str | None = None
    short_abandon: bool = False

    @property
    def lookup(self) -> Lookup:
        """What its customer is looked up by."""
        known_key = match_key(self.number) if self.number else None
        return Lookup(number_key=known_key, at=self.at, chosen=self.chosen_customer)

    @property
    def is_attempt(self) -> bool:
        return self.role is Role.OUTBOUND and self.over and self.reached_at is None

    @property
    def bears_on_misses(self) -> bool:
        """Whether it may end misses, or is an attempt to."""
        return self.reached_at is not None or self.is_attempt

    def ended_all_before(self, moment: datetime) -> bool:
        """Whether no call from that moment on bears on a miss before this part."""
        return self.reached_at is not None and self.reached_at < moment


class Dismissal(Frozen):
    """A person's decision that a missed call needs no more."""

    at: datetime
    by: str
    reason: str


UNREACHED = frozenset({State.OPEN, State.BLOCKED})


class Outcome(Frozen):
    """What became of a missed call. Seconds count from the miss."""

    state: State = State.OPEN
    attempts: int = 0
    first_attempt_seconds: float | None = None
    recovered_by: str | None = None
    recovered_by_agent: str | None = None
    recovered_at: datetime | None = None
    recovery_seconds: float | None = None
    returned_by: str | None = None
    returned_at: datetime | None = None


def number_key_of(call: Call) -> str:
    """A withheld number is nobody's: it has a key of its own and never matches."""
    return call.number_key or f"withheld#{call.call_id}"


def part_of(call: Call, rules: RecoveryRules) -> Part | None:
    """None for a call that neither missed a customer nor may have reached one."""
    facts: dict[str, Any] = {
        "number_key": number_key_of(call),
        "call_id": call.call_id,
        "number": call.number,
        "queue": call.queue,
        "agent": call.agent,
        "branch": call.branch,
        "chosen_customer": call.chosen_customer,
    }
    if call.missed:
        return Part(
            role=Role.MISSED,
            at=call.ended_at,
            reason=_miss_reason(call),
            short_abandon=_is_short_abandon(call, rules),
            **facts,
        )
    if call.number is None or call.internal or call.started_at is None:
        return None
    if call.direction is Direction.INBOUND:
        if not call.got_through:
            return None
        answered_at = call.answered_at or call.ended_at
        return Part(role=Role.RETURN, at=call.started_at, reached_at=answered_at, **facts)
    if not call.rang_customer:
        return None
    return Part(
        role=Role.OUTBOUND,
        at=call.started_at,
        reached_at=_reached_at(call, rules),
        over=call.ended_at is not None,
        **facts,
    )


def _miss_reason(call: Call) -> str:
    if call.end_reason == NO_END_EVENT:
        return NO_END_EVENT
    return VOICEMAIL if call.answered_by is AnsweredBy.VOICEMAIL else call.status


def _is_short_abandon(call: Call, rules: RecoveryRules) -> bool:
    return (
        call.status is Stage.CANCELLED
        and call.wait_seconds is not None
        and call.wait_seconds <= rules.short_abandon_seconds
    )


def _reached_at(call: Call, rules: RecoveryRules) -> datetime | None:
    if rules.requires is RecoveryRequires.DIALLED:
        return call.started_at
    if rules.requires is RecoveryRequires.ANSWERED:
        return call.answered_at
    reached = call.was_answered and call.answered_by is AnsweredBy.HUMAN
    return (call.answered_at or call.ended_at) if reached else None


def outcome_of(
    missed: Part,
    parts: Iterable[Part],
    dismissal: Dismissal | None,
    rules: RecoveryRules,
    now: datetime,
    *,
    blocked: bool = False,
) -> Outcome:
    """What the parts of the same number make of a miss, which is `blocked` while it was tried as
    often as it may be.

    The earliest call that reached the customer ends it, whoever called; a dismissal does, if it
    came before. Such a call begins after the miss (not before it, at the second's resolution of
    many logs) and reaches its person within the window.
    """
    parts = list(parts)
    winner = _winner(missed, parts, dismissal, rules)
    tried = [attempt.at for attempt in attempts_on(missed, parts, dismissal, rules)]
    outcome = Outcome(
        attempts=len(tried),
        first_attempt_seconds=_seconds(missed, tried[0]) if tried else None,
    )
    if winner is None:
        expired = now > missed.at + rules.window
        waiting = State.BLOCKED if blocked else State.OPEN
        unreached = State.DISMISSED if dismissal else State.EXPIRED if expired else waiting
        return outcome.model_copy(update={"state": unreached})
    if winner.role is Role.RETURN:
        returned = {"returned_by": winner.call_id, "returned_at": winner.reached_at}
        return outcome.model_copy(update={"state": State.RETURNED, **returned})
    return outcome.model_copy(
        update={
            "state": State.RECOVERED,
            "recovered_by": winner.call_id,
            "recovered_by_agent": winner.agent,
            "recovered_at": winner.reached_at,
            "recovery_seconds": _seconds(missed, winner.reached_at),
        }
    )


def attempts_on(
    missed: Part, parts: Iterable[Part], dismissal: Dismissal | None, rules: RecoveryRules
) -> list[Part]:
    """The outbound calls that reached nobody while the customer was missed, oldest first."""
    parts = list(parts)
    winner = _winner(missed, parts, dismissal, rules)
    until = missed.at + rules.window
    if winner and winner.reached_at:
        until = winner.reached_at
    elif dismissal:
        until = min(until, dismissal.at)
    attempts = [part for part in parts if part.is_attempt and missed.at <= part.at <= until]
    return sorted(attempts, key=lambda part: (part.at, part.call_id))


def _winner(
    missed: Part, parts: Iterable[Part], dismissal: Dismissal | None, rules: RecoveryRules
) -> Part | None:
    until = min(missed.at + rules.window, dismissal.at if dismissal else LAST)
    reaching = [
        (part.reached_at, part.call_id, part)
        for part in parts
        if part.reached_at is not None and part.at >= missed.at and part.reached_at <= until
    ]
    return min(reaching)[2] if reaching else None


def _seconds(missed: Part, moment: datetime | None) -> float | None:
    return (moment - missed.at).total_seconds() if moment else None


class MissedCall(Frozen):
    """A missed call and what became of it."""

    part: Part
    outcome: Outcome
    dismissal: Dismissal | None = None


class MissedFilter(Frozen):
    """Which missed calls are asked for; None is any."""

    state: State | None = None
    queue: str | None = None
    agent: str | None = None
    period: Period = Period()


class Summary(Frozen):
    """Counts of the calls missed in a period, by what became of them.

    `recovery_rate` is recovered / missed, None where nothing was missed. The percentiles are of
    the recovered calls' recovery seconds, interpolated linearly between ranks.
    """

    missed: int
    short_abandons: int
    open: int
    recovered: int
    returned: int
    blocked: int
    expired: int
    dismissed: int
    recovery_rate: float | None
    recovery_seconds_median: float | None
    recovery_seconds_p90: float | None


def summarise(
    states: Sequence[State], short_abandons: int, recovery_seconds: Sequence[float]
) -> Summary:
    counts = {state.value: states.count(state) for state in State}
    return Summary(
        missed=len(states),
        short_abandons=short_abandons,
        recovery_rate=counts[State.RECOVERED] / len(states) if states else None,
        recovery_seconds_median=percentile(recovery_seconds, 50),
        recovery_seconds_p90=percentile(recovery_seconds, 90),
        **counts,
    )


def percentile(values: Sequence[float], rank: int) -> float | None:
    """`rank` from 1 to 99; None for no values."""
    if len(values) < 2:  # noqa: PLR2004 - what quantiles() needs
        return values[0] if values else None
    return quantiles(values, n=100, method="inclusive")[rank - 1]
