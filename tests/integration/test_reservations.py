"""Agents held for calls that are to come, and whoever waits for them told."""

from datetime import datetime, timedelta

import boto3
import pytest

from retorno.agents.model import AgentDraft, Hold, HoldKind, State, Wish, unanswered_pause
from retorno.agents.service import Agents, Availability, Reservations
from retorno.agents.store import AgentStore
from retorno.dynamodb import RefusedTogether, write_together
from retorno.phone import NumberPlan
from retorno.work import WorkQueue
from tests.support.histories import BEGINNING
from tests.support.stream import Stream
from tests.support.tables import create_table


def at(second: float) -> datetime:
    return BEGINNING + timedelta(seconds=second)


def an_offer(hold_id: str, until: float) -> Hold:
    return Hold(hold_id=hold_id, kind=HoldKind.OFFER, until=at(until))


@pytest.fixture
def store(aws: None) -> AgentStore:
    store = AgentStore(create_table("AgentsTable", "agents"))
    people = Agents(store, NumberPlan("BR"))
    for second, agent in enumerate(("ana", "bia")):
        people.register(agent, AgentDraft(name=agent, queues=("vendas",)), BEGINNING)
        people.ask(agent, Wish(state=State.AVAILABLE), at(second))
    return store


@pytest.fixture
def reservations(store: AgentStore) -> Reservations:
    return Reservations(store)


def idle(reservations: Reservations, now: float, limit: int = 10) -> list[str]:
    return [each.agent.agent for each in reservations.idle("vendas", at(now), limit)]


def hold(reservations: Reservations, agent: str, hold: Hold, now: float) -> None:
    found = reservations.one(agent, at(now))
    assert found
    write_together(reservations.holding(found, hold, at(now)))


def test_the_longest_idle_comes_first(reservations: Reservations) -> None:
    assert idle(reservations, 5) == ["ana", "bia"]
    assert idle(reservations, 5, limit=1) == ["ana"]
    assert idle(reservations, 0.5) == ["ana"]


def test_who_is_held_is_idle_for_nobody_else(reservations: Reservations) -> None:
    hold(reservations, "ana", an_offer("o", 30), 10)
    assert idle(reservations, 11) == ["bia"]
    assert reservations.one("ana", at(11)) is None


def test_of_two_looks_only_one_holds(reservations: Reservations) -> None:
    found = reservations.one("ana", at(10))
    assert found
    write_together(reservations.holding(found, an_offer("o", 30), at(10)))
    with pytest.raises(RefusedTogether):
        write_together(reservations.holding(found, an_offer("p", 30), at(10)))


def test_who_is_released_is_idle_from_then_on(reservations: Reservations) -> None:
    hold(reservations, "ana", an_offer("o", 30), 10)
    reservations.release("ana", "another", at(15))
    assert idle(reservations, 15) == ["bia"]
    reservations.release("ana", "o", at(15))
    reservations.release("ana", "o", at(20))
    assert idle(reservations, 20) == ["bia", "ana"]
    assert idle(reservations, 14) == ["bia"]


def test_a_hold_that_nobody_released_ends(reservations: Reservations) -> None:
    hold(reservations, "ana", an_offer("o", 30), 10)
    assert idle(reservations, 29) == ["bia"]
    assert idle(reservations, 30) == ["bia", "ana"]


def test_who_did_not_answer_may_be_paused_as_they_are_released(
    reservations: Reservations, store: AgentStore
) -> None:
    people = Agents(store, NumberPlan("BR"))
    hold(reservations, "ana", an_offer("o", 30), 10)
    reservations.release("ana", "another", at(15), unanswered_pause())
    reservations.release("ana", "o", at(40), unanswered_pause())
    assert people.one("ana").presence.wish == unanswered_pause()
    hold(reservations, "bia", an_offer("p", 30), 10)
    people.ask("bia", Wish(state=State.OFFLINE), at(12))
    reservations.release("bia", "p", at(15), unanswered_pause())
    assert people.one("bia").presence.wish.state is State.OFFLINE


def test_nobody_is_released_who_is_not_registered(reservations: Reservations) -> None:
    reservations.release("nobody", "o", at(15))


def test_whoever_waits_is_told_when_an_agent_will_be_available(
    reservations: Reservations, store: AgentStore
) -> None:
    stream = Stream("agents")
    stream.new_records()
    queue = boto3.client("sqs").create_queue(QueueName="waiting")["QueueUrl"]
    told = Availability([WorkQueue(queue)])
    hold(reservations, "ana", an_offer("o", 30), 10)
    reservations.release("ana", "o", at(15))
    for record in stream.new_records():
        told.follow(record, at(15))
    received = boto3.client("sqs").receive_message(QueueUrl=queue, MaxNumberOfMessages=10)
    # That the hold would end at 30 is told then.
    (message,) = received["Messages"]
    assert '"agent": "ana"' in message["Body"]
    attributes = boto3.client("sqs").get_queue_attributes(
        QueueUrl=queue, AttributeNames=["ApproximateNumberOfMessagesDelayed"]
    )["Attributes"]
    assert attributes == {"ApproximateNumberOfMessagesDelayed": "1"}
