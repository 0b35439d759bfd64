"""Imports and exports in this process: what S3, EventBridge and SQS would carry is carried here."""

import json
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import parse_qs, urlsplit

import boto3

from tests.support.deployment import FILES_BUCKET, Deployment
from tests.support.events import Answer, http, sqs, user

IMPORT = "/customers/imports/{import_id}"


def ask(deployment: Deployment, route: str, path: str, body: Any = None, **query: str) -> Answer:
    event = http(
        route,
        path=path,
        query=query,
        body=None if body is None else json.dumps(body).encode(),
        claims=user("[supervisor]"),
    )
    return deployment.ask("ManageCustomerFiles", event)


def begun(deployment: Deployment, size: int) -> tuple[str, str]:
    """The id of a new import, and the key that its file is to have."""
    answer = ask(deployment, "POST /customers/imports", "/customers/imports", {"bytes": size})
    assert answer.status == 201, answer.body
    url = urlsplit(answer.body["upload_url"])
    assert parse_qs(url.query)["X-Amz-SignedHeaders"] == ["content-length;host"]
    return answer.body["import_id"], url.path.removeprefix("/").removeprefix(f"{FILES_BUCKET}/")


def put(key: str, content: bytes) -> dict[str, Any]:
    """What EventBridge tells of the file that is there now."""
    etag = boto3.client("s3").put_object(Bucket=FILES_BUCKET, Key=key, Body=content)["ETag"]
    detail = {"bucket": {"name": FILES_BUCKET}, "object": {"key": key, "etag": etag.strip('"')}}
    return {"source": "aws.s3", "detail-type": "Object Created", "detail": detail}


def waiting(deployment: Deployment, queue: str) -> list[str]:
    """The messages of a queue, which are gone then."""
    client, url = boto3.client("sqs"), deployment.name(queue)
    bodies: list[str] = []
    while found := client.receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages"):
        for message in found:
            bodies.append(message["Body"])
            client.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
    return bodies


def split(deployment: Deployment, content: bytes) -> tuple[str, list[str]]:
    """An import of a file, and the messages with its rows."""
    import_id, key = begun(deployment, max(1, len(content)))
    deployment.call("SplitImports", put(key, content))
    return import_id, waiting(deployment, "CustomerRowsQueue")


def take(deployment: Deployment, messages: Sequence[str]) -> None:
    answer = deployment.call("ImportCustomers", sqs(*messages))
    assert answer == {"batchItemFailures": []}


def imported(deployment: Deployment, content: bytes) -> Mapping[str, Any]:
    """What the API says of a file, all of whose rows are done."""
    import_id, messages = split(deployment, content)
    take(deployment, messages)
    return state(deployment, import_id)


def state(deployment: Deployment, import_id: str) -> Mapping[str, Any]:
    answer = ask(deployment, f"GET {IMPORT}", IMPORT.format(import_id=import_id))
    assert answer.status == 200
    shown: Mapping[str, Any] = answer.body
    return shown


def report(deployment: Deployment, import_id: str, **query: str) -> list[dict[str, Any]]:
    """Page after page."""
    rows: list[dict[str, Any]] = []
    while True:
        path = f"{IMPORT.format(import_id=import_id)}/report"
        page = ask(deployment, f"GET {IMPORT}/report", path, **query).body
        rows += page["items"]
        if page["cursor"] is None:
            return rows
        query["cursor"] = page["cursor"]


def exported(deployment: Deployment) -> bytes:
    """The file of a new export."""
    path = "/customers/exports"
    export_id = ask(deployment, f"POST {path}", path).body["export_id"]
    messages = waiting(deployment, "CustomerExportsQueue")
    assert deployment.call("ExportCustomers", sqs(*messages)) == {"batchItemFailures": []}
    shown = ask(deployment, f"GET {path}/{{export_id}}", f"{path}/{export_id}").body
    assert shown["state"] == "done"
    key = f"exports/customers/{export_id}.csv"
    assert key in shown["download_url"]
    content: bytes = boto3.client("s3").get_object(Bucket=FILES_BUCKET, Key=key)["Body"].read()
    return content
