"""What is shown of each kind of thing. Fields are called as the API calls them."""

from datetime import date, datetime
from typing import Self

from pydantic import ConfigDict

from retorno.agents.model import Stored
from retorno.calls.model import Call
from retorno.customers.model import Customer, CustomerRef, Link
from retorno.dashboard.reader import Today
from retorno.frozen import Frozen
from retorno.messages.service import ConversationSummary
from retorno.offers.model import Offer
from retorno.promises.model import Promise
from retorno.recovery.model import MissedCall
from retorno.telemarketing.assignments.model import Assignment, Schedule
from retorno.telemarketing.setup.model import Campaign
from retorno.waits.model import Wait


class View(Frozen):
    model_config = ConfigDict(from_attributes=True)


class CustomerName(View):
    customer_id: str
    name: str

    @classmethod
    def of(cls, customer: Customer | CustomerRef | None) -> Self | None:
        return cls.model_validate(customer) if customer else None


class LinkedView(View):
    """`number` is in E.164, None where withheld; `customer` who that is, if it is known."""

    number: str | None
    customer: CustomerName | None = None

    def linked(self, link: Link) -> Self:
        return self.model_copy(update={"customer": CustomerName.of(link.customer)})


class CallView(LinkedView):
    """`waits_in` is the queue in which the caller waits at the moment."""

    call_id: str
    direction: str | None
    status: str
    queue: str | None
    waits_in: str | None
    agent: str | None
    started_at: datetime | None
    queued_at: datetime | None
    ringing_at: datetime | None
    answered_at: datetime | None
    ended_at: datetime | None
    end_reason: str | None
    missed: bool

    @classmethod
    def of(cls, call: Call) -> Self:
        return cls.model_validate(call)


class MissedCallView(LinkedView):
    call_id: str
    queue: str | None
    agent: str | None
    missed_at: datetime
    reason: str | None
    short_abandon: bool
    state: str
    attempts: int
    first_attempt_seconds: float | None
    recovered_by: str | None
    recovered_by_agent: str | None
    recovered_at: datetime | None
    recovery_seconds: float | None
    returned_by: str | None
    returned_at: datetime | None

    @classmethod
    def of(cls, missed: MissedCall) -> Self:
        part = missed.part
        return cls.model_validate(
            {**part.model_dump(), **missed.outcome.model_dump(), "missed_at": part.at}
        )


class OfferView(LinkedView):
    offer_id: str
    state: str
    call_id: str
    queue: str
    agent: str
    ordinal: int
    waiting_since: datetime
    offered_at: datetime
    until: datetime | None
    ended_at: datetime | None
    reason: str | None

    @classmethod
    def of(cls, offer: Offer, number: str | None) -> Self:
        return cls.model_validate({**offer.model_dump(), "number": number})


class PresenceView(View):
    """What has an `until` ends by itself: it is `next_state` from then on."""

    state: str
    reason: str | None
    since: datetime
    until: datetime | None
    next_state: str | None
    next_reason: str | None
    calls: tuple[str, ...]

    @classmethod
    def of(cls, stored: Stored, now: datetime) -> Self:
        presence = stored.presence
        present, passing = presence.at(now), presence.passing
        is_passing = passing is not None and now < passing[1]
        is_held_up = bool(presence.calls) or is_passing
        return cls(
            state=present.state,
            reason=present.reason,
            since=present.begin,
            until=passing[1] if passing and is_passing else None,
            next_state=presence.wish.state if is_held_up else None,
            next_reason=presence.wish.reason if is_held_up else None,
            calls=presence.calls,
        )


class AgentView(View):
    agent: str
    name: str
    queues: tuple[str, ...]
    presence: PresenceView

    @classmethod
    def of(cls, stored: Stored, now: datetime) -> Self:
        values = stored.agent.model_dump(include={"agent", "name", "queues"})
        return cls(**values, presence=PresenceView.of(stored, now))


class PromiseView(View):
    callback_id: str
    state: str
    number: str
    at: datetime
    until: datetime
    queue: str
    agent: str | None
    note: str | None
    call_id: str | None
    asked_by: str
    dialled_at: datetime | None
    late_seconds: float | None
    reached: bool | None
    reason: str | None

    @classmethod
    def of(cls, promise: Promise) -> Self:
        derived = {
            "callback_id": promise.promise_id,
            "until": promise.until,
            "late_seconds": promise.late_seconds,
        }
        return cls.model_validate(promise.model_dump() | derived)


class MessageView(View):
    message_id: str
    direction: str
    at: datetime
    type: str
    text: str | None


class ConversationView(View):
    """What asks for an agent: messages that nobody read, or one of ours that `failed`."""

    conversation: str
    number: str | None
    name: str | None
    agent: str | None
    unread: int
    failed: bool
    session_until: datetime | None
    last_message: MessageView | None

    @classmethod
    def of(cls, summary: ConversationSummary) -> Self:
        return cls.model_validate(summary)


class BreachView(View):
    """A caller who waits for longer than the queue's rule allows."""

    call_id: str
    queue: str | None
    began_at: datetime
    rule: str
    limit_seconds: int | None
    breached_at: datetime | None
    outcome: str
    ended_at: datetime | None

    @classmethod
    def of(cls, wait: Wait) -> Self:
        return cls.model_validate(wait)


class DashboardView(View):
    """The headlines of the company's day so far; GET /dashboard has them all."""

    day: date
    calls: int
    answered: int
    abandoned: int
    abandonment_rate: float | None
    average_speed_of_answer_seconds: float | None
    longest_wait_seconds: float | None
    missed: int
    missed_open: int
    recovered: int
    returned: int
    recovery_rate: float | None
    occupancy: float | None

    @classmethod
    def of(cls, today: Today) -> Self:
        inbound, missed = today.figures.inbound, today.figures.missed
        return cls(
            day=today.day,
            calls=today.figures.all_calls,
            answered=inbound.answered,
            abandoned=inbound.abandoned,
            abandonment_rate=inbound.abandonment_rate,
            average_speed_of_answer_seconds=inbound.average_speed_of_answer_seconds,
            longest_wait_seconds=inbound.longest_wait_seconds,
            missed=missed.calls,
            missed_open=today.now.missed_open,
            recovered=missed.recovered,
            returned=missed.returned,
            recovery_rate=missed.recovery_rate,
            occupancy=today.figures.operators.occupancy,
        )


class ContactDueView(View):
    """A customer of a campaign whose time has come; `agent` None for the team's."""

    campaign_id: str
    customer_id: str
    customer: CustomerName | None
    queue: str
    agent: str | None
    at: datetime
    note: str | None
    phone: str | None

    @classmethod
    def of(
        cls,
        assignment: Assignment,
        schedule: Schedule,
        campaign: Campaign,
        customer: Customer | None,
    ) -> Self:
        return cls(
            campaign_id=assignment.campaign_id,
            customer_id=assignment.customer_id,
            customer=CustomerName.of(customer),
            queue=campaign.queue,
            agent=assignment.shown_to,
            at=schedule.at,
            note=schedule.note,
            phone=schedule.phone,
        )
