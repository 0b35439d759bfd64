"""The simulated call centre without a stack: it repeats, makes sense, and reckons right."""

from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest

from local.client import Client, sign
from local.errors import CloudError
from local.simulate.carrier import Event
from local.simulate.centre import ENDS, Centre
from local.simulate.people import Customer, settle
from local.simulate.truth import Outcome, Truth, differences
from retorno.phone import NumberPlan

END = datetime(2026, 3, 5, 17, 30, tzinfo=UTC)
START = END - timedelta(days=2)
SECRET = "not-a-secret"


def live_through(
    seed: int, each_step: Callable[[Centre], object] = id
) -> tuple[Centre, list[Event]]:
    """Two days whose operators know the truth, as they would from a product without delay."""
    centre = Centre(seed, START, END, customers=300, agents=6)
    events: list[Event] = []
    while centre.now < END:
        outcomes = centre.truth.outcomes()
        centre.worklist = [miss for miss, outcome in outcomes.items() if outcome.state == "open"]
        events += centre.advance(min(END, centre.now + timedelta(minutes=5)))
        each_step(centre)
    return centre, events + centre.delayed_events()


@pytest.fixture(scope="module")
def lived() -> tuple[Centre, list[Event]]:
    return live_through(seed=1)


def test_the_same_seed_repeats_and_another_does_not(lived: tuple[Centre, list[Event]]) -> None:
    _, events = lived
    assert live_through(seed=1)[1] == events
    assert live_through(seed=2)[1] != events


def test_each_call_follows_the_lifecycle(lived: tuple[Centre, list[Event]]) -> None:
    for events in _by_call(lived[1]).values():
        times = [event["occurred_at"] for event in events]
        stages = [event["stage"] for event in events]
        assert times == sorted(times)
        assert stages[0] == ("queued" if events[0]["direction"] == "inbound" else "ringing")
        assert not ENDS & set(stages[:-1])
        assert ("completed" in stages) <= ("answered" in stages)


def test_every_call_has_ended_but_some_ends_are_lost(lived: tuple[Centre, list[Event]]) -> None:
    centre, events = lived
    unended = [call for call in _by_call(events).values() if call[-1]["stage"] not in ENDS]
    assert not centre.calls
    assert 0 < len(unended) < 20
    assert {call[0]["direction"] for call in unended} == {"inbound"}


def test_what_arrives_is_late_out_of_order_and_doubled(lived: tuple[Centre, list[Event]]) -> None:
    times = [event["occurred_at"] for event in lived[1]]
    ids = Counter(event["event_id"] for event in lived[1])
    assert any(one > other for one, other in pairwise(times))
    assert set(ids.values()) == {1, 2}


def test_calls_are_won_back_and_some_come_back(lived: tuple[Centre, list[Event]]) -> None:
    centre, events = lived
    outcomes = centre.truth.outcomes()
    calls = _by_call(events)
    inbound = [call for call in calls.values() if call[0]["direction"] == "inbound"]
    assert 0.05 < len(outcomes) / len(inbound) < 0.3
    assert {outcome.state for outcome in outcomes.values()} == {"open", "recovered", "returned"}
    for missed, outcome in outcomes.items():
        assert "answered" not in [event["stage"] for event in calls[missed]]
        if outcome.recovered_by:
            assert calls[outcome.recovered_by][0]["direction"] == "outbound_manual"


def test_all_spellings_are_of_the_customers_own_number() -> None:
    centre = Centre(1, START, END, customers=300, agents=6)
    plan = NumberPlan("BR")
    for customer in centre.customers:
        for spelling in customer.spellings:
            read = plan.parse(spelling.format(area=customer.area, line=customer.line))
            assert read
            assert read.e164 == customer.number


@pytest.fixture
def customer() -> Customer:
    return settle(1, seed=1, start=START)[0]


def at(minute: int) -> datetime:
    return START + timedelta(minutes=minute)


def test_the_first_talk_after_the_miss_decides(customer: Customer) -> None:
    truth = Truth()
    truth.rang_back("early", customer, began=at(0), talked=at(1))
    truth.missed("miss", customer, at(2))
    truth.missed("second miss", customer, at(6))
    truth.came_through(customer, began=at(8), talked=at(9))
    truth.rang_back("back", customer, began=at(4), talked=at(5))
    assert truth.outcomes() == {
        "miss": Outcome("recovered", "back"),
        "second miss": Outcome("returned"),
    }


def test_a_withheld_number_stays_open(customer: Customer) -> None:
    truth = Truth()
    customer.spellings = ()
    truth.missed("miss", customer, at(0))
    truth.came_through(customer, began=at(1), talked=at(2))
    assert truth.outcomes() == {"miss": Outcome("open")}


def test_each_difference_is_told() -> None:
    expected = {"a": Outcome("open"), "b": Outcome("recovered", "x"), "c": Outcome("returned")}
    found = {"b": Outcome("recovered", "y"), "c": Outcome("returned"), "d": Outcome("open")}
    assert differences(expected, found) == [
        "a: open, but the API says not missed",
        "b: recovered by x, but the API says recovered by y",
        "d: not missed, but the API says open",
    ]


def test_the_signature_is_the_documented_one() -> None:
    # printf '%s' '1767225600.{"events":[]}' | openssl dgst -sha256 -hmac not-a-secret
    assert sign(SECRET, 1767225600, b'{"events":[]}') == (
        "v1=b5676178ddab4e05cf13a028e5d69ffff820d5652fcaa34203e5fe22f7302177"
    )


def test_a_stack_that_is_not_up_is_one_line() -> None:
    with Client("http://127.0.0.1:9", SECRET, "token") as client, pytest.raises(CloudError) as told:
        client.summary(START, END)
    assert "python -m local up" in str(told.value)
    assert "\n" not in str(told.value)


def test_what_operators_sum_up_is_the_same_however_often_it_is_asked_for() -> None:
    asked_at_the_end, _ = live_through(seed=2)
    told: list[tuple[str, str]] = []
    live_through(seed=2, each_step=lambda centre: told.extend(centre.summed_up()))
    assert [code for _, code in told] == [code for _, code in asked_at_the_end.summed_up()] != []


def test_operators_tell_what_the_talk_time_gets_wrong(lived: tuple[Centre, list[Event]]) -> None:
    centre, events = lived
    calls = _by_call(events)
    won_back = {outcome.recovered_by for outcome in centre.truth.outcomes().values()}
    wrong: Counter[str] = Counter()
    for call_id, code in centre.summed_up():
        answered, ended = calls[call_id][-2:]
        begin, end = (datetime.fromisoformat(event["occurred_at"]) for event in (answered, ended))
        is_person = code != "caixa_postal"
        assert (call_id in won_back) <= is_person
        wrong[code] += ((end - begin).total_seconds() >= 15) is not is_person
    assert wrong["ligar_depois"] > 0
    assert wrong["caixa_postal"] > 0
    assert wrong["resolvido"] == 0
    assert centre.summed_up() == []


def _by_call(events: list[Event]) -> dict[str, list[Event]]:
    """Each call's events as they happened, without the carrier's disorder and doubles."""
    calls: dict[str, dict[int, Event]] = {}
    for event in events:
        position = int(event["event_id"].rpartition("-")[2])
        calls.setdefault(event["call_id"], {})[position] = event
    return {call: [told[at] for at in sorted(told)] for call, told in calls.items()}
