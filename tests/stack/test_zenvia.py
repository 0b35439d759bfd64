"""Zenvia Voice on the deployed stack: the secret in the address, and the reports that are read."""

import json
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

import pytest

from local import aws
from local.stack import Stack
from retorno import clock
from tests.support.api import Answer, Api
from tests.support.deployment import ZENVIA_TOKEN
from tests.support.zenvia import CUSTOMER, ReportServer, leg, received, report_server, two_legs


@pytest.fixture
def now() -> datetime:
    return clock.now().replace(microsecond=0)


@pytest.fixture
def reports(stack: Stack) -> Iterator[ReportServer]:
    """What the stack takes for Zenvia's API, with the token that it asks for."""
    secrets = aws.session().client("secretsmanager", endpoint_url=stack.endpoint_url)
    secrets.put_secret_value(
        SecretId=stack.resources["ZenviaToken"], SecretString=json.dumps({"current": ZENVIA_TOKEN})
    )
    client = aws.session().client("lambda", endpoint_url=stack.endpoint_url)
    name = stack.resources["ReconcileZenvia"]
    variables = client.get_function_configuration(FunctionName=name)["Environment"]["Variables"]
    with report_server() as server:
        asking = {**variables, "ZENVIA_API_URL": server.url, "ZENVIA_QUEUES": "430"}
        client.update_function_configuration(FunctionName=name, Environment={"Variables": asking})
        yield server
        client.update_function_configuration(
            FunctionName=name, Environment={"Variables": variables}
        )


def post(api: Api, address: str, payload: Any) -> Answer:
    headers = {"Content-Type": "application/json"}
    return api.request("POST", f"/webhooks/zenvia/{address}", headers, json.dumps(payload).encode())


def test_only_the_address_with_the_secret_takes_calls(
    api: Api, stack: Stack, now: datetime
) -> None:
    origin = leg(CUSTOMER, "movel", "atendida", at=now, total=40)
    missed = two_legs(7001, now, origin, leg("9000", "ramal", "sem resposta", at=now, total=40))
    for address in ("wrong", "wrong/did", stack.webhook_secret):
        assert post(api, address, missed).status == 401
    assert api.get("/calls/zenvia-7001").status == 404
    assert post(api, f"{stack.zenvia_secret}/did", missed).status == 200
    assert api.get("/calls/zenvia-7001").body["missed"]


def test_reports_fill_what_was_lost_and_keep_what_cannot_be_read(
    api: Api, stack: Stack, now: datetime, reports: ReportServer
) -> None:
    began = now - timedelta(minutes=30)
    target = leg(CUSTOMER, "movel", "atendida", at=began, total=60, talk=50)
    reports.reports = {
        "chamada/relatorio": [two_legs(7002, began, leg("4000", "ramal"), target)],
        "did/relatorio": [received(7003, began, "ocupado", 9, 0), "nonsense"],
    }
    client = aws.session().client("lambda", endpoint_url=stack.endpoint_url)
    answer = client.invoke(FunctionName=stack.resources["ReconcileZenvia"], Payload='{"hours": 2}')
    assert "FunctionError" not in answer, answer["Payload"].read()
    assert {name for name, _ in reports.asked} == {
        "chamada/relatorio",
        "did/relatorio",
        "fila/430/relatorio",
    }
    assert api.get("/calls/zenvia-7002").body["talk_seconds"] == 50
    assert api.get("/calls/zenvia-7003").body["missed"]
    bucket = (
        aws.session()
        .resource("s3", endpoint_url=stack.endpoint_url)
        .Bucket(stack.resources["KeptPayloadsBucket"])
    )
    (kept,) = bucket.objects.filter(Prefix="zenvia/")
    assert kept.get()["Body"].read() == b'"nonsense"'
