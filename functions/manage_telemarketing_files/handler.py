"""Begins what is done with many customers of a campaign at once, and tells what became of them."""

from collections.abc import Callable
from functools import cache
from http import HTTPStatus
from typing import Annotated

from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.event_handler.openapi.params import Body, Query
from aws_lambda_powertools.utilities.typing import LambdaContext

from functions.manage_telemarketing_files.schema import (
    FileView,
    LinkImportRequest,
    LinkImportView,
    LinkJobView,
    NewLinkImportView,
    PortfolioMoveView,
)
from retorno import clock
from retorno import cursor as cursors
from retorno.http import Api, Cursor, JobId, Limit, created
from retorno.imports.model import Shown
from retorno.imports.service import (
    Exports,
    Imports,
    ReportPage,
    Tasks,
    exports,
    imports,
    tasks,
)
from retorno.imports.views import ImportRequest, ImportView, NewImportView, ReportView
from retorno.settings import ManageTelemarketingFileSettings
from retorno.telemarketing.transfer.model import FileWish, LinkingByFilter, PortfolioMove
from retorno.telemarketing.transfer.rows import HISTORY_ROWS, LINK_ROWS
from retorno.telemarketing.transfer.service import (
    FILES,
    LINKING_BY_FILTER,
    PORTFOLIO_MOVE,
    Checking,
    checking,
)

LINK_IMPORTS = "/telemarketing/link-imports"
HISTORY_IMPORTS = "/telemarketing/history-imports"
LINK_JOBS = "/telemarketing/link-jobs"
MOVES = "/telemarketing/portfolio-moves"
EXPORTS = "/telemarketing/exports"

WHAT_BECAME = "What became of each row, in the order of the file"
TAGS = ["telemarketing"]
CREATED = HTTPStatus.CREATED.value

Outcomes = Annotated[Shown | None, Query(alias="outcome")]

app = Api()


@cache
def settings() -> ManageTelemarketingFileSettings:
    return ManageTelemarketingFileSettings.from_environment()


@cache
def checks() -> Checking:
    return checking(settings())


@cache
def imports_of(kind: str) -> Imports:
    return imports(kind, settings())


@cache
def jobs_of(kind: str) -> Tasks:
    return tasks(kind, settings())


@cache
def files() -> Exports:
    return exports(FILES.values(), settings())


Reporter = Callable[..., ReportPage]


def report_of(
    report: Reporter, job_id: str, shown: Shown | None, limit: int, cursor: str | None
) -> ReportView:
    list_name = f"report {job_id} {shown}"
    start = cursors.decode(list_name, cursor, "chunk", "row")
    page = report(job_id, shown, limit, start)
    return ReportView.of(page, cursors.encode(list_name, page.next_start))


@app.post(
    LINK_IMPORTS,
    tags=TAGS,
    summary="Begins to link the customers of a file to a campaign; for supervisors",
    status_code=CREATED,
)
def begin_links(request: Annotated[LinkImportRequest, Body()]) -> Response[NewLinkImportView]:
    campaign = checks().campaign(request.campaign).campaign_id
    begun, upload_url = imports_of(LINK_ROWS).begin(
        request.size, app.user.agent, clock.now(), {"campaign": campaign}
    )
    view = NewLinkImportView.of(begun, campaign=campaign, upload_url=upload_url)
    return created(view, f"{LINK_IMPORTS}/{begun.import_id}")


@app.get(f"{LINK_IMPORTS}/<import_id>", tags=TAGS, summary="How far it is")
def links(import_id: JobId) -> LinkImportView:
    return LinkImportView.of_links(imports_of(LINK_ROWS).one(import_id))


@app.get(f"{LINK_IMPORTS}/<import_id>/report", tags=TAGS, summary=WHAT_BECAME)
def link_report(
    import_id: JobId, shown: Outcomes = None, limit: Limit = 50, cursor: Cursor = None
) -> ReportView:
    return report_of(imports_of(LINK_ROWS).report, import_id, shown, limit, cursor)


@app.post(
    HISTORY_IMPORTS,
    tags=TAGS,
    summary="Begins to take in what was done in a previous system; for supervisors",
    status_code=CREATED,
)
def begin_history(request: Annotated[ImportRequest, Body()]) -> Response[NewImportView]:
    begun, upload_url = imports_of(HISTORY_ROWS).begin(request.size, app.user.agent, clock.now())
    view = NewImportView.of(begun, upload_url=upload_url)
    return created(view, f"{HISTORY_IMPORTS}/{begun.import_id}")


@app.get(f"{HISTORY_IMPORTS}/<import_id>", tags=TAGS, summary="How far it is")
def history(import_id: JobId) -> ImportView:
    return ImportView.of(imports_of(HISTORY_ROWS).one(import_id))


@app.get(f"{HISTORY_IMPORTS}/<import_id>/report", tags=TAGS, summary=WHAT_BECAME)
def history_report(
    import_id: JobId, shown: Outcomes = None, limit: Limit = 50, cursor: Cursor = None
) -> ReportView:
    return report_of(imports_of(HISTORY_ROWS).report, import_id, shown, limit, cursor)


@app.post(
    LINK_JOBS,
    tags=TAGS,
    summary="Begins to link the customers who suit a filter to a campaign; for supervisors",
    status_code=CREATED,
)
def begin_linking(asked: Annotated[LinkingByFilter, Body()]) -> Response[LinkJobView]:
    checks().linking(asked)
    begun = jobs_of(LINKING_BY_FILTER).begin(
        settings().telemarketing_jobs_queue, app.user.agent, clock.now(), asked.parameters()
    )
    return created(LinkJobView.of_job(begun), f"{LINK_JOBS}/{begun.task_id}")


@app.get(f"{LINK_JOBS}/<job_id>", tags=TAGS, summary="How far it is")
def linking(job_id: JobId) -> LinkJobView:
    return LinkJobView.of_job(jobs_of(LINKING_BY_FILTER).one(job_id))


@app.get(f"{LINK_JOBS}/<job_id>/report", tags=TAGS, summary="What became of each customer")
def linking_report(
    job_id: JobId, shown: Outcomes = None, limit: Limit = 50, cursor: Cursor = None
) -> ReportView:
    return report_of(jobs_of(LINKING_BY_FILTER).report, job_id, shown, limit, cursor)


@app.post(
    MOVES,
    tags=TAGS,
    summary="Begins to give an agent's customers to another; for supervisors",
    status_code=CREATED,
)
def begin_move(asked: Annotated[PortfolioMove, Body()]) -> Response[PortfolioMoveView]:
    now = clock.now()
    campaigns = checks().moving(asked, now.astimezone(settings().time_zone).date())
    begun = jobs_of(PORTFOLIO_MOVE).begin(
        settings().telemarketing_jobs_queue,
        app.user.agent,
        now,
        {"move": asked.parameters(), "campaigns": campaigns},
    )
    return created(PortfolioMoveView.of_job(begun), f"{MOVES}/{begun.task_id}")


@app.get(f"{MOVES}/<job_id>", tags=TAGS, summary="How far it is")
def move(job_id: JobId) -> PortfolioMoveView:
    return PortfolioMoveView.of_job(jobs_of(PORTFOLIO_MOVE).one(job_id))


@app.get(f"{MOVES}/<job_id>/report", tags=TAGS, summary="What became of each customer")
def move_report(
    job_id: JobId, shown: Outcomes = None, limit: Limit = 50, cursor: Cursor = None
) -> ReportView:
    return report_of(jobs_of(PORTFOLIO_MOVE).report, job_id, shown, limit, cursor)


@app.post(
    EXPORTS,
    tags=TAGS,
    summary="Begins a file of operations or of history; for supervisors",
    status_code=CREATED,
)
def begin_export(asked: Annotated[FileWish, Body()]) -> Response[FileView]:
    checks().file(asked, settings().time_zone)
    begun = files().begin(
        FILES[asked.what],
        settings().telemarketing_exports_queue,
        app.user.agent,
        clock.now(),
        asked.parameters(),
    )
    return created(FileView.of_file(begun, None), f"{EXPORTS}/{begun.export_id}")


@app.get(f"{EXPORTS}/<export_id>", tags=TAGS, summary="How far an export is, and where its file is")
def one_export(export_id: JobId) -> FileView:
    found = files().one(export_id)
    return FileView.of_file(found, files().download_url(found))


def handler(event: dict[str, object], context: LambdaContext) -> dict[str, object]:
    return app.resolve(event, context)
