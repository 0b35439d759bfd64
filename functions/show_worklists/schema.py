"""Worklists as the API shows them."""

from datetime import datetime
from typing import Annotated

from pydantic import ConfigDict, Field

from retorno.frozen import Frozen, Strict
from retorno.telemarketing.assignments.model import State
from retorno.telemarketing.assignments.worklist import Listed


class CustomerBrief(Frozen):
    model_config = ConfigDict(from_attributes=True)

    customer_id: str
    name: str
    code: str | None
    city: str | None
    tags: list[str]
    phone: str | None
    mobile: str | None


class WorklistRow(Frozen):
    customer: CustomerBrief | None = Field(description="null where they were deleted since")
    customer_id: str
    state: State
    due: bool = Field(description="The time to contact them has come")
    agent: str | None = Field(description="null for anyone of the team")
    priority: int
    linked_at: datetime
    scheduled_for: datetime | None
    note: str | None = Field(description="Of the schedule")
    operations: int = Field(description="How often it was tried")
    last_outcome: str | None
    last_reason: str | None
    acted_at: datetime | None
    concluded_at: datetime | None
    held_by: str | None = Field(description="Who is working on them; nobody else can")

    @classmethod
    def of(cls, listed: Listed, now: datetime) -> "WorklistRow":
        assignment, schedule = listed.assignment, listed.assignment.schedule
        return cls(
            **assignment.model_dump(include=cls.model_fields.keys() - {"customer"}),
            customer=listed.customer and CustomerBrief.model_validate(listed.customer),
            due=assignment.due,
            scheduled_for=schedule.at if schedule else None,
            note=schedule.note if schedule else None,
            held_by=assignment.held_by(now),
        )


class Counts(Frozen):
    model_config = ConfigDict(from_attributes=True)

    not_acted: int
    scheduled: int
    concluded: int


class Worklist(Frozen):
    items: list[WorklistRow] = Field(
        description="Who is due first, then by priority, then the oldest; of those concluded "
        "the last first"
    )
    counts: Counts = Field(description="Of each list, without filters; a moment behind")
    cursor: str | None = Field(description="Where the next page begins; null at the end")


class NextRequest(Strict):
    campaign: Annotated[str, Field(min_length=1, max_length=60)]
