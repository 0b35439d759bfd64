"""Dead letters of every kind, and what is done for each."""

import io
import json
import sys
from collections.abc import Mapping
from typing import Any

import boto3
import pytest

from tests.support.deployment import Deployment
from tools import redrive
from tools.deployed import Deployed

ARN = "arn:aws:lambda:sa-east-1:123456789012:function:split-imports:$LATEST"


class Lambda:
    def __init__(self) -> None:
        self.asked: list[tuple[str, Any]] = []

    def invoke(self, FunctionName: str, Payload: str) -> dict[str, Any]:  # noqa: N803 - boto3's own
        self.asked.append((FunctionName, json.loads(Payload)))
        if "bad" in Payload:
            return {"Payload": io.BytesIO(b'{"errorMessage": "bad"}'), "FunctionError": "Unhandled"}
        return {"Payload": io.BytesIO(b"null")}


class Box:
    """A queue of dead letters, and what operators do with it."""

    def __init__(self, deployment: Deployment, monkeypatch: pytest.MonkeyPatch) -> None:
        self.asked = Lambda()
        self.sqs: Any = boto3.client("sqs")
        self.url = self.sqs.create_queue(QueueName="dead-letters")["QueueUrl"]
        self._patch = monkeypatch
        names = {
            "Letters": self.url,
            "PromisesQueue": self.sqs.create_queue(QueueName="promises")["QueueUrl"],
            "SplitImports": "split-imports",
        }
        monkeypatch.setattr(
            Deployed,
            "client",
            lambda _, name, *__: self.asked if name == "lambda" else boto3.client(name),
        )
        monkeypatch.setattr(Deployed, "find", lambda _: Deployed(boto3.Session(), None, names))
        monkeypatch.setattr(redrive, "WAIT_SECONDS", 0)
        self.promises = names["PromisesQueue"]

    def put(self, body: Any, attributes: Mapping[str, str] | None = None) -> None:
        told = {
            name: {"DataType": "String", "StringValue": value}
            for name, value in (attributes or {}).items()
        }
        text = body if isinstance(body, str) else json.dumps(body)
        self.sqs.send_message(QueueUrl=self.url, MessageBody=text, MessageAttributes=told)

    def run(self, *options: str) -> int:
        self._patch.setattr(sys, "argv", ["redrive", "Letters", *options])
        return redrive.main()

    def bodies(self, url: str | None = None) -> list[str]:
        found = self.sqs.receive_message(
            QueueUrl=url or self.url, MaxNumberOfMessages=10, VisibilityTimeout=0
        )
        return sorted(each["Body"] for each in found.get("Messages", []))


@pytest.fixture
def box(deployment: Deployment, monkeypatch: pytest.MonkeyPatch) -> Box:
    return Box(deployment, monkeypatch)


def invocation(payload: Any) -> dict[str, Any]:
    """What Lambda leaves of an event that it could not have dealt with."""
    return {
        "requestContext": {"functionArn": ARN, "condition": "RetriesExhausted"},
        "requestPayload": payload,
        "responsePayload": {"errorMessage": "no table for +5511944443333"},
    }


def test_what_a_schedule_could_not_send_goes_where_it_was_to(box: Box) -> None:
    box.put('{"promise_id": "p1"}', {"TARGET_ARN": "arn:aws:sqs:sa-east-1:123456789012:promises"})
    assert box.run() == 0
    assert (box.bodies(), box.bodies(box.promises)) == ([], ['{"promise_id": "p1"}'])


def test_a_function_is_asked_again_what_it_was_asked(box: Box) -> None:
    box.put(invocation({"detail": "file 1"}))
    box.put(invocation({"detail": "file 2"}))
    assert box.run() == 0
    assert sorted(payload["detail"] for _, payload in box.asked.asked) == ["file 1", "file 2"]
    assert {name for name, _ in box.asked.asked} == {ARN}
    assert box.bodies() == []


def test_what_fails_again_stays_and_the_others_do_not(box: Box) -> None:
    for detail in ("good", "bad", "better"):
        box.put(invocation({"detail": detail}))
    assert box.run() == 1
    (left,) = box.bodies()
    assert json.loads(left)["requestPayload"] == {"detail": "bad"}


@pytest.mark.parametrize("body", ["no JSON", "[]", "{}", '{"KinesisBatchInfo": {}}'])
def test_what_nobody_knows_stays(box: Box, body: str, capsys: pytest.CaptureFixture[str]) -> None:
    box.put(body)
    assert box.run() == 1
    assert box.bodies() == [body]
    assert body in capsys.readouterr().out


def test_to_look_changes_nothing_and_shows_no_number(
    box: Box, capsys: pytest.CaptureFixture[str]
) -> None:
    box.put(invocation({"from": "+5511944443333"}))
    assert box.run("--dry") == 0
    said = capsys.readouterr().out
    assert "1: SplitImports is asked again" in said
    assert "RetriesExhausted no table for +••••3333" in said
    assert box.asked.asked == []
    assert len(box.bodies()) == 1


def test_a_queue_that_is_not_there_is_said(box: Box, capsys: pytest.CaptureFixture[str]) -> None:
    box._patch.setattr(sys, "argv", ["redrive", "MatchDeadLetters"])
    assert redrive.main() == 1
    assert capsys.readouterr().err == "The stack has no MatchDeadLetters.\n"
