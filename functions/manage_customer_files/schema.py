"""Imports and exports of customers as the API shows them."""

from datetime import datetime

from pydantic import BaseModel, Field

from retorno.imports.model import Export, Import, Outcome, Problem, State
from retorno.imports.service import ReportPage


class ImportRequest(BaseModel):
    size: int = Field(ge=1, alias="bytes", description="The length of the file, just so")


class ImportView(BaseModel):
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
    def values(cls, found: Import) -> dict[str, object]:
        shown = found.model_dump(exclude={"kind", "counts"})
        return {**shown, **found.model_dump(include={"counts"})["counts"]}

    @classmethod
    def of(cls, found: Import) -> "ImportView":
        return cls.model_validate(cls.values(found))


class NewImportView(ImportView):
    upload_url: str = Field(description="Where to PUT the file, within an hour")

    @classmethod
    def of_new(cls, found: Import, upload_url: str) -> "NewImportView":
        return cls.model_validate({**cls.values(found), "upload_url": upload_url})


class RowView(BaseModel):
    row: int = Field(description="As in the file, whose header is row 1")
    outcome: Outcome
    customer_id: str | None
    problems: list[Problem] = Field(description="What of the row was not taken")


class ReportView(BaseModel):
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


class ExportView(BaseModel):
    export_id: str
    state: State
    created_at: datetime
    created_by: str
    finished_at: datetime | None
    rows: int | None
    download_url: str | None = Field(description="Good for an hour; null until it is done")

    @classmethod
    def of(cls, found: Export, download_url: str | None) -> "ExportView":
        return cls(**found.model_dump(exclude={"kind"}), download_url=download_url)
