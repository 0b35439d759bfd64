"""The simulated telephone system: it takes the product's own orders, and makes sense of them."""

import json
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from random import Random
from threading import Event as Signal

import pytest
import urllib3

from local.client import sign
from local.errors import CloudError
from local.simulate.carrier import Event
from local.simulate.exchange import (
    BROKEN,
    NEVER_ANSWERED,
    NOT_PLACED,
    TOO_MANY,
    Exchange,
    Fault,
    Request,
    Teller,
    serving,
    telling,
)
from local.simulate.people import HABITS, Customer, settle
from local.simulate.switch import (
    OPERATOR_IS_AWAY,
    Call,
    Connection,
    Engaged,
    NoSuchCall,
    Order,
    Switch,
)
from retorno.phone import NumberPlan
from retorno.telephony.canonical_dialling import CanonicalDialler
from retorno.telephony.ports import DialFailed, DialOrder, DialRefused, DialUncertain
from retorno.telephony.providers import CANONICAL

NOW = datetime(2026, 3, 5, 17, 30, tzinfo=UTC)
SECRET = "not-a-secret"
ENDS = {"completed", "cancelled", "no_answer", "failed"}


def at(seconds: float) -> datetime:
    return NOW + timedelta(seconds=seconds)


@pytest.fixture
def customer() -> Customer:
    return person()


def person(*habit: str) -> Customer:
    customer = next(each for each in settle(9, seed=1, start=NOW) if not each.withheld)
    customer.habit = habit or ("talks",)
    return customer


def switch_of(*customers: Customer, seed: int = 1) -> Switch:
    return Switch("x", seed, customers)


def order_of(number: str, attempt: int = 1, telephone: str = "4001") -> Order:
    return Order(f"{attempt:032x}", number, telephone, f"operator of {telephone}")


def dial(switch: Switch, number: str, attempt: int = 1, now: datetime = NOW) -> Call:
    return switch.place(order_of(number, attempt), now)[0]


def connect(switch: Switch, call: Call, now: datetime, offer: int = 1, to: str = "4001") -> None:
    order = Connection(f"{offer:032x}", call.call_id, to, f"operator of {to}")
    switch.connect(order, now)


def stages(events: list[Event]) -> list[str]:
    return [event["stage"] for event in events]


# --- What becomes of a call -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fate", "expected", "result"),
    [
        ("talks", ["queued", "ringing", "answered", "completed"], "human"),
        ("has a voicemail", ["queued", "ringing", "answered", "completed"], "voicemail"),
        ("is away", ["queued", "ringing", "no_answer"], "no_answer"),
        ("is busy", ["queued", "no_answer"], "busy"),
    ],
)
def test_the_operator_is_rung_and_then_the_customer(
    fate: str, expected: list[str], result: str
) -> None:
    customer = person(fate)
    switch = switch_of(customer)
    call = dial(switch, customer.number)
    assert stages(switch.advance(NOW)) == ["queued"]
    events = switch.advance(at(600))
    assert stages(events) == expected[1:]
    assert call.result == result
    assert switch.is_idle
    # The product reads each of them as it is meant.
    body = json.dumps({"events": events}).encode()
    reading = CANONICAL.read(body, NumberPlan("BR"), at(600))
    assert [event.call_id for event in reading.events] == [call.call_id] * len(events)
    assert {event.agent for event in reading.events} == {"operator of 4001"}


def test_somebody_answers_at_the_second_try() -> None:
    customer = person("is away", "talks")
    switch = switch_of(customer)
    first = dial(switch, customer.number, 1)
    second = dial(switch, customer.number, 2, at(60))
    third = dial(switch, customer.number, 3, at(600))
    switch.advance(at(1200))
    assert [call.result for call in (first, second, third)] == ["no_answer", "human", "human"]


def test_a_number_that_nobody_has_fails(customer: Customer) -> None:
    switch = switch_of(customer)
    call = dial(switch, "+5511900000000")
    switch.advance(at(60))
    assert (call.stage, call.result) == ("failed", "unknown_number")


def test_an_operator_who_is_away_ends_the_call(customer: Customer) -> None:
    assert "operator_no_answer" in {
        _result_of(customer, telephone) for telephone in range(int(5 / OPERATOR_IS_AWAY))
    }


def _result_of(customer: Customer, telephone: int) -> str:
    switch = switch_of(customer)
    call, _ = switch.place(order_of(customer.number, telephone=str(telephone)), NOW)
    switch.advance(at(600))
    return call.result


def test_an_engaged_line_is_busy_and_an_engaged_telephone_a_clash() -> None:
    one, other = (each for each in settle(4, 1, NOW)[:2])
    one.habit = other.habit = ("talks",)
    switch = switch_of(one, other)
    first = dial(switch, one.number, 1)
    switch.advance(at(45))
    with pytest.raises(Engaged):
        switch.ring_in(one, "vendas", 60, at(45))
    same_customer, _ = switch.place(order_of(one.number, 2, "4002"), at(45))
    same_telephone, _ = switch.place(order_of(other.number, 3), at(45))
    switch.advance(at(600))
    assert (first.result, first.clashed) == ("human", False)
    assert (same_customer.result, same_customer.clashed) == ("busy", False)
    assert (same_telephone.result, same_telephone.clashed) == ("operator_no_answer", True)


def test_who_waits_hangs_up_in_the_end(customer: Customer) -> None:
    switch = switch_of(customer)
    call = switch.ring_in(customer, "vendas", 20, NOW)
    assert stages(switch.advance(at(19))) == ["queued"]
    assert call.waits
    assert stages(switch.advance(at(20))) == ["cancelled"]
    with pytest.raises(NoSuchCall):
        connect(switch, call, at(21))


def test_who_waits_is_connected(customer: Customer) -> None:
    switch = switch_of(customer)
    call = switch.ring_in(customer, "vendas", 60, NOW)
    connect(switch, call, at(5))
    connect(switch, call, at(5.5))
    with pytest.raises(NoSuchCall):
        connect(switch, call, at(6), offer=2, to="4002")
    events = switch.advance(at(900))
    assert stages(events) == ["queued", "ringing", "answered", "completed"]
    assert [event["agent"] for event in events] == ["", *["operator of 4001"] * 3]
    assert switch.is_idle


def test_who_hangs_up_while_the_operator_is_rung_frees_them(customer: Customer) -> None:
    switch = switch_of(customer)
    call = switch.ring_in(customer, "vendas", 6, NOW)
    connect(switch, call, at(5))
    assert stages(switch.advance(at(900))) == ["queued", "ringing", "cancelled"]
    assert switch.is_idle
    assert switch.connections == {}


def test_who_is_not_picked_up_waits_on(customer: Customer) -> None:
    switch = switch_of(customer)
    call = switch.ring_in(customer, "vendas", 300, NOW)
    dial(switch, "+5511900000000")
    connect(switch, call, NOW)
    assert call.clashed
    events = switch.advance(at(30))
    assert stages([event for event in events if event["call_id"] == call.call_id]) == [
        "queued",
        "ringing",
        "queued",
    ]
    connect(switch, call, at(30), offer=2)
    switch.advance(at(900))
    assert call.result == "human"
    assert list(switch.connections) == [f"{2:032x}"]


def test_calls_that_go_on_are_cut_in_the_end(customer: Customer) -> None:
    waiting = next(each for each in settle(9, 2, NOW) if each.number != customer.number)
    switch = switch_of(customer, waiting)
    talk = dial(switch, customer.number)
    switch.ring_in(waiting, "vendas", 60, at(30))
    switch.advance(at(45))
    assert talk.talked_at
    assert sorted(stages(switch.close(at(45)))) == ["completed", "failed"]
    assert switch.is_idle
    assert switch.advance(at(900)) == []


def test_fifty_operators_and_a_thousand_customers() -> None:
    customers = [each for each in settle(1000, 1, NOW) if not each.withheld]
    assert {each.habit for each in customers} == set(HABITS)

    def lived() -> tuple[Switch, list[Event]]:
        switch, random = switch_of(*settle(1000, 1, NOW)), Random(1)
        events: list[Event] = []
        for attempt in range(3000):
            moment = at(attempt * 2)
            telephone = str(4000 + random.randrange(50))
            switch.place(order_of(random.choice(customers).number, attempt, telephone), moment)
            events += switch.advance(moment)
        return switch, events + switch.advance(at(10_000))

    switch, events = lived()
    assert switch.is_idle
    assert [event["occurred_at"] for event in events] == sorted(e["occurred_at"] for e in events)
    told: dict[str, list[str]] = {}
    for event in events:
        told.setdefault(event["call_id"], []).append(event["stage"])
    assert all(ENDS & set(each) == {each[-1]} for each in told.values())
    assert len(told) == 3000
    calls = [call for call in switch.calls.values() if not call.clashed]
    assert_one_at_a_time((call.telephone, call.engaged_at, call.ended_at) for call in calls)
    assert_one_at_a_time((call.number, call.talked_at, call.ended_at) for call in calls)
    assert lived()[1] == events


def assert_one_at_a_time(
    stretches: Iterable[tuple[str, datetime | None, datetime | None]],
) -> None:
    known = sorted((line, began, ended) for line, began, ended in stretches if began and ended)
    for (line, _, ended), (next_line, began, _) in pairwise(known):
        assert line != next_line or ended <= began


# --- Over HTTP, from the product's own side -------------------------------------------------------


class Faults:
    """Each order meets the next fault, and none when there are no more."""

    def __init__(self, *faults: Fault) -> None:
        self._left = list(faults)

    def __call__(self, _: Order) -> Fault | None:
        return self._left.pop(0) if self._left else None


@contextmanager
def reached(
    switch: Switch, *faults: Fault, secret: str = SECRET, clock: datetime = NOW
) -> Iterator[CanonicalDialler]:
    exchange = Exchange(switch, SECRET, lambda: NOW, Faults(*faults))
    with serving(exchange) as url:
        yield CanonicalDialler(url, secret, lambda: clock, urllib3.Timeout(connect=3, read=0.3))


def ordered(number: str) -> DialOrder:
    return DialOrder("5" * 32, number, "4001", "ana", None, NOW, "https://api.example")


def test_the_same_attempt_is_the_same_call_however_many_ask(customer: Customer) -> None:
    switch = switch_of(customer)
    with reached(switch) as dialler, ThreadPoolExecutor(20) as threads:
        order = ordered(customer.number)
        assert dialler.find(order) is None
        ids = set(threads.map(lambda _: dialler.dial(order), range(40)))
        assert ids == {dialler.find(order)} == set(switch.calls)
    assert stages(switch.advance(NOW)) == ["queued"]


@pytest.mark.parametrize("fault", [NOT_PLACED, TOO_MANY])
def test_a_call_that_was_not_placed_may_be_ordered_again(customer: Customer, fault: Fault) -> None:
    switch = switch_of(customer)
    with reached(switch, fault) as dialler:
        with pytest.raises(DialFailed) as failed:
            dialler.dial(ordered(customer.number))
        assert failed.value.retry_after == (1 if fault is TOO_MANY else None)
        assert switch.calls == {}
        assert dialler.dial(ordered(customer.number)) in switch.calls


@pytest.mark.parametrize(("fault", "calls"), [(BROKEN, 0), (NEVER_ANSWERED, 1)])
def test_of_a_lost_answer_the_look_up_knows(customer: Customer, fault: Fault, calls: int) -> None:
    switch = switch_of(customer)
    with reached(switch, fault) as dialler:
        with pytest.raises(DialUncertain):
            dialler.dial(ordered(customer.number))
        assert len(switch.calls) == calls
        assert dialler.find(ordered(customer.number)) == next(iter(switch.calls), None)


@pytest.mark.parametrize(
    ("secret", "clock"), [("another", NOW), (SECRET, at(301)), (SECRET, at(-301))]
)
def test_an_order_without_a_good_signature_is_refused(
    customer: Customer, secret: str, clock: datetime
) -> None:
    switch = switch_of(customer)
    with reached(switch, secret=secret, clock=clock) as dialler:
        with pytest.raises(DialRefused):
            dialler.dial(ordered(customer.number))
        with pytest.raises(DialUncertain):
            dialler.find(ordered(customer.number))
    assert switch.calls == {}


@pytest.mark.parametrize("body", [b"", b"[]", b"{}", b"\xff", b'{"attempt_id": "1"}'])
def test_what_is_no_order_is_refused(body: bytes) -> None:
    exchange = Exchange(switch_of(), SECRET, lambda: NOW)
    timestamp = int(NOW.timestamp())
    headers = {
        "x-retorno-timestamp": str(timestamp),
        "x-retorno-signature": sign(SECRET, timestamp, body),
    }
    for path in ("/", "/connections"):
        assert exchange.answer(Request("POST", path, {}, headers, body)).status == 400
    assert exchange.answer(Request("POST", "/other", {}, headers, body)).status == 404


def test_what_could_not_be_told_is_told_again_in_order(customer: Customer) -> None:
    told: list[Event] = []
    fails = [True, False, True, False]

    def tell(events: list[Event]) -> None:
        if fails.pop(0):
            raise CloudError("nothing answers")
        told.extend(events)

    switch = switch_of(customer)
    dial(switch, customer.number)
    first, second = switch.advance(NOW), switch.advance(at(600))
    teller = Teller(tell)
    for events in (first, second):
        with pytest.raises(CloudError):
            teller.tell(events)
        teller.tell([])
    assert told == first + second


def test_time_goes_by_while_events_are_told(customer: Customer) -> None:
    switch = Switch("x", 1, [customer], pace=0.001)
    has_ended = Signal()
    told: list[Event] = []

    def tell(events: list[Event]) -> None:
        told.extend(events)
        if told[-1]["stage"] in ENDS:
            has_ended.set()

    with telling(switch, tell):
        dial(switch, customer.number, now=datetime.now(UTC))
        assert has_ended.wait(10)
    assert stages(told) == ["queued", "ringing", "answered", "completed"]
