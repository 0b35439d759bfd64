"""What a function was never told of is mended, once it looks again at all that it follows."""

import io
import json
from collections.abc import Callable, Collection
from functools import cache
from random import Random
from threading import Lock
from typing import Any

import boto3
import pytest

from retorno.realtime.model import Key
from retorno.realtime.store import FeedStore
from retorno.telephony.ports import Direction, Stage
from tests.support.clock import StoppedClock
from tests.support.dashboard import Wallboard
from tests.support.deployment import Deployment, deployed, forget
from tests.support.functions import functions
from tests.support.histories import BEGINNING, history, plausible_day
from tools import look_again
from tools.deployed import Deployed

SEED, CALLS, AT_ONCE = 1, 15, 6
DECIDED = ("recoveries", "answers", "counters")
# How often something was written, what was counted of what is no more, and what the first write
# of several said.
NOT_COMPARED = frozenset({"revision", "version", "call_revision", "expires_at"})
LEDGER = {"S": "ledger"}


class Lambda:
    """The deployment's functions and what they follow, as Lambda tells of them."""

    def __init__(self, deployment: Deployment) -> None:
        self._deployment = deployment

    def get_paginator(self, operation: str) -> "Lambda":
        assert operation == "list_event_source_mappings"
        return self

    def paginate(self, FunctionName: str) -> list[Any]:  # noqa: N803 - boto3's own
        followed = [
            event["Properties"]
            for event in functions()[FunctionName]["Events"].values()
            if event["Type"] == "DynamoDB"
        ]
        return [
            {
                "EventSourceMappings": [
                    {
                        **each,
                        "FunctionArn": FunctionName,
                        "EventSourceArn": self._stream(each["Stream"]["Fn::GetAtt"][0]),
                    }
                    for each in followed
                    if each["Stream"]["Fn::GetAtt"][0] != "MessagesTable"
                ]
            }
        ]

    def invoke(self, FunctionName: str, Payload: str) -> dict[str, Any]:  # noqa: N803
        answer = self._deployment.call(FunctionName, json.loads(Payload))
        return {"Payload": io.BytesIO(json.dumps(answer).encode())}

    def _stream(self, table: str) -> str:
        described = boto3.client("dynamodb").describe_table(TableName=self._deployment.name(table))
        return described["Table"]["LatestStreamArn"]


def the_day(deployment: Deployment, clock: StoppedClock) -> None:
    board, events = Wallboard(deployment, clock), plausible_day(Random(SEED), CALLS)
    for first in range(0, len(events), AT_ONCE):
        board.tell(events[first : first + AT_ONCE])
        deployment.work()
    deployment.count()


def decided() -> dict[str, list[dict[str, Any]]]:
    found = {}
    for table in DECIDED:
        items = boto3.client("dynamodb").scan(TableName=table)["Items"]
        told = [
            {name: value for name, value in item.items() if name not in NOT_COMPARED}
            for item in items
            if item.get("cell") != LEDGER
        ]
        found[table] = sorted(told, key=lambda item: repr(sorted(item.items())))
    return found


@cache
def as_it_should_be() -> dict[str, list[dict[str, Any]]]:
    deployment = deployed()
    the_day(deployment, StoppedClock(BEGINNING))
    return decided()


@pytest.mark.usefixtures("deployment")
@pytest.mark.parametrize("function", ["MatchRecoveries", "FollowCalls", "AnnounceChanges"])
def test_what_was_lost_is_as_though_it_had_been_told(
    function: str, clock: StoppedClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    wanted = as_it_should_be()
    forget()
    forgetful, random = deployed(), Random(SEED)
    tell: Callable[..., Any] = forgetful.call

    def tell_some(name: str, event: Any) -> Any:
        is_lost = name == function and random.random() < 0.6
        return {"batchItemFailures": []} if is_lost else tell(name, event)

    monkeypatch.setattr(forgetful, "call", tell_some)
    the_day(forgetful, clock)
    assert decided() != wanted

    monkeypatch.setattr(forgetful, "call", tell)
    look(forgetful, function, monkeypatch)
    forgetful.count()
    assert decided() == wanted


def look(deployment: Deployment, function: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(look_again, "INVOCATIONS_AT_ONCE", 1)
    asked = Lambda(deployment)
    monkeypatch.setattr(
        Deployed, "client", lambda _, name, *__: asked if name == "lambda" else boto3.client(name)
    )
    stack = Deployed(boto3.Session(), None, deployment.tables)
    assert not any(each.failed for each in look_again.look_again(stack, function))


def seen_live(deployment: Deployment) -> dict[Key, Any]:
    deployment.publish()
    return {entry.key: entry.view for entry in FeedStore("feed").present()}


def test_a_feed_that_begins_anew_shows_what_there_is(
    deployment: Deployment, clock: StoppedClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    the_day(deployment, clock)
    missed = history("missed", direction=Direction.INBOUND).at(0, Stage.QUEUED)
    Wallboard(deployment, clock).tell(missed.at(60, Stage.CANCELLED).events)
    deployment.work()
    wanted = seen_live(deployment)
    assert {kind for kind, _ in wanted} == {"call", "missed_call"}
    dynamodb = boto3.client("dynamodb")
    for item in dynamodb.scan(TableName="feed")["Items"]:
        dynamodb.delete_item(TableName="feed", Key={name: item[name] for name in ("pk", "sk")})
    for function in ("FollowCalls", "AnnounceChanges"):
        look(deployment, function, monkeypatch)
    assert seen_live(deployment) == wanted


class Fragile(Lambda):
    """Breaks off at more than two at once, at what is bad, and from some moment on at anything."""

    def __init__(
        self, deployment: Deployment, bad: Collection[str] = (), works: int = 10_000
    ) -> None:
        super().__init__(deployment)
        self.bad, self.works = frozenset(bad), works
        self.asked = 0
        self.seen: set[str] = set()
        self._lock = Lock()

    def invoke(self, FunctionName: str, Payload: str) -> dict[str, Any]:  # noqa: N803
        records = json.loads(Payload)["Records"]
        keys = {each["dynamodb"]["Keys"]["number_key"]["S"] for each in records}
        with self._lock:
            self.asked += 1
            if self.asked > self.works or len(keys) > 2 or self.bad & keys:
                no = io.BytesIO(b'{"errorMessage": "no"}')
                return {"Payload": no, "FunctionError": "Unhandled"}
            self.seen |= keys
            return {"Payload": io.BytesIO(b'{"batchItemFailures": []}')}


def numbers(count: int) -> list[str]:
    return [f"+551190000{number:04}" for number in range(count)]


@pytest.mark.parametrize(("bad", "works"), [([], 1000), (["+5511900000003"], 1000), ([], 1)])
def test_what_breaks_off_comes_again_in_halves(
    bad: list[str], works: int, deployment: Deployment, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(look_again, "INVOCATIONS_AT_ONCE", 1)
    asked = Fragile(deployment, bad, works)
    failed = 9 if works == 1 else len(bad)
    looked = looked_at(asked, numbers(10), monkeypatch)
    assert looked == look_again.Looked("DoNotCallTable", 10, failed)
    assert len(asked.seen) == 10 - failed
    assert not asked.seen & set(bad)


@pytest.mark.parametrize("share", [1, 3])
def test_who_fails_at_many_of_the_first_is_not_asked_for_the_rest(
    share: int, deployment: Deployment, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each may take as long as a function runs, and a table is long. Of some it has nothing to do,
    and fails at none of them."""
    asked = Fragile(deployment, numbers(600)[::share])
    looked = looked_at(asked, numbers(600), monkeypatch)
    assert looked.failed >= 10
    assert looked.items == asked.asked <= 10 if share == 1 else looked.items < 200


def test_a_few_bad_ones_do_not_keep_it_from_the_others(
    deployment: Deployment, monkeypatch: pytest.MonkeyPatch
) -> None:
    bad = numbers(600)[::30]
    asked = Fragile(deployment, bad)
    looked = looked_at(asked, numbers(600), monkeypatch)
    assert looked == look_again.Looked("DoNotCallTable", 600, len(bad))
    assert asked.seen == set(numbers(600)) - set(bad)


def looked_at(
    asked: Fragile, numbers: list[str], monkeypatch: pytest.MonkeyPatch
) -> look_again.Looked:
    with boto3.resource("dynamodb").Table("do-not-call").batch_writer() as batch:
        for number in numbers:
            batch.put_item({"number_key": number, "origin": "customer"})
    monkeypatch.setattr(
        Deployed, "client", lambda _, name, *__: asked if name == "lambda" else boto3.client(name)
    )
    stack = Deployed(boto3.Session(), None, {"DoNotCallTable": "do-not-call"})
    (looked,) = look_again.look_again(stack, "FollowDoNotCall")
    return looked
