"""How long a caller may wait for a person, and how long they did.

A wait is the caller's, not a queue's: it begins as they first come into a queue and ends as
somebody answers or they go, whatever other queues they are sent on to meanwhile. It goes by the
rule that their first queue had at that moment.
"""

from collections.abc import Mapping
from datetime import date, datetime, timedelta
from enum import StrEnum
from typing import Annotated, NamedTuple, Self
from zoneinfo import ZoneInfo

from pydantic import Field, StringConstraints, model_validator

from retorno.calendars import DAY, Calendar
from retorno.calling_rules.model import Source, Standing, Text
from retorno.calls.model import NO_END_EVENT, Call
from retorno.frozen import Strict
from retorno.telephony.ports import Direction

# An answer in the last second takes a moment to be told.
TOLD_WITHIN = timedelta(seconds=2)

MAX_LIMIT_SECONDS = 3600

# The rule of a queue for which people set the seconds themselves.
CUSTOM = "custom"

# How many policies of a queue are remembered, for waits that are told of late.
MAX_VERSIONS = 100

FIFTH = 5


class DayType(StrEnum):
    """What a day counts as; of several, the first of these."""

    HOLIDAY = "holiday"
    PEAK = "peak"
    SUNDAY = "sunday"
    SATURDAY = "saturday"
    WEEKDAY = "weekday"


class PeakDay(StrEnum):
    """Days on which more people call. The day before or after a holiday is the very next one."""

    MONDAY = "monday"
    BEFORE_HOLIDAY = "before_holiday"
    AFTER_HOLIDAY = "after_holiday"
    FIFTH_BUSINESS_DAY = "fifth_business_day"


Seconds = Annotated[int, Field(ge=1, le=MAX_LIMIT_SECONDS)]


class Limits(Strict):
    """How long a caller may wait; where no seconds are named, waits are counted and not judged."""

    seconds: Annotated[Seconds | None, Field(description="Null: counted, but not judged")]
    seconds_on: Annotated[
        Mapping[DayType, Seconds], Field(description="Where a type of day has its own")
    ] = {}
    peak_days: Annotated[
        frozenset[PeakDay], Field(description="Which days count as peak days; none if not said")
    ] = frozenset()
    of_banks: Annotated[
        bool, Field(description="Whether days without business of banks count as holidays")
    ] = False

    @model_validator(mode="after")
    def _has_peak_days(self) -> Self:
        if DayType.PEAK in self.seconds_on and not self.peak_days:
            raise ValueError("seconds_on names peak, so peak_days must say which days those are")
        return self

    def on(self, day_type: DayType) -> int | None:
        return self.seconds_on.get(day_type, self.seconds)

    def type_of(self, day: date, calendar: Calendar) -> DayType:
        if calendar.is_holiday(day):
            return DayType.HOLIDAY
        if any(_is_peak(each, day, calendar) for each in self.peak_days):
            return DayType.PEAK
        return _OF_WEEKEND.get(day.weekday(), DayType.WEEKDAY)


_OF_WEEKEND = {5: DayType.SATURDAY, 6: DayType.SUNDAY}


def _is_peak(kind: PeakDay, day: date, calendar: Calendar) -> bool:
    match kind:
        case PeakDay.MONDAY:
            return day.weekday() == 0
        case PeakDay.BEFORE_HOLIDAY:
            return calendar.is_holiday(day + DAY)
        case PeakDay.AFTER_HOLIDAY:
            return calendar.is_holiday(day - DAY)
    return calendar.nth_business_day(day) == FIFTH


class Force(StrEnum):
    IN_FORCE = "in_force"
    YARDSTICK = "yardstick"
    """No law, or none any more; centres measure themselves by it all the same."""


class Rule(Strict):
    """`id` is the profile's, a stroke, and the rule's own; `note` what it does not say itself."""

    id: str
    title: Text
    limits: Limits
    force: Force
    note: Text
    source: Source
    checked_on: date
    standing: Standing


class Profile(Strict):
    """A law, with the rules in it that a queue can go by."""

    id: str
    title: Text
    country: str
    rules: tuple[Rule, ...]


class Policy(Strict):
    """What a queue goes by: a profile's rule, or limits of its own; and whose holidays count."""

    rule: Annotated[str | None, Field(max_length=64, description="Of GET /wait-profiles")] = None
    limits: Limits | None = None
    state: (
        Annotated[
            str, StringConstraints(pattern="^[A-Z0-9]{1,3}$"), Field(description="ISO 3166-2: SP")
        ]
        | None
    ) = None
    optional_holidays: Annotated[
        bool, Field(description="Whether Carnival, Corpus Christi and the like are holidays")
    ] = False

    @model_validator(mode="after")
    def _has_one(self) -> Self:
        if (self.rule is None) == (self.limits is None):
            raise ValueError("either rule or limits says how long callers may wait")
        return self


class Version(Strict):
    """A policy, and from when it was in force; None from when the queue had none."""

    policy: Policy | None
    since: datetime
    set_by: str


class InForce(Strict):
    """The policy of a queue for waits that begin now."""

    queue: str
    version: int
    policy: Policy
    since: datetime
    set_by: str


class QueuePolicy(Strict):
    """What a queue went by, from time to time; `version` counts the changes."""

    queue: str
    version: int = 0
    timeline: tuple[Version, ...] = ()

    @property
    def in_force(self) -> InForce | None:
        """None where the queue goes by the stack's own rule."""
        last = self.timeline[-1] if self.timeline else None
        if last is None or last.policy is None:
            return None
        return InForce(
            queue=self.queue,
            version=self.version,
            policy=last.policy,
            since=last.since,
            set_by=last.set_by,
        )

    def at(self, moment: datetime) -> Policy | None:
        before = [each for each in self.timeline if each.since <= moment]
        return before[-1].policy if before else None

    def changed(self, policy: Policy | None, by: str, now: datetime) -> Self:
        # Clocks of two workers differ: the later change is the later version.
        since = max([now, *(each.since for each in self.timeline[-1:])])
        timeline = (*self.timeline, Version(policy=policy, since=since, set_by=by))
        return self.model_copy(
            update={"version": self.version + 1, "timeline": timeline[-MAX_VERSIONS:]}
        )


class Outcome(StrEnum):
    WAITING = "waiting"
    ANSWERED = "answered"
    """By a person, as far as is known."""
    LEFT = "left"
    """Hung up, was sent away, or came to a voicemail."""
    UNKNOWN = "unknown"
    """The wait is over, and nobody told when."""
    NONE = "none"
    """It was none: what came later showed that no customer waited."""


class Waited(NamedTuple):
    """What a call says of its caller's wait."""

    queue: str | None
    last_queue: str | None
    began_at: datetime
    outcome: Outcome
    ended_at: datetime | None


def waited_of(call: Call) -> Waited | None:
    """None where no customer came into a queue."""
    if call.direction is not Direction.INBOUND or call.internal or call.queued_at is None:
        return None
    ended_at = call.answered_at or call.ended_at
    outcome = _outcome(call)
    if ended_at is not None and ended_at < call.queued_at:
        outcome = Outcome.UNKNOWN
    if outcome in (Outcome.WAITING, Outcome.UNKNOWN):
        ended_at = None
    return Waited(call.queue, call.last_queue, call.queued_at, outcome, ended_at)


def _outcome(call: Call) -> Outcome:
    if call.answered_at is not None:
        return Outcome.ANSWERED if call.got_through else Outcome.LEFT
    if call.ended_at is None:
        return Outcome.WAITING
    # An answer that nobody timed, or an end that the provider never told.
    is_unknown = call.got_through or call.end_reason == NO_END_EVENT
    return Outcome.UNKNOWN if is_unknown else Outcome.LEFT


class Terms(NamedTuple):
    """By what a wait is judged. `day` is that on which it began, where the company is."""

    rule: str
    day: date
    day_type: DayType
    limit_seconds: int | None


class Wait(Strict):
    """`queue` is the one that the caller came into first, `last_queue` where they were last.

    A caller who still waits is looked after at `due_at`, None where the rule names no seconds.
    `revision` counts the writes; one that is not yet written has the revision 0.
    """

    call_id: str
    queue: str | None
    last_queue: str | None
    began_at: datetime
    rule: str
    day: date
    day_type: DayType
    limit_seconds: int | None
    due_at: datetime | None
    outcome: Outcome = Outcome.WAITING
    ended_at: datetime | None = None
    breached: bool = False
    revision: int = 0

    @property
    def seconds(self) -> float | None:
        """None while it goes on, and where its end is not known."""
        return (self.ended_at - self.began_at).total_seconds() if self.ended_at else None

    @property
    def allowed_until(self) -> datetime | None:
        if self.limit_seconds is None:
            return None
        return self.began_at + timedelta(seconds=self.limit_seconds)

    @property
    def breached_at(self) -> datetime | None:
        return self.allowed_until if self.breached else None

    def is_that_of(self, waited: Waited) -> bool:
        """Whether the same wait is told of: it keeps its rule then, whatever was changed since."""
        return (self.queue, self.began_at) == (waited.queue, waited.began_at)

    @property
    def next_look(self) -> datetime | None:
        """When somebody has to look whether the caller still waits."""
        goes_on = self.outcome is Outcome.WAITING and not self.breached
        return self.due_at if goes_on else None

    def told(self, waited: Waited, now: datetime) -> Self:
        """As the call says it by now."""
        after = self.model_copy(
            update={
                "last_queue": waited.last_queue,
                "outcome": waited.outcome,
                "ended_at": waited.ended_at,
            }
        )
        return after.model_copy(update={"breached": after._is_breach(now)})

    def withdrawn(self) -> Self:
        """As it is once the call says that no customer waited."""
        nothing = {"outcome": Outcome.NONE, "ended_at": None, "breached": False}
        return self.model_copy(update=nothing)

    def _is_breach(self, now: datetime) -> bool:
        if self.due_at is None or self.allowed_until is None:
            return False
        if self.outcome is Outcome.WAITING:
            return now >= self.due_at
        return self.ended_at is not None and self.ended_at > self.allowed_until


def begun(call_id: str, waited: Waited, terms: Terms, now: datetime, revision: int = 0) -> Wait:
    """A wait that is told of for the first time; or as another than before, of that revision."""
    wait = Wait(
        call_id=call_id,
        queue=waited.queue,
        last_queue=waited.last_queue,
        began_at=waited.began_at,
        due_at=None,
        revision=revision,
        **terms._asdict(),
    )
    if wait.allowed_until is None:
        return wait
    # What is told of late has its answer told of late, too.
    due_at = max(wait.allowed_until, now) + TOLD_WITHIN
    return wait.model_copy(update={"due_at": due_at})


class Rulebook:
    """The rules that queues can name, and the stack's own, for those that name none."""

    def __init__(self, rules: Mapping[str, Rule], own: str, country: str, zone: ZoneInfo) -> None:
        """Raises KeyError where the stack's own is not one of them."""
        self._rules = rules
        self._country = country
        self._zone = zone
        self.own = rules[own]

    def rule(self, rule_id: str) -> Rule | None:
        """None for limits that people set themselves."""
        return self._rules.get(rule_id)

    def limits(self, policy: Policy) -> Limits:
        if policy.limits is not None:
            return policy.limits
        return self._rules[policy.rule or self.own.id].limits

    def terms(self, policy: Policy | None, began_at: datetime) -> Terms:
        """By what a wait is judged that began when a queue went by a policy."""
        policy = policy or Policy(rule=self.own.id)
        limits = self.limits(policy)
        calendar = Calendar(self._country, policy.state, policy.optional_holidays, limits.of_banks)
        day = began_at.astimezone(self._zone).date()
        day_type = limits.type_of(day, calendar)
        return Terms(policy.rule or CUSTOM, day, day_type, limits.on(day_type))
