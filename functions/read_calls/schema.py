"""A call as the API shows it."""

from collections.abc import Sequence
from datetime import datetime

from pydantic import ConfigDict, Field

from retorno.calls.model import Call
from retorno.customers.model import CustomerRef, Link
from retorno.dispositions.model import Flag
from retorno.frozen import Frozen
from retorno.quotes.model import Quote, QuoteRef


class EvidenceView(Frozen):
    model_config = ConfigDict(from_attributes=True)

    kind: str = Field(description="review, disposition, detection or talk_time")
    answered_by: str
    at: datetime
    by: str | None = Field(description="Who said it, if a person did")


class DispositionView(Frozen):
    model_config = ConfigDict(from_attributes=True)

    code: str
    flags: list[Flag] = Field(description="What it meant when it was given")
    by: str
    at: datetime


class CallFacts(Frozen):
    model_config = ConfigDict(from_attributes=True, populate_by_name=True)

    call_id: str
    provider: str | None
    direction: str | None
    status: str
    caller: str | None = Field(serialization_alias="from")
    callee: str | None = Field(serialization_alias="to")
    number: str | None = Field(description="The customer's, in E.164; null where withheld")
    queue: str | None
    agent: str | None
    branch: str | None
    campaign: str | None
    trunk: str | None
    answered_by: str | None = Field(description="human, voicemail or unknown")
    evidence: list[EvidenceView] = Field(description="What tells who answered; the first counts")
    disposition: DispositionView | None
    queued_at: datetime | None
    ringing_at: datetime | None
    answered_at: datetime | None
    ended_at: datetime | None
    end_reason: str | None
    wait_seconds: float | None = Field(description="From the queue to the answer, or else the end")
    ring_seconds: float | None = Field(description="From the first ring to the answer, or the end")
    talk_seconds: float | None = Field(description="From the answer to the end")
    missed: bool


class CallView(CallFacts):
    customer: CustomerRef | None = Field(description="Whose call it is, if that is known")
    linked_by: str | None = Field(
        description="chosen for this call, remembered of its number, or only_match"
    )
    candidates: list[CustomerRef] = Field(description="Whose it may be, while nobody chose")
    quotes: list[QuoteRef] = Field(description="Made in this call, oldest first")

    @classmethod
    def of(cls, call: Call, link: Link, quotes: Sequence[Quote]) -> "CallView":
        facts = dict(CallFacts.model_validate(call))
        return cls(
            **facts,
            customer=link.customer,
            linked_by=link.how,
            candidates=list(link.candidates),
            quotes=[QuoteRef.model_validate(quote) for quote in quotes],
        )


class CallList(Frozen):
    items: list[CallView]
    cursor: str | None = Field(description="Where the next page begins; null at the end")
