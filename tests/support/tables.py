"""Tables made from template.yaml, so that tests and production cannot drift."""

from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import boto3
from samtranslator.yaml_helper import yaml_parse

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

TEMPLATE = Path(__file__).parents[2] / "template.yaml"

# What CreateTable takes of a table's properties; the rest says how AWS keeps it.
CREATE_TABLE = (
    "AttributeDefinitions",
    "KeySchema",
    "GlobalSecondaryIndexes",
    "LocalSecondaryIndexes",
    "BillingMode",
    "StreamSpecification",
)


@cache
def template() -> dict[str, Any]:
    parsed: dict[str, Any] = yaml_parse(TEMPLATE.read_text(encoding="utf-8"))
    return parsed


def create_table(logical_id: str, name: str, dynamodb: "DynamoDBClient | None" = None) -> str:
    """Creates a table of the template under a name, and says the name."""
    properties = template()["Resources"][logical_id]["Properties"]
    request = {key: properties[key] for key in CREATE_TABLE if key in properties}
    if "StreamSpecification" in request:
        request["StreamSpecification"] = {**request["StreamSpecification"], "StreamEnabled": True}
    (dynamodb or boto3.client("dynamodb")).create_table(TableName=name, **request)
    return name
