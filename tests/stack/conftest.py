"""template.yaml deployed in an embedded cloud of its own, driven over HTTP as a client would."""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import cache
from typing import Any

import pytest

from local import aws, cloud
from local.stack import Stack
from retorno.aws import session
from retorno.dynamodb import shared_client
from tests.support.api import Api


@pytest.fixture(scope="session")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    with cloud.running(tmp_path_factory.mktemp("cloud")) as stack:
        yield stack


@contextmanager
def configured(
    stack: Stack, functions: Sequence[str], variables: Mapping[str, str]
) -> Iterator[None]:
    """Some functions of the stack, by logical id, with other variables for a while."""
    client: Any = aws.session().client("lambda", endpoint_url=stack.endpoint_url)
    names = [stack.resources[each] for each in functions]
    own = {
        name: client.get_function_configuration(FunctionName=name)["Environment"]["Variables"]
        for name in names
    }
    for name in names:
        client.update_function_configuration(
            FunctionName=name, Environment={"Variables": {**own[name], **variables}}
        )
    yield
    for name in names:
        client.update_function_configuration(
            FunctionName=name, Environment={"Variables": own[name]}
        )


def told_by_bus(stack: Stack, detail_type: str) -> Callable[[], list[dict[str, Any]]]:
    """What the stack's bus told so far of a kind, in a queue of the test's."""
    sqs: Any = aws.session().client("sqs", endpoint_url=stack.endpoint_url)
    bus: Any = aws.session().client("events", endpoint_url=stack.endpoint_url)
    url = sqs.create_queue(QueueName=detail_type)["QueueUrl"]
    named = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])
    name, pattern = stack.resources["EventBus"], json.dumps({"detail-type": [detail_type]})
    bus.put_rule(Name=detail_type, EventBusName=name, EventPattern=pattern)
    target = {"Id": "told", "Arn": named["Attributes"]["QueueArn"]}
    bus.put_targets(Rule=detail_type, EventBusName=name, Targets=[target])
    found: list[dict[str, Any]] = []

    def told() -> list[dict[str, Any]]:
        messages = sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages", [])
        found.extend(json.loads(message["Body"]) for message in messages)
        return found

    return told


@pytest.fixture(scope="module")
def api(stack: Stack, request: pytest.FixtureRequest) -> Api:
    """With an agent of the module's own: what others left Ana in is nobody else's matter."""
    agent = request.module.__name__.rpartition(".")[2].replace("test_", "ana_")
    tokens = {**stack.tokens, "agent": cloud.sign_in_agents(stack, [agent])[agent]}
    return Api(replace(stack, tokens=tokens), agent)


@pytest.fixture
def dynamodb(stack: Stack, monkeypatch: pytest.MonkeyPatch) -> Any:
    """The embedded cloud's; stores of this process reach it, too, as its owner."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    monkeypatch.delenv("AWS_SESSION_TOKEN", raising=False)
    monkeypatch.setenv("AWS_ENDPOINT_URL", stack.endpoint_url)
    # Another test's know its own keys.
    monkeypatch.setattr("retorno.aws.session", cache(session.__wrapped__))
    monkeypatch.setattr("retorno.dynamodb.shared_client", cache(shared_client.__wrapped__))
    return aws.session().client("dynamodb", endpoint_url=stack.endpoint_url)
