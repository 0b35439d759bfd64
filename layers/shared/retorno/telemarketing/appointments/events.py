"""What is told of appointments: docs/events.md."""

from datetime import datetime

from retorno.events import Event
from retorno.telemarketing.appointments.model import Appointment
from retorno.telemarketing.assignments.model import Assignment, Schedule
from retorno.telemarketing.setup.model import Campaign


class TelemarketingContactDue(Event):
    """The time of an appointment has come. `agent` is None where anyone of `queue` may act, be it
    since the agent is away; `dialled` says that the customer is rung as soon as somebody is free.
    """

    campaign_id: str
    customer_id: str
    schedule: int
    scheduled_for: datetime
    agent: str | None
    queue: str
    dialled: bool


def due_event(
    assignment: Assignment, schedule: Schedule, campaign: Campaign, *, dialled: bool
) -> TelemarketingContactDue:
    appointment = Appointment.of(assignment, schedule)
    return TelemarketingContactDue(
        event_id=appointment.digest,
        occurred_at=schedule.fired_at or schedule.at,
        campaign_id=assignment.campaign_id,
        customer_id=assignment.customer_id,
        schedule=schedule.ordinal,
        scheduled_for=schedule.at,
        agent=assignment.shown_to,
        queue=campaign.queue,
        dialled=dialled,
    )
