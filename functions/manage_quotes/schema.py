"""Quotes as the API shows and takes them."""

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from typing import Annotated

from pydantic import Field, StringConstraints

from retorno.customers.model import Customer, CustomerRef
from retorno.frozen import Frozen, Strict
from retorno.quotes.model import MAX_REASON, Channel, Quote, State, Value


class QuoteView(Frozen):
    quote_id: str
    state: State
    call_id: str = Field(description="The call in which it was made")
    channel: Channel
    number: str | None = Field(description="The customer's, in E.164; null where withheld")
    customer: CustomerRef | None = Field(description="Whose call it is, if that is known")
    queue: str | None
    agent: str = Field(description="Who made it")
    description: str | None
    value: Decimal | None = Field(description="What was offered")
    won_value: Decimal | None = Field(description="What it was won for")
    reason: str | None = Field(description="Why it was lost")
    created_at: datetime
    created_by: str
    decided_at: datetime | None = Field(description="When it was won or lost")
    decided_by: str | None
    version: int = Field(description="Of the ETag")

    @classmethod
    def of(cls, quote: Quote, customer: Customer | None) -> "QuoteView":
        return cls(
            **quote.model_dump(exclude={"name", "wish_digest", "customer_id"}),
            quote_id=str(quote.quote_id),
            customer=CustomerRef.of(customer, quote.number_key) if customer else None,
        )


class QuoteList(Frozen):
    items: Sequence[QuoteView] = Field(description="Newest first")
    cursor: str | None = Field(description="Where the next page begins; null at the end")


class WinRequest(Strict):
    value: Value | None = Field(
        default=None, description="What it was won for; what was offered, if not said"
    )


class LossRequest(Strict):
    reason: Annotated[
        str, StringConstraints(strip_whitespace=True, min_length=1, max_length=MAX_REASON)
    ]
