"""Imports, exports and other jobs as the API shows them, whatever their kind."""

from dataclasses import asdict
from datetime import datetime
from typing import Any, Self

from pydantic import Field

from retorno.frozen import Frozen
from retorno.imports.model import Export, Import, Outcome, Problem, State, Task
from retorno.imports.service import ReportPage


class ImportRequest(Frozen):
    size: int = Field(ge=1, alias="bytes", description="The length of the file, just so")


class ImportView(Frozen):
    import_id: str
    state: State
    reason: str | None = Field(description="Why it failed")
    created_at: datetime
    created_by: str
    started_at: datetime | None
    finished_at: datetime | None
    ignored_columns: list[str] = Field(description="Columns that nobody knows")
    rows: int | None = Field(description="In the file; null until it was looked through")
    done: int
    created: int
    updated: int
    unchanged: int
    refused: int
    with_problems: int = Field(description="Rows of which something was not taken")

    @classmethod
    def of(cls, found: Import, **more: object) -> Self:
        return cls.model_validate({**_values(found), **more})


class NewImportView(ImportView):
    upload_url: str = Field(description="Where to PUT the file, within an hour")


class RowView(Frozen):
    row: int = Field(description="As in the file, whose header is row 1; of a job one by one")
    outcome: Outcome
    customer_id: str | None
    problems: list[Problem] = Field(description="What of the row was not taken")


class ReportView(Frozen):
    items: list[RowView]
    cursor: str | None = Field(description="Where the next page begins; null at the end")

    @classmethod
    def of(cls, page: ReportPage, cursor: str | None) -> "ReportView":
        items = [
            RowView(
                row=row.number,
                outcome=row.outcome,
                customer_id=row.record_id,
                problems=list(row.problems),
            )
            for row in page.rows
        ]
        return cls(items=items, cursor=cursor)


class ExportView(Frozen):
    export_id: str
    state: State
    created_at: datetime
    created_by: str
    finished_at: datetime | None
    rows: int | None
    download_url: str | None = Field(description="Good for an hour; null until it is done")

    @classmethod
    def of(cls, found: Export, download_url: str | None, **more: object) -> Self:
        shown = found.model_dump(exclude={"kind", "parameters"})
        return cls.model_validate({**shown, "download_url": download_url, **more})


class JobView(Frozen):
    """Work on many customers, page by page."""

    job_id: str
    state: State
    reason: str | None = Field(description="Why it failed")
    created_at: datetime
    created_by: str
    finished_at: datetime | None
    done: int = Field(description="Customers, so far")
    created: int
    updated: int
    unchanged: int
    refused: int

    @classmethod
    def of(cls, found: Task, **more: object) -> Self:
        return cls.model_validate({**_values(found), "job_id": found.task_id, **more})


def _values(found: Import | Task) -> dict[str, Any]:
    shown = found.model_dump(exclude={"kind", "parameters", "counts"})
    return {**shown, **asdict(found.counts)}
