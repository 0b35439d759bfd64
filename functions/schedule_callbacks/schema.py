"""Promises as the API shows them."""

from datetime import datetime
from zoneinfo import ZoneInfo

from pydantic import Field

from retorno.calling_rules.model import Purpose
from retorno.frozen import Frozen
from retorno.promises.model import Promise, State


class PromiseView(Frozen):
    callback_id: str
    state: State
    number: str = Field(description="Who is called, in E.164")
    at: datetime
    local_at: datetime = Field(description="The same in the customer's own time")
    time_zone: str = Field(description="The customer's own")
    moved_from: datetime | None = Field(
        description="The time that was asked for, where a rule moved it"
    )
    until: datetime = Field(description="No call begins later")
    tolerance_minutes: int
    queue: str = Field(description="Whose agents call")
    agent: str | None = Field(description="The only one who calls; null for anyone")
    purpose: Purpose
    note: str | None
    call_id: str | None = Field(description="The call in which it was asked for")
    asked_at: datetime
    asked_by: str
    contact_id: str | None = Field(description="On the call list, once it is there")
    dialled_at: datetime | None = Field(description="When the call to the customer began")
    late_seconds: float | None = Field(description="Of one that is late: how late the call began")
    reached: bool | None = Field(description="Whether the customer answered the call themselves")
    reason: str | None = Field(description="Why no call was made, or how it went")
    version: int = Field(description="Of the ETag: grows as people change it")

    @classmethod
    def of(cls, promise: Promise) -> "PromiseView":
        derived = {
            "callback_id": promise.promise_id,
            "local_at": promise.at.astimezone(ZoneInfo(promise.time_zone)),
            "until": promise.until,
            "late_seconds": promise.late_seconds,
        }
        return cls.model_validate(promise.model_dump() | derived)


class PromiseList(Frozen):
    items: list[PromiseView]
    cursor: str | None = Field(description="Where the next page begins; null at the end")
