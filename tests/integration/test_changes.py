"""Those who look on are told what changed."""

import json
from typing import Any

import pytest

from retorno.changes import (
    COUNTED,
    SEEN_LIVE,
    Change,
    Kind,
    Onlookers,
    change_of,
    read_change,
)
from retorno.errors import Unavailable
from retorno.work import WorkQueue
from tests.support.deployment import Deployment
from tests.support.histories import BEGINNING


def told(deployment: Deployment, queue: str) -> list[Change]:
    return [read_change(json.dumps(message)) for message in deployment.messages(queue)]


def by_number(change: Change) -> int:
    return int(change.keys["call_id"])


def onlookers(deployment: Deployment) -> Onlookers:
    queues = {"CountsQueue": COUNTED, "UpdatesQueue": SEEN_LIVE}
    return Onlookers([(WorkQueue(deployment.name(name)), kinds) for name, kinds in queues.items()])


def test_all_are_told_of_each_item_once(deployment: Deployment) -> None:
    changes = [Change(Kind.CALL, {"call_id": str(number)}) for number in range(25)]
    onlookers(deployment).tell([*changes, *changes], BEGINNING)
    for queue in ("CountsQueue", "UpdatesQueue"):
        assert sorted(told(deployment, queue), key=by_number) == changes


def test_two_kinds_may_have_the_same_keys(deployment: Deployment) -> None:
    changes = [Change(kind, {"call_id": "1"}) for kind in (Kind.CALL, Kind.MISSED_CALL)]
    onlookers(deployment).tell(changes, BEGINNING)
    assert {change.kind for change in told(deployment, "CountsQueue")} == {
        Kind.CALL,
        Kind.MISSED_CALL,
    }


def test_each_is_told_of_what_it_looks_at(deployment: Deployment) -> None:
    onlookers(deployment).tell([Change(kind, {"call_id": "1"}) for kind in Kind], BEGINNING)
    assert {change.kind for change in told(deployment, "CountsQueue")} == COUNTED
    assert {change.kind for change in told(deployment, "UpdatesQueue")} == SEEN_LIVE


def test_a_stretch_of_time_is_none_of_its_agents_record() -> None:
    def change(sk: str) -> Change:
        keys = {"pk": {"S": "agent#ana"}, "sk": {"S": sk}}
        return change_of(Kind.AGENT, {"eventName": "INSERT", "dynamodb": {"Keys": keys}})

    time = "time#2026-03-02T13:04:05.000000Z"
    assert change("record") == Change(Kind.AGENT, {"pk": "agent#ana", "sk": "record"})
    assert change(time) == Change(Kind.STRETCH, {"pk": "agent#ana", "sk": time})


def test_a_deleted_item_is_told_of_too() -> None:
    record = {"eventName": "REMOVE", "dynamodb": {"Keys": {"pk": {"S": "a"}, "sk": {"S": "b"}}}}
    assert change_of(Kind.OFFER, record) == Change(Kind.OFFER, {"pk": "a", "sk": "b"})


def test_nobody_to_tell_is_trouble(deployment: Deployment) -> None:
    nobody = WorkQueue("https://sqs.sa-east-1.amazonaws.com/123456789012/none")
    nowhere = Onlookers([(nobody, COUNTED)])
    with pytest.raises(Unavailable):
        nowhere.tell([Change(Kind.CALL, {"call_id": "1"})], BEGINNING)


def test_what_is_told_in_part_is_trouble(monkeypatch: pytest.MonkeyPatch) -> None:
    class Full:
        def send_message_batch(self, **_: Any) -> dict[str, Any]:
            return {"Successful": [], "Failed": [{"Id": "0"}]}

    monkeypatch.setattr("retorno.work.aws.client", lambda service: Full())
    with pytest.raises(Unavailable):
        WorkQueue("https://queue.example").send_all([{"call_id": "1"}], BEGINNING)


def test_each_call_is_told_of_as_its_stream_is_read(deployment: Deployment) -> None:
    deployment.call(
        "FollowCalls",
        {"Records": [{"eventName": "REMOVE", "dynamodb": {"Keys": {"call_id": {"S": "1"}}}}]},
    )
    assert told(deployment, "UpdatesQueue") == [Change(Kind.CALL, {"call_id": "1"})]
