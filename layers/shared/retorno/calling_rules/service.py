"""Asking the rules before a call is made, and keeping the do-not-call list."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from retorno.calendars import place_of
from retorno.calling_rules.model import (
    Decision,
    Entry,
    Facts,
    Listing,
    Origin,
    Profile,
    Purpose,
    Record,
    Removal,
    decide,
)
from retorno.calling_rules.profiles import chosen
from retorno.calling_rules.store import MAX_CHANGES, DoNotCallStore, EntryPage, Key
from retorno.dynamodb import Refused
from retorno.errors import CallForbidden, InputTooLarge, InvalidInput, NotFound, Unavailable
from retorno.phone import NumberPlan, PhoneNumber
from retorno.settings import CallingSettings, DoNotCallSettings
from retorno.times import Period

# Each loser of a race looks again at what the winner wrote; so many losses are no race.
MAX_ATTEMPTS = 50

# What one import takes: some seconds of a request that may take thirty.
IMPORT_LIMIT = 10_000

# The years that calendars are asked about.
YEARS = range(2000, 2100)

# Further ahead a date is a slip of the pen, and would leave the number unprotected.
EFFECTIVE_WITHIN = timedelta(days=366)


@dataclass(frozen=True, slots=True)
class Check:
    """What the rules say of a call to a number, and all that the do-not-call list says of it."""

    number: PhoneNumber
    decision: Decision
    entries: Sequence[Entry]

    @property
    def refusal(self) -> CallForbidden:
        """What to tell whoever wanted a call that is not allowed."""
        rules = [
            (finding.rule.id, finding.rule.title.pt)
            for finding in self.decision.findings
            if not finding.allows
        ]
        entries = [
            (f"do-not-call/{entry.origin}", "O número está na lista de não ligar")
            for entry in self.decision.forbidden_by
        ]
        return CallForbidden(rules + entries, self.decision.next_allowed_at)


class CallingRules:
    """Says whether a call may be made. Whoever dials asks it just before."""

    def __init__(
        self,
        store: DoNotCallStore,
        plan: NumberPlan,
        profiles: Sequence[Profile],
        *,
        optional_holidays: bool = False,
    ) -> None:
        self._store = store
        self._plan = plan
        self.profiles = profiles
        self._optional_holidays = optional_holidays

    def check(
        self,
        number: str,
        purpose: Purpose,
        at: datetime,
        facts: Facts | None = None,
        profiles: Sequence[Profile] | None = None,
    ) -> Check:
        """`profiles` are the deployment's where none are given: a campaign may have its own.

        Raises InvalidInput for what is no number, and for a moment that no calendar knows;
        Unavailable.
        """
        if at.year not in YEARS:
            raise InvalidInput("at", f"is not between {YEARS[0]} and {YEARS[-1]}")
        parsed = _parse(number, self._plan)
        records = self._store.of_number(parsed.match_key)
        entries = [record.entry for record in records if record.entry]
        decision = decide(
            parsed,
            purpose,
            at,
            self.profiles if profiles is None else profiles,
            facts,
            entries,
            optional_holidays=self._optional_holidays,
        )
        return Check(parsed, decision, entries)


class Outcome(StrEnum):
    """What became of a row of an import."""

    ADDED = "added"
    CHANGED = "changed"
    """The entry that stood forbids more now."""
    UNCHANGED = "unchanged"
    REPEATED = "repeated"
    """An earlier row of the import has the same number."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """A number as someone wrote it, to be put on the list."""

    number: str
    listing: Listing


@dataclass(frozen=True, slots=True)
class _Added:
    """The entry that stands after one was put, and what that changed."""

    stands: Entry
    outcome: Outcome


@dataclass(frozen=True, slots=True)
class OnList:
    """What the list says of a number, and what was taken off it."""

    number: PhoneNumber
    entries: Sequence[Entry]
    removals: Sequence[Removal]


class DoNotCallList:
    """The numbers that must not be called. An entry stands until a person removes it."""

    def __init__(self, store: DoNotCallStore, plan: NumberPlan) -> None:
        self._store = store
        self._plan = plan

    def of_number(self, number: str) -> OnList:
        """In any written form. Raises InvalidInput, Unavailable."""
        parsed = _parse(number, self._plan)
        records = self._store.of_number(parsed.match_key)
        return OnList(
            parsed,
            [record.entry for record in records if record.entry],
            [removal for record in records for removal in record.removals],
        )

    def page(self, period: Period, limit: int, before: str | None = None) -> EntryPage:
        """Those added in a period, newest first.

        Raises InvalidInput for a `before` outside the period, Unavailable.
        """
        return self._store.page(period, limit, before)

    def put(self, wanted: Wanted, by: str, now: datetime) -> Entry:
        """The entry that stands then: one that is put again forbids what both forbid.

        Raises InvalidInput, Unavailable.
        """
        (added,) = self._add([self._entry(wanted, by, now)])
        return added.stands

    def put_many(
        self, rows: Sequence[Wanted | InvalidInput], by: str, now: datetime
    ) -> Sequence[Outcome | InvalidInput]:
        """What became of each row; the others are written where one is refused, or was before.

        Raises InputTooLarge for more than IMPORT_LIMIT rows. Raises Unavailable, and then some may
        be written: importing again changes nothing of those.
        """
        if len(rows) > IMPORT_LIMIT:
            raise InputTooLarge("body", f"has more than {IMPORT_LIMIT} rows")
        read = [self._read(row, by, now) for row in rows]
        wanted: dict[Key, Entry] = {}
        for entry in read:
            if isinstance(entry, Entry):
                first = wanted.get(_key(entry))
                wanted[_key(entry)] = first.joined_with(entry) if first else entry
        entries = list(wanted.values())
        outcomes = {
            _key(added.stands): added.outcome
            for start in range(0, len(entries), MAX_CHANGES)
            for added in self._add(entries[start : start + MAX_CHANGES])
        }
        return [
            outcomes.pop(_key(entry), Outcome.REPEATED) if isinstance(entry, Entry) else entry
            for entry in read
        ]

    def remove(self, number: str, origin: Origin, reason: str, by: str, now: datetime) -> None:
        """Takes an origin's entry off the list; it is kept, with the reason, as history.

        Raises InvalidInput, NotFound where it does not stand, Unavailable.
        """
        key = Key(_parse(number, self._plan).match_key, origin)
        for _ in range(MAX_ATTEMPTS):
            (found,) = self._store.get_many([key])
            if found.record.entry is None:
                raise NotFound("there is no such entry")
            removal = Removal(
                entry=found.record.entry, removed_at=now, removed_by=by, reason=reason
            )
            try:
                return self._store.save([(found, found.record.with_removal(removal))])
            except Refused:
                continue
        raise Unavailable("the number is being written by too many at once")

    def _add(self, entries: Sequence[Entry]) -> Sequence[_Added]:
        """At most MAX_CHANGES entries, each of another key."""
        for _ in range(MAX_ATTEMPTS):
            found = self._store.get_many([_key(entry) for entry in entries])
            added = [
                _joined(stored.record, entry) for stored, entry in zip(found, entries, strict=True)
            ]
            changes = [
                (stored, stored.record.with_entry(each.stands))
                for stored, each in zip(found, added, strict=True)
                if each.outcome is not Outcome.UNCHANGED
            ]
            try:
                if changes:
                    self._store.save(changes)
            except Refused:
                continue
            return added
        raise Unavailable("the list is being written by too many at once")

    def _read(self, row: Wanted | InvalidInput, by: str, now: datetime) -> Entry | InvalidInput:
        try:
            return row if isinstance(row, InvalidInput) else self._entry(row, by, now)
        except InvalidInput as refusal:
            return refusal

    def _entry(self, wanted: Wanted, by: str, now: datetime) -> Entry:
        number = _parse(wanted.number, self._plan)
        today = place_of(number).day_at(now)
        listing = wanted.listing
        effective_from = listing.effective_from or today
        if effective_from > today + EFFECTIVE_WITHIN:
            raise InvalidInput("effective_from", "is more than a year away")
        return Entry(
            number=number.e164,
            number_key=number.match_key,
            origin=listing.origin,
            scope=listing.scope,
            effective_from=effective_from,
            added_at=now,
            added_by=by,
            said_at=now,
            note=listing.note,
        )


def _parse(number: str, plan: NumberPlan) -> PhoneNumber:
    parsed = plan.parse(number)
    if parsed is None:
        raise InvalidInput("number", "is not a phone number")
    return parsed


def _key(entry: Entry) -> Key:
    return Key(entry.number_key, entry.origin)


def _joined(record: Record, entry: Entry) -> _Added:
    if record.entry is None:
        return _Added(entry, Outcome.ADDED)
    joined = record.entry.joined_with(entry)
    return _Added(joined, Outcome.UNCHANGED if joined == record.entry else Outcome.CHANGED)


def calling_rules(settings: CallingSettings) -> CallingRules:
    """Raises KeyError for a profile that does not exist."""
    return CallingRules(
        DoNotCallStore(settings.do_not_call_table),
        settings.number_plan,
        chosen(settings.calling_profiles, settings.country),
        optional_holidays=settings.optional_holidays,
    )


def do_not_call_list(settings: DoNotCallSettings) -> DoNotCallList:
    return DoNotCallList(
        DoNotCallStore(settings.do_not_call_table),
        settings.number_plan,
    )
