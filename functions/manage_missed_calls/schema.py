"""Missed calls as the API shows them."""

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated
from urllib.parse import quote

from pydantic import ConfigDict, Field, StringConstraints

from retorno.customers.model import CustomerRef, Link
from retorno.frozen import Frozen
from retorno.quotes.model import Quote, QuoteRef
from retorno.quotes.model import State as QuoteState
from retorno.recovery.model import MissedCall, Part


class MissedCallView(Frozen):
    """Seconds count from the miss."""

    call_id: str
    number: str | None = Field(description="In E.164; null where withheld")
    queue: str | None
    agent: str | None = Field(description="Who was rung, if anyone was")
    branch: str | None
    missed_at: datetime
    reason: str
    short_abandon: bool = Field(description="The caller hung up within a few seconds")
    state: str
    attempts: int = Field(description="Outbound calls that reached nobody")
    first_attempt_seconds: float | None
    recovered_by: str | None = Field(description="The id of the call that won the customer back")
    recovered_by_agent: str | None
    recovered_at: datetime | None
    recovery_seconds: float | None
    returned_by: str | None = Field(description="The id of the customer's own later call")
    returned_at: datetime | None
    dismissed_at: datetime | None
    dismissed_by: str | None
    dismissed_reason: str | None
    customer: CustomerRef | None = Field(description="Who was missed, if that is known")
    linked_by: str | None = Field(
        description="chosen for this call, remembered of its number, or only_match"
    )
    candidates: list[CustomerRef] = Field(description="Who it may be, while nobody chose")
    quotes: list[QuoteRef] = Field(
        description="Of the number's last 20 those that are open, and those of this call or of the "
        "one that won the customer back; newest first"
    )

    @classmethod
    def of(cls, missed: MissedCall, link: Link, quotes: Sequence[Quote]) -> "MissedCallView":
        outcome = missed.outcome
        calls = (missed.part.call_id, outcome.recovered_by, outcome.returned_by)
        part = missed.part.model_dump(include={"call_id", "number", "queue", "agent", "branch"})
        dismissal = missed.dismissal
        return cls(
            **part,
            **outcome.model_dump(),
            missed_at=missed.part.at,
            reason=missed.part.reason or "",
            short_abandon=missed.part.short_abandon,
            dismissed_at=dismissal and dismissal.at,
            dismissed_by=dismissal and dismissal.by,
            dismissed_reason=dismissal and dismissal.reason,
            customer=link.customer,
            linked_by=link.how,
            candidates=list(link.candidates),
            quotes=[
                QuoteRef.model_validate(quote)
                for quote in quotes
                if quote.state is QuoteState.OPEN or quote.call_id in calls
            ],
        )


class AttemptView(Frozen):
    """An outbound call that reached nobody."""

    model_config = ConfigDict(from_attributes=True)

    call_id: str
    agent: str | None
    at: datetime = Field(serialization_alias="started_at")

    @classmethod
    def of(cls, attempt: Part) -> "AttemptView":
        return cls.model_validate(attempt)


class MissedCallDetailView(MissedCallView):
    attempt_calls: list[AttemptView] = Field(description="Oldest first")
    recovered_by_link: str | None = Field(description="Where that call is shown")

    @classmethod
    def of_detail(cls, view: MissedCallView, attempts: Sequence[Part]) -> "MissedCallDetailView":
        return cls(
            **dict(view),
            attempt_calls=[AttemptView.of(attempt) for attempt in attempts],
            recovered_by_link=view.recovered_by and f"/calls/{quote(view.recovered_by)}",
        )


class MissedCallList(Frozen):
    items: list[MissedCallView]
    cursor: str | None = Field(description="Where the next page begins; null at the end")


class DismissalRequest(Frozen):
    reason: Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=500)]
