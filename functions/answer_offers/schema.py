"""Queues and offers as the API shows them."""

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated

from pydantic import ConfigDict, Field, StringConstraints

from retorno.calls.model import Call
from retorno.customers.model import CustomerRef, Link
from retorno.frozen import Frozen
from retorno.offers.model import Mode, Offer, Queue, State
from retorno.quotes.model import Quote, QuoteRef
from retorno.recovery.model import MissedCall
from retorno.telemarketing.assignments.service import Pending


class QueueView(Frozen):
    model_config = ConfigDict(from_attributes=True)

    queue: str
    mode: Mode = Field(
        description="ask: calls are offered; auto: connected at once; none: Retorno gives out none"
    )
    offer_seconds: int
    skills: list[str] = Field(description="All of which an agent needs")
    version: int = Field(description="Of the ETag")

    @classmethod
    def of(cls, queue: Queue) -> "QueueView":
        return cls.model_validate(queue)


class QueueList(Frozen):
    items: list[QueueView]
    cursor: str | None = Field(description="Where the next page begins; null at the end")


class OfferFacts(Frozen):
    model_config = ConfigDict(from_attributes=True)

    offer_id: str
    state: State
    call_id: str
    queue: str
    agent: str
    ordinal: int = Field(description="The how many-th offer of this call it is")
    waiting_since: datetime
    offered_at: datetime
    until: datetime | None = Field(description="When it passes on by itself, while it is offered")
    ended_at: datetime | None
    reason: str | None = Field(description="Why it came to nothing, if that was said")


class OfferView(OfferFacts):
    number: str | None = Field(description="Who waits, in E.164; null where withheld")
    customer: CustomerRef | None = Field(description="Who that is, if it is known")
    linked_by: str | None = Field(
        description="chosen for this call, remembered of its number, or only_match"
    )
    candidates: list[CustomerRef] = Field(description="Who it may be, while nobody chose")

    @classmethod
    def of(cls, offer: Offer, call: Call, link: Link) -> "OfferView":
        return cls(
            **OfferFacts.model_validate(offer).model_dump(),
            number=call.number,
            customer=link.customer,
            linked_by=link.how,
            candidates=list(link.candidates),
        )


class OfferList(Frozen):
    items: list[OfferView]
    cursor: str | None = Field(description="Where the next page begins; null at the end")


class EarlierCall(Frozen):
    model_config = ConfigDict(from_attributes=True)

    call_id: str
    direction: str | None
    status: str
    queue: str | None
    agent: str | None
    started_at: datetime | None
    answered_at: datetime | None
    ended_at: datetime | None
    talk_seconds: float | None
    missed: bool


class OpenMiss(Frozen):
    call_id: str
    queue: str | None
    missed_at: datetime
    reason: str | None
    attempts: int = Field(description="Outbound calls that reached nobody")

    @classmethod
    def of(cls, missed: MissedCall) -> "OpenMiss":
        part = missed.part
        return cls(
            call_id=part.call_id,
            queue=part.queue,
            missed_at=part.at,
            reason=part.reason,
            attempts=missed.outcome.attempts,
        )


class PendingContact(Frozen):
    """A campaign in which the customer is to be contacted."""

    campaign_id: str
    campaign: str = Field(description="Its name")
    state: str = Field(description="not_acted, or scheduled")
    agent: str | None = Field(description="Whose customer it is; null for anyone of the team")
    scheduled_for: datetime | None
    due: bool = Field(description="The time to contact them has come")
    note: str | None = Field(description="What was written down for then")

    @classmethod
    def of(cls, pending: Pending) -> "PendingContact":
        assignment, campaign = pending
        schedule = assignment.schedule
        return cls(
            campaign_id=campaign.campaign_id,
            campaign=campaign.name,
            state=assignment.state,
            agent=assignment.agent,
            scheduled_for=schedule and schedule.at,
            due=assignment.due,
            note=schedule and schedule.note,
        )


class OfferDetail(OfferView):
    recent_calls: list[EarlierCall] = Field(description="The number's last five, newest first")
    open_missed_calls: list[OpenMiss] = Field(description="Of the number, newest first")
    open_quotes: list[QuoteRef] = Field(
        description="Of the number and of the customer, newest first"
    )
    pending_contacts: list[PendingContact] = Field(
        description="The campaigns that run today in which the customer is to be contacted"
    )

    @classmethod
    def brief(
        cls,
        view: OfferView,
        calls: Sequence[Call],
        missed: Sequence[MissedCall],
        quotes: Sequence[Quote],
        pending: Sequence[Pending],
    ) -> "OfferDetail":
        return cls(
            **dict(view),
            recent_calls=[EarlierCall.model_validate(call) for call in calls],
            open_missed_calls=[OpenMiss.of(each) for each in missed],
            open_quotes=[QuoteRef.model_validate(quote) for quote in quotes],
            pending_contacts=[PendingContact.of(each) for each in pending],
        )


class RejectionRequest(Frozen):
    reason: (
        Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=200)]
        | None
    ) = None
