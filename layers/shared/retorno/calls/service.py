"""What is done with calls: taking what providers tell of them, closing them, showing them."""

import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import islice
from typing import Any, TypeVar

from retorno import clock
from retorno.calls.model import (
    Call,
    CallRules,
    Fact,
    Facts,
    answering,
    closing,
    derive,
    end_of,
    facts_of,
    fold,
    reviewing,
    verdict_of,
)
from retorno.calls.store import (
    CallPage,
    CallStore,
    DeferredCalls,
    read_image,
)
from retorno.clock import Clock
from retorno.errors import Conflict, InvalidInput, NotFound, Unavailable
from retorno.kept_payloads import KeptPayloads
from retorno.phone import NumberPlan
from retorno.settings import (
    CallSettings,
    ConnectSettings,
    DialSettings,
    IngestSettings,
    ReplaySettings,
    ServeMenuSettings,
)
from retorno.telephony.ports import (
    AnsweredBy,
    CallEvent,
    ContactLookup,
    ContactProvider,
    Provider,
    Reading,
    Refusal,
    Report,
    WebhookProvider,
    WebhookRequest,
)
from retorno.times import Period

T = TypeVar("T")

# A provider waits 10 to 15 s for its answer. What is not written by then goes to the queue.
WRITE_BUDGET_SECONDS = 8.0

# How many calls one run of the sweeper closes; the next run takes the rest.
SWEEP_LIMIT = 500

RECENT_CALLS = 5


@dataclass(frozen=True, slots=True)
class Receipt:
    """What became of a payload. `deferred` calls are safe in the queue, and written later."""

    reading: Reading
    deferred: int


class CallIngestion:
    """Takes webhooks: verified, read, written; and nothing lost on the way."""

    def __init__(
        self,
        store: CallStore,
        deferred: DeferredCalls,
        kept: KeptPayloads,
        plan: NumberPlan,
        clock: Clock,
        stopwatch: Callable[[], float] = time.monotonic,
    ) -> None:
        self._store = store
        self._deferred = deferred
        self._kept = kept
        self._plan = plan
        self._clock = clock
        self._stopwatch = stopwatch

    def take(
        self, provider: WebhookProvider, request: WebhookRequest, secrets: Sequence[str]
    ) -> Receipt:
        """A payload that has values which nobody knows yet is kept, too, for the day they are.

        Raises NotAuthenticated; InvalidInput for a payload that cannot be read, which is kept;
        Unavailable where neither the table nor the queue takes what it says.
        """
        now = self._clock()
        provider.verify(request, secrets, now)
        payload = provider.payload(request)
        try:
            reading = provider.read(payload, self._plan, now)
        except InvalidInput:
            self._kept.keep(provider.name, payload, now)
            raise
        deferred = self._write(fold(reading.events))
        if to_keep := _to_keep(reading, payload):
            self._kept.keep(provider.name, to_keep, now)
        return Receipt(reading, deferred)

    def _write(self, calls: Mapping[str, Facts]) -> int:
        """The number of calls that the table did not take, and the queue did."""
        deadline = self._stopwatch() + WRITE_BUDGET_SECONDS
        written = 0
        for call_id, facts in calls.items():
            if self._stopwatch() > deadline:
                break
            try:
                self._store.merge(call_id, facts)
            except Unavailable:
                break
            written += 1
        self._deferred.send(dict(islice(calls.items(), written, None)))
        return len(calls) - written


def _to_keep(reading: Reading, payload: bytes) -> bytes:
    """What of a payload is to be read again later."""
    return payload if reading.unknown else reading.refused_payload


@dataclass(frozen=True, slots=True)
class ContactsTaken:
    """What became of a batch. `again` are the places, from 0, of what has to come again.

    `numberless` counts the calls of which Amazon Connect did not tell who the customer is.
    """

    readings: Sequence[Reading]
    numberless: int
    again: Sequence[int]


class ContactIngestion:
    """Takes what Amazon Connect tells of contacts, and asks it who the customer is."""

    def __init__(
        self,
        provider: ContactProvider,
        store: CallStore,
        kept: KeptPayloads,
        lookup: ContactLookup,
        plan: NumberPlan,
        clock: Clock,
    ) -> None:
        self._provider = provider
        self._store = store
        self._kept = kept
        self._lookup = lookup
        self._plan = plan
        self._clock = clock

    def take(self, payloads: Sequence[bytes]) -> ContactsTaken:
        """Writes what the payloads of a batch tell, each call once, and then asks for the numbers
        that are not known yet. What is written stays written, whatever becomes of the question.

        The first sign of trouble ends each step: any further try would take as long.
        """
        now = self._clock()
        readings = [self._read(payload, now) for payload in payloads]
        calls = fold(event for reading in readings if reading for event in reading.events)
        written = _until_trouble(lambda call_id: self._store.merge(call_id, calls[call_id]), calls)
        asked = _until_trouble(lambda call_id: self._ask(call_id, calls[call_id], now), written)
        return ContactsTaken(
            readings=[reading for reading in readings if reading],
            numberless=list(asked.values()).count(False),
            again=[
                index
                for index, reading in enumerate(readings)
                if reading is None or any(event.call_id not in asked for event in reading.events)
            ],
        )

    def _read(self, payload: bytes, now: datetime) -> Reading | None:
        """Keeps what cannot be read, all or in part. None where the bucket does not answer."""
        try:
            try:
                reading = self._provider.read(payload, self._plan, now)
            except InvalidInput as error:
                refusal = Refusal(0, error.field, error.reason)
                reading = Reading(0, [], refusals=[refusal], refused_payload=payload)
            if kept := _to_keep(reading, payload):
                self._kept.keep(self._provider.name, kept, now)
        except Unavailable:
            return None
        return reading

    def _ask(self, call_id: str, facts: Facts, now: datetime) -> bool:
        """Says whether Amazon Connect tells who the customer is; it is not asked what is known.

        Raises Unavailable.
        """
        if _tells_customer(facts) or _tells_customer(self._store.get(call_id) or {}):
            return True
        try:
            contact = self._lookup.contact(call_id)
            told = fold(self._provider.read_contact(contact, self._plan, now)).get(call_id, {})
        except (NotFound, InvalidInput):
            return False
        if told:
            self._store.merge(call_id, told)
        return _tells_customer(told)


def _until_trouble(step: Callable[[str], T], call_ids: Iterable[str]) -> dict[str, T]:
    """What the step gives for each call, until it raises Unavailable."""
    done: dict[str, T] = {}
    with suppress(Unavailable):
        for call_id in call_ids:
            done[call_id] = step(call_id)
    return done


def _tells_customer(facts: Facts) -> bool:
    """Also where it tells that the customer's number is withheld."""
    return not facts.keys().isdisjoint({Fact.NUMBER, Fact.CALLER, Fact.CALLEE})


@dataclass(frozen=True, slots=True)
class Replay:
    """How many kept payloads could be read now, and how many still can't."""

    read: int = 0
    still_unreadable: int = 0


class PayloadReplay:
    """Reads kept payloads again, after what made them unreadable was mended."""

    def __init__(self, kept: KeptPayloads, store: CallStore, plan: NumberPlan) -> None:
        self._kept = kept
        self._store = store
        self._plan = plan

    def __call__(self, provider: Provider, now: datetime) -> Replay:
        """All that is kept of a provider; what is read is dropped.

        A payload was verified when it came. Of one that is still refused in part, that part is
        kept. Raises Unavailable.
        """
        outcomes = [self._read(key, provider, now) for key in list(self._kept.keys(provider.name))]
        return Replay(read=outcomes.count(True), still_unreadable=outcomes.count(False))

    def _read(self, key: str, provider: Provider, now: datetime) -> bool:
        payload = self._kept.read(key)
        try:
            reading = provider.read(payload, self._plan, now)
        except InvalidInput:
            return False
        for call_id, facts in fold(reading.events).items():
            self._store.merge(call_id, facts)
        if not reading.taken and reading.refusals:
            return False
        if reading.unknown:
            return False
        if reading.refused_payload:
            self._kept.keep(provider.name, reading.refused_payload, now)
        self._kept.drop(key)
        return True


@dataclass(frozen=True, slots=True)
class Reconciliation:
    """How many rows of reports were read, could not be, or had values that nobody knows.

    `failures` says which reports were not read to their end, and why.
    """

    read: int
    unreadable: int
    unknown: int
    failures: Sequence[str]


class CallReconciliation:
    """Takes what a provider's reports tell: what its webhooks lost is filled, the rest is known."""

    def __init__(
        self,
        provider: Provider,
        reports: Sequence[Report],
        store: CallStore,
        kept: KeptPayloads,
        plan: NumberPlan,
    ) -> None:
        self._provider = provider
        self._reports = reports
        self._store = store
        self._kept = kept
        self._plan = plan

    def __call__(self, since: datetime, now: datetime) -> Reconciliation:
        """The calls since a moment. A row that cannot be read is kept.

        A report that fails does not keep the others from being read; what it had told by then is
        taken.
        """
        readings: Counter[str] = Counter()
        failures: list[str] = []
        for report in self._reports:
            try:
                for row in report.rows(since, now):
                    readings.update(self._take(row, now))
            except Unavailable as error:
                failures.append(f"{report.name}: {error}")
        return Reconciliation(
            read=readings["read"],
            unreadable=readings["unreadable"],
            unknown=readings["unknown"],
            failures=failures,
        )

    def _take(self, row: bytes, now: datetime) -> Sequence[str]:
        """What a row is counted as."""
        try:
            reading = self._provider.read(row, self._plan, now)
        except InvalidInput:
            self._kept.keep(self._provider.name, row, now)
            return ["unreadable"]
        for call_id, facts in fold(reading.events).items():
            self._store.merge(call_id, facts)
        if not reading.unknown:
            return ["read"]
        self._kept.keep(self._provider.name, row, now)
        return ["read", "unknown"]


class OutgoingCalls:
    """The calls that Retorno places, and those that its menus take: they are known before their
    provider tells of them."""

    def __init__(self, store: CallStore, deferred: DeferredCalls) -> None:
        self._store = store
        self._deferred = deferred

    def begin(self, event: CallEvent) -> None:
        """Writes what is known of a call; told again it changes nothing.

        Raises Unavailable where neither the table nor the queue takes it.
        """
        facts = facts_of(event)
        try:
            self._store.merge(event.call_id, facts)
        except Unavailable:
            self._deferred.send({event.call_id: facts})


class CallUpkeep:
    """What is done to calls when no provider is waiting."""

    def __init__(self, store: CallStore) -> None:
        self._store = store

    def store_deferred(self, message: str) -> None:
        """Writes what a message of the queue holds; all of it again if any of it fails.

        Raises Unavailable.
        """
        for call_id, facts in DeferredCalls.read(message).items():
            self._store.merge(call_id, facts)

    def name_agent(self, call_id: str, agent: str) -> None:
        """Says who answered a call of which its provider does not tell.

        Raises NotFound, Unavailable.
        """
        self._store.amend(call_id, lambda known: answering(known, agent))

    def close(self, call_ids: Sequence[str], max_age: timedelta) -> int:
        """Closes those of some calls, which began `max_age` ago, whose end never came; as many as
        one run may. Says how many. Raises Unavailable.
        """
        known = self._store.get_many(call_ids)
        endless = [call_id for call_id, facts in known.items() if not end_of(facts)][:SWEEP_LIMIT]
        for call_id in endless:
            self._store.merge(call_id, closing(known[call_id], max_age))
        return len(endless)


class CallReview:
    """The verdicts of those who listened to calls."""

    def __init__(self, store: CallStore, rules: CallRules) -> None:
        self._store = store
        self._rules = rules

    def __call__(self, call_id: str, answered_by: AnsweredBy, by: str, now: datetime) -> Call:
        """Says for good who answered a call, after listening to it.

        Raises Conflict for a call that nobody answered, or that has another verdict; NotFound,
        Unavailable.
        """

        def tell(known: Facts) -> Facts:
            if not derive(call_id, known, self._rules).was_answered:
                raise Conflict("the call was not answered")
            verdict = verdict_of(known)
            if verdict not in (None, answered_by):
                raise Conflict(f"a reviewer has said {verdict}, which is final")
            return {} if verdict else reviewing(answered_by, by, now)

        return derive(call_id, self._store.amend(call_id, tell), self._rules)


@dataclass(frozen=True, slots=True)
class CallChange:
    """A call before and after one write; `before` is None for a new call."""

    before: Call | None
    after: Call
    revision: int


def change_of(record: Mapping[str, Any], rules: CallRules) -> CallChange | None:
    """What a record of the table's stream tells; None where the call was deleted."""
    images = record["dynamodb"]
    if "NewImage" not in images:
        return None
    after = read_image(images["NewImage"])
    before = read_image(images["OldImage"]) if "OldImage" in images else None
    return CallChange(
        before=derive(before.call_id, before.facts, rules) if before else None,
        after=derive(after.call_id, after.facts, rules),
        revision=after.revision,
    )


@dataclass(frozen=True, slots=True)
class CallList:
    """Calls, newest first, and where the next page begins; None at the end."""

    calls: Sequence[Call]
    next_start: Mapping[str, str] | None


class CallReader:
    """Shows calls."""

    def __init__(self, store: CallStore, rules: CallRules) -> None:
        self._store = store
        self._rules = rules

    def one(self, call_id: str) -> Call:
        """Raises NotFound, Unavailable."""
        facts = self._store.get(call_id)
        if facts is None:
            raise NotFound("there is no such call")
        return derive(call_id, facts, self._rules)

    def some(self, call_ids: Sequence[str]) -> list[Call]:
        """Those that exist, in the order asked for. Raises Unavailable."""
        return self._calls(CallPage(call_ids, None))

    def present(self, call_ids: Sequence[str]) -> list[Call]:
        """Those that exist, as they are at this moment. Raises Unavailable."""
        found = self._store.get_many(call_ids, consistent=True)
        return [derive(call_id, facts, self._rules) for call_id, facts in found.items()]

    def of_number(
        self,
        number: str,
        period: Period,
        limit: int,
        start: Mapping[str, str] | None,
    ) -> CallList:
        """Calls of a number in any written form, newest first. Raises InvalidInput, Unavailable."""
        parsed = self._rules.plan.parse(number)
        if parsed is None:
            raise InvalidInput("number", "is not a phone number")
        page = self._store.by_number(parsed.match_key, period, limit, start)
        return CallList(self._calls(page), page.next_start)

    def recent(self, agent: str) -> list[Call]:
        """The last calls of an operator, newest first. Raises Unavailable."""
        return self._calls(self._store.by_agent(agent, RECENT_CALLS))

    def _calls(self, page: CallPage) -> list[Call]:
        facts = self._store.get_many(page.call_ids)
        return [
            derive(call_id, facts[call_id], self._rules)
            for call_id in page.call_ids
            if call_id in facts
        ]


def call_rules(settings: CallSettings) -> CallRules:
    """The rules, with the company's own numbers in any written form."""
    plan = settings.number_plan
    numbers = [plan.parse(number) for number in settings.internal_numbers]
    keys = frozenset(number.match_key for number in numbers if number)
    return CallRules(
        plan=plan,
        internal_keys=keys,
        talk_threshold=settings.person_talk_seconds,
        trunk_thresholds=settings.trunk_talk_seconds,
    )


def call_ingestion(settings: IngestSettings) -> CallIngestion:
    return CallIngestion(
        CallStore(settings.calls_table, settings.calls_kept_days),
        DeferredCalls(settings.deferred_calls_queue),
        KeptPayloads(settings.kept_payloads_bucket),
        settings.number_plan,
        clock.now,
    )


def contact_ingestion(
    settings: ConnectSettings, provider: ContactProvider, lookup: ContactLookup
) -> ContactIngestion:
    return ContactIngestion(
        provider,
        CallStore(settings.calls_table, settings.calls_kept_days),
        KeptPayloads(settings.kept_payloads_bucket),
        lookup,
        settings.number_plan,
        clock.now,
    )


def outgoing_calls(settings: DialSettings | ServeMenuSettings) -> OutgoingCalls:
    return OutgoingCalls(
        CallStore(settings.calls_table, settings.calls_kept_days),
        DeferredCalls(settings.deferred_calls_queue),
    )


def call_upkeep(settings: CallSettings) -> CallUpkeep:
    return CallUpkeep(CallStore(settings.calls_table, settings.calls_kept_days))


def call_review(settings: CallSettings) -> CallReview:
    return CallReview(
        CallStore(settings.calls_table, settings.calls_kept_days), call_rules(settings)
    )


def call_reader(settings: CallSettings) -> CallReader:
    return CallReader(CallStore(settings.calls_table), call_rules(settings))


def call_reconciliation(
    settings: ReplaySettings, provider: Provider, reports: Sequence[Report]
) -> CallReconciliation:
    return CallReconciliation(
        provider,
        reports,
        CallStore(settings.calls_table, settings.calls_kept_days),
        KeptPayloads(settings.kept_payloads_bucket),
        settings.number_plan,
    )


def payload_replay(settings: ReplaySettings) -> PayloadReplay:
    kept = KeptPayloads(settings.kept_payloads_bucket)
    return PayloadReplay(
        kept, CallStore(settings.calls_table, settings.calls_kept_days), settings.number_plan
    )
