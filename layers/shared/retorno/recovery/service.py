"""Finding the missed customers, and linking the calls that win them back."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from retorno.calls.model import CallRules
from retorno.calls.service import CallReader, call_reader, call_rules, change_of
from retorno.dynamodb import Refused
from retorno.errors import Conflict, InvalidInput, NotFound, Unavailable
from retorno.observability import count
from retorno.phone import is_erased
from retorno.recovery.model import (
    UNREACHED,
    Dismissal,
    MissedCall,
    MissedFilter,
    Outcome,
    Part,
    RecoveryRules,
    Role,
    State,
    Summary,
    attempts_on,
    number_key_of,
    outcome_of,
    part_of,
    summarise,
)
from retorno.recovery.store import MissedPage, RecoveryStore, Stored, told_of
from retorno.settings import RecoverySettings
from retorno.times import Period

# Each loser of a race looks again at what the winner wrote; so many losses are no race.
MAX_LOOKS = 100

# How many missed calls one run ends; the next run takes the rest.
EXPIRE_LIMIT = 500

# A summary reads a row a missed call.
SUMMARY_LIMIT = 25_000


class Matching:
    """Decides, as calls change and time passes, what became of each missed call."""

    def __init__(self, store: RecoveryStore, calls: CallRules, rules: RecoveryRules) -> None:
        self._store = store
        self._calls = calls
        self._rules = rules

    def match(self, record: Mapping[str, Any], now: datetime) -> None:
        """Brings up to date what a changed call means for its customer; `record` is of the
        calls table's stream.

        It writes the call's part and then looks at the others: whoever writes last sees all, so
        no miss and no call that answers it can pass each other by. Told twice it changes nothing.
        Raises Unavailable.
        """
        change = change_of(record, self._calls)
        if change is None:
            return
        before = part_of(change.before, self._rules) if change.before else None
        after = part_of(change.after, self._rules)
        if before == after:
            return
        if before and (after is None or after.number_key != before.number_key):
            self._store.remove(before.number_key, before.call_id, change.revision)
        if after and self._was_moved(after):
            return
        if after:
            self._store.put(after, change.revision)
            was_missed = before is not None and before.role is Role.MISSED
            count("CallsMissed", int(after.role is Role.MISSED and not was_missed))
        changed: dict[str, list[Part]] = {}
        for part in (before, after):
            if part:
                changed.setdefault(part.number_key, []).append(part)
        for number_key, parts in changed.items():
            self.settle(number_key, parts, now)

    def _was_moved(self, part: Part) -> bool:
        """Whether the part of a person who was erased is where it belongs, with what became of it:
        it is not decided anew.
        """
        if not is_erased(part.number):
            return False
        found = self._store.get(part.number_key, part.call_id)
        return found is not None and found.part == part

    def settle(self, number_key: str, changed: Sequence[Part], now: datetime) -> None:
        """Decides again about each miss that these parts of a number bear upon, and those that
        they are.

        A decision holds only if its miss was not written since the look; else it looks again. And
        it looks until there is nothing left to write: what it decided may rest on a call that
        changed after the look, and whoever changed that had nothing to write if they still saw
        the miss as it was before. Raises Unavailable.
        """
        first, last = min(part.at for part in changed), max(part.at for part in changed)
        bears = any(part.bears_on_misses for part in changed)
        since = first - self._rules.window if bears else first
        period = Period(since, last + self._rules.window)
        oldest = last
        for _ in range(MAX_LOOKS):
            # Each look goes as far back as those before it, which may have written there.
            found = self._store.around(number_key, period, _all_ended(first, oldest))
            oldest = min([oldest, *(each.part.at for each in found)])
            parts = [each.part for each in found if each.part.bears_on_misses]
            misses = [
                each for each in found if each.part.role is Role.MISSED and each.part.at <= last
            ]
            try:
                decided = [self._decide(each, parts, now) for each in misses]
            except Refused:
                continue
            if not any(decided):
                return
        raise Unavailable("the number is being written by too many at once")

    def _decide(self, missed: Stored, parts: Sequence[Part], now: datetime) -> bool:
        """Says whether there was anything to write."""
        outcome = outcome_of(
            missed.part, parts, missed.dismissal, self._rules, now, blocked=missed.blocked
        )
        if outcome == missed.outcome:
            return False
        self._store.save_outcome(missed, outcome)
        count("CallsRecovered", int(outcome.state is State.RECOVERED))
        return True

    def block(self, number_key: str, call_id: str, now: datetime, *, blocked: bool) -> None:
        """Says that nobody calls for a missed call any more, or that somebody does again.

        Raises Unavailable.
        """
        for _ in range(MAX_LOOKS):
            found = self._store.get(number_key, call_id)
            if found is None or found.part.role is not Role.MISSED:
                return
            try:
                if found.blocked != blocked:
                    self._store.save_blocked(found, blocked=blocked)
            except Refused:
                continue
            self.settle(number_key, [found.part], now)
            return
        raise Unavailable("the missed call is being written by too many at once")

    def expire(self, now: datetime) -> int:
        """Ends the open missed calls whose window has passed. Says how many. Raises Unavailable."""
        before = now - self._rules.window
        missed = [
            part
            for state in UNREACHED
            for part in self._store.missed_before(before, state, EXPIRE_LIMIT)
        ]
        for part in missed:
            self.settle(part.number_key, [part], now)
        return len(missed)


def _all_ended(first: datetime, oldest: datetime) -> Callable[[Part], bool]:
    """Whether a part, no later than `oldest`, ended all misses before it on which calls from
    `first` on could bear."""
    return lambda part: part.at <= oldest and part.ended_all_before(first)


@dataclass(frozen=True, slots=True)
class MissedCallDetail:
    """A missed call, and the outbound calls that tried and reached nobody, oldest first."""

    missed_call: MissedCall
    attempts: Sequence[Part]


@dataclass(frozen=True, slots=True)
class PartNews:
    """That something changed of the part that a call plays, and what it is now: None where it
    plays none. `outcome` is of a missed call; `queues` are those that the call had.
    """

    number_key: str
    call_id: str
    queues: frozenset[str]
    part: Part | None
    outcome: Outcome | None


class PartFollowing:
    """Reads the table's stream for others: each record only says where to look."""

    def __init__(self, store: RecoveryStore) -> None:
        self._store = store

    def read(self, record: Mapping[str, Any]) -> PartNews:
        """Raises Unavailable."""
        number_key, call_id, queues = told_of(record)
        found = self._store.get(number_key, call_id)
        if found is None:
            return PartNews(number_key, call_id, queues, None, None)
        outcome = found.outcome if found.part.role is Role.MISSED else None
        return PartNews(number_key, call_id, queues, found.part, outcome)

    def missed(self, keys: Sequence[tuple[str, str]]) -> list[MissedCall]:
        """Those of the parts, by number's key and call, that are missed calls at this moment.

        Raises Unavailable.
        """
        found = self._store.get_many(keys)
        return [each.missed_call for each in found if each.part.role is Role.MISSED]


class MissedCalls:
    """What people see of missed calls, and what they may decide about them."""

    def __init__(
        self, store: RecoveryStore, calls: CallReader, matching: Matching, rules: RecoveryRules
    ) -> None:
        self._store = store
        self._calls = calls
        self._matching = matching
        self._rules = rules

    def page(self, wanted: MissedFilter, limit: int, before: str | None = None) -> MissedPage:
        """Newest first. Raises InvalidInput for a `before` outside the period, Unavailable."""
        return self._store.missed(wanted, limit, before)

    def detail(self, call_id: str) -> MissedCallDetail:
        """Raises NotFound, Unavailable."""
        missed = self._find(call_id)
        outcome = missed.outcome
        until = outcome.recovered_at or outcome.returned_at or missed.part.at + self._rules.window
        around = self._store.around(missed.part.number_key, Period(missed.part.at, until))
        parts = [each.part for each in around]
        attempts = attempts_on(missed.part, parts, missed.dismissal, self._rules)
        return MissedCallDetail(missed.missed_call, attempts)

    def open_of(self, number_key: str, now: datetime) -> list[MissedCall]:
        """The open ones of a number, newest first. Raises Unavailable."""
        window = Period(now - self._rules.window, now)
        found = self._store.around(number_key, window, lambda part: part.ended_all_before(now))
        return [
            each.missed_call
            for each in found
            if each.part.role is Role.MISSED and each.outcome.state is State.OPEN
        ]

    def dismiss(self, call_id: str, dismissal: Dismissal, now: datetime) -> MissedCall:
        """Ends the wait for a customer by a person's decision, which is kept with its reason.

        Dismissing twice keeps the first decision. Raises Conflict where the call is no longer
        open, NotFound, Unavailable.
        """
        for _ in range(MAX_LOOKS):
            missed = self._find(call_id)
            if missed.outcome.state is State.DISMISSED:
                return missed.missed_call
            if missed.outcome.state not in UNREACHED:
                raise Conflict(f"the missed call is {missed.outcome.state}, not open")
            try:
                self._store.save_dismissal(missed, dismissal)
            except Refused:
                continue
            self._matching.settle(missed.part.number_key, [missed.part], now)
        raise Unavailable("the missed call is being written by too many at once")

    def summary(self, period: Period) -> Summary:
        """Of the calls missed in a period. Raises InvalidInput where they are too many to
        count while someone waits, Unavailable.
        """
        rows = self._store.results(period, SUMMARY_LIMIT + 1)
        if len(rows) > SUMMARY_LIMIT:
            raise InvalidInput("from", f"more than {SUMMARY_LIMIT} missed calls: ask for less")
        return summarise(
            states=[state for state, _, _ in rows],
            short_abandons=sum(short for _, short, _ in rows),
            recovery_seconds=[seconds for _, _, seconds in rows if seconds is not None],
        )

    def _find(self, call_id: str) -> Stored:
        number_key = number_key_of(self._calls.one(call_id))
        found = self._store.get(number_key, call_id)
        if found is None or found.part.role is not Role.MISSED:
            raise NotFound("there is no such missed call")
        return found


def recovery_rules(settings: RecoverySettings) -> RecoveryRules:
    return RecoveryRules(
        window=settings.recovery_window,
        requires=settings.recovery_requires,
        short_abandon_seconds=settings.short_abandon_seconds,
    )


def matching(settings: RecoverySettings) -> Matching:
    return Matching(
        RecoveryStore(settings.recoveries_table, settings.calls_kept_days),
        call_rules(settings),
        recovery_rules(settings),
    )


def part_following(settings: RecoverySettings) -> PartFollowing:
    return PartFollowing(RecoveryStore(settings.recoveries_table))


def missed_calls(settings: RecoverySettings) -> MissedCalls:
    return MissedCalls(
        RecoveryStore(settings.recoveries_table),
        call_reader(settings),
        matching(settings),
        recovery_rules(settings),
    )
