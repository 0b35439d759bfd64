"""What is seen live of all kinds of things, through the functions themselves."""

import json
from collections.abc import Mapping
from datetime import timedelta
from typing import Any
from zoneinfo import ZoneInfo

import boto3
import pytest

from local.live import Picture
from retorno.calling_rules.model import Purpose
from retorno.calls.model import Fact
from retorno.calls.store import CallStore
from retorno.changes import Change, Kind
from retorno.offers.model import Offer
from retorno.offers.model import State as OfferState
from retorno.offers.store import OfferStore
from retorno.promises.model import Promise
from retorno.promises.model import State as PromiseState
from retorno.promises.store import PromiseStore
from retorno.realtime.connections import Gone
from retorno.realtime.model import Watch
from retorno.realtime.store import FeedStore
from retorno.times import stamp
from retorno.waits.model import DayType, Outcome, Wait
from retorno.waits.store import WaitStore
from retorno.work import AT
from tests.integration.test_appointments import MOBILE, NOW, PHONE, Office
from tests.support.clock import StoppedClock
from tests.support.deployment import Deployment
from tests.support.events import http, sqs, user
from tests.support.messages import chatting
from tests.support.requests import counted
from tests.support.stream import Stream
from tests.support.webhooks import canonical

SUPERVISOR = user("[supervisor]")
Json = dict[str, Any]


class Gateway:
    """API Gateway, as far as connections go."""

    def __init__(self) -> None:
        self.sent: dict[str, list[str]] = {}

    def post(self, connection_id: str, message: str) -> None:
        if connection_id not in self.sent:
            raise Gone
        self.sent[connection_id].append(message)

    def cut(self, connection_id: str) -> None:
        self.sent.pop(connection_id, None)


class Floor:
    """The stack, and those who watch it."""

    def __init__(self, deployment: Deployment, clock: StoppedClock, gateway: Gateway) -> None:
        self.deployment = deployment
        self.clock = clock
        self._gateway = gateway
        self._feeds = Stream("feed")
        self._store = FeedStore("feed")
        self.pictures: dict[str, Picture] = {}

    def watch(self, name: str, agent: str | None) -> None:
        self._gateway.sent[name] = []
        self.pictures[name] = Picture()
        until = self.clock.now + timedelta(hours=8)
        self._store.admit(Watch(connection_id=name, agent=agent, until=until))
        self.say(name, '{"action": "subscribe"}')
        self.read()

    def say(self, name: str, body: str) -> Json:
        context = {"eventType": "MESSAGE", "connectionId": name}
        said: Json = self.deployment.call("PushUpdates", {"requestContext": context, "body": body})
        return said

    def leave(self, name: str) -> None:
        context = {"eventType": "DISCONNECT", "connectionId": name}
        self.deployment.call("PushUpdates", {"requestContext": context})

    def ask(self, function: str, route: str, path: str, body: Any = None) -> Any:
        content = None if body is None else json.dumps(body).encode()
        request = http(route, path=path, body=content, claims=SUPERVISOR)
        answered = self.deployment.ask(function, request)
        assert answered.status < 300, answered.body
        return answered.body

    def hires(self, agent: str, *queues: str) -> None:
        draft = {"name": agent.title(), "queues": queues, "wrap_up_seconds": 60}
        self.ask("ManageAgents", "PUT /agents/{agent}", f"/agents/{agent}", draft)
        route, path = "PUT /agents/{agent}/presence", f"/agents/{agent}/presence"
        self.ask("ManageAgents", route, path, {"state": "available"})

    def tell(self, call_id: str, stage: str, **facts: str) -> None:
        event = {
            "event_id": f"{call_id}{stage}",
            "call_id": call_id,
            "stage": stage,
            "occurred_at": self.clock.now.isoformat(),
            "direction": "inbound",
            "from": "+5511987654321",
            "queue": "vendas",
            **facts,
        }
        told = self.deployment.ask("IngestCalls", canonical(self.clock.now, event))
        assert told.body["accepted"] == 1
        self.flow()

    def flow(self) -> None:
        """All that is to follow follows, up to those who watch."""
        self.deployment.work()
        self.publish()

    def publish(self) -> None:
        told = self.deployment.messages("UpdatesQueue")
        # As it may come: again, and in another order.
        for message in (*told, *reversed(told)):
            self.deployment.call("PublishUpdates", sqs(json.dumps(message)))
        self.push()

    def look_at(self, kind: Kind, **keys: str) -> None:
        body = json.dumps({**Change(kind, keys).message, AT: stamp(self.clock.now)})
        self.deployment.call("PublishUpdates", sqs(body))
        self.push()

    def push(self) -> None:
        records = [
            each
            for each in self._feeds.new_records()
            if each["dynamodb"]["Keys"]["sk"]["S"] == "head"
        ]
        if records:
            self.deployment.call("PushUpdates", {"Records": records})
        self.read()

    def read(self) -> None:
        for name, picture in self.pictures.items():
            for text in self._gateway.sent.get(name, []):
                picture.take(json.loads(text))
            self._gateway.sent[name] = []

    def seen(self, name: str, kind: str) -> Mapping[str, Json]:
        return self.pictures[name].things(kind)


@pytest.fixture
def floor(deployment: Deployment, clock: StoppedClock, monkeypatch: pytest.MonkeyPatch) -> Floor:
    gateway = Gateway()
    monkeypatch.setattr("retorno.realtime.service.ApiGatewayConnections", lambda url: gateway)
    floor = Floor(deployment, clock, gateway)
    floor.watch("leo", None)
    floor.watch("ana", "ana")
    return floor


def test_a_call_is_seen_by_those_whom_it_concerns_as_the_api_shows_it(floor: Floor) -> None:
    floor.hires("ana", "vendas")
    customer = {"name": "Padaria São João", "phone": "+5511987654321"}
    made = floor.ask("ManageCustomers", "POST /customers", "/customers", customer)
    floor.tell("c1", "queued")
    assert floor.seen("leo", "call")["c1"]["waits_in"] == "vendas"
    assert floor.seen("ana", "call") == {}
    floor.tell("c1", "answered", agent="ana")
    (view,) = floor.seen("ana", "call").values()
    assert view == floor.seen("leo", "call")["c1"]
    named = {"customer_id": made["customer_id"], "name": "Padaria São João"}
    assert view["customer"] == named
    api = floor.ask("ReadCalls", "GET /calls/{call_id}", "/calls/c1")
    shared = view.keys() & api.keys() - {"customer"}
    assert len(shared) > 10
    assert {name: view[name] for name in shared} == {name: api[name] for name in shared}
    assert floor.seen("ana", "agent")["ana"]["presence"]["state"] == "busy"
    floor.tell("c1", "completed")
    for name in ("leo", "ana"):
        assert floor.seen(name, "call") == {}
        presence = floor.seen(name, "agent")["ana"]["presence"]
        assert (presence["state"], presence["next_state"]) == ("wrap_up", "available")


def test_a_missed_call_is_seen_until_the_customer_is_reached(floor: Floor) -> None:
    floor.tell("c1", "queued")
    floor.tell("c1", "cancelled")
    missed = floor.ask("ManageMissedCalls", "GET /missed-calls", "/missed-calls")["items"][0]
    view = floor.seen("leo", "missed_call")["c1"]
    shared = view.keys() & missed.keys()
    assert {name: view[name] for name in shared} == {name: missed[name] for name in shared}
    floor.clock.advance(minutes=5)
    floor.tell("c2", "answered", direction="outbound_manual", to="+5511987654321", agent="ana")
    floor.clock.advance(minutes=1)
    floor.tell("c2", "completed", direction="outbound_manual", to="+5511987654321")
    assert floor.seen("leo", "missed_call") == {}


def test_what_comes_all_at_once_leaves_no_trace_but_the_missed_call(floor: Floor) -> None:
    floor.look_at(Kind.DASHBOARD)
    before = floor.pictures["leo"].after
    assert before
    sent = floor.clock.now
    floor.deployment.ask(
        "IngestCalls",
        canonical(
            sent,
            *(
                {
                    "event_id": stage,
                    "call_id": "c1",
                    "stage": stage,
                    "occurred_at": sent.isoformat(),
                    "direction": "inbound",
                }
                for stage in ("queued", "cancelled")
            ),
        ),
    )
    floor.flow()
    assert floor.pictures["leo"].after == before + 1
    assert floor.seen("leo", "missed_call")["c1"]["number"] is None


def test_an_offer_is_seen_by_whom_it_is_made_to(floor: Floor) -> None:
    floor.hires("ana", "vendas")
    floor.tell("c1", "queued")
    now, store = floor.clock.now, OfferStore("offers")
    offer = Offer(
        offer_id="o1",
        call_id="c1",
        queue="vendas",
        agent="ana",
        telephone="4007",
        ordinal=1,
        waiting_since=now,
        offered_at=now,
        state=OfferState.OFFERED,
        until=now + timedelta(seconds=20),
    )
    waiting = store.get("c1")
    assert waiting
    store.save(waiting, waiting.offered(offer))
    floor.flow()
    view = floor.seen("ana", "offer")["o1"]
    assert (view["state"], view["number"]) == ("offered", "+5511987654321")
    assert floor.seen("leo", "offer") == {"o1": view}
    waiting = store.get("c1")
    assert waiting
    store.save(waiting, waiting.back(now), offer.ended(OfferState.SILENT, now))
    floor.flow()
    assert floor.seen("leo", "offer") == floor.seen("ana", "offer") == {}


def test_a_promise_is_seen_while_it_is_due(floor: Floor) -> None:
    now, store = floor.clock.now, PromiseStore("promises", ZoneInfo("America/Sao_Paulo"))
    promise = Promise(
        promise_id="p1",
        wish_digest="",
        number="+5511987654321",
        queue="vendas",
        agent="ana",
        purpose=Purpose.REQUESTED_CALLBACK,
        note="Perguntou do prazo",
        call_id=None,
        at=now,
        moved_from=None,
        time_zone="America/Sao_Paulo",
        tolerance_minutes=15,
        asked_at=now,
        asked_by="ana",
        check_at=now,
    )
    promise = store.save(promise)
    floor.look_at(Kind.PROMISE, promise_id="p1")
    assert floor.seen("leo", "promise") == {}
    promise = store.save(promise.model_copy(update={"state": PromiseState.LISTED}))
    floor.look_at(Kind.PROMISE, promise_id="p1")
    assert floor.seen("ana", "promise")["p1"]["note"] == "Perguntou do prazo"
    store.save(promise.model_copy(update={"state": PromiseState.MISSED}))
    floor.look_at(Kind.PROMISE, promise_id="p1")
    assert floor.seen("ana", "promise") == floor.seen("leo", "promise") == {}


def test_a_contact_that_is_due_goes_from_agent_to_agent(floor: Floor) -> None:
    office = Office(floor.deployment, floor.clock)
    floor.clock.now = NOW
    office.desk.set_up()
    floor.hires("ana", "vendas")
    floor.hires("bia", "vendas")
    office.is_now("ana", "available")
    maria = office.customer(mobile=MOBILE, phone=PHONE)
    office.schedule(maria)
    floor.publish()
    assert floor.seen("leo", "contact_due") == {}
    office.fire(office.desk.one(maria))
    floor.publish()
    (view,) = floor.seen("ana", "contact_due").values()
    assert (view["customer"]["name"], view["queue"], view["agent"]) == ("Maria", "vendas", "ana")
    office.desk.link(maria, "bia", floor.clock.now)
    office.follow()
    floor.publish()
    assert floor.seen("ana", "contact_due") == {}
    assert [each["agent"] for each in floor.seen("leo", "contact_due").values()] == ["bia"]


def test_a_conversation_is_seen_until_it_is_read(floor: Floor) -> None:
    number = "+5511987654321"
    with chatting(floor.deployment, floor.clock) as chat:
        chat.write("5511987654321")
        assert chat.read(number).status < 300
        assert chat.send(number).status < 300
        chat.write("5511987654321", "Tem pão?")
        floor.look_at(Kind.MESSAGE, conversation="+551187654321", entry="record")
        (view,) = floor.seen("leo", "conversation").values()
        assert (view["unread"], view["last_message"]["text"]) == (1, "Tem pão?")
        assert floor.seen("ana", "conversation") == floor.seen("leo", "conversation")
        assert chat.read(number).status < 300
        floor.look_at(Kind.MESSAGE, conversation="+551187654321", entry="record")
    assert floor.seen("leo", "conversation") == {}


def test_a_wait_that_is_too_long_is_seen_while_it_goes_on(floor: Floor) -> None:
    began, store = floor.clock.now, WaitStore("waits")
    wait = Wait(
        call_id="c1",
        queue="vendas",
        last_queue="vendas",
        began_at=began,
        rule="br-portaria-2014-2008/general",
        day=began.date(),
        day_type=next(iter(DayType)),
        limit_seconds=60,
        due_at=began + timedelta(seconds=60),
    )
    store.save(wait)
    floor.look_at(Kind.WAIT, call_id="c1")
    assert floor.seen("leo", "breach") == {}
    store.save(wait.model_copy(update={"breached": True, "revision": 1}))
    floor.look_at(Kind.WAIT, call_id="c1")
    assert floor.seen("leo", "breach")["c1"]["limit_seconds"] == 60
    over = {"breached": True, "revision": 2, "outcome": Outcome.ANSWERED}
    store.save(wait.model_copy(update=over))
    floor.look_at(Kind.WAIT, call_id="c1")
    assert floor.seen("leo", "breach") == {}


def test_each_minute_the_days_figures_are_told(floor: Floor) -> None:
    floor.tell("c1", "queued")
    floor.tell("c1", "cancelled")
    for message in floor.deployment.messages("CountsQueue"):
        floor.deployment.call("AggregateMetrics", sqs(json.dumps(message)))
    floor.deployment.call("PublishUpdates", {"source": "aws.scheduler"})
    floor.push()
    today = floor.seen("leo", "dashboard")["today"]
    assert (today["day"], today["calls"], today["missed_open"]) == ("2026-03-02", 1, 1)
    assert floor.seen("ana", "dashboard") == {}


def test_who_left_is_told_nothing(floor: Floor) -> None:
    floor.leave("leo")
    floor.tell("c1", "queued")
    assert floor.seen("leo", "call") == {}
    assert FeedStore("feed").watches(None) == []


def test_an_agent_who_is_removed_is_seen_no_more(floor: Floor) -> None:
    floor.hires("ana", "vendas")
    floor.flow()
    assert floor.seen("leo", "agent").keys() == {"ana"}
    boto3.client("dynamodb").delete_item(
        TableName="agents", Key={"pk": {"S": "agent#ana"}, "sk": {"S": "record"}}
    )
    floor.look_at(Kind.AGENT, pk="agent#ana", sk="record")
    assert floor.seen("leo", "agent") == floor.seen("ana", "agent") == {}


def test_costs(floor: Floor) -> None:
    """As docs/data_model.md says."""
    floor.tell("c1", "queued")
    floor.clock.advance(seconds=5)
    event = sqs(json.dumps({"kind": "call", "call_id": "c1", "at": stamp(floor.clock.now)}))
    with counted() as requests:
        floor.deployment.call("PublishUpdates", event)
    # Told again: the head, the call, whose number it is, what is said of it, and the head.
    looked = ["GetItem", "BatchGetItem", "Query", "BatchGetItem", "TransactWriteItems"]
    assert requests == looked
    CallStore("calls").merge("c1", {Fact.RINGING: f"{stamp(floor.clock.now)}"})
    with counted() as requests:
        floor.deployment.call("PublishUpdates", event)
    assert requests == looked
