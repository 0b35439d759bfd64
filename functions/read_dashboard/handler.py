"""Shows the figures of the call centre, as JSON or as a table."""

import io
from enum import StrEnum
from functools import cache
from http import HTTPStatus
from typing import Annotated

from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.event_handler.openapi.params import Query
from aws_lambda_powertools.utilities.typing import LambdaContext

from functions.read_dashboard.schema import DashboardView
from retorno import clock
from retorno.dashboard.model import Grouping, Wanted
from retorno.dashboard.reader import Dashboard, dashboard_reader
from retorno.errors import NotAllowed
from retorno.http import Api, Day
from retorno.imports.reading import write
from retorno.moments import WrittenZone
from retorno.settings import DashboardSettings
from retorno.telephony.ports import MAX_NAME_LENGTH
from retorno.users import LEADERS

app = Api()
settings = cache(DashboardSettings.from_environment)

JSON = "application/json"
CSV = "text/csv"


class Form(StrEnum):
    JSON = "json"
    CSV = "csv"


Queue = Annotated[str | None, Query(min_length=1, max_length=MAX_NAME_LENGTH)]
Agent = Annotated[
    str | None,
    Query(
        min_length=1,
        max_length=MAX_NAME_LENGTH,
        description="Agents are shown their own figures alone",
    ),
]
Since = Annotated[Day, Query(alias="from", description="A day in `time_zone`; today if not said")]
Until = Annotated[Day, Query(alias="to", description="Itself included; today if not said")]
Zone = Annotated[WrittenZone, Query(description="Of IANA; the company's own if not said")]

FormOfAnswer = Annotated[
    Form | None,
    Query(alias="format", description="csv for a table of the groups, as with Accept: text/csv"),
]


@cache
def dashboard() -> Dashboard:
    return dashboard_reader(settings())


@app.get(
    "/dashboard",
    tags=["dashboard"],
    summary="The figures of a period: calls, waits, missed calls, operators, offers, quotes",
    responses={
        HTTPStatus.OK.value: {
            "description": "The figures",
            "content": {JSON: {"model": DashboardView}, CSV: {"schema": {"type": "string"}}},
        }
    },
)
def show(
    queue: Queue = None,
    agent: Agent = None,
    since: Since = None,
    until: Until = None,
    time_zone: Zone = None,
    group_by: Annotated[Grouping | None, Query()] = None,
    form: FormOfAnswer = None,
) -> Response[DashboardView | str]:
    wanted = Wanted.asked(
        queue,
        _allowed(queue, agent),
        since,
        until,
        time_zone,
        settings().time_zone,
        group_by,
        clock.now(),
    )
    view = DashboardView.of(wanted, dashboard().report(wanted), settings())
    as_table = app.current_event.headers.get("accept", "").startswith(CSV)
    if form is Form.CSV or (form is None and as_table):
        return Response(HTTPStatus.OK.value, f"{CSV}; charset=utf-8", body=_table(view))
    return Response(HTTPStatus.OK.value, JSON, body=view)


def _table(view: DashboardView) -> str:
    file = io.BytesIO()
    write(file, view.table())
    return file.getvalue().decode()


def _allowed(queue: str | None, agent: str | None) -> str | None:
    """Raises NotAllowed."""
    if app.user.groups & LEADERS:
        return agent
    if queue is not None or agent not in (None, app.user.agent):
        raise NotAllowed("agents see their own figures alone")
    return app.user.agent


def handler(event: dict[str, object], context: LambdaContext) -> dict[str, object]:
    return app.resolve(event, context)
