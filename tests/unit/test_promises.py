"""Promised times: which moments may be promised, and a promise through any trouble."""

from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any, cast

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule
from pydantic import ValidationError

from retorno.agents.service import Agents
from retorno.callbacks.model import Contact
from retorno.callbacks.model import State as ContactState
from retorno.callbacks.service import CallList
from retorno.calling_rules.service import CallingRules
from retorno.dialling.model import Asker
from retorno.dynamodb import Refused
from retorno.errors import (
    InvalidInput,
    RetornoError,
    Unavailable,
)
from retorno.moments import moment_to_come
from retorno.phone import NumberPlan
from retorno.promises.model import (
    MAX_AHEAD,
    Promise,
    PromiseWish,
    State,
)
from retorno.promises.service import Keeping, Promises
from retorno.promises.store import PromiseStore
from retorno.schedules import Schedules
from tests.support.call_list import FakeCallList

NOW = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
ANA = Asker(name="ana", agent="ana")


def wish(at: datetime, **fields: Any) -> PromiseWish:
    return PromiseWish.model_validate(
        {"number": "(11) 98765-4321", "queue": "vendas", "at": at.isoformat(), **fields}
    )


class TestMoments:
    def read(self, at: str, zone: str | None = None, now: datetime = NOW) -> datetime:
        wished = PromiseWish.model_validate(
            {"number": "1", "queue": "q", "at": at, "time_zone": zone}
        )
        return moment_to_come(wished.at, wished.time_zone, now, MAX_AHEAD)

    @pytest.mark.parametrize(
        ("at", "zone", "moment"),
        [
            ("2026-03-02T15:00:00-03:00", None, "2026-03-02T18:00:00+00:00"),
            ("2026-03-02T15:00:00Z", "America/Manaus", "2026-03-02T15:00:00+00:00"),
            ("2026-03-02T15:00", "America/Sao_Paulo", "2026-03-02T18:00:00+00:00"),
            ("2026-03-02T15:00:00.999", "America/Manaus", "2026-03-02T19:00:00+00:00"),
            ("2026-03-29T00:59", "Europe/Lisbon", "2026-03-29T00:59:00+00:00"),
            ("2026-03-29T02:00", "Europe/Lisbon", "2026-03-29T01:00:00+00:00"),
            ("2026-03-29T01:30:00+00:00", "Europe/Lisbon", "2026-03-29T01:30:00+00:00"),
        ],
    )
    def test_are_read(self, at: str, zone: str | None, moment: str) -> None:
        assert self.read(at, zone).isoformat() == moment

    @pytest.mark.parametrize(
        ("at", "zone", "now", "says"),
        [
            (
                "2026-03-29T01:30",
                "Europe/Lisbon",
                NOW,
                "does not come in Europe/Lisbon, where clocks change then: say "
                "2026-03-29T00:30:00+00:00 or 2026-03-29T02:30:00+01:00",
            ),
            (
                "2026-10-25T01:30",
                "Europe/Lisbon",
                datetime(2026, 10, 1, tzinfo=UTC),
                "comes twice in Europe/Lisbon, where clocks change then: say "
                "2026-10-25T01:30:00+01:00 or 2026-10-25T01:30:00+00:00",
            ),
            (
                "2018-11-04T00:15",
                "America/Sao_Paulo",
                datetime(2018, 11, 1, tzinfo=UTC),
                "does not come in America/Sao_Paulo, where clocks change then: say "
                "2018-11-03T23:15:00-03:00 or 2018-11-04T01:15:00-02:00",
            ),
            (
                "2018-02-17T23:30",
                "America/Sao_Paulo",
                datetime(2018, 2, 1, tzinfo=UTC),
                "comes twice in America/Sao_Paulo, where clocks change then: say "
                "2018-02-17T23:30:00-02:00 or 2018-02-17T23:30:00-03:00",
            ),
            ("2026-03-02T12:00:00Z", None, NOW, "is past"),
            ("2026-03-02T08:59", "America/Sao_Paulo", NOW, "is past"),
            ("2026-06-02T12:00:01Z", None, NOW, "is more than 92 days away"),
            ("9999-12-31T23:59:59-12:00", None, NOW, "is more than 92 days away"),
            ("9999-12-31T23:59", "America/Sao_Paulo", NOW, "is more than 92 days away"),
            ("0001-01-01T00:00:00+14:00", None, NOW, "is past"),
            ("0001-01-01T00:00", "Asia/Tokyo", NOW, "is past"),
            (
                "2026-03-02T15:00",
                None,
                NOW,
                "needs an offset, such as -03:00, or else a time_zone",
            ),
        ],
    )
    def test_that_cannot_be_promised(
        self, at: str, zone: str | None, now: datetime, says: str
    ) -> None:
        with pytest.raises(InvalidInput) as refusal:
            self.read(at, zone, now)
        assert (refusal.value.field, refusal.value.reason) == ("at", says)

    def test_whichever_of_two_may_still_come(self) -> None:
        """Between the two half past ones of the night in which clocks go back."""
        between = datetime(2026, 10, 25, 1, 0, tzinfo=UTC)
        with pytest.raises(InvalidInput, match="comes twice"):
            self.read("2026-10-25T01:30", "Europe/Lisbon", between)

    @pytest.mark.parametrize(
        "at", ["1772452800", 1772452800, "2026-03-02", "tomorrow", "2026-13-02T10:00Z", None, "T"]
    )
    def test_are_iso_8601(self, at: object) -> None:
        with pytest.raises(ValidationError, match="is no time of ISO 8601"):
            PromiseWish.model_validate({"number": "1", "queue": "q", "at": at})

    @pytest.mark.parametrize("zone", ["America", "../passwd", "", "x" * 5_000, "-03:00", 3])
    def test_zones_are_of_iana(self, zone: object) -> None:
        with pytest.raises(ValidationError, match="is no time zone of IANA"):
            PromiseWish.model_validate(
                {"number": "1", "queue": "q", "at": "2026-03-02T15:00", "time_zone": zone}
            )


class TestSettled:
    def promise(self) -> Promise:
        return Promise(
            promise_id="p",
            wish_digest="d",
            number="+5511987654321",
            queue="vendas",
            agent=None,
            purpose="requested_callback",
            note=None,
            call_id=None,
            at=NOW,
            moved_from=None,
            time_zone="America/Sao_Paulo",
            tolerance_minutes=15,
            asked_at=NOW,
            asked_by="ana",
            state=State.LISTED,
            check_at=NOW,
        )

    def settled(self, state: str, dialled_after: float | None, result: str | None) -> Promise:
        dialled_at = None if dialled_after is None else NOW + timedelta(seconds=dialled_after)
        contact = Contact(
            contact_id="c",
            list_name="promise:p:1",
            state=ContactState(state),
            reason="because",
            number="+5511987654321",
            queue="vendas",
            purpose="requested_callback",
            asked_at=NOW,
            due_at=NOW,
            changed_at=NOW,
            first_dialled_at=dialled_at,
            result=result,
        )
        return self.promise().settled(contact)

    @pytest.mark.parametrize(
        ("state", "dialled_after", "result", "became", "late_seconds", "reached"),
        [
            ("reached", 0, "human", "kept", None, True),
            ("reached", 60, "human", "kept", None, True),
            ("reached", 61, "human", "late", 61, True),
            ("blocked", 5, "busy", "kept", None, False),
            ("do_not_call", 5, "human", "kept", None, True),
            ("blocked", 5, "failed", "missed", None, None),
            ("expired", None, None, "missed", None, None),
            ("do_not_call", None, None, "forbidden", None, None),
            ("dismissed", None, None, "cancelled", None, None),
            ("cancelled", None, None, "cancelled", None, None),
        ],
    )
    def test_ends_as_its_contact_does(
        self,
        state: str,
        dialled_after: float | None,
        result: str | None,
        became: str,
        late_seconds: float | None,
        reached: bool | None,
    ) -> None:
        ended = self.settled(state, dialled_after, result)
        assert (ended.state, ended.late_seconds, ended.reached) == (became, late_seconds, reached)
        assert (ended.check_at, ended.reason) == (None, result or "because")

    @pytest.mark.parametrize(
        ("state", "dialled_after"),
        [("waiting", None), ("dialling", None), ("dialling", 5), ("blocked", None)],
    )
    def test_goes_on_while_its_contact_may(self, state: str, dialled_after: float | None) -> None:
        assert self.settled(state, dialled_after, None) == self.promise()


class Killed(BaseException):
    """Lambda ends the function: nothing in it catches that."""


@dataclass
class World:
    """A table, schedules and a call list. `in_between` happens just before one of the requests
    to them: the `in` so many.
    """

    now: datetime = NOW
    promises: dict[str, Promise] = field(default_factory=dict)
    schedules: dict[str, tuple[datetime, Mapping[str, str]]] = field(default_factory=dict)
    calls: FakeCallList = field(default_factory=FakeCallList)
    requests_until: int = 0
    in_between: Callable[[], object] = lambda: None

    def __post_init__(self) -> None:
        self.calls.before_each = self.request

    def request(self) -> None:
        self.requests_until -= 1
        if self.requests_until == 0:
            self.in_between()

    # As the store has it.
    def get(self, promise_id: str) -> Promise | None:
        return self.promises.get(promise_id)

    def save(self, promise: Promise) -> Promise:
        self.request()
        before = self.promises.get(promise.promise_id)
        if (before.revision if before else 0) != promise.revision:
            raise Refused(None)
        written = promise.model_copy(update={"revision": promise.revision + 1})
        self.promises[promise.promise_id] = written
        return written

    def to_check(self, now: datetime, limit: int) -> list[str]:
        due = [p for p in self.promises.values() if p.check_at and p.check_at <= now]
        return [p.promise_id for p in sorted(due, key=lambda p: p.check_at or now)][:limit]

    # As the schedules have it.
    def put(self, name: str, at: datetime, message: Mapping[str, str]) -> None:
        self.request()
        self.schedules.setdefault(name, (at, message))

    def drop(self, name: str) -> None:
        self.request()
        self.schedules.pop(name, None)

    @property
    def keeping(self) -> Keeping:
        return Keeping(cast(PromiseStore, self), cast(Schedules, self), cast(CallList, self.calls))

    @property
    def service(self) -> Promises:
        rules = CallingRules(
            cast(Any, SimpleNamespace(of_number=lambda _: [])), NumberPlan("BR"), ()
        )
        return Promises(
            cast(PromiseStore, self), self.keeping, rules, cast(Agents, SimpleNamespace())
        )


def test_the_world_is_quiet_by_itself() -> None:
    """What the machine below stands on: made, fired, dialled, settled."""
    world = World()
    made = world.service.make(wish(NOW + 10 * MINUTE), "k", ANA, NOW)
    ((fires_at, message),) = world.schedules.values()
    assert (made.state, fires_at) == (State.PROMISED, NOW + 8 * MINUTE)
    world.keeping.fire(message["promise_id"], int(message["version"]), fires_at)
    ((contact_id, contact),) = world.calls.contacts.items()
    assert (contact.due_at, contact.until) == (NOW + 10 * MINUTE, NOW + 25 * MINUTE)
    assert (contact.max_attempts, contact.asked_at) == (1, NOW)
    world.calls.dial(contact_id, NOW + 12 * MINUTE)
    world.calls.end(contact_id, "human", NOW + 12 * MINUTE)
    world.keeping.check(NOW + 13 * MINUTE)
    (kept,) = world.promises.values()
    assert (kept.state, kept.late_seconds, kept.reached) == (State.LATE, 120, True)


def test_the_schedule_of_an_earlier_time_changes_nothing() -> None:
    world = World()
    made = world.service.make(wish(NOW + 10 * MINUTE), "k", ANA, NOW)
    later = wish(NOW + 60 * MINUTE)
    changed = world.service.change(made.promise_id, later, 1, ANA, NOW)
    world.keeping.fire(made.promise_id, 1, NOW + 8 * MINUTE)
    assert world.promises == {made.promise_id: changed}
    assert list(world.schedules) == [f"promise-{made.promise_id}-2"]


def test_one_at_a_time_makes_a_contact() -> None:
    world = World()
    world.service.make(wish(NOW + 10 * MINUTE), "k", ANA, NOW)
    world.now = NOW + 9 * MINUTE
    # Between the lease and the contact.
    world.requests_until = 2
    world.in_between = lambda: world.keeping.check(world.now)
    world.keeping.check(world.now)
    (promise,) = world.promises.values()
    # Made, scheduled, leased, and given its contact.
    assert (promise.state, promise.revision) == (State.LISTED, 4)


class Trouble(RuleBasedStateMachine):
    """People, schedules, the check and the dialler come as they will, one in the middle of
    another; functions are killed and services do not answer, between any two requests.
    """

    def __init__(self) -> None:
        super().__init__()
        self.world = World()
        # What people were told for sure: versions that are no more, and promises cancelled.
        self.over: set[tuple[str, int]] = set()
        self.dialled: list[tuple[str, int]] = []
        self.keys = 0

    def attempt(self, step: Callable[[], object]) -> None:
        with suppress(RetornoError, Killed):
            step()

    def disturbed(
        self, step: Callable[[], object], trouble: str, after: int, chosen: int = 0
    ) -> None:
        """A step, and at its so-manieth request a trouble."""

        def killed() -> None:
            raise Killed

        def unavailable() -> None:
            raise Unavailable("no answer")

        others: Mapping[str, Callable[[], object]] = {
            "nothing": lambda: None,
            "killed": killed,
            "unavailable": unavailable,
            "cancel": lambda: self.cancel_one(chosen),
            "change": lambda: self.change_one(chosen, 30),
            "check": lambda: self.world.keeping.check(self.world.now),
            "dial": lambda: self.dial_one(chosen),
            "fire": lambda: self.fire_one(chosen),
        }
        other = others[trouble]
        self.world.requests_until = after
        # What happens to another function is not this one's trouble.
        quietly = trouble in ("killed", "unavailable")
        self.world.in_between = other if quietly else lambda: self.attempt(other)
        self.attempt(step)
        self.world.requests_until = 0

    def chosen(self, index: int) -> Promise | None:
        promises = list(self.world.promises.values())
        return promises[index % len(promises)] if promises else None

    def cancel_one(self, index: int) -> None:
        if promise := self.chosen(index):
            self.world.service.cancel(promise.promise_id, None, ANA, self.world.now)
            told = self.world.promises[promise.promise_id]
            assert told.state is State.CANCELLED
            self.over.add((told.promise_id, told.version))

    def change_one(self, index: int, minutes: int) -> None:
        if promise := self.chosen(index):
            wanted = wish(self.world.now + minutes * MINUTE)
            seen = promise.version
            self.world.service.change(promise.promise_id, wanted, seen, ANA, self.world.now)
            self.over.add((promise.promise_id, seen))

    def fire_one(self, index: int) -> None:
        """Any schedule that ever was, at any time."""
        if promise := self.chosen(index):
            version = 1 + index % promise.version
            self.world.keeping.fire(promise.promise_id, version, self.world.now)

    def dial_one(self, index: int) -> None:
        """The dialler keeps to `due_at` and `until`."""
        calls, now = self.world.calls, self.world.now
        ready = [
            contact_id
            for contact_id, contact in calls.contacts.items()
            if contact.state is ContactState.WAITING
            and contact.due_at <= now <= (contact.until or now)
        ]
        if ready:
            contact_id = ready[index % len(ready)]
            calls.dial(contact_id, now)
            _, promise_id, version = calls.contacts[contact_id].list_name.split(":")
            self.dialled.append((promise_id, int(version)))
            assert self.dialled[-1] not in self.over, "called after people were told otherwise"

    troubles = st.sampled_from(
        ["nothing", "killed", "unavailable", "cancel", "change", "check", "dial", "fire"]
    )
    places = st.integers(1, 6)
    indices = st.integers(0, 5)

    @rule(minutes=st.sampled_from([1, 3, 10, 60]), trouble=troubles, after=places)
    @precondition(lambda self: len(self.world.promises) < 3)
    def make(self, minutes: int, trouble: str, after: int) -> None:
        wanted, key = wish(self.world.now + minutes * MINUTE), str(self.keys)

        def step() -> object:
            return self.world.service.make(wanted, key, ANA, self.world.now)

        before = len(self.world.promises)
        self.disturbed(step, trouble, after)
        self.attempt(step)
        assert len(self.world.promises) == before + 1
        self.keys += 1

    @rule(index=indices, trouble=troubles, after=places)
    def cancel(self, index: int, trouble: str, after: int) -> None:
        self.disturbed(lambda: self.cancel_one(index), trouble, after, index)

    @rule(index=indices, minutes=st.sampled_from([1, 3, 10]), trouble=troubles, after=places)
    def change(self, index: int, minutes: int, trouble: str, after: int) -> None:
        self.disturbed(lambda: self.change_one(index, minutes), trouble, after, index)

    @rule(index=indices, trouble=troubles, after=places)
    def fire(self, index: int, trouble: str, after: int) -> None:
        self.disturbed(lambda: self.fire_one(index), trouble, after, index)

    @rule(index=indices, trouble=troubles, after=places)
    def check(self, index: int, trouble: str, after: int) -> None:
        now = self.world.now
        self.disturbed(lambda: self.world.keeping.check(now), trouble, after, index)

    @rule(index=indices)
    def dial(self, index: int) -> None:
        self.dial_one(index)

    @rule(index=indices, result=st.sampled_from(["human", "busy", "failed"]))
    def hang_up(self, index: int, result: str) -> None:
        calls = self.world.calls
        ringing = [i for i, c in calls.contacts.items() if c.state is ContactState.DIALLING]
        if ringing:
            calls.end(ringing[index % len(ringing)], result, self.world.now)

    @rule(seconds=st.sampled_from([10, 60, 120, 1_000]))
    def wait(self, seconds: int) -> None:
        self.world.now += timedelta(seconds=seconds)

    @invariant()
    def nobody_is_called_twice(self) -> None:
        assert len(self.dialled) == len(set(self.dialled))

    @invariant()
    def what_is_not_over_is_looked_after(self) -> None:
        for promise in self.world.promises.values():
            is_open = promise.state in (State.PROMISED, State.LISTED)
            assert is_open == (promise.check_at is not None)

    def teardown(self) -> None:
        """Once all is quiet, each promise is kept or said to be missed: none is forgotten."""
        world = self.world
        for index, contact in enumerate(list(world.calls.contacts.values())):
            if contact.state is ContactState.DIALLING:
                world.calls.end(contact.contact_id, "human" if index % 2 else "busy", world.now)
        for _ in range(100):
            world.now += MINUTE
            world.keeping.check(world.now)
            self.dial_one(0)
            self.nobody_is_called_twice()
            for contact in list(world.calls.contacts.values()):
                if contact.state is ContactState.DIALLING:
                    world.calls.end(contact.contact_id, "human", world.now)
        for promise in world.promises.values():
            assert promise.state not in (State.PROMISED, State.LISTED)
            if promise.state in (State.KEPT, State.LATE):
                assert (promise.promise_id, promise.version) in self.dialled
        waiting = [c for c in world.calls.contacts.values() if c.state is ContactState.WAITING]
        assert waiting == []


TestTrouble = Trouble.TestCase
TestTrouble.settings = settings(max_examples=150, stateful_step_count=25)
