"""Events as API Gateway and SQS hand them to a function, and what its answer says."""

import base64
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode

Claims = Mapping[str, str]

DOMAIN = "api.example.com"


def user(groups: str, name: str = "ana", **claims: str) -> Claims:
    """The claims of a token as API Gateway hands them on; `groups` is like "[agent supervisor]"."""
    return {
        "sub": "b1f6c1de",
        "token_use": "id",
        "cognito:username": name,
        "cognito:groups": groups,
        **claims,
    }


def http(
    route: str,
    *,
    path: str | None = None,
    query: Mapping[str, str] | None = None,
    headers: Mapping[str, str] | None = None,
    body: bytes | None = None,
    in_base64: bool = False,
    claims: Claims | None = None,
) -> dict[str, Any]:
    """A request to a route of the HTTP API, such as "GET /calls/{call_id}"."""
    method, _, route_path = route.partition(" ")
    event: dict[str, Any] = {
        "version": "2.0",
        "routeKey": route,
        "rawPath": path or route_path,
        "rawQueryString": urlencode(query or {}),
        "headers": {"host": DOMAIN, **(headers or {})},
        "requestContext": {
            "accountId": "123456789012",
            "apiId": "api",
            "domainName": DOMAIN,
            "http": {
                "method": method,
                "path": path or route_path,
                "protocol": "HTTP/1.1",
                "sourceIp": "203.0.113.7",
                "userAgent": "test",
            },
            "requestId": "request",
            "routeKey": route,
            "stage": "$default",
            "timeEpoch": 1772452800000,
        },
        "isBase64Encoded": in_base64,
    }
    if query:
        event["queryStringParameters"] = dict(query)
    if body is not None:
        event["body"] = base64.b64encode(body).decode() if in_base64 else body.decode()
    if claims is not None:
        event["requestContext"]["authorizer"] = {"jwt": {"claims": dict(claims), "scopes": None}}
    return event


def sqs(*bodies: str) -> dict[str, Any]:
    """Messages of a queue, with ids "0", "1" and so on."""
    return {
        "Records": [
            {
                "messageId": str(index),
                "receiptHandle": "handle",
                "body": body,
                "attributes": {"ApproximateReceiveCount": "1"},
                "messageAttributes": {},
                "eventSource": "aws:sqs",
                "eventSourceARN": "arn:aws:sqs:sa-east-1:123456789012:deferred-calls",
                "awsRegion": "sa-east-1",
            }
            for index, body in enumerate(bodies)
        ]
    }


def kinesis(*payloads: bytes) -> dict[str, Any]:
    """Records of a stream, with sequence numbers "0", "1" and so on."""
    return {
        "Records": [
            {
                "eventID": f"shardId-000000000000:{index}",
                "eventName": "aws:kinesis:record",
                "eventSource": "aws:kinesis",
                "eventSourceARN": "arn:aws:kinesis:sa-east-1:123456789012:stream/contact-records",
                "awsRegion": "sa-east-1",
                "kinesis": {
                    "data": base64.b64encode(payload).decode(),
                    "partitionKey": "c1",
                    "sequenceNumber": str(index),
                    "kinesisSchemaVersion": "1.0",
                    "approximateArrivalTimestamp": 1772452800.0,
                },
            }
            for index, payload in enumerate(payloads)
        ]
    }


@dataclass(frozen=True)
class Answer:
    status: int
    content_type: str
    body: Any
    headers: Mapping[str, str] = field(default_factory=dict)


def answer(response: Mapping[str, Any]) -> Answer:
    """What a handler's response to `http` says, its JSON read: API Gateway takes text alone."""
    return Answer(
        response["statusCode"],
        response["headers"].get("Content-Type", ""),
        json.loads(response["body"] or "null"),
        response["headers"],
    )
