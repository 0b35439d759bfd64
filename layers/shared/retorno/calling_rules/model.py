"""When, and whom, the rules let a centre call.

A profile is a law or a code as data: rules, each with its source and how far that was checked.
Each rule answers one question: when is the next moment at which it lets this call be made? A call
may be made when all say "now", and next may be made at the first moment that suits all.
"""

from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime, time, timedelta
from enum import StrEnum
from typing import Annotated, Literal
from zoneinfo import ZoneInfo

from pydantic import AwareDatetime, Field, model_validator

from retorno.calendars import DAY, Calendar, Place, moment_of, place_of
from retorno.frozen import Frozen
from retorno.phone import PhoneNumber

# How far ahead a next moment is looked for.
SEARCH = timedelta(days=92)


class Purpose(StrEnum):
    REQUESTED_CALLBACK = "requested_callback"
    """The customer asked for it: in a menu, of an agent, in writing."""
    ABANDONED_CALLBACK = "abandoned_callback"
    """The customer rang, nobody answered, and the centre rings back."""
    TELEMARKETING = "telemarketing"
    COLLECTION = "collection"
    """Of debts."""
    SERVICE = "service"
    """All else that a contract brings: a delivery, a visit, a change."""


class Standing(StrEnum):
    """How far a rule was checked."""

    PRIMARY = "primary"
    """In the text of the law itself."""
    SECONDARY = "secondary"
    """In what others write of it."""
    UNVERIFIED = "unverified"


class Text(Frozen):
    """What operators read, and what developers do."""

    pt: str
    en: str


class Source(Frozen):
    title: str
    url: str


class Facts(Frozen):
    """What is known of the number's earlier calls, and of the one to be made.

    `calls_that_day` are those already made on the day, where the number is, of the moment asked
    about (`Place.day_at`). `requested_at` is when a customer asked for a call back: at the moment
    of the call where it is not said.
    """

    calls_that_day: int = 0
    last_abandoned_at: AwareDatetime | None = None
    requested_at: AwareDatetime | None = None
    automated: bool = True
    caller_id_withheld: bool = False


class Call(Frozen):
    """A call that someone thinks of making."""

    place: Place
    purpose: Purpose
    at: datetime
    facts: Facts
    optional_holidays: bool = False


class Weekday(StrEnum):
    MONDAY = "monday"
    TUESDAY = "tuesday"
    WEDNESDAY = "wednesday"
    THURSDAY = "thursday"
    FRIDAY = "friday"
    SATURDAY = "saturday"
    SUNDAY = "sunday"


WEEK = tuple(Weekday)


class Window(Frozen):
    """Hours of some days of the week, in the called number's own time; `until` is not included."""

    days: tuple[Weekday, ...]
    since: time
    until: time

    @model_validator(mode="after")
    def _is_open(self) -> "Window":
        if not self.days or self.until <= self.since:
            raise ValueError("a window has days, and ends after it begins, on the same day")
        return self


class HolidaysOf(StrEnum):
    NATION = "nation"
    STATE = "state"
    """The state's and the nation's."""


class _Rule(Frozen):
    """`id` is the profile's, a stroke, and the rule's own."""

    id: str
    title: Text
    purposes: tuple[Purpose, ...]
    source: Source
    checked_on: date
    standing: Standing


class Hours(_Rule):
    """Calls are made in a window, and not on holidays where `holidays` says whose count."""

    kind: Literal["hours"]
    windows: tuple[Window, ...]
    holidays: HolidaysOf | None = None

    def opens(self, moment: datetime, call: Call) -> datetime | None:
        # A number that may be in any of several zones is called when all of them allow it. The
        # latest of their openings is no later than the first that they have in common.
        openings = [self._opens_in(zone, moment, call) for zone in call.place.zones]
        known = [opening for opening in openings if opening]
        return max(known) if len(known) == len(openings) else None

    def _opens_in(self, zone: str, moment: datetime, call: Call) -> datetime | None:
        day = moment.astimezone(ZoneInfo(zone)).date()
        for _ in range(SEARCH.days + 1):
            openings = [
                max(moment, moment_of(day, window.since, zone))
                for window in self._windows_on(day, call)
                if moment < moment_of(day, window.until, zone)
            ]
            if openings:
                return min(openings)
            day += DAY
        return None

    def _windows_on(self, day: date, call: Call) -> Sequence[Window]:
        windows = [window for window in self.windows if WEEK[day.weekday()] in window.days]
        return [] if windows and self._is_holiday(day, call) else windows

    def _is_holiday(self, day: date, call: Call) -> bool:
        if self.holidays is None:
            return False
        state = call.place.state if self.holidays is HolidaysOf.STATE else None
        return Calendar(call.place.country, state, call.optional_holidays).is_holiday(day)


class CallsADay(_Rule):
    """So many calls to a number on one day, where the number is."""

    kind: Literal["calls_a_day"]
    max_calls: int = Field(ge=1)

    def opens(self, moment: datetime, call: Call) -> datetime | None:
        day = call.place.day_at(call.at)
        if call.facts.calls_that_day < self.max_calls or call.place.day_at(moment) > day:
            return moment
        return call.place.beginning_of(day + DAY)


class ShownCaller(_Rule):
    """The number that calls is shown."""

    kind: Literal["shown_caller"]

    def opens(self, moment: datetime, call: Call) -> datetime | None:
        return None if call.facts.caller_id_withheld else moment


class GapAfterAbandoned(_Rule):
    """No machine dials a number again so soon after a call that it left without an agent."""

    kind: Literal["gap_after_abandoned"]
    hours: int = Field(ge=1)

    def opens(self, moment: datetime, call: Call) -> datetime | None:
        abandoned_at = call.facts.last_abandoned_at
        if abandoned_at is None or not call.facts.automated:
            return moment
        return max(moment, abandoned_at.astimezone(UTC) + timedelta(hours=self.hours))


Rule = Annotated[Hours | CallsADay | ShownCaller | GapAfterAbandoned, Field(discriminator="kind")]


class Profile(Frozen):
    """A law or code. `country` and `state` are the called number's; None means any."""

    id: str
    title: Text
    country: str | None = None
    state: str | None = None
    rules: tuple[Rule, ...]

    def applies_to(self, place: Place) -> bool:
        return self.country in (None, place.country) and self.state in (None, place.state)


class Origin(StrEnum):
    """Who wants a number not to be called."""

    CUSTOMER = "customer"
    DISPOSITION = "disposition"
    """An agent noted it as the result of a call."""
    NAO_ME_PERTURBE = "nao_me_perturbe"
    PROCON = "procon"
    IMPORT = "import"


class Scope(StrEnum):
    """What an entry forbids."""

    TELEMARKETING = "telemarketing"
    ALL = "all"
    """Every call, but for one that the customer asks for later."""


class Listing(Frozen):
    """What someone wants on the list. In force from `effective_from`, where the number is."""

    origin: Origin
    scope: Scope = Scope.TELEMARKETING
    effective_from: date | None = None
    note: str | None = None


class Entry(Frozen):
    """A number on the do-not-call list, once for each origin.

    `added_at` is when it first came, `said_at` when its whole scope was last asked for: a call back
    that was asked for before that is off.
    """

    number: str
    number_key: str
    origin: Origin
    scope: Scope
    effective_from: date
    added_at: datetime
    added_by: str
    said_at: datetime
    note: str | None = None

    def joined_with(self, other: "Entry") -> "Entry":
        """The one that stands, once another comes for the same number and origin.

        It tells who came first and when, and forbids what either does, from when either does:
        nothing that comes makes an entry forbid less.
        """
        said = [entry.said_at for entry in (self, other) if entry.scope is Scope.ALL]
        return self.model_copy(
            update={
                "scope": Scope.ALL if said else self.scope,
                "said_at": max(said, default=self.said_at),
                "effective_from": min(self.effective_from, other.effective_from),
                "note": self.note or other.note,
            }
        )

    def opens(self, moment: datetime, call: Call) -> datetime | None:
        return None if self.forbids(moment, call) else moment

    def forbids(self, moment: datetime, call: Call) -> bool:
        if call.place.day_at(moment) < self.effective_from:
            return False
        if call.purpose is Purpose.REQUESTED_CALLBACK and self.scope is Scope.ALL:
            return (call.facts.requested_at or call.at) <= self.said_at
        return self.scope is Scope.ALL or call.purpose is Purpose.TELEMARKETING


class Removal(Frozen):
    """An entry that was taken off the list."""

    entry: Entry
    removed_at: datetime
    removed_by: str
    reason: str


class Record(Frozen):
    """What one origin says, and once said, of a number."""

    entry: Entry | None = None
    removals: tuple[Removal, ...] = ()

    def with_entry(self, entry: Entry) -> "Record":
        return self.model_copy(update={"entry": entry})

    def with_removal(self, removal: Removal) -> "Record":
        return Record(removals=(*self.removals, removal))


class Finding(Frozen):
    """What one rule says of a call. `next_allowed_at` is by this rule alone."""

    rule: Rule
    next_allowed_at: datetime | None
    allows: bool


class Decision(Frozen):
    """Whether a call may be made, by which rules.

    `findings` are of the rules that bear on it, `forbidden_by` the entries of the do-not-call list
    that forbid it. `next_allowed_at` is the moment asked about where the call may be made, and
    None where it may not within three months, as things are.
    """

    place: Place
    allowed: bool
    findings: tuple[Finding, ...]
    forbidden_by: tuple[Entry, ...]
    next_allowed_at: datetime | None


def decide(
    number: PhoneNumber,
    purpose: Purpose,
    at: datetime,
    profiles: Sequence[Profile],
    facts: Facts | None = None,
    entries: Sequence[Entry] = (),
    *,
    optional_holidays: bool = False,
) -> Decision:
    """Whether a number may be called, at a moment and for a purpose.

    `at` is aware. `entries` are those of the number on the do-not-call list. `optional_holidays`
    counts Carnival, Corpus Christi and the like (`Calendar`) as holidays.
    """
    call = Call(
        place=place_of(number),
        purpose=purpose,
        at=at.astimezone(UTC),
        facts=facts or Facts(),
        optional_holidays=optional_holidays,
    )
    rules = [
        rule
        for profile in profiles
        if profile.applies_to(call.place)
        for rule in profile.rules
        if purpose in rule.purposes
    ]
    next_allowed_at = _first_moment([each.opens for each in (*rules, *entries)], call)
    return Decision(
        place=call.place,
        allowed=next_allowed_at == call.at,
        findings=tuple(_finding(rule, call) for rule in rules),
        forbidden_by=tuple(entry for entry in entries if entry.forbids(call.at, call)),
        next_allowed_at=next_allowed_at,
    )


Opens = Callable[[datetime, Call], datetime | None]


def _first_moment(opens: Sequence[Opens], call: Call) -> datetime | None:
    """The first moment that suits all. No step passes it by: none goes beyond what one asks for."""
    moment = call.at
    while moment <= call.at + SEARCH:
        wanted = [each(moment, call) for each in opens]
        known = [later for later in wanted if later]
        if len(known) < len(wanted):
            return None
        latest = max(known, default=moment)
        if latest == moment:
            return moment
        moment = latest
    return None


def _finding(rule: Rule, call: Call) -> Finding:
    opens = rule.opens(call.at, call)
    return Finding(rule=rule, next_allowed_at=opens, allows=opens == call.at)
