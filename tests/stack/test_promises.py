"""Promised times with many at once, where DynamoDB is atomic and schedules fire."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from random import Random
from types import SimpleNamespace
from typing import Any, cast
from zoneinfo import ZoneInfo

import pytest

from local import aws
from local.stack import Stack
from retorno import clock
from retorno.agents.service import Agents
from retorno.callbacks.model import State as ContactState
from retorno.callbacks.service import CallList
from retorno.calling_rules.service import CallingRules
from retorno.calling_rules.store import DoNotCallStore
from retorno.dialling.model import Asker
from retorno.errors import RetornoError
from retorno.phone import NumberPlan
from retorno.promises.model import (
    CHECKED_BEFORE,
    LISTED_BEFORE,
    Promise,
    PromiseWish,
    State,
)
from retorno.promises.service import Keeping, Promises
from retorno.promises.store import PromiseStore
from retorno.schedules import Schedules
from retorno.times import stamp
from tests.stack.conftest import configured
from tests.support.api import Answer, Api, eventually
from tests.support.call_list import FakeCallList
from tests.support.exchange import serving
from tests.support.switchboard import Switchboard
from tests.support.tables import create_table

THREADS = 12
NOW = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
CUSTOMER = "+5571987650099"
ANA = Asker(name="ana", agent="ana")


class Office:
    """The service in this process, on a table and with schedules of the embedded cloud."""

    def __init__(self, name: str, dynamodb: Any) -> None:
        self.store = PromiseStore(
            create_table("PromisesTable", f"{name}-promises", dynamodb),
            ZoneInfo("America/Sao_Paulo"),
        )
        do_not_call = DoNotCallStore(create_table("DoNotCallTable", f"{name}-dnc", dynamodb))
        self.calls = FakeCallList()
        self.group = f"{name}-schedules"
        queue = f"arn:aws:sqs:{aws.REGION}:000000000000:nobodys"
        role = "arn:aws:iam::000000000000:role/nobodys"
        schedules = Schedules(self.group, queue, role, queue)
        self.keeping = Keeping(self.store, schedules, cast(CallList, self.calls))
        rules = CallingRules(do_not_call, NumberPlan("BR"), ())
        agents = cast(Agents, SimpleNamespace())
        self.promises = Promises(self.store, self.keeping, rules, agents)


@pytest.fixture
def office(dynamodb: Any, stack: Stack, request: pytest.FixtureRequest) -> Office:
    office = Office(request.node.name.replace("[", "-").strip("]"), dynamodb)
    scheduler(stack).create_schedule_group(Name=office.group)
    return office


def scheduler(stack: Stack) -> Any:
    return aws.session().client("scheduler", endpoint_url=stack.endpoint_url)


def names(stack: Stack, group: str) -> list[str]:
    # MiniStack knows no filter by group.
    found = scheduler(stack).list_schedules(NamePrefix="promise-")["Schedules"]
    return [each["Name"] for each in found if each["GroupName"] == group]


def wish(at: datetime, note: str = "") -> PromiseWish:
    told = {"number": "11987654321", "queue": "vendas", "at": at.isoformat(), "note": note}
    return PromiseWish.model_validate(told)


def at_once(*jobs: Callable[[], object]) -> None:
    def attempt(job: Callable[[], object]) -> None:
        # A refusal is an answer: what counts is what is true afterwards.
        with suppress(RetornoError):
            job()

    with ThreadPoolExecutor(THREADS) as pool:
        list(pool.map(attempt, jobs))


def test_asked_for_by_many_at_once_is_one_promise(office: Office, stack: Stack) -> None:
    def make(_: int) -> Promise:
        return office.promises.make(wish(NOW + 60 * MINUTE), "k", ANA, NOW)

    with ThreadPoolExecutor(THREADS) as pool:
        made = list(pool.map(make, range(THREADS)))
    (promise_id,) = {promise.promise_id for promise in made}
    assert names(stack, office.group) == [f"promise-{promise_id}-1"]


def test_changed_by_many_at_once_is_changed_once(office: Office, stack: Stack) -> None:
    made = office.promises.make(wish(NOW + 60 * MINUTE), "k", ANA, NOW)
    changed: list[Promise] = []

    def change(minutes: int) -> Callable[[], object]:
        later = wish(NOW + minutes * MINUTE, note=str(minutes))
        service = office.promises
        return lambda: changed.append(service.change(made.promise_id, later, 1, ANA, NOW))

    at_once(*(change(minutes) for minutes in range(61, 61 + THREADS)))
    (winner,) = changed
    assert office.store.get(made.promise_id) == winner
    assert names(stack, office.group) == [f"promise-{made.promise_id}-2"]


@pytest.mark.parametrize("seed", range(4))
def test_one_contact_whatever_happens_at_once(office: Office, seed: int) -> None:
    random = Random(seed)
    for key in range(10):
        made = office.promises.make(wish(NOW + 10 * MINUTE), str(key), ANA, NOW)
        collide(office, made.promise_id, random)
        promise = office.promises.one(made.promise_id)
        waiting = [
            contact.list_name
            for contact in office.calls.contacts.values()
            if contact.state is ContactState.WAITING and made.promise_id in contact.list_name
        ]
        is_listed = promise.state is State.LISTED
        assert waiting == ([f"promise:{made.promise_id}:{promise.version}"] if is_listed else [])
        assert is_listed or promise.state is State.CANCELLED


def collide(office: Office, promise_id: str, random: Random) -> None:
    """A promise is fired, several times, checked, changed and cancelled at the same moment."""
    keeping, service, now = office.keeping, office.promises, NOW + 9 * MINUTE
    jobs: list[Callable[[], object]] = [
        *[lambda: keeping.fire(promise_id, 1, now)] * 3,
        lambda: keeping.fire(promise_id, 2, now),
        *[lambda: keeping.check(now)] * 2,
        lambda: service.change(promise_id, wish(NOW + 11 * MINUTE), 1, ANA, now),
        lambda: service.cancel(promise_id, None, ANA, now),
    ]
    random.shuffle(jobs)
    at_once(*jobs[: random.randrange(3, len(jobs))])
    # What a worker left to the check is done by then.
    keeping.check(now + 2 * MINUTE)


def promised(api: Api, key: str, at: datetime, **fields: Any) -> Answer:
    body = {"number": CUSTOMER, "at": at.isoformat(), "queue": "prometidos", **fields}
    return api.send("POST", "/callbacks", body, role="agent", idempotency_key=key)


def shown(api: Api, promise: dict[str, Any]) -> dict[str, Any]:
    body: dict[str, Any] = api.get(f"/callbacks/{promise['callback_id']}", role="agent").body
    return body


def keep(stack: Stack) -> None:
    client = aws.session().client("lambda", endpoint_url=stack.endpoint_url)
    answer = client.invoke(FunctionName=stack.resources["KeepPromises"], Payload=b"{}")
    assert "FunctionError" not in answer, answer["Payload"].read()


def test_a_promise_comes_onto_the_call_list_by_its_schedule(api: Api, stack: Stack) -> None:
    at = clock.now() + LISTED_BEFORE + timedelta(seconds=15)
    promise = promised(api, "by-schedule", at).body
    assert promise["state"] == "promised"
    schedule = f"promise-{promise['callback_id']}-1"
    assert schedule in names(stack, stack.resources["PromiseSchedules"])
    listed = eventually(lambda: shown(api, promise), lambda seen: seen["contact_id"])
    # Sooner than the check of each minute would look at it.
    assert clock.now() < at - CHECKED_BEFORE
    assert listed["state"] == "listed"
    contact = api.get(f"/callback-contacts/{listed['contact_id']}").body
    assert (contact["state"], contact["due_at"]) == ("waiting", promise["at"])
    gone = f"/callbacks/{promise['callback_id']}"
    assert api.send("DELETE", gone, role="agent", if_match='"1"').status == 204
    assert api.get(f"/callback-contacts/{listed['contact_id']}").body["state"] == "cancelled"
    assert schedule not in names(stack, stack.resources["PromiseSchedules"])


@pytest.fixture
def switchboard(stack: Stack) -> Iterator[Switchboard]:
    with serving(Switchboard()) as switchboard:
        assert isinstance(switchboard, Switchboard)
        dialling = {"DIAL_PROVIDER": "canonical", "DIAL_URL": switchboard.url}
        with configured(stack, ["DialCallbacks"], dialling):
            yield switchboard


def test_the_customer_is_called_at_the_time(
    api: Api, stack: Stack, switchboard: Switchboard
) -> None:
    agent = {"name": "Nina Prado", "queues": ["prometidos"], "telephone": "4009"}
    assert api.put("/agents/promete", agent).status == HTTPStatus.CREATED
    assert api.put("/agents/promete/presence", {"state": "available"}).status == HTTPStatus.OK
    promise = promised(api, "called", clock.now() + timedelta(seconds=8), agent="promete").body
    (order,) = (asked.json for asked in eventually(lambda: list(switchboard.asked), bool))
    assert (order["number"], order["agent"]) == (CUSTOMER, "promete")
    assert order["ordered_at"] >= promise["at"].replace("Z", ".000000Z")
    told = {"call_id": f"call-{order['attempt_id']}"}
    for seconds, stage in enumerate(("answered", "completed")):
        at = (clock.now() + timedelta(seconds=30 * seconds)).isoformat()
        assert (
            api.calls([told | {"event_id": stage, "stage": stage, "occurred_at": at}]).status == 200
        )
    contact = f"/callback-contacts/{promise['contact_id']}"
    ended = eventually(lambda: api.get(contact).body, lambda seen: seen["state"] == "reached")
    assert ended["state"] == "reached"
    kept = eventually(lambda: shown(api, promise), lambda seen: seen["state"] != "listed")
    assert (kept["state"], kept["reached"]) == ("kept", True)
    assert api.put("/agents/promete/presence", {"state": "offline"}).status == HTTPStatus.OK


def test_a_promise_whose_schedule_was_lost_comes_onto_the_list(
    api: Api, stack: Stack, dynamodb: Any
) -> None:
    promise = promised(api, "lost", clock.now() + 60 * MINUTE).body
    scheduler(stack).delete_schedule(
        Name=f"promise-{promise['callback_id']}-1", GroupName=stack.resources["PromiseSchedules"]
    )
    # An hour passes, where the promise is kept.
    dynamodb.update_item(
        TableName=stack.resources["PromisesTable"],
        Key={"promise_id": {"S": promise["callback_id"]}},
        UpdateExpression="SET #at = :at, check_at = :check_at",
        ExpressionAttributeNames={"#at": "at"},
        ExpressionAttributeValues={
            ":at": {"S": stamp(clock.now() + MINUTE)},
            ":check_at": {"S": stamp(clock.now())},
        },
    )
    keep(stack)
    assert shown(api, promise)["state"] == "listed"


def test_a_time_is_refused_or_moved_and_changed(api: Api) -> None:
    # A Sunday of the next weeks, at noon; nobody may sell in Rio then.
    today = clock.now()
    sunday = (today + timedelta(days=13 - today.weekday())).replace(hour=15, minute=0, second=0)
    offer = {"number": "+5521987654321", "purpose": "telemarketing"}
    refused = promised(api, "sunday", sunday, **offer)
    assert (refused.status, refused.content_type) == (409, "application/problem+json")
    assert "br-rj-7853-2018/hours" in [rule["id"] for rule in refused.body["rules"]]
    moved = promised(api, "sunday", sunday, **offer, move=True).body
    assert moved["at"] == refused.body["next_allowed_at"]
    assert datetime.fromisoformat(moved["moved_from"]) == sunday.replace(microsecond=0)
    path, later = f"/callbacks/{moved['callback_id']}", {"at": (today + 9 * MINUTE).isoformat()}
    wanted = {"number": CUSTOMER, "queue": "prometidos", **later}
    assert api.send("PUT", path, wanted, role="agent").status == 428
    assert api.send("PUT", path, wanted, role="agent", if_match='"1"').body["version"] == 2
    day = datetime.fromisoformat(later["at"]).astimezone(ZoneInfo("America/Sao_Paulo")).date()
    on_that_day = api.pages("/callbacks", day=day.isoformat(), queue="prometidos")
    assert moved["callback_id"] in [each["callback_id"] for each in on_that_day]
    assert api.send("DELETE", path, if_match="*").status == 204
    cancelled = api.pages("/callbacks", state="cancelled")
    assert moved["callback_id"] in [each["callback_id"] for each in cancelled]


def test_a_schedule_fires_once_into_its_queue_and_is_gone(stack: Stack, dynamodb: Any) -> None:
    sqs = aws.session().client("sqs", endpoint_url=stack.endpoint_url)
    url = sqs.create_queue(QueueName="fired")["QueueUrl"]
    named = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])
    arn = named["Attributes"]["QueueArn"]
    scheduler(stack).create_schedule_group(Name="fires")
    schedules = Schedules("fires", arn, "arn:aws:iam::000000000000:role/nobodys", arn)
    soon = clock.now() + timedelta(seconds=2)
    for name, at in (("soon", soon), ("dropped", soon), ("later", soon + 60 * MINUTE)):
        for _ in range(2):
            schedules.put(name, at, {"name": name})
    for _ in range(2):
        schedules.drop("dropped")
    bodies: list[str] = []

    def received() -> list[str]:
        messages = sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages", [])
        bodies.extend(message["Body"] for message in messages)
        return bodies

    assert eventually(received, bool) == ['{"name": "soon"}']
    kept = scheduler(stack).list_schedules()["Schedules"]
    assert [each["Name"] for each in kept if each["GroupName"] == "fires"] == ["later"]
