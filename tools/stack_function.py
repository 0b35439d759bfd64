"""A function of a stack, invoked by hand: of one in AWS, or of the embedded cloud's."""

import json
from typing import TYPE_CHECKING, Any

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from local import emulator
from local.aws import session
from local.errors import CloudError
from local.stack import HOME, Stack

if TYPE_CHECKING:
    from mypy_boto3_lambda import LambdaClient

# The functions' own time-outs are 300 seconds. A second invocation beside one would help nobody.
CONFIG = Config(read_timeout=310, retries={"total_max_attempts": 1})


class InvocationFailed(Exception):
    """Its text says why, for people."""


def invoke(function: str, event: dict[str, str], stack: str | None) -> Any:
    """The answer of the function of this logical id. Raises InvocationFailed."""
    try:
        client, name = _in_aws(stack, function) if stack else _in_embedded_cloud(function)
        answer = client.invoke(FunctionName=name, Payload=json.dumps(event))
    except (CloudError, BotoCoreError, ClientError) as error:
        raise InvocationFailed(str(error)) from error
    result = json.load(answer["Payload"])
    if "FunctionError" in answer:
        raise InvocationFailed(f"The function failed: {result['errorMessage']}")
    return result


def _in_embedded_cloud(function: str) -> tuple["LambdaClient", str]:
    emulator.require(HOME)
    stack = Stack.read()
    client = session().client("lambda", endpoint_url=stack.endpoint_url, config=CONFIG)
    return client, stack.resources[function]


def _in_aws(stack: str, function: str) -> tuple["LambdaClient", str]:
    resource = boto3.client("cloudformation").describe_stack_resource(
        StackName=stack, LogicalResourceId=function
    )
    name = resource["StackResourceDetail"]["PhysicalResourceId"]
    return boto3.client("lambda", config=CONFIG), name
