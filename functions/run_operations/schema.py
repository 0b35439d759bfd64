"""Operations as the API shows and takes them."""

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from typing import Annotated

from pydantic import Field

from retorno.customers.model import Customer
from retorno.frozen import Frozen, Strict
from retorno.moments import WrittenTime
from retorno.telemarketing.assignments.model import AgainWish, TimeWish
from retorno.telemarketing.operations.model import Operation, Stage, Value
from retorno.telemarketing.setup.model import OutcomeFlag
from retorno.telephony.ports import AnsweredBy


class OpenRequest(Strict):
    campaign: Annotated[str, Field(min_length=1, max_length=60)]
    customer_id: Annotated[str, Field(min_length=1, max_length=64)]


class OperationView(Frozen):
    operation_id: str
    campaign_id: str
    customer_id: str
    agent: str
    stage: Stage
    started_at: datetime
    saved_at: datetime
    ended_at: datetime | None
    action_type: str | None
    script: str | None = Field(description="Of the action type, filled in for this customer")
    script_version: int | None
    conversation: str
    outcome: str | None
    flags: list[OutcomeFlag] = Field(description="What the outcome meant when it was given")
    reason: str | None = Field(description="Why there was no contact")
    value: Decimal | None = Field(description="Of the sale")
    scheduled_for: datetime | None
    call_id: str | None = Field(description="The call in which it was done")
    answered_by: AnsweredBy | None
    answered_at: datetime | None
    talk_seconds: float | None
    imported: bool = Field(description="It was done in another system")
    version: int = Field(description="Of the ETag")

    @classmethod
    def of(cls, operation: Operation) -> "OperationView":
        shown = operation.model_dump(exclude={"flags", "revision", "call_revision", "ordinal"})
        return cls(**shown, operation_id=operation.operation_id, flags=sorted(operation.flags))


class OperationList(Frozen):
    items: list[OperationView] = Field(description="The last begun first")
    cursor: str | None = Field(description="Where the next page begins; null at the end")

    @classmethod
    def of(cls, operations: Sequence[Operation], cursor: str | None) -> "OperationList":
        return cls(items=[OperationView.of(each) for each in operations], cursor=cursor)


class OperationScreen(Frozen):
    """What an agent sees while they speak with a customer."""

    operation: OperationView
    customer: Customer | None = Field(description="To read, not to change here")
    earlier: list[OperationView] = Field(
        description="The last ten with this customer, in any campaign; the last first"
    )


class ConcludeRequest(Strict):
    outcome: Annotated[str, Field(min_length=1, max_length=40)] = Field(description="A final one")
    value: Value | None = Field(default=None, description="Of a sale, and required of one")


class PostponeRequest(TimeWish):
    outcome: Annotated[str, Field(min_length=1, max_length=40)] = Field(
        description="One that is not final"
    )


class NoContactRequest(AgainWish):
    reason: Annotated[str, Field(min_length=1, max_length=40)]
    at: WrittenTime | None = Field(
        default=None, description="As of `postpone`; after the wait of the reason if not said"
    )
