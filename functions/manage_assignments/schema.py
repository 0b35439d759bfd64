"""Customers of campaigns as the API shows and takes them."""

from datetime import datetime
from typing import Any

from pydantic import ConfigDict, Field

from retorno.frozen import Frozen, Strict
from retorno.telemarketing.assignments.model import (
    AgentName,
    Assignment,
    Entry,
    State,
    What,
)


class ScheduleView(Frozen):
    model_config = ConfigDict(from_attributes=True)

    at: datetime
    by: str = Field(description="Who scheduled it")
    note: str | None
    phone: str | None = Field(description="The number to call, where not the customer's first")
    fired_at: datetime | None = Field(description="When the time had come; null while it has not")
    to_team: bool = Field(description="Its agent was away then: anyone of the team may act")


class AssignmentView(Frozen):
    campaign_id: str
    customer_id: str
    agent: str | None = Field(description="Whose customer it is; null for anyone of the team")
    state: State
    due: bool = Field(description="The time to contact them has come")
    priority: int = Field(description="9 comes first")
    linked_at: datetime
    linked_by: str
    operations: int = Field(description="How often it was tried")
    last_outcome: str | None
    last_reason: str | None
    last_agent: str | None
    acted_at: datetime | None = Field(description="When an operation ended last")
    concluded_at: datetime | None
    schedule: ScheduleView | None
    held_by: str | None = Field(description="Who is working on them; nobody else can")
    held_until: datetime | None
    open_operation: int | None

    @classmethod
    def of(cls, assignment: Assignment, now: datetime) -> "AssignmentView":
        holder = assignment.held_by(now)
        schedule = assignment.schedule
        return cls(
            **assignment.model_dump(exclude={"schedule", "hold"}),
            due=assignment.due,
            schedule=ScheduleView.model_validate(schedule) if schedule else None,
            held_by=holder,
            held_until=assignment.hold.until if holder and assignment.hold else None,
        )


class AssignmentList(Frozen):
    items: list[AssignmentView]


class TransferRequest(Strict):
    agent: AgentName | None = Field(description="null for anyone of the team")


class EntryView(Frozen):
    model_config = ConfigDict(from_attributes=True)

    number: int
    at: datetime
    by: str | None = Field(description="null where it came of itself")
    what: What
    operation: int | None = Field(description="The operation in which it was done")
    changes: dict[str, Any]

    @classmethod
    def of(cls, entry: Entry) -> "EntryView":
        return cls.model_validate(entry)


class History(Frozen):
    items: list[EntryView] = Field(description="The last first")
    cursor: str | None = Field(description="Where the next page begins; null at the end")
