"""Appointments: who is called at which number, and when that no longer stands."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from types import SimpleNamespace
from typing import Any, cast
from zoneinfo import ZoneInfo

import pytest

from retorno.calling_rules.model import Purpose
from retorno.changes import Onlookers
from retorno.customers.model import Customer
from retorno.customers.service import CustomerDirectory
from retorno.errors import NotFound, Unavailable
from retorno.events import Event, EventBus
from retorno.schedules import Schedules
from retorno.telemarketing.appointments.events import TelemarketingContactDue
from retorno.telemarketing.appointments.model import (
    Appointment,
    is_news,
    still_to_be_dialled,
    wanted,
)
from retorno.telemarketing.appointments.service import Following
from retorno.telemarketing.assignments.model import (
    Assignment,
    Hold,
    Schedule,
    State,
    Time,
    fired,
    schedule_deleted,
    scheduled,
    unlinked,
)
from retorno.telemarketing.assignments.service import Assignments
from retorno.telemarketing.setup.model import Campaign
from retorno.telemarketing.setup.service import Setup
from retorno.telephony.ports import MAX_NAME_LENGTH
from tests.support.call_list import FakeCallList
from tests.support.stream import Record

NOW = datetime(2026, 3, 2, 12, 30, tzinfo=UTC)
AT = datetime(2026, 3, 2, 18, 0, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
MOBILE, PHONE, SAID = "+5511987654321", "+551133334444", "+5511911112222"
MARIA = Customer(customer_id="maria", name="Maria", mobile=MOBILE, phone=PHONE)
CAMPAIGN = Campaign(
    campaign_id="natal",
    name="Natal",
    begins_on=date(2026, 3, 1),
    ends_on=date(2026, 3, 31),
    queue="vendas",
    dialling=True,
    caller_id="+551140000000",
)
NEW = Assignment(
    campaign_id="natal", customer_id="maria", agent="ana", linked_at=NOW, linked_by="leo"
)


def with_time(at: datetime = AT, before: Assignment = NEW, phone: str | None = None) -> Assignment:
    return scheduled(before, Time(at=at, phone=phone), "ana", NOW).after


def due(before: Assignment | None = None, *, to_team: bool = False) -> Assignment:
    return fired(before or with_time(), to_team, AT).after


def held(assignment: Assignment, until: datetime = AT + MINUTE) -> Assignment:
    return assignment.model_copy(update={"hold": Hold(agent="bia", until=until)})


def schedule_of(assignment: Assignment) -> Schedule:
    assert assignment.schedule
    return assignment.schedule


class TestWanted:
    @pytest.mark.parametrize(
        ("phone", "customer", "number"),
        [
            (None, MARIA, MOBILE),
            (None, MARIA.model_copy(update={"mobile": None}), PHONE),
            (SAID, MARIA, SAID),
            (SAID, MARIA.model_copy(update={"mobile": None, "phone": None}), SAID),
        ],
    )
    def test_is_called_at_what_was_said_or_else_at_their_own(
        self, phone: str | None, customer: Customer, number: str
    ) -> None:
        assignment = due(with_time(phone=phone))
        call = wanted(assignment, schedule_of(assignment), customer, CAMPAIGN)
        assert call
        assert call.number == number

    def test_is_the_campaigns_call_once_and_for_half_an_hour(self) -> None:
        spoken_to = NEW.model_copy(update={"acted_at": NOW - MINUTE})
        assignment = due(with_time(before=spoken_to))
        call = wanted(assignment, schedule_of(assignment), MARIA, CAMPAIGN)
        assert call
        assert (call.agent, call.queue, call.purpose) == ("ana", "vendas", Purpose.TELEMARKETING)
        assert (call.due_at, call.until, call.max_attempts) == (AT, AT + 30 * MINUTE, 1)
        assert (call.asked_at, call.caller_id) == (NOW - MINUTE, "+551140000000")

    def test_has_a_list_whose_name_a_call_can_hold(self) -> None:
        longest = Appointment("c" * 60, "12345678-1234-1234-1234-123456789012", 999_999)
        assert len(longest.list_name) <= MAX_NAME_LENGTH
        assert len(longest.schedule_name) <= 64

    def test_nobody_without_a_number(self) -> None:
        nobody = Customer(customer_id="maria", name="Maria")
        assert wanted(due(), schedule_of(due()), nobody, CAMPAIGN) is None


def test_news_is_a_new_time_or_one_that_has_come() -> None:
    assert is_news(None, with_time())
    assert is_news(NEW, with_time())
    assert is_news(with_time(), with_time(AT + MINUTE, with_time()))
    assert is_news(with_time(), due())
    assert not is_news(due(), held(due()))
    assert not is_news(with_time(), held(with_time()))


@pytest.mark.parametrize(
    ("later", "still"),
    [
        (due(), True),
        (held(due(), until=AT), True),
        (held(due()), False),
        (due().model_copy(update={"agent": "bia"}), False),
        (due(to_team=True), False),
        (due(with_time(AT, with_time())), False),
        (unlinked(due(), "leo", AT).after, False),
    ],
)
def test_who_is_due_is_dialled_unless_something_else_is_done(
    later: Assignment, still: bool
) -> None:
    assert still_to_be_dialled(due(), later, AT) is still


@dataclass
class Office:
    """A follower among fakes."""

    campaign: Campaign = CAMPAIGN
    customer: Customer | None = MARIA
    schedules: dict[str, datetime] = field(default_factory=dict)
    events: list[TelemarketingContactDue] = field(default_factory=list)
    calls: FakeCallList = field(default_factory=FakeCallList)
    publish: Callable[[Event], None] | None = None

    def follow(
        self,
        before: Assignment | None,
        after: Assignment,
        now: datetime,
        current: Assignment | None = None,
    ) -> None:
        """`current` is what the assignment has become since, if anything."""

        def one(campaign_id: str, customer_id: str) -> Assignment:
            found = current or after
            if found.state is State.UNLINKED:
                raise NotFound("the customer is not in this campaign")
            return found

        schedules = SimpleNamespace(
            put=lambda name, at, message: self.schedules.update({name: at}),
            drop=lambda name: self.schedules.pop(name, None),
        )
        customers = {MARIA.customer_id: self.customer} if self.customer else {}
        following = Following(
            cast(Assignments, SimpleNamespace(one=one)),
            cast(Schedules, schedules),
            cast(Any, self.calls),
            cast(Setup, SimpleNamespace(campaign=lambda campaign_id: self.campaign)),
            cast(CustomerDirectory, SimpleNamespace(some=lambda ids: customers)),
            cast(EventBus, SimpleNamespace(publish=self.publish or self.events.append)),
            Onlookers([]),
            ZoneInfo("America/Sao_Paulo"),
        )
        following.follow(record(before, after), now)

    def come(self, now: datetime = AT) -> bool:
        """Her time comes; says whether she is dialled."""
        self.follow(with_time(), due(), now)
        (event,) = self.events
        assert event.dialled is bool(self.calls.contacts)
        return event.dialled


def record(before: Assignment | None, after: Assignment) -> Record:
    images = {"OldImage": before, "NewImage": after}
    told = {name: image(each) for name, each in images.items() if each}
    keys = {name: told["NewImage"][name] for name in ("campaign_id", "customer_id")}
    return {"dynamodb": {"Keys": keys, **told}}


def image(assignment: Assignment) -> dict[str, Any]:
    return {
        "campaign_id": {"S": assignment.campaign_id},
        "customer_id": {"S": assignment.customer_id},
        "revision": {"N": str(assignment.revision)},
        "assignment": {"S": assignment.model_dump_json(exclude_defaults=True)},
    }


class TestFollowing:
    def test_dials_who_is_due(self) -> None:
        assert Office().come()
        assert Office().come(AT + 30 * MINUTE)

    @pytest.mark.parametrize(
        "campaign",
        [
            {"dialling": False},
            {"active": False},
            {"retired": True},
            {"begins_on": date(2026, 3, 3)},
            {"ends_on": date(2026, 3, 1)},
        ],
    )
    def test_dials_for_no_campaign_that_does_not_say_so_by_then(
        self, campaign: dict[str, Any]
    ) -> None:
        assert not Office(campaign=CAMPAIGN.model_copy(update=campaign)).come()

    def test_dials_nobody_who_is_no_more_or_has_no_number_or_was_to_be_called_long_ago(
        self,
    ) -> None:
        assert not Office(customer=None).come()
        assert not Office(customer=Customer(customer_id="maria", name="Maria")).come()
        assert not Office().come(AT + 31 * MINUTE)

    def test_goes_by_the_campaigns_day_where_the_company_is(self) -> None:
        # There it is still the 31st.
        last = datetime(2026, 4, 1, 2, 30, tzinfo=UTC)
        office = Office()
        before = with_time(last)
        office.follow(before, fired(before, False, last).after, last)
        assert office.events[0].dialled

    def test_dials_nobody_whom_somebody_has_in_hand(self) -> None:
        office = Office()
        office.follow(held(with_time()), held(due()), AT)
        assert [event.dialled for event in office.events] == [False]

    def test_tells_of_nobody_who_has_another_time_by_then_or_none(self) -> None:
        office = Office()
        for current in (with_time(AT + 60 * MINUTE, due()), unlinked(due(), "leo", AT).after):
            office.follow(with_time(), due(), AT, current)
        assert office.events == []
        assert office.calls.contacts == {}

    def test_asks_once_where_the_bus_does_not_answer(self) -> None:
        def refuse(event: Event) -> None:
            raise Unavailable("the event bus does not answer")

        office = Office(publish=refuse)
        with pytest.raises(Unavailable):
            office.follow(with_time(), due(), AT)
        office.publish = None
        office.follow(with_time(), due(), AT)
        assert len(office.calls.contacts) == len(office.events) == 1

    def test_makes_and_drops_schedules(self) -> None:
        office = Office()
        first = with_time()
        office.follow(NEW, first, NOW)
        second = with_time(AT + MINUTE, first)
        office.follow(first, second, NOW)
        assert list(office.schedules.values()) == [AT + MINUTE]
        deleted = schedule_deleted(second, "ana", NOW)
        assert deleted
        office.follow(second, deleted.after, NOW)
        assert office.schedules == {}

    def test_of_a_customer_of_no_campaign_any_more_there_is_nothing_to_tell(self) -> None:
        Office().follow(None, NEW, NOW)
        Following.follow(cast(Following, None), {"dynamodb": {"OldImage": image(NEW)}}, NOW)
