"""What may become of a customer in a campaign: any steps in any order, and places in lists."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal

from hypothesis import example, given
from hypothesis import strategies as st

from retorno.errors import RetornoError
from retorno.telemarketing.assignments.model import (
    Assignment,
    Change,
    Entry,
    LinkWish,
    Schedule,
    State,
    Time,
    Worker,
    fired,
    handed,
    linked,
    may_be_handed,
    reopened,
    schedule_deleted,
    scheduled,
    unlinked,
)
from retorno.telemarketing.operations.model import (
    ENDED,
    Conclusion,
    Edit,
    Operation,
    Stage,
    Step,
    concluded,
    edited,
    left_open,
    opened,
    postponed,
    released,
    without_contact,
)
from retorno.telemarketing.setup.model import NoContactReason, Outcome, OutcomeFlag

NOW = datetime(2026, 3, 2, 12, 30, tzinfo=UTC)
AGENTS = ("ana", "bia")
SOLD = Outcome(
    code="venda",
    name="Venda",
    flags=frozenset({OutcomeFlag.CONTACT, OutcomeFlag.SALE, OutcomeFlag.FINAL}),
)
LATER = Outcome(code="depois", name="Depois", flags=frozenset({OutcomeFlag.CONTACT}))
BUSY = NoContactReason(code="ocupado", name="Ocupado", retry_minutes=15)


def assignment(customer_id: str = "c1", **fields: object) -> Assignment:
    known = {"campaign_id": "natal", "customer_id": customer_id, "linked_at": NOW}
    return Assignment.model_validate({**known, "linked_by": "leo", **fields})


class Story:
    """A customer, the operations with them, and what is told of both."""

    def __init__(self) -> None:
        self.now = NOW
        first = linked(None, "natal", "c1", LinkWish(), "leo", NOW)
        assert first
        self.assignment = first.after
        self.entries: list[Entry] = [first.entry]
        self.operations: dict[int, Operation] = {}

    def take(self, change: Change | None) -> None:
        if change:
            assert change.after.revision == self.assignment.revision + 1
            self.assignment = change.after
            self.entries.append(change.entry)

    def act(self, step: str, agent: str) -> None:
        before, now = self.assignment, self.now
        time = Time(at=now + timedelta(hours=1))
        changes: dict[str, Callable[[], Change | None]] = {
            "link": lambda: linked(before, "natal", "c1", LinkWish(agent=agent), "leo", now),
            "unlink": lambda: unlinked(before, "leo", now),
            "schedule": lambda: scheduled(before, time, agent, now),
            "delete": lambda: schedule_deleted(before, agent, now),
            "fire": lambda: fired(before, to_team=agent == "bia", now=now),
            "reopen": lambda: reopened(before, "leo", now),
        }
        if step in changes:
            is_in = before.state is not State.UNLINKED
            if is_in or step == "link":
                self.take(changes[step]())
        elif step == "hand":
            if may_be_handed(before, agent, now):
                self.assignment = handed(before, agent, now)
        elif step == "open":
            if before.state is not State.UNLINKED:
                self.open(agent)
        else:
            self.end(step, agent)

    def open(self, agent: str) -> None:
        before = self.assignment
        step = opened(before, agent, self.now)
        if before.open_operation:
            left = self.operations[before.open_operation]
            self.operations[left.ordinal] = left_open(left, self.now)
        self.operations[step.operation.ordinal] = step.operation
        self.take(step.change)

    def end(self, step: str, agent: str) -> None:
        mine = [each for each in self.operations.values() if each.agent == agent]
        if not mine:
            return
        operation, before, now = mine[-1], self.assignment, self.now
        time = Time(at=now + timedelta(hours=1))
        ends: dict[str, Callable[[], Step | None]] = {
            "edit": lambda: edited(operation, before, Edit(conversation=str(now)), None, now),
            "conclude": lambda: concluded(
                operation, before, Conclusion(outcome=SOLD, value=Decimal("9.90")), now
            ),
            "postpone": lambda: postponed(operation, before, LATER, time, now),
            "no contact": lambda: without_contact(operation, before, BUSY, time, now),
            "release": lambda: released(operation, before, agent, now),
        }
        after = ends[step]()
        if after:
            self.operations[operation.ordinal] = after.operation
            self.take(after.change)


STEPS = (
    "link",
    "unlink",
    "schedule",
    "delete",
    "fire",
    "reopen",
    "hand",
    "open",
    "edit",
    "conclude",
    "postpone",
    "no contact",
    "release",
)
MINUTES = st.sampled_from([0, 1, 6, 31])


@given(st.lists(st.tuples(st.sampled_from(STEPS), st.sampled_from(AGENTS), MINUTES), max_size=40))
@example([("open", "ana", 0), ("conclude", "ana", 0), ("unlink", "ana", 0)])
def test_whatever_is_done_the_records_agree(steps: list[tuple[str, str, int]]) -> None:
    story = Story()
    for step, agent, minutes in steps:
        story.now += timedelta(minutes=minutes)
        try:
            story.act(step, agent)
        except RetornoError:
            continue
        known = story.assignment
        still_open = [each for each in story.operations.values() if each.stage is Stage.OPEN]
        assert [each.ordinal for each in still_open] == (
            [known.open_operation] if known.open_operation else []
        )
        assert known.opened == len(story.operations)
        assert (known.schedule is not None) == (known.state is State.SCHEDULED)
        assert (known.concluded_at is not None) == (known.state is State.CONCLUDED)
        assert (known.check_at is not None) == (known.schedule is not None and not known.due)
    numbers = [entry.number for entry in story.entries]
    assert numbers == sorted(set(numbers))
    since = story.assignment.linked_at
    ended = [each for each in story.operations.values() if each.stage in ENDED]
    assert story.assignment.operations <= len(ended)
    if since == NOW and "unlink" not in {step for step, _, _ in steps}:
        assert story.assignment.operations == len(ended)


def test_places_are_in_the_order_in_which_customers_are_contacted() -> None:
    def waits(minutes: int, fired_at: datetime | None = None) -> Schedule:
        at = NOW + timedelta(minutes=minutes)
        return Schedule(ordinal=1, at=at, by="ana", fired_at=fired_at)

    scheduled_ = {"state": State.SCHEDULED}
    in_order = [
        assignment("h", **scheduled_, schedule=waits(5, NOW), priority=9),
        assignment("g", **scheduled_, schedule=waits(1, NOW)),
        assignment("f", **scheduled_, schedule=waits(2, NOW)),
        assignment("e", priority=9, linked_at=NOW + timedelta(days=1)),
        assignment("c"),
        assignment("d"),
        assignment("b", linked_at=NOW + timedelta(seconds=1)),
        assignment("a", priority=0),
        assignment("z", **scheduled_, schedule=waits(7), priority=0),
        assignment("y", **scheduled_, schedule=waits(8), priority=9),
    ]
    assert sorted(in_order, key=lambda each: each.place) == in_order


def test_who_may_act_on_whom() -> None:
    ana = Worker("ana", frozenset({"vendas"}))
    eva = Worker("eva", frozenset({"suporte"}))
    leo = Worker("leo", leads=True)
    away = Schedule(ordinal=1, at=NOW, by="bia", fired_at=NOW, to_team=True)
    for given_, who in (
        (assignment(agent="ana"), {ana, leo}),
        (assignment(agent="bia"), {leo}),
        (assignment(), {ana, leo}),
        (assignment(agent="bia", schedule=away), {ana, leo}),
        (assignment(agent="eva"), {eva, leo}),
    ):
        assert {each for each in (ana, eva, leo) if each.may_act_on(given_, "vendas")} == who
