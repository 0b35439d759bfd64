"""Keeping appointments: customers are due when their time has come, told of, and rung."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from retorno.agents.model import State as Presence
from retorno.agents.service import Agents, agents
from retorno.callbacks.service import CallList, call_list
from retorno.changes import Kind, Onlookers, change_of, watchers
from retorno.customers.service import CustomerDirectory, customer_directory
from retorno.errors import NotFound, RetornoError, Unavailable
from retorno.events import EventBus
from retorno.observability import count, logger
from retorno.schedules import Schedules
from retorno.settings import FollowAssignmentsSettings, KeepAppointmentsSettings
from retorno.telemarketing.appointments.events import due_event
from retorno.telemarketing.appointments.model import (
    DIALLED_WITHIN,
    Appointment,
    is_news,
    is_same,
    still_to_be_dialled,
    wanted,
)
from retorno.telemarketing.assignments.model import Assignment, Schedule
from retorno.telemarketing.assignments.service import (
    Assignments,
    assignment_change,
    assignments,
)
from retorno.telemarketing.setup.model import Campaign
from retorno.telemarketing.setup.service import Setup, setup

# How many appointments one run looks at; the next run takes the rest.
CHECK_LIMIT = 500

AWAY = frozenset({Presence.OFFLINE, Presence.PAUSED})


class Firing:
    """Says of appointments that their time has come; what follows from that is `Following`'s."""

    def __init__(self, assignments: Assignments, agents: Agents) -> None:
        self._assignments = assignments
        self._agents = agents

    def fire(self, appointment: Appointment, now: datetime) -> None:
        """Where its agent is away, it is the team's. Of one that no longer stands, or told again,
        it changes nothing. Raises Unavailable.
        """
        self._assignments.due(*appointment, lambda before: self._is_away(before, now), now)

    def check(self, now: datetime) -> None:
        """Fires those whose schedule did not. Raises Unavailable once all were looked at, if some
        could not be.
        """
        failed = 0
        for assignment in self._assignments.to_check(now, CHECK_LIMIT):
            if assignment.schedule is None:
                continue
            appointment = Appointment.of(assignment, assignment.schedule)
            try:
                self.fire(appointment, now)
                count("AppointmentsCaught")
            except RetornoError:
                logger.exception("an appointment could not be kept", **appointment._asdict())
                failed += 1
        if failed:
            raise Unavailable(f"{failed} appointments could not be kept")

    def _is_away(self, assignment: Assignment, now: datetime) -> bool:
        if assignment.agent is None:
            return False
        try:
            presence = self._agents.one(assignment.agent).presence
        except NotFound:
            return True
        return presence.at(max(presence.since, now)).state in AWAY


class Following:
    """Follows the assignments table's stream: makes and drops the schedules of appointments, and
    sees to those that are due, and has them shown. What fails comes again, so nothing is left half
    done.
    """

    def __init__(
        self,
        assignments: Assignments,
        schedules: Schedules,
        calls: CallList,
        setup: Setup,
        directory: CustomerDirectory,
        bus: EventBus,
        watchers: Onlookers,
        zone: ZoneInfo,
    ) -> None:
        self._assignments = assignments
        self._schedules = schedules
        self._calls = calls
        self._setup = setup
        self._directory = directory
        self._bus = bus
        self._watchers = watchers
        self._zone = zone

    def follow(self, record: Mapping[str, Any], now: datetime) -> None:
        """What is told of one assignment comes in its order. Told twice, it does no harm.

        Raises Unavailable.
        """
        before, after = assignment_change(record)
        if any(each and each.due for each in (before, after)):
            self._watchers.tell([change_of(Kind.ASSIGNMENT, record)], now)
        if after is None:
            return
        if before and before.schedule:
            self._leave(before, before.schedule, after, now)
        if after.schedule and is_news(before, after):
            self._take_up(after, after.schedule, now)

    def _leave(
        self, before: Assignment, schedule: Schedule, after: Assignment, now: datetime
    ) -> None:
        appointment = Appointment.of(before, schedule)
        if before.due and not still_to_be_dialled(before, after, now):
            self._calls.call_off(appointment.list_name, now)
        if not before.due and not is_same(schedule, after.schedule):
            self._schedules.drop(appointment.schedule_name)

    def _take_up(self, after: Assignment, schedule: Schedule, now: datetime) -> None:
        if after.due:
            self._announce(after, schedule, now)
        # One that is past is fired by the check of each minute.
        elif schedule.at > now:
            appointment = Appointment.of(after, schedule)
            self._schedules.put(appointment.schedule_name, schedule.at, appointment.message)

    def _announce(self, then: Assignment, schedule: Schedule, now: datetime) -> None:
        """Looks whether it is still so. What is changed after that is told later, and undone."""
        try:
            due = self._assignments.one(then.campaign_id, then.customer_id)
        except NotFound:
            return
        if not is_same(schedule, due.schedule):
            return
        campaign = self._setup.campaign(due.campaign_id)
        is_dialled = still_to_be_dialled(then, due, now) and self._ask(due, schedule, campaign, now)
        self._bus.publish(due_event(due, schedule, campaign, dialled=is_dialled))
        count("AppointmentsDue")
        count("AppointmentsDialled", int(is_dialled))

    def _ask(self, due: Assignment, schedule: Schedule, campaign: Campaign, now: datetime) -> bool:
        """Whether the customer came onto the call list, now or when this was told before."""
        if not campaign.dialling or not campaign.runs_on(now.astimezone(self._zone).date()):
            return False
        customer = self._directory.some([due.customer_id]).get(due.customer_id)
        call = wanted(due, schedule, customer, campaign) if customer else None
        if call is None or now > schedule.at + DIALLED_WITHIN:
            return False
        self._calls.ask(call, now)
        return True


def firing(settings: KeepAppointmentsSettings) -> Firing:
    return Firing(assignments(settings), agents(settings))


def following(settings: FollowAssignmentsSettings) -> Following:
    return Following(
        assignments(settings),
        Schedules(
            settings.appointment_schedules,
            settings.appointments_queue_arn,
            settings.scheduler_role_arn,
            settings.appointment_dead_letters_arn,
        ),
        call_list(settings),
        setup(settings),
        customer_directory(settings),
        EventBus(settings.event_bus),
        watchers(settings),
        settings.time_zone,
    )
