"""The calls table holds the fold of all that was told, whatever came when."""

from collections.abc import Iterator
from random import Random

import boto3
import pytest

from retorno.calls.model import (
    CallRules,
    Fact,
    Facts,
    agent_of,
    derive,
    facts_of,
    fold,
    merge,
    number_key_of,
    reviewing,
    started_at,
)
from retorno.calls.store import CallStore
from retorno.errors import NotFound
from retorno.telephony.ports import AnsweredBy, CallEvent, Direction, Stage
from retorno.times import stamp
from tests.support.histories import BEGINNING, history, plausible_day
from tests.support.requests import Requests, counted


@pytest.fixture
def store(calls_table: str) -> CallStore:
    return CallStore(calls_table)


@pytest.fixture
def requests() -> Iterator[Requests]:
    with counted() as requests:
        yield requests


def tell(store: CallStore, events: list[CallEvent]) -> None:
    for event in events:
        store.merge(event.call_id, facts_of(event))


def test_what_is_told_of_a_known_call_is_told_again_when_somebody_writes_in_between(
    store: CallStore,
) -> None:
    ringing, ended = history("c1").at(0, Stage.RINGING).at(9, Stage.COMPLETED).events
    tell(store, [ringing])
    seen: list[Facts] = []

    def interrupted(known: Facts) -> Facts:
        seen.append(known)
        if len(seen) == 1:
            tell(store, [ended])
        return reviewing(AnsweredBy.HUMAN, "rui", BEGINNING)

    whole = store.amend("c1", interrupted)
    assert [Fact.ENDED in known for known in seen] == [False, True]
    assert store.get("c1") == whole == merge(seen[1], reviewing(AnsweredBy.HUMAN, "rui", BEGINNING))


def test_nothing_is_told_of_a_call_that_is_not_known(store: CallStore) -> None:
    with pytest.raises(NotFound):
        store.amend("c1", lambda known: known)
    assert store.get("c1") is None


def item(table: str, call_id: str) -> dict[str, str]:
    found = boto3.resource("dynamodb").Table(table).get_item(Key={"call_id": call_id})
    return {name: value for name, value in found["Item"].items() if isinstance(value, str)}


def test_any_order_with_repetitions_is_the_fold(store: CallStore, calls_table: str) -> None:
    for seed in range(30):
        random = Random(seed)
        events = plausible_day(random, calls=random.randint(1, 6), prefix=f"{seed}-")
        tell(store, events)
        for call_id, facts in fold(events).items():
            assert store.get(call_id) == facts
            began = started_at(facts)
            kept = item(calls_table, call_id)
            indexed = ("number_key", "agent", "started_at")
            assert {name: kept.get(name) for name in indexed} == {
                "number_key": number_key_of(facts),
                "agent": agent_of(facts),
                "started_at": stamp(began) if began else None,
            }


def test_folded_at_once_or_told_one_by_one_is_the_same(store: CallStore) -> None:
    for seed in range(20):
        events = plausible_day(Random(seed), calls=3, prefix=f"{seed}-")
        half = len(events) // 2
        tell(store, events[:half])
        for call_id, facts in fold(events[half:]).items():
            store.merge(call_id, facts)
        assert {call_id: store.get(call_id) for call_id in fold(events)} == fold(events)


IN_ORDER = (
    history("c1", direction=Direction.INBOUND, number="+5511987654321", queue="sales")
    .at(0, Stage.QUEUED)
    .at(4, Stage.RINGING, agent="ana")
    .at(9, Stage.ANSWERED, agent="ana")
    .at(80, Stage.COMPLETED, agent="ana")
    .events
)


class TestCost:
    """One request an event, as long as events come as they happened."""

    def test_events_in_order_take_one_write_each_and_no_read(
        self, store: CallStore, requests: Requests
    ) -> None:
        tell(store, IN_ORDER)
        assert requests == ["UpdateItem"] * len(IN_ORDER)

    def test_a_duplicate_takes_one_request_and_changes_nothing(
        self, store: CallStore, calls_table: str, requests: Requests
    ) -> None:
        tell(store, IN_ORDER)
        before = boto3.resource("dynamodb").Table(calls_table).get_item(Key={"call_id": "c1"})
        requests.clear()
        tell(store, IN_ORDER)
        assert requests == ["UpdateItem"] * len(IN_ORDER)
        after = boto3.resource("dynamodb").Table(calls_table).get_item(Key={"call_id": "c1"})
        assert after["Item"] == before["Item"]

    def test_an_event_out_of_order_takes_two(self, store: CallStore, requests: Requests) -> None:
        tell(store, IN_ORDER[1:])
        requests.clear()
        tell(store, IN_ORDER[:1])
        assert requests == ["UpdateItem"] * 2

    def test_a_call_whose_events_come_together_takes_one(
        self, store: CallStore, requests: Requests
    ) -> None:
        for call_id, facts in fold(IN_ORDER).items():
            store.merge(call_id, facts)
        assert requests == ["UpdateItem"]

    def test_a_verdict_without_a_time_of_its_own_takes_one(
        self, store: CallStore, requests: Requests
    ) -> None:
        tell(store, IN_ORDER[:3])
        requests.clear()
        tell(store, [CallEvent("c1", "canonical", BEGINNING, answered_by=AnsweredBy.HUMAN)])
        assert requests == ["UpdateItem"]


class TestReading:
    def test_a_call_that_nobody_told_of_is_none(self, store: CallStore) -> None:
        assert store.get("nothing") is None

    def test_facts_survive_the_table(self, store: CallStore) -> None:
        tell(store, IN_ORDER)
        facts = store.get("c1")
        assert facts is not None
        assert facts[Fact.ANSWERING_AGENT].endswith(" ana")
        assert derive("c1", facts, CallRules()).talk_seconds == 71
