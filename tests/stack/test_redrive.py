"""Dead letters as they come about, and the commands that have done what they stand for."""

import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import pytest

from local.stack import Stack
from tests.stack.conftest import configured
from tests.support.api import Api, eventually
from tools import look_again, redrive
from tools.deployed import Deployed

NO_TABLES = {"AWS_ENDPOINT_URL_DYNAMODB": "http://127.0.0.1:9"}
NUMBER = "+5511944443333"

Command = Callable[..., tuple[int, str]]


@pytest.fixture
def deployed(stack: Stack) -> Deployed:
    return Deployed.embedded(stack)


@pytest.fixture
def run(
    deployed: Deployed, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Command:
    """A command's exit code, and what it said."""
    monkeypatch.setattr(Deployed, "find", lambda _: deployed)

    def command(tool: Any, *arguments: str) -> tuple[int, str]:
        monkeypatch.setattr(sys, "argv", [tool.__name__, *arguments])
        code = tool.main()
        return code, capsys.readouterr().out

    return command


def queued(call_id: str) -> dict[str, str]:
    return {
        "event_id": f"{call_id}-queued",
        "call_id": call_id,
        "stage": "queued",
        "occurred_at": "2026-03-02T12:00:00Z",
        "direction": "inbound",
        "from": NUMBER,
    }


def given_up(call_id: str) -> dict[str, str]:
    return queued(call_id) | {
        "event_id": f"{call_id}-cancelled",
        "stage": "cancelled",
        "occurred_at": "2026-03-02T12:01:00Z",
    }


@contextmanager
def impatient_queue(deployed: Deployed, name: str, dead_letters: str) -> Iterator[None]:
    """What fails once is a dead letter."""
    sqs, url = deployed.client("sqs"), deployed.name(name)
    names = ["RedrivePolicy", "VisibilityTimeout"]
    own = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=names)["Attributes"]
    arn = sqs.get_queue_attributes(
        QueueUrl=deployed.name(dead_letters), AttributeNames=["QueueArn"]
    )["Attributes"]["QueueArn"]
    policy = f'{{"deadLetterTargetArn": "{arn}", "maxReceiveCount": 1}}'
    sqs.set_queue_attributes(
        QueueUrl=url, Attributes={"RedrivePolicy": policy, "VisibilityTimeout": "1"}
    )
    yield
    sqs.set_queue_attributes(QueueUrl=url, Attributes=own)


@contextmanager
def impatient_stream(deployed: Deployed, function: str) -> Iterator[None]:
    """What fails is a dead letter once it is a second old."""
    client = deployed.client("lambda")
    found: list[Mapping[str, Any]] = client.list_event_source_mappings(
        FunctionName=deployed.name(function)
    )["EventSourceMappings"]
    for each in found:
        client.update_event_source_mapping(UUID=each["UUID"], MaximumRecordAgeInSeconds=1)
    yield
    for each in found:
        client.update_event_source_mapping(
            UUID=each["UUID"], MaximumRecordAgeInSeconds=each["MaximumRecordAgeInSeconds"]
        )


def lie_there(deployed: Deployed, queue: str) -> int:
    name = "ApproximateNumberOfMessages"
    url = deployed.name(queue)
    told = deployed.client("sqs").get_queue_attributes(QueueUrl=url, AttributeNames=[name])
    return int(told["Attributes"][name])


def test_a_missed_call_that_nobody_was_told_of_is_found(
    api: Api, stack: Stack, deployed: Deployed, run: Command
) -> None:
    path = "/missed-calls/redrive-lost"
    with configured(stack, ["MatchRecoveries"], NO_TABLES):
        with impatient_stream(deployed, "MatchRecoveries"):
            api.calls([queued("redrive-lost"), given_up("redrive-lost")])
            eventually(lambda: lie_there(deployed, "MatchDeadLetters"), bool)
        assert run(redrive, "MatchDeadLetters")[0] == 1, "it is not mended yet"
        assert lie_there(deployed, "MatchDeadLetters")

    code, said = run(redrive, "MatchDeadLetters", "--dry")
    assert code == 0
    assert "MatchRecoveries looks again at CallsTable" in said
    assert api.get(path).status == 404

    code, said = run(redrive, "MatchDeadLetters")
    assert (code, said.splitlines()[-1]) == (0, "0 left in MatchDeadLetters.")
    assert api.get(path).body["reason"] == "cancelled"
    assert lie_there(deployed, "MatchDeadLetters") == 0

    code, said = run(look_again, "MatchRecoveries")
    assert code == 0
    assert said.startswith("CallsTable: looked at ")
    assert said.endswith(" 0 failed.\n")


def test_facts_that_were_given_up_are_written(
    api: Api, stack: Stack, deployed: Deployed, run: Command
) -> None:
    path = "/calls/redrive-deferred"
    with (
        configured(stack, ["IngestCalls", "StoreDeferredCalls"], NO_TABLES),
        impatient_queue(deployed, "DeferredCallsQueue", "DeferredCallsDeadLetters"),
    ):
        assert api.calls([queued("redrive-deferred")]).body["deferred"] == 1
        eventually(lambda: lie_there(deployed, "DeferredCallsDeadLetters"), bool)

    code, said = run(redrive, "DeferredCallsDeadLetters", "--dry")
    assert "1: back to DeferredCallsQueue" in said
    assert "••••3333" in said
    assert NUMBER not in said
    assert lie_there(deployed, "DeferredCallsDeadLetters") == 1

    code, said = run(redrive, "DeferredCallsDeadLetters")
    assert code == 0
    call = eventually(lambda: api.get(path), lambda answer: answer.status == 200)
    assert call.body["number"] == NUMBER
