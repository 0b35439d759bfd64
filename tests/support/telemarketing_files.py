"""Telemarketing in bulk in this process: what S3, EventBridge and SQS carry is carried here."""

import json
from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any
from urllib.parse import urlsplit

import boto3

from retorno.phone import NumberPlan
from retorno.telemarketing.setup.model import CampaignDraft
from retorno.telemarketing.setup.service import SettingUp
from retorno.telemarketing.setup.store import SetupStore
from tests.support.deployment import FILES_BUCKET, Deployment
from tests.support.events import Answer, http, sqs, user
from tests.support.files import put, waiting
from tests.support.functions import function_of

LINKS = "/telemarketing/link-imports"
HISTORY = "/telemarketing/history-imports"
LINK_JOBS = "/telemarketing/link-jobs"
MOVES = "/telemarketing/portfolio-moves"
EXPORTS = "/telemarketing/exports"


def campaign(deployment: Deployment, campaign_id: str = "natal", **fields: Any) -> None:
    """One that runs in March 2026."""
    begins, ends = date(2026, 3, 1), date(2026, 3, 31)
    usual = {"name": campaign_id.title(), "begins_on": begins, "ends_on": ends, "queue": "vendas"}
    store = SetupStore(deployment.tables["SetupTable"])
    draft = CampaignDraft(**{**usual, **fields})
    SettingUp(store, NumberPlan("BR")).add_campaign(campaign_id, draft)


def ask(
    deployment: Deployment,
    route: str,
    body: Any = None,
    groups: str = "[supervisor]",
    **query: str,
) -> Answer:
    """`route` is like "GET /telemarketing/link-jobs/5f3c…/report"."""
    method, _, path = route.partition(" ")
    _, telemarketing, jobs, *rest = path.split("/")
    name = {"link-imports": "import_id", "history-imports": "import_id", "exports": "export_id"}
    pattern = f"/{telemarketing}/{jobs}"
    if rest:
        pattern = "/".join([pattern, f"{{{name.get(jobs, 'job_id')}}}", *rest[1:]])
    event = http(
        f"{method} {pattern}",
        path=path,
        query=query,
        body=None if body is None else json.dumps(body).encode(),
        claims=user(groups),
    )
    return deployment.ask(function_of(f"{method} {pattern}"), event)


def split(
    deployment: Deployment, imports: str, content: bytes, **fields: str
) -> tuple[str, list[str]]:
    """An import of a file, and the messages with its rows."""
    begun = ask(deployment, f"POST {imports}", {"bytes": len(content), **fields})
    assert begun.status == 201, begun.body
    key = urlsplit(begun.body["upload_url"]).path.removeprefix("/")
    deployment.call("SplitImports", put(key.removeprefix(f"{FILES_BUCKET}/"), content))
    return begun.headers["Location"], waiting(deployment, "TelemarketingRowsQueue")


def take(deployment: Deployment, messages: Sequence[str]) -> None:
    answer = deployment.call("ImportTelemarketing", sqs(*messages))
    assert answer == {"batchItemFailures": []}


def imported(
    deployment: Deployment, imports: str, content: str, **fields: str
) -> tuple[Mapping[str, Any], list[dict[str, Any]]]:
    """What the API says of a file, all of whose rows are done, and of each row."""
    path, messages = split(deployment, imports, content.encode(), **fields)
    take(deployment, messages)
    return ask(deployment, f"GET {path}").body, report(deployment, path)


def report(deployment: Deployment, path: str, **query: str) -> list[dict[str, Any]]:
    """Page after page."""
    rows: list[dict[str, Any]] = []
    while True:
        page = ask(deployment, f"GET {path}/report", **query).body
        rows += page["items"]
        if page["cursor"] is None:
            return rows
        query["cursor"] = page["cursor"]


def begun(deployment: Deployment, jobs: str, body: Any) -> tuple[str, list[str]]:
    """A job, and its message."""
    answer = ask(deployment, f"POST {jobs}", body)
    assert answer.status == 201, answer.body
    return answer.headers["Location"], waiting(deployment, "TelemarketingJobsQueue")


def run(deployment: Deployment, messages: Sequence[str]) -> None:
    """Until the job leaves no more of it to do."""
    while messages:
        answer = deployment.call("RunTelemarketingJobs", sqs(*messages))
        assert answer == {"batchItemFailures": []}
        messages = waiting(deployment, "TelemarketingJobsQueue")


def done(
    deployment: Deployment, jobs: str, body: Any
) -> tuple[Mapping[str, Any], list[dict[str, Any]]]:
    """What the API says of a job that is over, and of each customer."""
    path, messages = begun(deployment, jobs, body)
    run(deployment, messages)
    return ask(deployment, f"GET {path}").body, report(deployment, path)


def exported(deployment: Deployment, body: Any) -> bytes:
    """The file of a new export."""
    answer = ask(deployment, f"POST {EXPORTS}", body)
    assert answer.status == 201, answer.body
    messages = waiting(deployment, "TelemarketingExportsQueue")
    assert deployment.call("ExportTelemarketing", sqs(*messages)) == {"batchItemFailures": []}
    shown = ask(deployment, f"GET {answer.headers['Location']}").body
    assert shown["state"] == "done"
    key = f"exports/telemarketing-{body['what']}/{shown['export_id']}.csv"
    assert key in shown["download_url"]
    content: bytes = boto3.client("s3").get_object(Bucket=FILES_BUCKET, Key=key)["Body"].read()
    return content
