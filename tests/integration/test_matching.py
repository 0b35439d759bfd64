"""Misses and the calls that answer them find each other, whatever the stream brings when."""

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from random import Random
from typing import Any

import pytest

from retorno.calls.model import CallRules, derive, facts_of, fold
from retorno.calls.service import CallReader
from retorno.calls.store import CallStore
from retorno.errors import Conflict, NotFound, Unavailable
from retorno.phone import match_key
from retorno.recovery.model import Dismissal, MissedFilter, Outcome, Part, RecoveryRules, State
from retorno.recovery.service import Matching, MissedCalls
from retorno.recovery.store import RecoveryStore, Stored
from retorno.telephony.ports import AnsweredBy, CallEvent, Direction, Stage
from retorno.times import Period
from tests.support.deployment import Deployment
from tests.support.histories import BEGINNING, history, plausible_day
from tests.support.reference import Verdict, verdicts
from tests.support.requests import counted
from tests.support.stream import Record, Stream

CALL_RULES = CallRules()
RULES = RecoveryRules()
NOW = BEGINNING + timedelta(days=2)
ANA = "+5511987654321"

Interrupt = Callable[[list[Record], Callable[[], None]], None]


class World:
    """The calls table, its stream, and the table of recoveries that is made from it."""

    def __init__(self, calls_table: str, recoveries_table: str) -> None:
        self.calls = CallStore(calls_table)
        self.store = RecoveryStore(recoveries_table)
        self.matching = Matching(self.store, CALL_RULES, RULES)
        reader = CallReader(self.calls, CALL_RULES)
        self.missed_calls = MissedCalls(self.store, reader, self.matching, RULES)
        self._stream = Stream(calls_table)

    def tell(self, events: Sequence[CallEvent]) -> list[Record]:
        """Writes the events, and says what the stream brings of it."""
        for event in events:
            self.calls.merge(event.call_id, facts_of(event))
        return self._stream.new_records()

    def match(self, records: Sequence[Record], now: datetime = NOW) -> None:
        for record in records:
            self.matching.match(record, now)

    def happens(self, *calls: list[CallEvent], now: datetime = NOW) -> None:
        self.match(self.tell([event for call in calls for event in call]), now)

    def outcome(self, call_id: str) -> Outcome:
        return self.missed_calls.detail(call_id).missed_call.outcome

    def verdicts(self) -> dict[str, Verdict]:
        page = self.missed_calls.page(MissedFilter(), 500)
        return {
            missed.part.call_id: Verdict(
                **{name: getattr(missed.outcome, name) for name in Verdict.__dataclass_fields__}
            )
            for missed in page.items
        }


@pytest.fixture
def world(calls_table: str, recoveries_table: str) -> World:
    return World(calls_table, recoveries_table)


def interleaved(records: list[Record], random: Random) -> list[Record]:
    """As Lambda may bring them: ordered within a call only, and some of them again."""
    by_call: dict[str, list[Record]] = {}
    for record in records:
        by_call.setdefault(record["dynamodb"]["Keys"]["call_id"]["S"], []).append(record)
    brought: list[Record] = []
    waiting = list(by_call.values())
    while waiting:
        queue = random.choice(waiting)
        brought.append(queue.pop(0))
        if random.random() < 0.2:
            # A batch that failed comes again from its first record.
            brought.append(brought[-1])
        waiting = [each for each in waiting if each]
    return brought


@pytest.mark.parametrize("seed", range(15))
def test_outcomes_are_those_of_the_rules_read_plainly(world: World, seed: int) -> None:
    random = Random(seed)
    events = plausible_day(random, calls=12)
    world.match(interleaved(world.tell(events), random))
    calls = [derive(call_id, facts, CALL_RULES) for call_id, facts in fold(events).items()]
    assert world.verdicts() == verdicts(calls, NOW)


def missed(call_id: str, ended: float = 0, number: str | None = ANA) -> list[CallEvent]:
    told = history(call_id, direction=Direction.INBOUND, number=number, queue="sales")
    return told.at(ended - 30, Stage.QUEUED).at(ended, Stage.CANCELLED).events


def rang_back(call_id: str, dialled: float, **facts: object) -> list[CallEvent]:
    known = {"direction": Direction.OUTBOUND_MANUAL, "number": ANA, "agent": "bia", **facts}
    told = history(call_id, **known).at(dialled, Stage.RINGING).at(dialled + 10, Stage.ANSWERED)
    return told.at(dialled + 70, Stage.COMPLETED).events


class TestCorrections:
    """What is told late corrects what was decided."""

    def test_an_earlier_recovery_takes_over(self, world: World) -> None:
        world.happens(missed("m"), rang_back("late", 900))
        world.happens(rang_back("early", 300))
        assert (world.outcome("m").recovered_by, world.outcome("m").recovery_seconds) == (
            "early",
            310,
        )

    def test_a_recovery_is_withdrawn_when_a_machine_had_answered(self, world: World) -> None:
        world.happens(missed("m"), rang_back("o", 300))
        assert world.outcome("m").state is State.RECOVERED
        detected = CallEvent("o", "canonical", BEGINNING, answered_by=AnsweredBy.VOICEMAIL)
        world.happens([detected])
        assert world.outcome("m") == Outcome(attempts=1, first_attempt_seconds=300)

    def test_a_miss_is_none_once_its_answer_is_told(self, world: World) -> None:
        world.happens(missed("m"))
        told = history("m", direction=Direction.INBOUND, number=ANA).at(-10, Stage.ANSWERED)
        world.happens(told.events)
        assert world.verdicts() == {}
        with pytest.raises(NotFound):
            world.outcome("m")

    def test_a_call_that_turns_out_answered_answers_the_misses_before_it(
        self, world: World
    ) -> None:
        world.happens(missed("m"), missed("again", 600))
        told = history("again", direction=Direction.INBOUND, number=ANA).at(590, Stage.ANSWERED)
        world.happens(told.events)
        assert world.outcome("m").returned_by == "again"

    def test_a_number_that_is_told_late_moves_the_miss_to_its_person(self, world: World) -> None:
        world.happens(missed("m", number=None), rang_back("o", 300))
        assert world.outcome("m").state is State.OPEN
        number = CallEvent("m", "canonical", BEGINNING, direction=Direction.INBOUND, number=ANA)
        world.happens([number])
        assert world.outcome("m").recovered_by == "o"
        assert list(world.verdicts()) == ["m"]

    def test_a_call_that_began_earlier_than_told_answers_no_later_miss(self, world: World) -> None:
        world.happens(missed("m", 100), rang_back("o", 200))
        assert world.outcome("m").state is State.RECOVERED
        began = history("o", direction=Direction.OUTBOUND_MANUAL, number=ANA).at(50, Stage.QUEUED)
        world.happens(began.events)
        assert world.outcome("m").state is State.OPEN

    def test_an_old_change_told_again_does_not_undo_a_later_one(self, world: World) -> None:
        first = world.tell(missed("m"))
        told = history("m", direction=Direction.INBOUND, number=ANA).at(-10, Stage.ANSWERED)
        second = world.tell(told.events)
        world.match(first + second + first)
        world.match(second)
        assert world.verdicts() == {}


class InterruptedStore(RecoveryStore):
    """Lets another worker act between a look and what is decided from it, once."""

    def __init__(self, table: str, other_worker: Callable[[], None]) -> None:
        super().__init__(table)
        self._other_workers = [other_worker]

    def around(
        self, number_key: str, period: Period, enough: Callable[[Part], bool] = lambda _: False
    ) -> Sequence[Stored]:
        seen = super().around(number_key, period, enough)
        while self._other_workers:
            self._other_workers.pop()()
        return seen


class TestAtTheSameTime:
    """What is decided from a look holds only if nobody wrote since."""

    @pytest.fixture
    def interrupt(self, world: World, recoveries_table: str) -> Interrupt:
        """Matches records, and lets another worker act amidst the last of them."""

        def matched(records: list[Record], other_worker: Callable[[], None]) -> None:
            world.match(records[:-1])
            store = InterruptedStore(recoveries_table, other_worker)
            Matching(store, CALL_RULES, RULES).match(records[-1], NOW)

        return matched

    def test_an_earlier_recovery_is_not_overwritten(
        self, world: World, interrupt: Interrupt
    ) -> None:
        world.happens(missed("m"))
        late, early = world.tell(rang_back("late", 900)), world.tell(rang_back("early", 300))
        interrupt(late, lambda: world.match(early))
        assert world.outcome("m").recovered_by == "early"

    def test_a_miss_that_is_written_meanwhile_is_met(
        self, world: World, interrupt: Interrupt
    ) -> None:
        miss, answer = world.tell(missed("m")), world.tell(rang_back("o", 300))
        interrupt(answer, lambda: world.match(miss))
        assert world.outcome("m").recovered_by == "o"

    def test_an_answer_that_is_written_meanwhile_is_met(
        self, world: World, interrupt: Interrupt
    ) -> None:
        miss, answer = world.tell(missed("m")), world.tell(rang_back("o", 300))
        interrupt(miss, lambda: world.match(answer))
        assert world.outcome("m").recovered_by == "o"

    def test_an_answer_that_turns_out_to_be_none_meanwhile_does_not_count(
        self, world: World, interrupt: Interrupt
    ) -> None:
        # Who sees the miss still open has nothing to write, and so nothing that stands in the way.
        told = history("again", direction=Direction.INBOUND, number=ANA).at(300, Stage.ANSWERED)
        told.at(300, Stage.ANSWERED, answered_by=AnsweredBy.VOICEMAIL)
        answered, heard = world.tell(told.events[:1]), world.tell(told.events[1:])
        world.match(answered)
        interrupt(world.tell(missed("m")), lambda: world.match(heard))
        assert world.outcome("m").state is State.OPEN

    def test_a_dismissal_yields_to_the_recovery_before_it(
        self, world: World, interrupt: Interrupt
    ) -> None:
        world.happens(missed("m"))
        decision = Dismissal(at=NOW, by="sofia", reason="wrong number")
        answer = world.tell(rang_back("o", 300))

        def dismiss() -> None:
            with pytest.raises(Conflict):
                world.missed_calls.dismiss("m", decision, NOW)

        interrupt(answer, dismiss)
        assert world.outcome("m").state is State.RECOVERED


class TestCrashes:
    """A worker that dies after writing its part, before it looked: the stream tells it again."""

    @pytest.mark.parametrize("first", ["miss", "answer"])
    def test_between_the_part_and_the_look_loses_nothing(
        self, world: World, recoveries_table: str, first: str
    ) -> None:
        told = {"miss": world.tell(missed("m")), "answer": world.tell(rang_back("o", 300))}
        last = told.pop("answer" if first == "miss" else "miss")
        world.match(told[first] + last[:-1])

        def dies() -> None:
            raise Unavailable("out of memory")

        with pytest.raises(Unavailable):
            Matching(InterruptedStore(recoveries_table, dies), CALL_RULES, RULES).match(
                last[-1], NOW
            )
        assert world.outcome("m").state is State.OPEN
        world.match(last[-1:])
        assert world.outcome("m").recovered_by == "o"

    def test_between_a_decision_and_the_look_after_it_is_made_good(
        self, world: World, recoveries_table: str
    ) -> None:
        told = history("again", direction=Direction.INBOUND, number=ANA).at(300, Stage.ANSWERED)
        told.at(300, Stage.ANSWERED, answered_by=AnsweredBy.VOICEMAIL)
        answered, heard = world.tell(told.events[:1]), world.tell(told.events[1:])
        world.match(answered)
        *first, last = world.tell(missed("m"))
        world.match(first)

        class DyingStore(InterruptedStore):
            def save_outcome(self, found: Stored, outcome: Outcome) -> None:
                super().save_outcome(found, outcome)
                raise Unavailable("out of memory")

        store = DyingStore(recoveries_table, lambda: world.match(heard))
        with pytest.raises(Unavailable):
            Matching(store, CALL_RULES, RULES).match(last, NOW)
        assert world.outcome("m").state is State.RETURNED
        world.match([last])
        assert world.outcome("m").state is State.OPEN


class TestExpiry:
    def test_ends_the_wait_when_the_window_has_passed(self, world: World) -> None:
        world.happens(missed("m"), missed("later", 3600))
        week_later = BEGINNING + timedelta(days=7, seconds=1)
        assert world.matching.expire(week_later) == 1
        assert world.outcome("m").state is State.EXPIRED
        assert world.outcome("later").state is State.OPEN
        assert world.matching.expire(week_later) == 0

    def test_history_expires_at_once(self, world: World) -> None:
        world.happens(missed("m"), now=BEGINNING + timedelta(days=3000))
        assert world.outcome("m").state is State.EXPIRED

    def test_a_recovery_in_time_that_is_told_late_still_counts(self, world: World) -> None:
        late = BEGINNING + timedelta(days=8)
        world.happens(missed("m"), now=late)
        world.happens(rang_back("o", 300), now=late)
        assert world.outcome("m").state is State.RECOVERED


class TestBlocking:
    """The call list has called as often as it may."""

    KEY = match_key(ANA)

    def block(self, world: World, *, blocked: bool = True, call_id: str = "m") -> None:
        world.matching.block(self.KEY, call_id, NOW, blocked=blocked)

    def test_is_told_of_by_itself_until_it_is_undone(self, world: World) -> None:
        world.happens(missed("m"))
        self.block(world)
        self.block(world)
        assert world.outcome("m").state is State.BLOCKED
        assert world.missed_calls.summary(Period()).blocked == 1
        self.block(world, blocked=False)
        assert world.outcome("m").state is State.OPEN

    def test_yields_to_whatever_ends_the_wait(self, world: World) -> None:
        world.happens(missed("m"))
        self.block(world)
        world.happens(rang_back("o", 300))
        assert world.outcome("m").state is State.RECOVERED
        self.block(world)
        assert world.outcome("m").state is State.RECOVERED

    def test_ends_with_the_window(self, world: World) -> None:
        world.happens(missed("m"))
        self.block(world)
        assert world.matching.expire(BEGINNING + timedelta(days=8)) == 1
        assert world.outcome("m").state is State.EXPIRED

    def test_can_be_dismissed(self, world: World) -> None:
        world.happens(missed("m"))
        self.block(world)
        dismissal = Dismissal(at=NOW, by="sofia", reason="wrong number")
        assert world.missed_calls.dismiss("m", dismissal, NOW).outcome.state is State.DISMISSED

    def test_is_nothing_to_a_call_that_missed_nobody(self, world: World) -> None:
        world.happens(missed("m"), rang_back("o", 300))
        self.block(world, call_id="o")
        self.block(world, call_id="nobodys")
        assert world.outcome("m").state is State.RECOVERED


class TestDismissal:
    DECISION = Dismissal(at=NOW, by="sofia", reason="wrong number")

    def test_is_kept_with_who_and_why(self, world: World) -> None:
        world.happens(missed("m"))
        dismissed = world.missed_calls.dismiss("m", self.DECISION, NOW)
        assert (dismissed.outcome.state, dismissed.dismissal) == (State.DISMISSED, self.DECISION)

    def test_the_first_decision_stands(self, world: World) -> None:
        world.happens(missed("m"))
        world.missed_calls.dismiss("m", self.DECISION, NOW)
        second = Dismissal(at=NOW, by="rui", reason="no")
        assert world.missed_calls.dismiss("m", second, NOW).dismissal == self.DECISION

    def test_a_recovered_call_cannot_be_dismissed(self, world: World) -> None:
        world.happens(missed("m"), rang_back("o", 300))
        with pytest.raises(Conflict):
            world.missed_calls.dismiss("m", self.DECISION, NOW)

    def test_outlives_the_next_change_of_the_call(self, world: World) -> None:
        world.happens(missed("m"))
        world.missed_calls.dismiss("m", self.DECISION, NOW)
        world.happens(history("m", branch="north").at(-30, Stage.QUEUED).events)
        assert world.outcome("m").state is State.DISMISSED


class TestLists:
    def test_are_newest_first_and_paged_without_loss(self, world: World) -> None:
        calls = [missed(f"m{n}", 60 * n, f"+55119876500{n:02}") for n in range(25)]
        world.happens(*calls)
        seen: list[str] = []
        before = None
        for _ in range(4):
            page = world.missed_calls.page(MissedFilter(state=State.OPEN, queue="sales"), 7, before)
            seen += [each.part.call_id for each in page.items]
            before = page.next_order
        assert seen == [f"m{n}" for n in reversed(range(25))]
        assert before is None

    def test_a_period_includes_both_its_ends(self, world: World) -> None:
        world.happens(*[missed(f"m{n}", 60 * n) for n in range(4)])
        period = Period(BEGINNING + timedelta(seconds=60), BEGINNING + timedelta(seconds=120))
        page = world.missed_calls.page(MissedFilter(period=period), 50)
        assert [each.part.call_id for each in page.items] == ["m2", "m1"]

    def test_the_summary_counts_the_same(self, world: World) -> None:
        world.happens(missed("m"), missed("w", 10, None), rang_back("o", 300))
        summary = world.missed_calls.summary(Period())
        assert (summary.missed, summary.recovered, summary.open) == (2, 1, 1)
        assert summary.recovery_seconds_median == 310


def test_an_event_that_means_nothing_for_recovery_costs_nothing(world: World) -> None:
    told = history("c", direction=Direction.INBOUND, number=ANA).at(0, Stage.QUEUED)
    records = world.tell(told.at(5, Stage.RINGING).events)
    with counted() as requests:
        world.match(records)
    assert requests == []


def test_a_recovery_costs_a_write_and_two_looks_and_a_write_for_each_miss(world: World) -> None:
    world.happens(missed("m"), missed("m2", 60))
    records = world.tell(rang_back("o", 300))
    with counted() as requests:
        world.match(records[-1:])
    assert requests == ["UpdateItem", "Query", "UpdateItem", "UpdateItem", "Query"]


def test_who_is_missed_and_who_is_won_back_is_counted_once(
    deployment: Deployment, capsys: pytest.CaptureFixture[str]
) -> None:
    calls = CallStore(deployment.tables["CallsTable"])

    def happens(told: list[CallEvent]) -> str:
        for event in told:
            calls.merge(event.call_id, facts_of(event))
            deployment.flow()
        return capsys.readouterr().out

    missed = history("m", direction=Direction.INBOUND, number=ANA)
    said = happens(
        missed.at(0, Stage.QUEUED).at(30, Stage.CANCELLED).at(31, Stage.COMPLETED).events
    )
    assert said.count('"CallsMissed":[1.0]') == 1
    back = history("b", direction=Direction.OUTBOUND_MANUAL, number=ANA).at(60, Stage.RINGING)
    said = happens(back.at(70, Stage.ANSWERED).at(130, Stage.COMPLETED).events)
    assert said.count('"CallsRecovered":[1.0]') == 1
    assert "CallsMissed" not in said


def test_of_a_number_that_rings_all_the_time_only_what_is_new_is_read(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Calls that were answered end what was before them, and misses bear on no other."""
    for index in range(12):
        world.happens(missed(f"m{index}", index * 120), rang_back(f"o{index}", index * 120 + 60))
    around, looks = world.store.around, []

    def seen(*asked: Any) -> Sequence[Stored]:
        found = around(*asked)
        looks.append([each.part.call_id for each in found])
        return found

    monkeypatch.setattr(world.store, "around", seen)
    world.happens(missed("m", 2000), missed("again", 2010))
    assert looks == [["m"], ["again"]]
    world.happens(rang_back("o", 2060))
    until_it_is_answered, what_it_ends = ["o"], ["o", "again", "m", "o11"]
    assert looks[2:] == [until_it_is_answered, what_it_ends, what_it_ends]
