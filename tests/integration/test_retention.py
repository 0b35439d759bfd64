"""A day of all that people do: what of it expires and when, and that nobody notices if it does."""

import json
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any, cast

import boto3
import pytest
from boto3.dynamodb.types import TypeDeserializer

from retorno.calls.model import Fact, register
from retorno.calls.store import CallItem, CallStore
from retorno.dynamodb import bind
from retorno.quotes.store import QuoteItem
from retorno.retention import HELD, hold, release
from tests.support.clock import StoppedClock
from tests.support.deployment import Deployment, deployed, forget
from tests.support.exchange import serving
from tests.support.messages import Chat, chatting
from tests.support.requests import counted
from tests.support.stream import Record, Stream
from tests.support.switchboard import Switchboard
from tests.support.telemarketing import Office
from tests.support.webhooks import canonical
from tools.apply_retention import TABLES, apply

# A Monday in São Paulo, 9:30.
NOW = datetime(2026, 3, 2, 12, 30, tzinfo=UTC)

Item = Mapping[str, Any]

# The days of the template, by table.
CALLS = ("calls", "recoveries", "notes", "answers", "dials", "contacts", "promises", "waits")
OPERATIONS = ("agents", "quotes", "assignment-history", "operations")
KEPT = dict.fromkeys(CALLS, 760) | dict.fromkeys(OPERATIONS, 1830) | {"messages": 760}
# Entries that tell no time of their own.
TIMELESS = ("claim", "told", "call")
QUEUES = ("CountsQueue", "UpdatesQueue", "DiallerQueue", "OffersQueue", "WaitsQueue")


class Day:
    def __init__(self, office: Office, chat: Chat, switchboard: Switchboard, seed: int) -> None:
        self.office = office
        self.chat = chat
        self.switchboard = switchboard
        self.random = Random(seed)

    @property
    def deployment(self) -> Deployment:
        return self.office.deployment

    def tell(self, call_id: str, stage: str, **facts: Any) -> None:
        self.office.clock.advance(seconds=self.random.randint(1, 40))
        at = self.office.clock.now
        event = {"event_id": f"{call_id}-{stage}", "call_id": call_id, "stage": stage}
        event |= {"occurred_at": at.isoformat(), **facts}
        answer = self.deployment.ask("IngestCalls", canonical(at, event))
        assert (answer.status, answer.body["refused"]) == (200, [])
        self.deployment.work()

    def ask(self, route: str, body: Any = None, who: str | None = "ana", **more: Any) -> Any:
        answer = self.office.ask(route, body, who, **more)
        assert answer.status < 300, (route, answer.body)
        self.deployment.work()
        return answer.body

    def passes(self) -> None:
        self.office.campaign()
        self.office.agents("ana", "bia")
        draft = {"name": "Retorno", "monitored_queue": "vendas", "callback_queue": "vendas"}
        self.ask("PUT /callback-campaigns/{campaign}", draft, None, campaign="vendas")
        self.calls()
        self.promises()
        self.quotes()
        self.telemarketing()
        self.messages()
        self.call_backs()
        self.deployment.count()

    def calls(self) -> None:
        for number in range(self.random.randint(3, 5)):
            call_id, customer = f"in-{number}", f"+55119876540{number:02}"
            self.tell(call_id, "queued", direction="inbound", queue="vendas", **{"from": customer})
            if number % 2:
                self.tell(call_id, "answered", agent="bia")
            self.tell(call_id, "completed" if number % 2 else "cancelled")
        for stage in ("ringing", "answered", "completed"):
            facts = {"direction": "outbound_manual", "to": "+5511987654399", "agent": "bia"}
            self.tell("out-1", stage, **facts)
        self.tell("now", "queued", direction="inbound", queue="sac", **{"from": "+5511987654388"})
        self.ask("POST /calls/{call_id}/notes", {"text": "Vai pagar."}, call_id="in-1")
        self.ask("PUT /calls/{call_id}/disposition", {"code": "venda"}, call_id="out-1")

    def promises(self) -> None:
        made = [
            self.ask(
                "POST /callbacks",
                {"number": number, "at": "2026-03-02T18:00:00-03:00", "queue": "vendas"},
                key=number,
            )["callback_id"]
            for number in ("+5511987654377", "+5511987654366")
        ]
        self.ask("DELETE /callbacks/{callback_id}", callback_id=made[0], if_match="*")

    def quotes(self) -> None:
        for key in ("won", "lost", "open"):
            quote = self.ask("POST /quotes", {"call_id": "in-1", "value": "90"}, "bia", key=key)
            if key == "won":
                self.ask("POST /quotes/{quote_id}/win", None, "bia", quote_id=quote["quote_id"])

    def telemarketing(self) -> None:
        for name in ("Maria Souza", "Rita Prado"):
            operation = self.office.opened(self.office.linked("ana", name))
            self.office.save(operation, {"conversation": "Bom dia"})
            if name.startswith("Maria"):
                self.office.do(operation, "conclude", {"outcome": "venda", "value": 129.9})

    def messages(self) -> None:
        self.chat.write("5511987654355", "Oi")
        self.chat.write("5511987654344", "Oi")
        assert self.chat.read("+5511987654344").status == 200
        assert self.chat.send("+5511987654344").status == 201
        self.chat.hear_all()

    def call_backs(self) -> None:
        self.ask("PUT /agents/{agent}/presence", {"state": "available"}, None, agent="ana")
        while not self.switchboard.placed:
            self.office.clock.advance(minutes=1)
            self.deployment.call("WatchCallbacks", {})
            self.deployment.work()
        call_id = f"call-{self.switchboard.placed[0]['attempt_id']}"
        self.tell(call_id, "answered", answered_by="human")
        self.ask(
            "PUT /agents/{agent}/presence", {"state": "paused", "reason": "café"}, None, agent="ana"
        )
        self.tell(call_id, "completed")
        self.office.clock.advance(minutes=5)
        self.ask("PUT /agents/{agent}/presence", {"state": "offline"}, None, agent="ana")


def lived(deployment: Deployment, clock: StoppedClock, seed: int) -> Counter[str]:
    """What was asked of AWS on that day."""
    clock.now = NOW
    with serving(Switchboard()) as switchboard, chatting(deployment, clock) as chat:
        assert isinstance(switchboard, Switchboard)
        deployment.configure(DIAL_PROVIDER="canonical", DIAL_URL=switchboard.url)
        with counted() as requests:
            Day(Office(deployment, clock), chat, switchboard, seed).passes()
    return Counter(requests)


def items(table: str) -> Iterator[dict[str, Any]]:
    read = TypeDeserializer().deserialize
    for page in boto3.client("dynamodb").get_paginator("scan").paginate(TableName=table):
        for item in page["Items"]:
            yield {name: read(value) for name, value in item.items()}


def is_time_of_an_agent(item: Item) -> bool:
    return bool(item["sk"].startswith("time#"))


def is_unread(item: Item) -> bool:
    body = json.loads(item["body"]) if item["entry"] == "record" else {}
    return bool(body.get("inbound", 0) > body.get("seen", 0))


# Which items people still wait for, or are nothing that ends.
OPEN: Mapping[str, Callable[[Item], bool]] = {
    "contacts": lambda item: item.get("state") in ("waiting", "dialling", "blocked"),
    "promises": lambda item: item["state"] in ("promised", "listed"),
    "quotes": lambda item: item["state"] == "open",
    "operations": lambda item: "operation" in item and "ended_at" not in item["operation"],
    "agents": lambda item: not is_time_of_an_agent(item),
    "messages": is_unread,
}


def check(since: datetime = NOW) -> None:
    """What is over expires its days later, and what is open does not."""
    ended, waited_for = set(), set()
    for table, days in KEPT.items():
        for item in items(table):
            if table in OPEN and OPEN[table](item):
                waited_for.add(table)
                assert "expires_at" not in item, (table, item)
                continue
            ended.add(table)
            begin = since if item.get("entry") in TIMELESS else NOW
            kept_from = datetime.fromtimestamp(int(item["expires_at"]), UTC) - timedelta(days)
            # A promise counts from the time that was promised.
            assert begin <= kept_from <= begin + timedelta(hours=12), (table, item)
    assert (ended, waited_for) == (set(KEPT), set(OPEN))


def test_what_is_over_expires_after_its_days_at_no_cost(
    deployment: Deployment, clock: StoppedClock
) -> None:
    requests = lived(deployment, clock, 0)
    check()
    for table in ("counters", "customers", "assignments", "telemarketing-setup"):
        stays = list(items(table))
        assert stays
        assert not any("expires_at" in item for item in stays)

    forget()
    for_ever = deployed()
    for_ever.configure(CALLS_KEPT_DAYS="0", MESSAGES_KEPT_DAYS="0", OPERATIONS_KEPT_DAYS="0")
    assert lived(for_ever, clock, 0) == requests
    assert not any("expires_at" in item for table in KEPT for item in items(table))

    # Somebody thinks better of it. What tells no time of its own is kept from then on.
    moment = clock.now + timedelta(days=10)
    for again in (False, True):
        for logical_id, (item, _) in TABLES.items():
            table = for_ever.tables[logical_id]
            _, given = apply(bind(item, table), KEPT[table], moment)
            assert (given == 0) == again
        check(moment)


def keys(table: str) -> Iterator[dict[str, Any]]:
    """Of all items that expire."""
    client = boto3.client("dynamodb")
    schema = client.describe_table(TableName=table)["Table"]["KeySchema"]
    for page in client.get_paginator("scan").paginate(TableName=table):
        for item in page["Items"]:
            if "expires_at" in item:
                yield {key["AttributeName"]: item[key["AttributeName"]] for key in schema}


def left(deployment: Deployment) -> tuple[list[dict[str, Any]], list[dict[str, str]]]:
    """The counters, and what anybody was told to look at."""
    told = [message for queue in QUEUES for message in deployment.messages(queue)]
    return sorted(items("counters"), key=str), told


def test_what_the_tables_drop_is_no_news(
    deployment: Deployment, clock: StoppedClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    lived(deployment, clock, 1)
    before, _ = left(deployment)
    clock.advance(days=2000)
    for table in KEPT:
        for key in list(keys(table)):
            boto3.client("dynamodb").delete_item(TableName=table, Key=key)
    told: dict[Stream, list[Record]] = {}
    read = Stream.new_records

    def dropped(stream: Stream) -> list[Record]:
        told[stream] = read(stream)
        identity = {"type": "Service", "principalId": "dynamodb.amazonaws.com"}
        return [{**each, "userIdentity": identity} for each in told[stream]]

    monkeypatch.setattr(Stream, "new_records", dropped)
    deployment._flowed()
    assert left(deployment) == (before, [])

    # Had anybody else deleted it, counters and feeds would follow.
    monkeypatch.setattr(Stream, "new_records", lambda stream: told[stream])
    deployment._flowed()
    after, looks = left(deployment)
    assert after != before
    assert {look["kind"] for look in looks} >= {"call", "missed_call", "promise", "quote", "wait"}


def test_what_is_held_stays_until_it_is_released(
    deployment: Deployment, clock: StoppedClock
) -> None:
    store = CallStore("calls", 760)
    store.merge("c1", {Fact.QUEUED: register(NOW)})
    call = bind(CallItem, "calls")
    hold(call("c1"))
    hold(call("nobody"))
    store.merge("c1", {Fact.ENDED: register(NOW, "cancelled cancelled")})
    store.merge("c1", {Fact.RINGING: register(NOW - timedelta(seconds=1))})
    store.amend("c1", lambda _: {Fact.REVIEW: register(NOW, "human ana")})
    seen = call.get("c1")
    assert seen.expires_at == HELD
    assert [item["call_id"] for item in items("calls")] == ["c1"]

    assert release(seen, 760, NOW)
    since = (NOW - timedelta(seconds=1)).timestamp()
    assert call.get("c1").expires_at == since + 760 * 24 * 60 * 60
    assert not release(seen, 760, NOW)
    # What should have expired meanwhile does so soon: not so long ago that DynamoDB forgets it, and
    # not before whoever else holds it has looked.
    later = NOW + timedelta(days=5000)
    assert release(call.get("c1"), 760, later)
    assert call.get("c1").expires_at == (later + timedelta(days=2)).timestamp()


def test_what_opens_again_meanwhile_is_not_given_an_end(
    deployment: Deployment, clock: StoppedClock
) -> None:
    day = Day(Office(deployment, clock), cast(Chat, None), Switchboard(), 0)
    day.office.agents("bia")
    day.tell("in-1", "queued", direction="inbound", queue="vendas", **{"from": "+5511987654321"})
    day.tell("in-1", "answered", agent="bia")
    day.quotes()
    quotes = bind(QuoteItem, "quotes")
    (seen,) = [item for item in quotes.scan() if item.state == "won"]
    day.ask("POST /quotes/{quote_id}/reopen", None, None, quote_id=f"{seen.name}.{seen.call_id}")
    assert not release(seen, 1830, clock.now)
    assert quotes.get(seen.call_id, seen.name).expires_at is None
