"""Each function as it was built, in Lambda's own runtime, on a stack that knows no calls yet."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest

from local import cloud
from local.client import sign
from local.stack import Stack
from tests.artefact.lambda_runtime import running
from tests.support.events import answer, http, sqs, user
from tests.support.functions import environment_of, functions

JSON = "application/json"
PROBLEM = "application/problem+json"
SUPERVISOR = user("[supervisor]")
# A change that means nothing for missed calls.
DELETED = {"eventName": "REMOVE", "dynamodb": {}}

# A file, rows and an export of nobody's.
UPLOADED = {"detail": {"object": {"key": "imports/customers/nobodys.csv", "etag": "etag"}}}
ROWS = json.dumps({"import_id": "nobodys", "number": 0, "rows": [{"number": 2}]})

EVENTS: dict[str, tuple[dict[str, Any], object]] = {
    "ExpireMissedCalls": ({}, None),
    "ExportCustomers": (sqs('{"export_id": "nobodys"}'), {"batchItemFailures": []}),
    "ImportCustomers": (sqs(ROWS), {"batchItemFailures": []}),
    "MatchRecoveries": ({"Records": [DELETED]}, {"batchItemFailures": []}),
    "SplitImports": (UPLOADED, None),
    "ReplayPayloads": ({"provider": "asterisk"}, {"read": 0, "still_unreadable": 0}),
    "StoreDeferredCalls": (sqs("{}"), {"batchItemFailures": []}),
    "SweepCalls": ({}, None),
}
REQUESTS: dict[str, tuple[dict[str, Any], int, str]] = {
    "DescribeApi": (http("GET /health"), 200, JSON),
    "IngestCalls": (http("POST /webhooks/calls", body=b"{}"), 401, PROBLEM),
    "ManageCustomerFiles": (
        http("GET /customers/imports/{import_id}", path="/customers/imports/1", claims=SUPERVISOR),
        404,
        PROBLEM,
    ),
    "ManageCustomers": (http("GET /customers", claims=SUPERVISOR), 200, JSON),
    "ManageMissedCalls": (http("GET /missed-calls", claims=SUPERVISOR), 200, JSON),
    "ReadCalls": (http("GET /calls/{call_id}", path="/calls/1", claims=SUPERVISOR), 404, PROBLEM),
}


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    with cloud.running(tmp_path_factory.mktemp("cloud")) as deployed:
        yield deployed


def variables(logical_id: str, stack: Stack) -> dict[str, str]:
    return {
        **environment_of(logical_id, stack.resources),
        "AWS_ENDPOINT_URL": stack.endpoint_url,
        "AWS_REGION": stack.region,
        "AWS_DEFAULT_REGION": stack.region,
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
    }


def test_no_function_is_left_out() -> None:
    assert EVENTS.keys() | REQUESTS.keys() == functions().keys()


@pytest.mark.parametrize("logical_id", EVENTS)
def test_a_function_answers_an_event(logical_id: str, stack: Stack) -> None:
    event, expected = EVENTS[logical_id]
    with running(logical_id, variables(logical_id, stack)) as function:
        assert function.ask(event) == expected


@pytest.mark.parametrize("logical_id", REQUESTS)
def test_a_function_answers_a_request(logical_id: str, stack: Stack) -> None:
    event, status, content_type = REQUESTS[logical_id]
    with running(logical_id, variables(logical_id, stack)) as function:
        said = answer(function.ask(event))
    assert (said.status, said.content_type) == (status, content_type)


def test_a_call_is_written_and_read(stack: Stack) -> None:
    now = datetime.now(UTC)
    event = {"event_id": "1", "call_id": "written", "stage": "queued"}
    body = json.dumps({"events": [event | {"occurred_at": now.isoformat()}]}).encode()
    timestamp = int(now.timestamp())
    signed = {
        "X-Retorno-Timestamp": str(timestamp),
        "X-Retorno-Signature": sign(stack.webhook_secret, timestamp, body),
    }
    with running("IngestCalls", variables("IngestCalls", stack)) as ingest:
        said = answer(ingest.ask(http("POST /webhooks/calls", headers=signed, body=body)))
    assert said.body == {"accepted": 1, "refused": [], "deferred": 0}
    request = http("GET /calls/{call_id}", path="/calls/written", claims=SUPERVISOR)
    with running("ReadCalls", variables("ReadCalls", stack)) as read:
        assert answer(read.ask(request)).body["status"] == "queued"
