"""A dial through any trouble: whatever goes wrong and when, the customer is rung once at most."""

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any, cast

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from retorno.calling_rules.model import Purpose
from retorno.calling_rules.service import CallingRules
from retorno.dialling.model import Asker, Dial, DialState, DialWish
from retorno.dialling.service import Attempts, Dialling, Orders
from retorno.dynamodb import Refused
from retorno.errors import Conflict, Unavailable
from retorno.phone import NumberPlan
from retorno.telephony.ports import (
    CallEvent,
    DialFailed,
    DialOrder,
    DialRefused,
    DialUncertain,
)

NOW = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
WISH = DialWish(number="+5511987654321")
ANA = Asker(name="ana", agent="ana")

# How much later than it took an order the telephone system lists the call.
LAG = timedelta(seconds=30)

PLACES = frozenset({"placed", "placed, answer lost", "placed, function killed"})
ORDERS = [*sorted(PLACES) * 2, "order lost", "killed before", "too busy", "refused", "broken"]
LOOKS = ["told", "told", "no answer", "killed"]


class Killed(BaseException):
    """Lambda ends the function: nothing in it catches that."""


@dataclass
class World:
    """A table, and a telephone system that tells the truth, but late; `now` is everyone's."""

    now: datetime = NOW
    dials: dict[str, Dial] = field(default_factory=dict)
    rung: list[datetime] = field(default_factory=list)
    begun: set[str] = field(default_factory=set)
    order: str = "placed"
    look: str = "told"
    save_fails_at: int = 0
    saves: int = 0

    # As the store has it.
    def get(self, dial_id: str) -> Dial | None:
        return self.dials.get(dial_id)

    def save(self, dial: Dial) -> Dial:
        self.saves += 1
        if self.saves == self.save_fails_at:
            raise Unavailable("the table does not answer")
        known = self.dials.get(dial.dial_id)
        if (known.revision if known else 0) != dial.revision:
            raise Refused(None)
        self.dials[dial.dial_id] = dial.model_copy(update={"revision": dial.revision + 1})
        return self.dials[dial.dial_id]

    # As the telephone system has it.
    name = "canonical"

    def dial(self, order: DialOrder) -> str:
        if self.order in PLACES:
            self.rung.append(self.now)
        match self.order:
            case "placed":
                return "call-1"
            case "too busy":
                raise DialFailed("429", retry_after=20)
            case "broken":
                raise DialFailed("no connection")
            case "refused":
                raise DialRefused("400")
            case "killed before" | "placed, function killed":
                raise Killed
        raise DialUncertain("no answer")

    def find(self, order: DialOrder) -> str | None:
        if self.look == "killed":
            raise Killed
        if self.look == "no answer":
            raise DialUncertain("no answer")
        return "call-1" if any(self.now >= rung + LAG for rung in self.rung) else None

    # As the calls and the rules have it.
    def begin(self, event: CallEvent) -> None:
        self.begun.add(event.call_id)

    def of_number(self, *_: object) -> Any:
        return SimpleNamespace(calls=[])

    def ask(self) -> Dial:
        this = cast(Any, self)
        rules = CallingRules(cast(Any, SimpleNamespace(of_number=lambda _: [])), NumberPlan(), [])
        orders = Orders(this, this, lambda: this)
        dialling = Dialling(this, this, orders, rules, lambda _: None, NumberPlan())
        return dialling.place(WISH, "k1", ANA, "https://api.example.com", self.now)


@dataclass(frozen=True)
class Request:
    """One more request with the same key, and what goes wrong with it."""

    after_seconds: int
    order: str
    look: str
    save_fails_at: int


requests = st.builds(
    Request,
    after_seconds=st.sampled_from([1, 20, 60, 90]),
    order=st.sampled_from(ORDERS),
    look=st.sampled_from(LOOKS),
    save_fails_at=st.sampled_from([0, 0, 0, 0, 1, 2, 3]),
)


@settings(max_examples=300)
@given(st.lists(requests, min_size=1, max_size=8))
def test_the_customer_is_rung_once_and_the_call_is_found(history: list[Request]) -> None:
    world = World()
    placed = False
    for request in history:
        world.now += timedelta(seconds=request.after_seconds)
        world.order, world.look = request.order, request.look
        world.save_fails_at, world.saves = request.save_fails_at, 0
        try:
            state = world.ask().state
        except (Killed, Unavailable, Conflict):
            assert not placed, "what was placed stays so"
            continue
        assert state is DialState.PLACED or not placed
        placed = state is DialState.PLACED
        assert len(world.rung) <= 1
    # When all is well again, it is settled.
    world.now += timedelta(hours=2)
    world.order, world.look, world.save_fails_at = "placed", "told", 0
    try:
        assert world.ask().state is DialState.PLACED
        assert (len(world.rung), world.begun) == (1, {"call-1"})
    except Conflict:
        assert world.rung == []


class TestAttempts:
    """Dials of call lists, of which a worker may have died."""

    DIAL = Dial(
        dial_id="d1",
        wish_digest="",
        number="+5511987654321",
        purpose=Purpose.ABANDONED_CALLBACK,
        telephone="4007",
        agent="ana",
        asked_by="retorno",
        missed_call_id="in-1",
        campaign="vendas",
        asked_at=NOW,
        ordered_at=NOW,
    )

    def attempts(self, world: World) -> Attempts:
        this = cast(Any, world)
        return Attempts(this, Orders(this, this, lambda: this))

    def test_one_that_was_found_out_not_to_be_ordered_never_is(self) -> None:
        world = World()
        attempts = self.attempts(world)
        assert attempts.find_out(self.DIAL, "", world.now).state is DialState.FAILED
        late = attempts.place(self.DIAL, "", world.now)
        assert (late.state, world.rung) == (DialState.FAILED, [])

    def test_one_that_was_placed_is_found_and_not_ordered_again(self) -> None:
        world = World()
        world.order = "placed, function killed"
        with pytest.raises(Killed):
            self.attempts(world).place(self.DIAL, "", world.now)
        world.now += timedelta(hours=1)
        found = self.attempts(world).find_out(self.DIAL, "", world.now)
        assert (found.state, found.call_id, world.begun) == (
            DialState.PLACED,
            "call-1",
            {"call-1"},
        )
        again = self.attempts(world).place(self.DIAL, "", world.now)
        assert (again.call_id, len(world.rung)) == ("call-1", 1)
