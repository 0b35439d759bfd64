"""A function of a stack, invoked by hand: of one in AWS, or of the embedded cloud's."""

import json
from collections.abc import Mapping
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from local.errors import CloudError
from tools.deployed import PATIENT, Deployed


class InvocationFailed(Exception):
    """Its text says why, for people."""


def invoke(function: str, event: Mapping[str, str], stack: str | None) -> Any:
    """The answer of the function of this logical id. Raises InvocationFailed."""
    try:
        deployed = Deployed.find(stack)
        client = deployed.client("lambda", PATIENT)
        return answer_of(client, deployed.name(function), event)
    except (CloudError, LookupError, BotoCoreError, ClientError) as error:
        raise InvocationFailed(str(error)) from error


def answer_of(client: Any, function: str, event: Mapping[str, Any]) -> Any:
    """That of a function by name or ARN. Raises InvocationFailed where it failed, or what botocore
    raises."""
    answer = client.invoke(FunctionName=function, Payload=json.dumps(event))
    result = json.load(answer["Payload"])
    if "FunctionError" in answer:
        raise InvocationFailed(f"The function failed: {result['errorMessage']}")
    return result
