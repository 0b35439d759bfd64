"""The floor of ingestion: each event is one UpdateItem of a bare boto3 client.

The request is the one that Retorno sends for that stage, word for word, recorded beforehand; only
the call's id is put in. Nothing is verified, validated, logged or counted.
"""

import copy
import json
import os
from functools import cache
from typing import Any

import boto3
from botocore.config import Config


@cache
def dynamodb() -> Any:
    # PynamoDB does not validate what it made itself either.
    return boto3.client("dynamodb", config=Config(parameter_validation=False))


@cache
def recorded() -> dict[str, dict[str, Any]]:
    """By stage."""
    requests: dict[str, dict[str, Any]] = json.loads(os.environ["RECORDED_REQUESTS"])
    return requests


def handler(event: dict[str, Any], context: object) -> dict[str, Any]:
    for told in json.loads(event["body"])["events"]:
        request = copy.copy(recorded()[told["stage"]])
        dynamodb().update_item(**request | {"Key": {"call_id": {"S": told["call_id"]}}})
    return {"statusCode": 200, "body": "{}"}
