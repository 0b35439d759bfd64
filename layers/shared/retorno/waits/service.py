"""Watching how long callers wait, as it happens; setting how long they may; and saying whether
they were answered in time.

Whoever is told to look at a call reads its wait and then the call, and writes what follows on the
revision that they read: so what is written follows from a call that is no older. A message that
comes twice, late or early only has somebody look.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Any, TypeVar

from retorno.calendars import has_state
from retorno.calls.model import Call, CallRules
from retorno.calls.service import CallReader, call_reader, call_rules, change_of
from retorno.counters.store import Counters
from retorno.errors import (
    InvalidInput,
    NotFound,
    PreconditionFailed,
    PreconditionRequired,
    Unavailable,
)
from retorno.events import EventBus
from retorno.settings import (
    CountWaitsSettings,
    FollowCallsSettings,
    ManageWaitsSettings,
    WaitRuleSettings,
    WaitSettings,
    WatchWaitsSettings,
)
from retorno.times import Period
from retorno.waits.compliance import NAMES, Report, Wanted, report_of, told_of
from retorno.waits.events import breach_event
from retorno.waits.model import (
    InForce,
    Policy,
    QueuePolicy,
    Rulebook,
    Terms,
    Wait,
    Waited,
    begun,
    waited_of,
)
from retorno.waits.profiles import OF_COUNTRY, all_rules
from retorno.waits.store import (
    BreachPage,
    Changed,
    PolicyPage,
    PolicyStore,
    WaitStore,
)
from retorno.work import WorkQueue

T = TypeVar("T")

# Each loser of a race looks again at what the winner wrote; so many losses are no race.
MAX_LOOKS = 50

# A breach that becomes known later is in the report, and no news.
NEWS_FOR = timedelta(hours=1)

FIRST_REVISION = 1

# Some three megabytes of rows.
MAX_ROWS = 20_000


class WaitTracking:
    """Follows the calls table's stream, and has those looked at whose wait it tells of."""

    def __init__(self, work: WorkQueue, calls: CallRules) -> None:
        self._work = work
        self._calls = calls

    def follow(self, record: Mapping[str, Any], now: datetime) -> None:
        """Raises Unavailable."""
        change = change_of(record, self._calls)
        if change is None:
            return
        before = waited_of(change.before) if change.before else None
        if before != waited_of(change.after):
            self._work.send({"call_id": change.after.call_id}, now)


class WaitWatch:
    """Judges waits, while they go on and once they are over."""

    def __init__(
        self,
        store: WaitStore,
        policies: PolicyStore,
        calls: CallReader,
        rulebook: Rulebook,
        work: WorkQueue,
        bus: EventBus,
    ) -> None:
        self._store = store
        self._policies = policies
        self._calls = calls
        self._rulebook = rulebook
        self._work = work
        self._bus = bus

    def look(self, call_id: str, now: datetime) -> None:
        """Brings the wait of a call up to date. A breach is told before it is written, so that
        none is left out by a worker that dies. Raises Unavailable.
        """
        for _ in range(MAX_LOOKS):
            before = self._store.get(call_id)
            try:
                after = self._next(before, self._calls.one(call_id), now)
            except NotFound:
                return
            if after is None or after == before:
                return
            if after.next_look and not (before and before.next_look == after.next_look):
                self._work.send({"call_id": call_id}, now, after.next_look)
            if after.breached and not (before and before.breached):
                self._tell(after, now)
            try:
                self._store.save(after)
            except Changed:
                continue
            return
        raise Unavailable("the wait is being written by too many at once")

    def _next(self, before: Wait | None, call: Call, now: datetime) -> Wait | None:
        waited = waited_of(call)
        if waited is None:
            return before.withdrawn() if before else None
        if before is None or not before.is_that_of(waited):
            revision = before.revision if before else 0
            before = begun(call.call_id, waited, self._terms(waited), now, revision)
        return before.told(waited, now)

    def _terms(self, waited: Waited) -> Terms:
        """Those that were in force as the wait began."""
        policy = self._policies.get(waited.queue).at(waited.began_at) if waited.queue else None
        return self._rulebook.terms(policy, waited.began_at)

    def _tell(self, wait: Wait, now: datetime) -> None:
        event = breach_event(wait)
        if event and now - event.occurred_at <= NEWS_FOR:
            self._bus.publish(event)


class WaitCounting:
    """Counts waits as they are, for whoever is told that they changed."""

    def __init__(self, store: WaitStore, counters: Counters) -> None:
        self._store = store
        self._counters = counters

    def count(self, changes: Iterable[Mapping[str, str]]) -> None:
        """By the keys of their items; what is told twice, late or in another order counts once.

        Raises Unavailable.
        """
        call_ids = {keys["call_id"] for keys in changes}
        self._counters.count(
            told
            for wait in self._store.get_many(call_ids)
            # Nothing was counted of one that is new.
            if (told := told_of(wait)).contribution or wait.revision > FIRST_REVISION
        )


class WaitRecords:
    """Waits as they are at this moment."""

    def __init__(self, store: WaitStore) -> None:
        self._store = store

    def some(self, call_ids: Sequence[str]) -> Sequence[Wait]:
        """Those of calls, where somebody waited. Raises Unavailable."""
        return self._store.get_many(call_ids)


class WaitPolicies:
    """How leaders set how long callers may wait. A change is for waits that begin after it."""

    def __init__(self, store: PolicyStore, rulebook: Rulebook, country: str) -> None:
        self._store = store
        self._rulebook = rulebook
        self._country = country

    @property
    def own_rule(self) -> str:
        """By which queues go that have no policy."""
        return self._rulebook.own.id

    def one(self, queue: str) -> InForce:
        """Raises NotFound where the queue goes by the stack's own rule; Unavailable."""
        return self._known(queue)[1]

    def page(self, limit: int, start: str | None) -> PolicyPage:
        """Of all queues that have one or had one, by name. Raises Unavailable."""
        return self._store.page(limit, start)

    def register(self, queue: str, policy: Policy, by: str, now: datetime) -> InForce:
        """Raises InvalidInput; PreconditionRequired where the queue has one; Unavailable."""
        self._check(policy)
        before = self._store.get(queue)
        if before.in_force is None:
            with suppress(Changed):
                return self._save(before, policy, by, now)
        raise PreconditionRequired(
            "the queue has a policy; If-Match must say which version was seen"
        )

    def change(
        self, queue: str, policy: Policy, expected: int | None, by: str, now: datetime
    ) -> InForce:
        """`expected` is the version that a person saw, None for any. Raises InvalidInput, NotFound,
        PreconditionFailed, Unavailable.
        """
        self._check(policy)
        return self._decided(queue, expected, lambda before: self._save(before, policy, by, now))

    def remove(self, queue: str, expected: int | None, by: str, now: datetime) -> None:
        """From then on the queue goes by the stack's own rule. `expected` is as in `change`.

        Raises NotFound, PreconditionFailed, Unavailable.
        """
        self._decided(
            queue, expected, lambda before: self._store.save(before.changed(None, by, now))
        )

    def _decided(self, queue: str, expected: int | None, write: Callable[[QueuePolicy], T]) -> T:
        """Looks and writes until nobody wrote in between."""
        for _ in range(MAX_LOOKS):
            before, in_force = self._known(queue)
            if expected not in (None, in_force.version):
                raise PreconditionFailed("the policy was changed since; look at it again")
            with suppress(Changed):
                return write(before)
        raise Unavailable("the policy is being written by too many at once")

    def _known(self, queue: str) -> tuple[QueuePolicy, InForce]:
        found = self._store.get(queue)
        if found.in_force is None:
            raise NotFound("nobody set a policy for this queue: it goes by the stack's own rule")
        return found, found.in_force

    def _save(self, before: QueuePolicy, policy: Policy, by: str, now: datetime) -> InForce:
        after = before.changed(policy, by, now)
        self._store.save(after)
        return InForce(
            queue=after.queue,
            version=after.version,
            policy=policy,
            since=after.timeline[-1].since,
            set_by=by,
        )

    def _check(self, policy: Policy) -> None:
        if policy.rule and self._rulebook.rule(policy.rule) is None:
            raise InvalidInput("rule", "is none of GET /wait-profiles")
        if policy.state and not has_state(self._country, policy.state):
            raise InvalidInput("state", "is no state of the stack's country")


class WaitReports:
    """Whether callers were answered in time, and who was not."""

    def __init__(self, store: WaitStore, counters: Counters) -> None:
        self._store = store
        self._counters = counters

    def report(self, wanted: Wanted) -> Report:
        """Raises InvalidInput where there are too many groups to read while someone waits;
        Unavailable.
        """
        rows = self._counters.rows(*wanted.cells(), MAX_ROWS + 1)
        if len(rows) > MAX_ROWS:
            raise InvalidInput("from", "is too long ago for so many queues: ask for one of them")
        return report_of(rows)

    def breaches(
        self, queue: str | None, period: Period, limit: int, start: str | None
    ) -> BreachPage:
        """The latest first; of a queue, None for all. Raises Unavailable."""
        return self._store.breaches(queue, period, limit, start)


def rulebook(settings: WaitRuleSettings) -> Rulebook:
    own = settings.wait_rule or OF_COUNTRY[settings.country]
    return Rulebook(all_rules(), own, settings.country, settings.time_zone)


def wait_tracking(settings: FollowCallsSettings) -> WaitTracking:
    return WaitTracking(WorkQueue(settings.waits_queue), call_rules(settings))


def wait_watch(settings: WatchWaitsSettings) -> WaitWatch:
    return WaitWatch(
        WaitStore(settings.waits_table, settings.calls_kept_days),
        PolicyStore(settings.wait_policies_table),
        call_reader(settings),
        rulebook(settings),
        WorkQueue(settings.waits_queue),
        EventBus(settings.event_bus),
    )


def wait_counting(settings: CountWaitsSettings) -> WaitCounting:
    return WaitCounting(WaitStore(settings.waits_table), Counters(settings.counters_table, NAMES))


def wait_records(settings: WaitSettings) -> WaitRecords:
    return WaitRecords(WaitStore(settings.waits_table))


def wait_policies(settings: ManageWaitsSettings) -> WaitPolicies:
    return WaitPolicies(
        PolicyStore(settings.wait_policies_table), rulebook(settings), settings.country
    )


def wait_reports(settings: ManageWaitsSettings) -> WaitReports:
    return WaitReports(WaitStore(settings.waits_table), Counters(settings.counters_table, NAMES))
