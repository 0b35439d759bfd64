"""What is shown of requests about persons, and of holds."""

from collections.abc import Mapping
from datetime import datetime
from typing import Self

from pydantic import ConfigDict, Field

from retorno.frozen import Frozen
from retorno.personal_data.model import Hold, Request, State

KEPT: Mapping[str, str] = {
    "do_not_call": "the entries of their numbers, by which the company keeps to what was asked",
    "figures": "what was counted, and when calls were, without who it was",
    "backups": "copies of the tables, where they are kept: 35 days at most",
    "streams_and_queues": "what is told of changes: 24 hours; what nobody could take: 14 days",
    "what_no_number_leads_to": (
        "notes on calls whose number was withheld, reasons of dismissals, of requests and of holds,"
        " and saved filters"
    ),
    "elsewhere": "what the telephone system, WhatsApp and files that were downloaded hold",
}


class View(Frozen):
    model_config = ConfigDict(from_attributes=True)


class RequestView(View):
    known_as: str = Field(description="The end of the number, or the customer's id")
    state: State
    reason: str
    asked_at: datetime
    asked_by: str
    items: Mapping[str, int] = Field(description="How many were shown, rewritten or deleted")
    finished_at: datetime | None


class ErasureView(RequestView):
    erasure_id: str
    waits_for: tuple[str, ...] = Field(description="What somebody worked with at the last look")
    looks: int = Field(description="It is done when a later look finds nothing that is left")
    kept: Mapping[str, str] = Field(description="What stays, and why")

    @classmethod
    def of(cls, request: Request) -> Self:
        told = request.model_dump(exclude={"person"})
        return cls.model_validate({**told, "erasure_id": request.request_id, "kept": KEPT})


class ExportView(RequestView):
    export_id: str
    url: str | None = Field(description="Where the file may be had from, for an hour")

    @classmethod
    def of(cls, request: Request, url: str | None) -> Self:
        told = request.model_dump(exclude={"person"})
        return cls.model_validate({**told, "export_id": request.request_id, "url": url})


class HoldView(View):
    number: str
    reason: str
    placed_at: datetime
    placed_by: str
    looked_at: datetime | None = Field(
        description="When all that there was by then was last kept from expiring"
    )
    lifted_at: datetime | None = Field(description="It stays until all that it held is released")

    @classmethod
    def of(cls, hold: Hold) -> Self:
        return cls.model_validate(hold)
