"""Zenvia's reports fill what its webhooks lost, and change nothing else."""

import json
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

import pytest
import urllib3

from retorno.errors import Unavailable
from retorno.telephony import zenvia_reports
from tests.support.clock import StoppedClock
from tests.support.deployment import ZENVIA_TOKEN, Deployment
from tests.support.events import http, user
from tests.support.functions import environment_of
from tests.support.webhooks import zenvia
from tests.support.zenvia import (
    CUSTOMER,
    Json,
    ReportServer,
    leg,
    received,
    report_server,
    two_legs,
)

MADE, RECEIVED, QUEUE = "chamada/relatorio", "did/relatorio", "fila/430/relatorio"


@pytest.fixture(scope="module")
def server() -> Iterator[ReportServer]:
    with report_server() as running:
        yield running


@pytest.fixture
def reports(
    server: ReportServer, deployment: Deployment, monkeypatch: pytest.MonkeyPatch
) -> ReportServer:
    """What the deployment takes for Zenvia's API, and one queue that it asks for."""
    for told in (server.reports, server.faults, server.bodies, server.asked):
        told.clear()
    server.delay_seconds = 0
    deployment.configure(ZENVIA_API_URL=server.url, ZENVIA_QUEUES="430")
    monkeypatch.setattr(zenvia_reports, "PAGE_ROWS", 5)
    monkeypatch.setattr(zenvia_reports, "RETRIES", zenvia_reports.RETRIES.new(backoff_factor=0))
    return server


def reconcile(deployment: Deployment, hours: float = 2) -> None:
    deployment.call("ReconcileZenvia", {"hours": hours})


def shown(deployment: Deployment, call_id: str) -> dict[str, Any]:
    request = http("GET /calls/{call_id}", path=f"/calls/{call_id}", claims=user("[agent]"))
    answer = deployment.ask("ReadCalls", request)
    call: dict[str, Any] = answer.body if answer.status == 200 else {}
    return call


def counted(capsys: pytest.CaptureFixture[str]) -> dict[str, float]:
    """The metrics that were sent since the last look."""
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines() if "_aws" in line]
    return {
        metric["Name"]: line[metric["Name"]][0]
        for line in lines
        for metric in line["_aws"]["CloudWatchMetrics"][0]["Metrics"]
    }


def dialled(call_id: int, began: datetime) -> Json:
    target = leg(CUSTOMER, "movel", "atendida", at=began, total=60, talk=50)
    return two_legs(call_id, began, leg("4000", "ramal"), target)


def test_a_call_that_no_webhook_told_of(
    deployment: Deployment, clock: StoppedClock, reports: ReportServer
) -> None:
    began = clock.now - timedelta(minutes=30)
    fila = {"id": 430, "data_inicio": (began + timedelta(seconds=5)).isoformat()}
    reports.reports = {
        MADE: [dialled(50, began)],
        RECEIVED: [received(51, began, "atendida", 40, 40)],
        QUEUE: [received(51, began, "Não atendida", 40, 0, fila=fila, ramal={}, tempo_espera=35)],
    }
    reconcile(deployment)
    assert shown(deployment, "zenvia-50")["talk_seconds"] == 50
    missed = shown(deployment, "zenvia-51")
    assert (missed["missed"], missed["number"], missed["queue"]) == (True, CUSTOMER, "430")
    assert missed["wait_seconds"] == 35
    assert deployment.kept() == {}


def test_an_end_that_was_lost(
    deployment: Deployment, clock: StoppedClock, reports: ReportServer
) -> None:
    began = clock.now - timedelta(minutes=30)
    ended = dialled(50, began)
    going_on = ended | {"ativa": True, "status_geral": "curso"}
    deployment.ask("IngestCalls", zenvia(going_on))
    assert shown(deployment, "zenvia-50")["ended_at"] is None
    reports.reports = {MADE: [ended]}
    reconcile(deployment)
    told = shown(deployment, "zenvia-50")
    assert (told["status"], told["talk_seconds"]) == ("completed", 50)

    reconcile(deployment, hours=48)
    deployment.ask("IngestCalls", zenvia(ended))
    assert shown(deployment, "zenvia-50") == told


def test_asks_for_the_period_page_by_page(
    deployment: Deployment, clock: StoppedClock, reports: ReportServer
) -> None:
    began = clock.now - timedelta(minutes=30)
    reports.reports = {RECEIVED: [received(n, began, "ocupado", 9, 0) for n in range(6)]}
    reconcile(deployment)
    period = {"data_inicio": "2026-03-02T10:00:00Z", "data_fim": "2026-03-03T12:00:00Z"}
    assert reports.asked == [
        (name, {**period, "posicao": position, "limite": "5"})
        for name, position in [
            (MADE, "0"),
            (RECEIVED, "0"),
            (RECEIVED, "5"),
            (RECEIVED, "6"),
            (QUEUE, "0"),
        ]
    ]
    assert shown(deployment, "zenvia-5")["status"] == "no_answer"


@pytest.mark.parametrize("faults", [[429], [500, 502, 503], [0, 504]])
def test_asks_again_when_there_is_a_hitch(
    deployment: Deployment, clock: StoppedClock, reports: ReportServer, faults: list[int]
) -> None:
    reports.reports = {MADE: [dialled(50, clock.now)]}
    reports.faults = [*faults]
    reconcile(deployment)
    assert shown(deployment, "zenvia-50")
    assert [name for name, _ in reports.asked][: len(faults) + 1] == [MADE] * (len(faults) + 1)


def test_a_report_that_fails_midway_leaves_what_came_before_and_the_others(
    deployment: Deployment,
    clock: StoppedClock,
    reports: ReportServer,
    capsys: pytest.CaptureFixture[str],
) -> None:
    reports.reports = {
        MADE: [dialled(n, clock.now) for n in range(6)],
        RECEIVED: [received(900, clock.now, "ocupado", 9, 0)],
    }
    reports.faults = [200, 500, 500, 500, 500]
    with pytest.raises(Unavailable, match=r"^chamada/relatorio: answered 500$"):
        reconcile(deployment)
    assert counted(capsys) == {"RowsReconciled": 6}
    assert shown(deployment, "zenvia-4")
    assert not shown(deployment, "zenvia-5")
    assert shown(deployment, "zenvia-900")

    reconcile(deployment)
    assert shown(deployment, "zenvia-5")


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"", "answered without a report"),
        (b"<html>", "answered without a report"),
        (b"[]", "answered without a report"),
        (b'{"sucesso": false, "dados": null}', "answered without a report"),
        (b'{"dados": {"relatorio": {}}}', "answered without a report"),
    ],
)
def test_an_answer_that_is_no_report_fails(
    deployment: Deployment, reports: ReportServer, body: bytes, reason: str
) -> None:
    reports.bodies = {RECEIVED: body}
    with pytest.raises(Unavailable, match=reason):
        reconcile(deployment)


def test_a_report_without_end_is_given_up(
    deployment: Deployment, reports: ReportServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As it would be if Zenvia took no notice of the position."""
    monkeypatch.setattr(zenvia_reports, "MAX_ROWS", 3)
    reports.bodies = {MADE: b'{"dados": {"relatorio": [{}, {}]}}'}
    with pytest.raises(Unavailable, match="more than 3 rows"):
        reconcile(deployment)


@pytest.mark.parametrize("trouble", ["silence", "nobody"])
def test_when_nobody_answers_it_fails(
    deployment: Deployment,
    reports: ReportServer,
    monkeypatch: pytest.MonkeyPatch,
    trouble: str,
) -> None:
    if trouble == "nobody":
        deployment.configure(ZENVIA_API_URL="http://127.0.0.1:9")
    else:
        monkeypatch.setattr(zenvia_reports, "TIMEOUT", urllib3.Timeout(read=0.001))
        reports.delay_seconds = 0.05
    with pytest.raises(Unavailable, match="did/relatorio: no answer"):
        reconcile(deployment)


def test_rows_that_cannot_be_read_are_kept_and_counted(
    deployment: Deployment,
    clock: StoppedClock,
    reports: ReportServer,
    capsys: pytest.CaptureFixture[str],
) -> None:
    malformed = received(51, clock.now, "ocupado", 9, 0) | {"data_inicio": "ontem"}
    unknown = received(52, clock.now, "estacionada", 9, 0)
    good = received(53, clock.now, "ocupado", 9, 0)
    reports.reports = {RECEIVED: [malformed, None, unknown, good]}
    for _ in range(2):
        reconcile(deployment)
        assert counted(capsys) == {"RowsReconciled": 2, "RowsUnreadable": 2, "UnknownValues": 1}
    assert shown(deployment, "zenvia-53")["status"] == "no_answer"
    kept = [json.loads(payload) for payload in deployment.kept().values()]
    assert len(kept) == 3
    assert all(row in kept for row in (malformed, None, unknown))
    assert all(key.startswith("zenvia/2026-03-02/") for key in deployment.kept())


def test_without_the_table_it_fails_and_is_done_again(
    deployment: Deployment, clock: StoppedClock, reports: ReportServer
) -> None:
    reports.reports = {MADE: [dialled(50, clock.now)]}
    deployment.lose_table()
    with pytest.raises(Unavailable, match="the table does not answer"):
        reconcile(deployment)
    deployment.restore_table()
    reconcile(deployment)
    assert shown(deployment, "zenvia-50")


def test_another_token_is_refused_and_never_told(
    deployment: Deployment, reports: ReportServer, capsys: pytest.CaptureFixture[str]
) -> None:
    deployment.rotate("ZenviaToken", current="of-another-account", previous=ZENVIA_TOKEN)
    with pytest.raises(Unavailable, match="answered 403") as failure:
        reconcile(deployment)
    assert "of-another-account" not in str(failure.value) + capsys.readouterr().out


def test_no_redirect_takes_the_token_elsewhere(
    deployment: Deployment, reports: ReportServer
) -> None:
    reports.faults = [302] * 3
    with pytest.raises(Unavailable, match="answered 302"):
        reconcile(deployment)
    assert len(reports.asked) == 3


def test_by_default_it_is_zenvias_own_api_that_is_asked() -> None:
    names = {"CallsTable": "", "CustomersTable": "", "KeptPayloadsBucket": "", "ZenviaToken": ""}
    environment = environment_of("ReconcileZenvia", names)
    assert environment["ZENVIA_API_URL"] == "https://voice-api.zenvia.com"
