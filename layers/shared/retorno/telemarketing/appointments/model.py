"""An appointment: the time at which a customer of a campaign is contacted again.

It is a schedule of an assignment, known by its ordinal: a customer who is given another time has
another appointment, and what belongs to the earlier one means nothing any more.
"""

import hashlib
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import NamedTuple, Self

from retorno.callbacks.model import APPOINTMENTS, Wanted
from retorno.customers.model import Customer
from retorno.telemarketing.assignments.model import Assignment, Schedule
from retorno.telemarketing.setup.model import Campaign

# Nobody is rung by themselves who was to be called longer ago: their agent decides.
DIALLED_WITHIN = timedelta(minutes=30)


class Appointment(NamedTuple):
    campaign_id: str
    customer_id: str
    ordinal: int

    @classmethod
    def of(cls, assignment: Assignment, schedule: Schedule) -> Self:
        return cls(assignment.campaign_id, assignment.customer_id, schedule.ordinal)

    @property
    def list_name(self) -> str:
        """The call list that it is alone in: "telemarketing:natal:5f3c…:2"."""
        return f"{APPOINTMENTS}{self.campaign_id}:{self.customer_id}:{self.ordinal}"

    @property
    def digest(self) -> str:
        return hashlib.sha256(self.list_name.encode()).hexdigest()[:32]

    @property
    def schedule_name(self) -> str:
        return f"telemarketing-{self.digest}"

    @property
    def message(self) -> Mapping[str, str]:
        """What its schedule says when it fires."""
        return {name: str(value) for name, value in self._asdict().items()}


def wanted(
    assignment: Assignment, schedule: Schedule, customer: Customer, campaign: Campaign
) -> Wanted | None:
    """As its call list is asked for it; None for a customer without a number.

    Whoever said *never call me again* since the customer was last spoken to is not taken to have
    asked for this call after that.
    """
    number = schedule.phone or customer.mobile or customer.phone
    if number is None:
        return None
    return Wanted(
        list_name=Appointment.of(assignment, schedule).list_name,
        number=number,
        queue=campaign.queue,
        agent=assignment.shown_to,
        purpose=campaign.purpose,
        asked_at=assignment.acted_at or assignment.linked_at,
        due_at=schedule.at,
        until=schedule.at + DIALLED_WITHIN,
        note=schedule.note,
        max_attempts=1,
        caller_id=campaign.caller_id,
    )


def is_same(one: Schedule | None, other: Schedule | None) -> bool:
    """Whether they are one appointment, be it due by now."""
    return one is not None and other is not None and one.ordinal == other.ordinal


def is_news(before: Assignment | None, after: Assignment) -> bool:
    """Whether an appointment is a new one, or its time has just come."""
    if before is None or not is_same(before.schedule, after.schedule):
        return True
    return after.due and not before.due


def still_to_be_dialled(then: Assignment, later: Assignment, now: datetime) -> bool:
    """Whether who was put on the call list as due is still to be rung, and by the same agents;
    not who is given another time, or is in somebody's hands."""
    is_as_it_was = is_same(then.schedule, later.schedule) and then.shown_to == later.shown_to
    return is_as_it_was and later.held_by(now) is None
