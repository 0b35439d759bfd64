"""Waits and their counts, whatever order calls are told in, and whoever dies on the way."""

from collections import Counter
from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime, timedelta
from functools import cache
from typing import Any, NamedTuple, cast
from unittest.mock import patch
from zoneinfo import ZoneInfo

from botocore.client import BaseClient
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, rule

from retorno.calls.model import Call, CallRules, facts_of
from retorno.calls.service import CallReader
from retorno.calls.store import CallStore
from retorno.counters.store import Counters
from retorno.events import EventBus
from retorno.telephony.ports import AnsweredBy, CallEvent, Direction, Stage
from retorno.waits.compliance import NAMES, Wanted
from retorno.waits.events import WaitBreached
from retorno.waits.model import Limits, Policy, Rulebook
from retorno.waits.profiles import all_rules
from retorno.waits.service import (
    WaitCounting,
    WaitPolicies,
    WaitReports,
    WaitTracking,
    WaitWatch,
)
from retorno.waits.store import PolicyStore, WaitStore
from retorno.work import WorkQueue
from tests.support.line import Work
from tests.support.quick_dynamodb import Item, QuickDynamoDB

TABLES = {
    "CallsTable": "calls",
    "WaitsTable": "waits",
    "WaitPoliciesTable": "wait-policies",
    "CountersTable": "counters",
}
OWN = "pt-dl-134-2009/waiting"
OWN_SECONDS = 60
# A Monday, half an hour before the day ends in Lisbon.
EVENING = datetime(2026, 3, 2, 23, 30, tzinfo=UTC)
LISBON = ZoneInfo("Europe/Lisbon")

CALLS = ("c1", "c2", "c3")
QUEUES = ("sac", "vendas")
STAGES = [
    *[Stage.QUEUED, Stage.QUEUED, Stage.RINGING, Stage.ANSWERED],
    *[Stage.COMPLETED, Stage.CANCELLED, Stage.NO_ANSWER],
]


class Killed(BaseException):
    """Lambda ends the function: nothing in it catches that."""


class Bus:
    """Keeps what it is told."""

    def __init__(self) -> None:
        self.events: list[WaitBreached] = []

    def publish(self, event: WaitBreached) -> None:
        self.events.append(event)


class Told(NamedTuple):
    """What the telephone system says, of so many seconds ago."""

    call_id: str
    stage: Stage
    queue: str
    ago: int
    answered_by: AnsweredBy | None
    leaves: bool
    direction: Direction


events = st.builds(
    Told,
    call_id=st.sampled_from(CALLS),
    stage=st.sampled_from(STAGES),
    queue=st.sampled_from(QUEUES),
    ago=st.sampled_from([0, 0, 1, 30, 61, 300]),
    answered_by=st.sampled_from([None, None, None, AnsweredBy.VOICEMAIL]),
    leaves=st.booleans(),
    direction=st.sampled_from([Direction.INBOUND] * 5 + [Direction.OUTBOUND_AUTO]),
)


class Waits:
    """The services on tables in memory: a request may be the last, or give way to others."""

    def __init__(self) -> None:
        self.work, self.bus = Work(), Bus()
        self.begin()
        self.call_store = CallStore("calls")
        self.calls = CallReader(self.call_store, CallRules())
        store, policies = WaitStore("waits"), PolicyStore("wait-policies")
        rulebook = Rulebook(all_rules(), OWN, "PT", LISBON)
        counters = Counters("counters", NAMES)
        work = cast(WorkQueue, self.work)
        self.tracking = WaitTracking(work, CallRules())
        self.watch = WaitWatch(
            store, policies, self.calls, rulebook, work, cast(EventBus, self.bus)
        )
        self.policies = WaitPolicies(policies, rulebook, "PT")
        self.counting = WaitCounting(store, counters)
        self.reports = WaitReports(store, counters)

    def begin(self) -> None:
        """Forgets all that was."""
        self.work.messages.clear()
        self.bus.events.clear()
        self.dynamodb = QuickDynamoDB(TABLES, self._changed)
        self.records: list[dict[str, Any]] = []
        self.changes: list[dict[str, str]] = []
        self.dies_after: int | None = None
        self.before_writing: Callable[[], None] | None = None

    def _changed(self, table: str, key: Item, old: Item | None, new: Item | None) -> None:
        images = {name: each for name, each in [("OldImage", old), ("NewImage", new)] if each}
        if table == "calls":
            self.records.append({"dynamodb": {"Keys": key, **images}})
        if table == "waits":
            self.changes.append({name: value["S"] for name, value in key.items()})

    def request(self, operation: str, asked: Mapping[str, Any]) -> Any:
        if operation == "UpdateItem" and asked["TableName"] == "waits" and self.before_writing:
            others, self.before_writing = self.before_writing, None
            others()
        if self.dies_after is not None:
            if self.dies_after == 0:
                raise Killed
            self.dies_after -= 1
        return self.dynamodb(operation, asked)


class Centre(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.now = EVENING
        # What queues went by, from time to time.
        self.timeline: list[tuple[datetime, str, int | None]] = []
        self.waits = all_waits()
        self.waits.begin()
        self.patched = patch.object(BaseClient, "_make_api_call", self.waits.request)
        self.patched.start()

    @rule(seconds=st.sampled_from([1, 10, 45]))
    def time_passes(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)

    @rule(event=events)
    def the_telephone_system_tells(self, event: Told) -> None:
        self.tell(event)

    @rule(event=events)
    def it_tells_and_all_is_brought_on(self, event: Told) -> None:
        self.tell(event)
        self.flow()

    def tell(self, event: Told) -> None:
        moment = self.now - timedelta(seconds=event.ago)
        told = CallEvent(
            call_id=event.call_id,
            provider="canonical",
            occurred_at=moment,
            stage=event.stage,
            direction=event.direction,
            number="+351912345678",
            queue=event.queue,
            answered_by=event.answered_by if event.stage is Stage.ANSWERED else None,
            leaves_queue=event.leaves and event.stage is Stage.NO_ANSWER,
        )
        self.waits.call_store.merge(event.call_id, facts_of(told))

    def flow(self) -> None:
        """Brings on all that is due."""
        while self.waits.records:
            self.waits.tracking.follow(self.waits.records.pop(0), self.now)
        while message := self.waits.work.take(self.now):
            self.waits.watch.look(message["call_id"], self.now)

    @rule(queue=st.sampled_from(QUEUES), seconds=st.none() | st.sampled_from([20, 60, 1800]))
    def a_policy_is_set_or_taken_away(self, queue: str, seconds: int | None) -> None:
        # None stands at a moment at which a call may come.
        self.now += timedelta(seconds=0.5)
        if seconds is not None:
            policy = Policy(limits=Limits(seconds=seconds))
            if self.at(queue, self.now)[0] == OWN:
                self.waits.policies.register(queue, policy, "rita", self.now)
            else:
                self.waits.policies.change(queue, policy, None, "rita", self.now)
        elif self.at(queue, self.now)[0] != OWN:
            self.waits.policies.remove(queue, None, "rita", self.now)
        self.timeline.append((self.now, queue, seconds))
        self.now += timedelta(seconds=0.5)

    @rule(again=st.booleans())
    def the_stream_tells(self, again: bool) -> None:
        if self.waits.records:
            self.waits.tracking.follow(self.waits.records[0], self.now)
            if not again:
                self.waits.records.pop(0)

    @rule(dies_after=st.none() | st.integers(0, 5), meanwhile=st.none() | events)
    def the_queue_delivers(self, dies_after: int | None, meanwhile: Told | None) -> None:
        message = self.waits.work.take(self.now)
        if message is None:
            return

        def others() -> None:
            if meanwhile:
                self.tell(meanwhile._replace(call_id=message["call_id"]))
            self.flow()

        self.waits.before_writing = others
        self.waits.dies_after = dies_after
        try:
            self.waits.watch.look(message["call_id"], self.now)
        except Killed:
            self.waits.work.send(message, self.now, self.now + timedelta(seconds=30))
        self.waits.dies_after = self.waits.before_writing = None

    @rule(call_id=st.sampled_from(CALLS))
    def a_message_comes_twice_or_early(self, call_id: str) -> None:
        self.waits.watch.look(call_id, self.now)

    @rule(data=st.data())
    def some_are_counted(self, data: st.DataObject) -> None:
        if self.waits.changes:
            self.waits.counting.count(
                data.draw(st.lists(st.sampled_from(self.waits.changes), max_size=4))
            )

    def teardown(self) -> None:
        try:
            self.comes_to_rest()
            self.is_as_the_calls_tell()
        finally:
            self.patched.stop()

    def comes_to_rest(self) -> None:
        self.flow()
        while messages := self.waits.work.messages:
            self.now = min(due for due, _ in messages)
            self.flow()
        self.waits.counting.count(self.waits.changes)

    def at(self, queue: str, moment: datetime) -> tuple[str, int]:
        """The rule and the seconds that were in force."""
        told = [
            seconds for since, name, seconds in self.timeline if name == queue and since <= moment
        ]
        return ("custom", told[-1]) if told and told[-1] else (OWN, OWN_SECONDS)

    def is_as_the_calls_tell(self) -> None:
        counts: dict[tuple[str, date, str, int], Counter[str]] = {}
        breached = set()
        for call in self.waits.calls.some(CALLS):
            told = self.counted(call)
            if told is None or call.queued_at is None:
                continue
            rule_id, seconds = self.at(str(call.queue), call.queued_at)
            day = call.queued_at.astimezone(LISBON).date()
            counts.setdefault((str(call.queue), day, rule_id, seconds), Counter()).update(told)
            if told["breaches"]:
                breached.add(call.call_id)
        for day in (date(2026, 3, 2), date(2026, 3, 3)):
            report = self.waits.reports.report(Wanted(None, day, day))
            found = {
                (group.queue, day, group.rule, group.limit_seconds): +Counter(
                    line.figures.model_dump()
                )
                for group, line in report.groups
            }
            assert found == {key: +told for key, told in counts.items() if key[1] == day}
        assert breached <= {event.call_id for event in self.waits.bus.events}

    def counted(self, call: Call) -> Counter[str] | None:
        """What a call comes to, by nothing but its own times."""
        if call.direction is not Direction.INBOUND or call.queued_at is None:
            return None
        _, limit = self.at(str(call.queue), call.queued_at)
        is_machine = call.answered_by is AnsweredBy.VOICEMAIL
        over_at = call.answered_at or call.ended_at
        if over_at is None:
            return Counter(waits=1, breaches=1)
        untimed = call.answered_at is None and call.status is Stage.COMPLETED and not is_machine
        if over_at < call.queued_at or untimed:
            return Counter(waits=1, unknown=1)
        seconds = (over_at - call.queued_at).total_seconds()
        is_answered = call.answered_at is not None and not is_machine
        verdict = "in_time" if is_answered else "left_in_time"
        return Counter(
            {
                "waits": 1,
                "answered" if is_answered else "left": 1,
                "breaches" if seconds > limit else verdict: 1,
                "waited_seconds": round(seconds),
            }
        )


# A client of its own for each example would take longer than all that it does.
all_waits = cache(Waits)


def test_who_looked_before_the_answer_was_told_looks_again() -> None:
    centre = Centre()
    asked = Told("c1", Stage.QUEUED, "sac", 0, None, leaves=False, direction=Direction.INBOUND)
    centre.it_tells_and_all_is_brought_on(asked)
    centre.now += timedelta(seconds=62)
    answered = asked._replace(stage=Stage.ANSWERED, ago=30)
    centre.the_queue_delivers(dies_after=None, meanwhile=answered)
    centre.teardown()


TestCentre = Centre.TestCase
TestCentre.settings = settings(max_examples=150, stateful_step_count=40, deadline=None)
