"""Each function as it was built, in Lambda's own runtime, on a stack that knows no calls yet."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest

from local import cloud
from local.client import sign
from local.stack import Stack
from tests.artefact.lambda_runtime import FunctionFailed, running
from tests.support.connect import INSTANCE_ARN, event
from tests.support.events import answer, http, sqs, user
from tests.support.functions import environment_of, functions
from tests.support.webhooks import MENU, ZENVIA_DID, zenvia
from tests.support.zenvia import report_server
from tools.show_failures import headline

JSON = "application/json"
PROBLEM = "application/problem+json"
SUPERVISOR = user("[supervisor]")
DIAL = {"number": "21987654321", "purpose": "telemarketing"}


# A change that means nothing for missed calls.
def deleted(**keys: str) -> dict[str, Any]:
    """A stream's record of something that is no more."""
    told = {"Keys": {name: {"S": value} for name, value in keys.items()}}
    return {"Records": [{"eventName": "REMOVE", "dynamodb": told}]}


# A file, rows and an export of nobody's.
UPLOADED = {"detail": {"object": {"key": "imports/customers/nobodys.csv", "etag": "etag"}}}
ROWS = json.dumps({"import_id": "nobodys", "number": 0, "rows": [{"number": 2}]})

LOOK = json.dumps({"queue": "vendas", "at": "2026-03-02T12:00:00.000000Z"})

UPDATE = json.dumps({"kind": "call", "call_id": "nobodys", "at": "2026-03-02T12:00:00.000000Z"})

EVENTS: dict[str, tuple[dict[str, Any], object]] = {
    "AggregateMetrics": (
        sqs('{"kind": "call", "call_id": "nobodys", "at": "2026-03-02T12:00:00.000000Z"}'),
        {"batchItemFailures": []},
    ),
    "AnnounceChanges": ({"Records": []}, None),
    "CountOperations": (
        deleted(campaign_id="nobodys", customer_id="nobodys"),
        None,
    ),
    "DialCallbacks": (
        sqs('{"line": "campaign:nobodys", "at": "2026-03-02T12:00:00.000000Z"}'),
        {"batchItemFailures": []},
    ),
    "ExpireMissedCalls": ({}, None),
    "FillCallList": (
        deleted(number_key="+551187654321", call_id="nobodys"),
        {"batchItemFailures": []},
    ),
    "IngestConnectContacts": (
        sqs(json.dumps(event("INITIATED", channel="CHAT"))),
        {"batchItemFailures": []},
    ),
    "FollowAgents": (
        deleted(pk="queue#vendas", sk="2026-03-02T12:00:00.000000Z ana"),
        {"batchItemFailures": []},
    ),
    "FollowCalls": (deleted(call_id="nobodys"), {"batchItemFailures": []}),
    "FollowAssignments": (
        deleted(campaign_id="nobodys", customer_id="nobodys"),
        {"batchItemFailures": []},
    ),
    "FollowDoNotCall": (
        deleted(number_key="+551187654321", origin="customer"),
        {"batchItemFailures": []},
    ),
    "ExportTelemarketing": (sqs('{"export_id": "nobodys"}'), {"batchItemFailures": []}),
    "FulfilPersonalData": ({}, None),
    "ExportCustomers": (sqs('{"export_id": "nobodys"}'), {"batchItemFailures": []}),
    "ImportCustomers": (sqs(ROWS), {"batchItemFailures": []}),
    "ImportTelemarketing": (sqs(ROWS), {"batchItemFailures": []}),
    "RunTelemarketingJobs": (sqs('{"task_id": "nobodys"}'), {"batchItemFailures": []}),
    "PublishUpdates": (sqs(UPDATE), None),
    "PushUpdates": ({"Records": []}, None),
    "MatchRecoveries": (deleted(call_id="nobodys"), {"batchItemFailures": []}),
    "OfferCalls": (sqs(LOOK), {"batchItemFailures": []}),
    "SplitImports": (UPLOADED, None),
    "ReplayPayloads": ({"provider": "asterisk"}, {"read": 0, "still_unreadable": 0}),
    "KeepAppointments": ({}, None),
    "KeepPromises": ({}, None),
    "RetryMessages": ({}, None),
    "StoreDeferredCalls": (sqs("{}"), {"batchItemFailures": []}),
    "SweepCalls": ({}, None),
    "WatchCallbacks": ({}, None),
    "WatchWaits": (
        sqs('{"call_id": "nobodys", "at": "2026-03-02T12:00:00.000000Z"}'),
        {"batchItemFailures": []},
    ),
}
REQUESTS: dict[str, tuple[dict[str, Any], int, str]] = {
    "AnswerOffers": (http("GET /queues", claims=SUPERVISOR), 200, JSON),
    "AnnotateCalls": (
        http("GET /calls/{call_id}/notes", path="/calls/1/notes", claims=SUPERVISOR),
        404,
        PROBLEM,
    ),
    "CallCustomers": (
        http(
            "POST /telemarketing/operations/{operation}/calls",
            path="/telemarketing/operations/natal.c1.1/calls",
            headers={"idempotency-key": "uma-chave"},
            body=b"{}",
            claims=SUPERVISOR,
        ),
        404,
        PROBLEM,
    ),
    "DescribeApi": (http("GET /health"), 200, JSON),
    "IngestCalls": (http("POST /webhooks/calls", body=b"{}"), 401, PROBLEM),
    "IngestMessages": (http("GET /webhooks/whatsapp"), 422, PROBLEM),
    "SendMessages": (http("GET /conversations", claims=SUPERVISOR), 200, JSON),
    "ManageAgents": (http("GET /agents", claims=SUPERVISOR), 200, JSON),
    "ManageAssignments": (
        http(
            "GET /telemarketing/customers/{customer_id}",
            path="/telemarketing/customers/c1",
            claims=SUPERVISOR,
        ),
        200,
        JSON,
    ),
    "ManageCallbacks": (http("GET /callback-campaigns", claims=SUPERVISOR), 200, JSON),
    "ManageCallingRules": (http("GET /calling-windows", query=DIAL, claims=SUPERVISOR), 200, JSON),
    "ManageCustomerFiles": (
        http("GET /customers/imports/{import_id}", path="/customers/imports/1", claims=SUPERVISOR),
        404,
        PROBLEM,
    ),
    "ManageCustomers": (http("GET /customers", claims=SUPERVISOR), 200, JSON),
    "ManageDispositions": (http("GET /dispositions", claims=SUPERVISOR), 200, JSON),
    "ManageTelemarketingFiles": (
        http(
            "GET /telemarketing/exports/{export_id}",
            path="/telemarketing/exports/1",
            claims=SUPERVISOR,
        ),
        404,
        PROBLEM,
    ),
    "ManageMenus": (http("GET /menus", claims=SUPERVISOR), 200, JSON),
    "ManageMissedCalls": (http("GET /missed-calls", claims=SUPERVISOR), 200, JSON),
    "ManagePersonalData": (
        http(
            "GET /personal-data/exports/{export_id}",
            path="/personal-data/exports/nobodys",
            claims=SUPERVISOR,
        ),
        404,
        PROBLEM,
    ),
    "ManageQuotes": (http("GET /quotes", claims=SUPERVISOR), 200, JSON),
    "ManageOutcomes": (http("GET /telemarketing/outcomes", claims=SUPERVISOR), 200, JSON),
    "ManageWaits": (http("GET /wait-profiles", claims=SUPERVISOR), 200, JSON),
    "ManageTelemarketing": (http("GET /telemarketing/campaigns", claims=SUPERVISOR), 200, JSON),
    "ManageWorklistFilters": (http("GET /telemarketing/filters", claims=SUPERVISOR), 200, JSON),
    "PlaceCalls": (http("GET /dials", claims=SUPERVISOR), 200, JSON),
    "ReadCalls": (http("GET /calls/{call_id}", path="/calls/1", claims=SUPERVISOR), 404, PROBLEM),
    "ScheduleCallbacks": (http("GET /callbacks", claims=SUPERVISOR), 200, JSON),
    "RequestCallbacks": (
        http("POST /callback-requests", body=b"{}", claims=SUPERVISOR),
        422,
        PROBLEM,
    ),
    "ReadDashboard": (http("GET /dashboard", claims=SUPERVISOR), 200, JSON),
    "ReadTelemarketing": (http("GET /telemarketing/statistics", claims=SUPERVISOR), 200, JSON),
    "ReviewVoicemail": (http("GET /voicemail-reviews", claims=SUPERVISOR), 200, JSON),
    "RunOperations": (
        http("GET /telemarketing/operations", query={"campaign": "natal"}, claims=SUPERVISOR),
        200,
        JSON,
    ),
    "ShowWorklists": (
        http("GET /telemarketing/worklist", query={"campaign": "natal"}, claims=SUPERVISOR),
        404,
        PROBLEM,
    ),
    "ServeMenus": (http(MENU, path="/webhooks/twilio/menus/loja", body=b""), 401, PROBLEM),
}


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    with cloud.running(tmp_path_factory.mktemp("cloud")) as deployed:
        yield deployed


def variables(logical_id: str, stack: Stack) -> dict[str, str]:
    return {
        **environment_of(logical_id, {**stack.resources, "ConnectInstanceArn": INSTANCE_ARN}),
        "AWS_ENDPOINT_URL": stack.endpoint_url,
        "AWS_REGION": stack.region,
        "AWS_DEFAULT_REGION": stack.region,
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
    }


def test_no_function_is_left_out() -> None:
    others = {"ReconcileZenvia", "ReportVoicemail"}
    assert EVENTS.keys() | REQUESTS.keys() | others == functions().keys()


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


def test_a_week_is_reported(stack: Stack) -> None:
    asking = variables("ReportVoicemail", stack) | {"PYTHONTZPATH": ""}
    with running("ReportVoicemail", asking) as report:
        (week,) = report.ask({"week": "2026-03-04"})
    assert (week["week"], week["answered"]) == ("2026-03-02", 0)


def test_a_provider_is_asked_for_its_reports(
    stack: Stack, capfd: pytest.CaptureFixture[str]
) -> None:
    with report_server() as reports:
        asking = variables("ReconcileZenvia", stack) | {"ZENVIA_API_URL": reports.url}
        # It does not know the token that the stack made up.
        refused = pytest.raises(FunctionFailed, match="did/relatorio: answered 403")
        with running("ReconcileZenvia", asking) as reconcile, refused:
            reconcile.ask({"hours": 2})
    # As the alarm about failures looks for it.
    failure = json.loads(capfd.readouterr().out.splitlines()[-1])
    assert (failure["level"], "did/relatorio" in headline(json.dumps(failure))) == ("ERROR", True)


def test_time_zones_are_in_the_layer(stack: Stack) -> None:
    leg = {"id": 1, "tipo": "ramal", "ativo": True, "data_criacao": "2026-03-02T09:00:00"}
    request = zenvia(leg, route=ZENVIA_DID, secret=stack.zenvia_secret)
    without_a_system = variables("IngestCalls", stack) | {"PYTHONTZPATH": ""}
    with running("IngestCalls", without_a_system) as ingest:
        assert answer(ingest.ask(request)).status == 200


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


def test_a_user_is_let_in_to_watch(stack: Stack) -> None:
    """Which takes the library that is compiled for the processor."""
    pool = stack.resources["UserPool"]
    asking = variables("PushUpdates", stack) | {
        "TOKEN_ISSUER": f"https://cognito-idp.{stack.region}.amazonaws.com/{pool}",
        "TOKEN_KEYS_URL": f"{stack.endpoint_url}/{pool}/.well-known/jwks.json",
    }
    connecting = {
        "requestContext": {"eventType": "CONNECT", "connectionId": "hers"},
        "headers": {"Authorization": f"Bearer {stack.tokens['supervisor']}"},
    }
    with running("PushUpdates", asking) as push:
        assert push.ask(connecting) == {"statusCode": 200}
