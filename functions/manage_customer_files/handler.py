"""Begins imports and exports of customers, and tells what became of them."""

from functools import cache
from http import HTTPStatus
from typing import Annotated

from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.event_handler.openapi.params import Body, Query
from aws_lambda_powertools.utilities.typing import LambdaContext

from retorno import clock
from retorno import cursor as cursors
from retorno.customers.transfer import KIND
from retorno.http import Api, Cursor, JobId, Limit, created
from retorno.imports.model import Shown
from retorno.imports.service import Exports, Imports, exports, imports
from retorno.imports.views import (
    ExportView,
    ImportRequest,
    ImportView,
    NewImportView,
    ReportView,
)
from retorno.settings import CustomerFileSettings

app = Api()


@cache
def settings() -> CustomerFileSettings:
    return CustomerFileSettings.from_environment()


@cache
def customer_imports() -> Imports:
    return imports(KIND, settings())


@cache
def customer_exports() -> Exports:
    return exports((KIND,), settings())


@app.post(
    "/customers/imports",
    tags=["customers"],
    summary="Begins an import: says where to put the file; for supervisors",
    status_code=201,
)
def begin_import(request: Annotated[ImportRequest, Body()]) -> Response[NewImportView]:
    begun, upload_url = customer_imports().begin(request.size, app.user.name, clock.now())
    view = NewImportView.of(begun, upload_url=upload_url)
    return created(view, f"/customers/imports/{begun.import_id}")


@app.get("/customers/imports/<import_id>", tags=["customers"], summary="How far an import is")
def one_import(import_id: JobId) -> ImportView:
    return ImportView.of(customer_imports().one(import_id))


@app.get(
    "/customers/imports/<import_id>/report",
    tags=["customers"],
    summary="What became of each row, in the order of the file",
)
def report(
    import_id: JobId,
    outcome: Annotated[Shown | None, Query()] = None,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> ReportView:
    list_name = f"report {import_id} {outcome}"
    start = cursors.decode(list_name, cursor, "chunk", "row")
    page = customer_imports().report(import_id, outcome, limit, start)
    return ReportView.of(page, cursors.encode(list_name, page.next_start))


@app.post(
    "/customers/exports",
    tags=["customers"],
    summary="Begins an export of all customers; for supervisors",
    status_code=HTTPStatus.CREATED.value,
)
def begin_export() -> Response[ExportView]:
    queue_url = settings().customer_exports_queue
    begun = customer_exports().begin(KIND, queue_url, app.user.name, clock.now())
    return created(ExportView.of(begun, None), f"/customers/exports/{begun.export_id}")


@app.get(
    "/customers/exports/<export_id>",
    tags=["customers"],
    summary="How far an export is, and where its file is",
)
def one_export(export_id: JobId) -> ExportView:
    found = customer_exports().one(export_id)
    return ExportView.of(found, customer_exports().download_url(found))


def handler(event: dict[str, object], context: LambdaContext) -> dict[str, object]:
    return app.resolve(event, context)
