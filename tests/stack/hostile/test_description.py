"""The API keeps to its own description, whatever it is sent: schemathesis reads it, and asks."""

import re
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import UTC, date, datetime, timedelta
from itertools import cycle
from typing import Any

import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from hypothesis.errors import Unsatisfiable
from requests.auth import AuthBase
from schemathesis import APIOperation, Case, GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.core.failures import FailureGroup
from schemathesis.core.result import Ok
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from local.client import sign
from local.stack import Stack
from retorno.http import OPEN_ROUTES, RIGHTS
from retorno.messages import whatsapp
from retorno.telephony import twilio
from tests.support.api import Api
from tests.support.functions import function_of

CHECKS: Any = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
]
CUSTOMER = "11987650001"
CALLBACKS = {"name": "Cerco", "monitored_queue": "cerco", "callback_queue": "cerco"}
# How many cases of each kind a route is asked.
CASES = {GenerationMode.POSITIVE: 2, GenerationMode.NEGATIVE: 1}
# Each asks the routes of one function at a time: a second one would only start a second process.
THREADS = 6

# What the inside of the stack looks like.
INSIDE = re.compile(r"Traceback|File \\?\"/|arn:aws|botocore|dynamodb|pydantic|\w+Table-", re.I)

Operation = APIOperation[Any, Any, Any, Any]


class Sender(AuthBase):
    """Signs what goes to the webhooks as each provider does; elsewhere it is one user or another
    of those who may ask."""

    def __init__(self, stack: Stack, app_secret: str, route: str) -> None:
        self._stack = stack
        self._app_secret = app_secret
        self._tokens = cycle(stack.tokens[role] for role in sorted(RIGHTS.get(route, {"agent"})))

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        body = request.body.encode() if isinstance(request.body, str) else request.body or b""
        assert isinstance(body, bytes)
        url = str(request.url)
        match url.removeprefix(self._stack.api_url).split("/")[1:3]:
            case ["webhooks", "twilio"]:
                request.headers["X-Twilio-Signature"] = twilio.sign(
                    self._stack.twilio_secret, url, body
                )
            case ["webhooks", "whatsapp"]:
                request.headers["X-Hub-Signature-256"] = whatsapp.sign(self._app_secret, body)
            case ["webhooks", _]:
                now = int(time.time())
                request.headers["X-Retorno-Timestamp"] = str(now)
                request.headers["X-Retorno-Signature"] = sign(self._stack.webhook_secret, now, body)
            case _:
                request.headers["Authorization"] = f"Bearer {next(self._tokens)}"
        return request


def told(call_id: str, stage: str, ago: float) -> dict[str, Any]:
    at = datetime.now(UTC) - timedelta(seconds=ago)
    return {
        "event_id": f"{call_id}-{stage}",
        "call_id": call_id,
        "stage": stage,
        "direction": "inbound",
        "from": CUSTOMER,
        "queue": "cerco",
        "occurred_at": at.isoformat(),
    }


@pytest.fixture(scope="module")
def known(besieged: Stack) -> Mapping[str, str]:
    """What there is to be asked for, by the names of the parameters in paths."""
    api = Api(besieged)
    agent = {"name": "Ana", "queues": ["cerco"], "telephone": "+551130001001"}
    campaign = {"name": "Cerco", "begins_on": "2026-01-01", "ends_on": str(date.max)}
    menu = {
        "name": "Cerco",
        "language": "pt-BR",
        "start": "fim",
        "nodes": {"fim": {"kind": "hang_up"}},
    }
    made = [
        api.calls([told("cerco-1", "queued", 20), told("cerco-1", "cancelled", 10)]),
        api.calls([told("cerco-2", "queued", 5)]),
        api.put("/agents/ana", agent),
        api.put("/menus/cerco", menu),
        api.put("/dispositions/cerco", {"label": "Cerco"}),
        api.put("/telemarketing/action-types/cerco", {"name": "Ligação"}),
        api.put("/telemarketing/outcomes/cerco", {"name": "Venda", "flags": ["final"]}),
        api.put("/telemarketing/no-contact-reasons/cerco", {"name": "Não", "retry_minutes": 5}),
        api.put("/telemarketing/campaigns/cerco", {**campaign, "queue": "cerco"}),
        api.put("/callback-campaigns/cerco", CALLBACKS),
        api.put("/wait-policies/cerco", {"limits": {"seconds": 60}}),
        api.send("POST", "/quotes", {"call_id": "cerco-2"}, Idempotency_Key="cerco"),
        api.post("/customers", {"name": "Cerco", "mobile": "11 98765-0001"}),
        api.post("/telemarketing/filters", {"name": "Cerco", "criteria": {}}),
    ]
    for each in made:
        assert each.status < 300, each
    customer = made[-2].body["customer_id"]
    link = f"/telemarketing/campaigns/cerco/customers/{customer}"
    wish = {"campaign": "cerco", "customer_id": customer}
    assert api.put(link, {}).status == 201
    opened = api.post("/telemarketing/operations", wish, "agent")
    return {
        "call_id": "cerco-1",
        "agent": "ana",
        "queue": "cerco",
        "menu": "cerco",
        "code": "cerco",
        "campaign": "cerco",
        "number": CUSTOMER,
        "customer_id": customer,
        "filter_id": made[-1].body["filter_id"],
        "quote_id": made[-3].body["quote_id"],
        "operation": opened.body["operation"]["operation_id"],
        "secret": besieged.zenvia_secret,
    }


class Questions:
    """What schemathesis makes of the description of the API, put to the stack."""

    def __init__(self, stack: Stack, app_secret: str, known: Mapping[str, str]) -> None:
        self._stack = stack
        self._app_secret = app_secret
        self._known = known

    def trouble(self, operation: Operation) -> list[str]:
        """What was wrong with the answers of a route."""
        session = requests.Session()
        session.auth = Sender(self._stack, self._app_secret, operation.label)
        found: list[str] = []
        for mode, cases in CASES.items():

            @settings(
                max_examples=cases,
                derandomize=True,
                database=None,
                phases=[Phase.generate],
                suppress_health_check=list(HealthCheck),
            )
            @given(self._cases(operation, mode))
            def ask(case: Case[Any]) -> None:
                found.extend(self._wrong(case, session))

            # Where a request says nothing, nothing of it can be wrong.
            with suppress(Unsatisfiable):
                ask()
        return found

    def _wrong(self, case: Case[Any], session: requests.Session) -> Iterator[str]:
        answer = case.call(base_url=self._stack.api_url, session=session, timeout=60)
        asked = f"{case.as_curl_command()}\n{answer.status_code} {answer.text[:500]}"
        try:
            case.validate_response(answer, checks=CHECKS)
        except FailureGroup as failures:
            yield from (f"{each.title}: {each.message}\n{asked}" for each in failures.exceptions)
        if INSIDE.search(answer.text):
            yield f"It shows the inside\n{asked}"

    def _cases(self, operation: Operation, mode: GenerationMode) -> st.SearchStrategy[Case[Any]]:
        """Half of them are of what is there."""
        names = {parameter.name for parameter in operation.path_parameters} & self._known.keys()
        there = {name: self._known[name] for name in names}
        return operation.as_strategy(mode, path_parameters=there) | operation.as_strategy(mode)


@pytest.fixture(scope="module")
def trouble(besieged: Stack, app_secret: str, known: Mapping[str, str]) -> Mapping[str, list[str]]:
    """What was wrong, by route."""
    described = Api(besieged).get("/openapi.json", role=None).body
    # Who may ask is another test's question.
    for operations in described["paths"].values():
        for operation in operations.values():
            operation.pop("security", None)
    questions = Questions(besieged, app_secret, known)
    by_function: dict[str, list[Operation]] = {}
    for result in schemathesis.openapi.from_dict(described).get_all_operations():
        assert isinstance(result, Ok)
        operation = result.ok()
        by_function.setdefault(function_of(operation.label), []).append(operation)

    def ask(operations: list[Operation]) -> dict[str, list[str]]:
        return {each.label: questions.trouble(each) for each in operations}

    with ThreadPoolExecutor(THREADS) as pool:
        return {
            route: each
            for found in pool.map(ask, by_function.values())
            for route, each in found.items()
        }


@pytest.mark.parametrize("route", sorted((OPEN_ROUTES | set(RIGHTS)) - {"GET /openapi.json"}))
def test_a_route_answers_as_is_described(trouble: Mapping[str, list[str]], route: str) -> None:
    assert not trouble[route], "\n\n".join(trouble[route])
