"""A function of a stack, invoked by hand: of one in AWS, or of the embedded cloud's."""

import base64
import json
from collections.abc import Mapping
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from local.errors import CloudError
from tools.deployed import PATIENT, Deployed


class InvocationFailed(Exception):
    """Its text says why, for people."""


def invoke(function: str, event: Mapping[str, Any], stack: str | None) -> Any:
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
    payload = json.dumps(event, default=_as_lambda_writes)
    answer = client.invoke(FunctionName=function, Payload=payload)
    result = json.load(answer["Payload"])
    if "FunctionError" in answer:
        raise InvocationFailed(f"The function failed: {result['errorMessage']}")
    return result


def _as_lambda_writes(value: object) -> str:
    """Bytes, in an item of a table. Raises TypeError for all else that JSON does not know."""
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    raise TypeError(f"{type(value).__name__} cannot be written")
