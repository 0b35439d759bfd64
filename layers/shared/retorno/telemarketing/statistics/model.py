"""What is counted of telemarketing, and what the counts say.

Gauges say how customers stand at this moment; figures, what ended in a period. Both are kept for
all, for each campaign, for each agent, and for each agent in each campaign; and in each of these
once more group by group.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from enum import StrEnum
from itertools import product
from typing import Self
from zoneinfo import ZoneInfo

from retorno.counters.model import Amounts, Cell, Contribution, Image, Told, told
from retorno.errors import InvalidInput
from retorno.frozen import Frozen
from retorno.telemarketing.assignments.model import Assignment, State
from retorno.telemarketing.operations.model import ENDED, Operation, Stage
from retorno.telemarketing.setup.model import OutcomeFlag
from retorno.telephony.ports import AnsweredBy

SCOPE = "telemarketing"
TOTAL = "total"
NOW = "now"
# Comes after all that is the name of a group.
LAST_VALUE = "\U0010ffff"

# The agent of customers whom anybody of the team may contact.
TEAM = ""

MAX_DAYS = 366
MAX_DAYS_IN_GROUPS = 92

HOUR = 3600
CENT_DIGITS = 2
RATE_DIGITS = 4


class Grouping(StrEnum):
    CAMPAIGN = "campaign"
    AGENT = "agent"
    OUTCOME = "outcome"
    ACTION_TYPE = "action_type"
    DAY = "day"


class Gauges(Frozen):
    """How customers stand at this moment: `linked` are `not_acted`, `scheduled` and `concluded`
    together; `acted` have had an attempt since they were linked; of `overdue` the time of a
    schedule has come, and nobody acted on it yet; and of these stand `to_team` in the team's
    worklist, since their agent was away.
    """

    linked: int = 0
    not_acted: int = 0
    scheduled: int = 0
    concluded: int = 0
    acted: int = 0
    overdue: int = 0
    to_team: int = 0


class Figures(Frozen):
    """What came of the operations that ended in a period: each of them is one of `attempts`.

    They are `concluded`, or else `scheduled`: ended with a time for the next contact. `timed` are
    those whose handling is known, since they were not imported. Rates are None where there is
    nothing to divide by.
    """

    attempts: int = 0
    concluded: int = 0
    scheduled: int = 0
    contacts: int = 0
    no_contacts: int = 0
    sales: int = 0
    sales_cents: int = 0
    not_interested: int = 0
    do_not_call: int = 0
    calls: int = 0
    answered_by_person: int = 0
    talk_seconds: int = 0
    timed: int = 0
    handling_seconds: int = 0

    @property
    def sales_value(self) -> Decimal:
        return Decimal(self.sales_cents).scaleb(-CENT_DIGITS)

    @property
    def contact_rate(self) -> float | None:
        return _rate(self.contacts, self.attempts)

    @property
    def conversion(self) -> float | None:
        return _rate(self.sales, self.contacts)

    @property
    def conversion_of_attempts(self) -> float | None:
        return _rate(self.sales, self.attempts)

    @property
    def attempts_per_contact(self) -> float | None:
        return _rate(self.attempts, self.contacts)

    @property
    def attempts_per_hour(self) -> float | None:
        return _rate(self.timed * HOUR, self.handling_seconds)

    @property
    def calls_per_hour(self) -> float | None:
        return _rate(self.calls * HOUR, self.handling_seconds)


def _rate(part: int, whole: int) -> float | None:
    return round(part / whole, RATE_DIGITS) if whole else None


def told_of_assignment(before: Assignment | None, after: Assignment | None) -> Told | None:
    """What a change of an assignment says; None where it adds the same to the gauges."""
    known = after or before
    if known is None:
        return None
    source = f"{SCOPE}#assignment#{known.campaign_id}#{known.customer_id}"
    return told(source, standing(before) if before else None, standing(after) if after else None)


def told_of_operation(
    before: Operation | None, after: Operation | None, zone: ZoneInfo
) -> Told | None:
    """What a change of an operation says; None where it adds the same to the figures."""
    known = after or before
    if known is None:
        return None
    source = f"{SCOPE}#operation#{known.operation_id}"
    return told(
        source, ended(before, zone) if before else None, ended(after, zone) if after else None
    )


def standing(assignment: Assignment) -> Image:
    """What a customer adds to the gauges. One who was unlinked adds nothing."""
    state = assignment.state
    gauges = Gauges(
        linked=1,
        not_acted=state is State.NOT_ACTED,
        scheduled=state is State.SCHEDULED,
        concluded=state is State.CONCLUDED,
        acted=assignment.operations > 0,
        overdue=assignment.due,
        to_team=assignment.agent != assignment.shown_to,
    )
    groups = {
        Grouping.CAMPAIGN: assignment.campaign_id,
        Grouping.AGENT: assignment.agent or TEAM,
    }
    is_linked = state is not State.UNLINKED
    return Image(assignment.revision, _spread(gauges, NOW, groups) if is_linked else {})


def ended(operation: Operation, zone: ZoneInfo) -> Image:
    """What an operation adds to the figures of the day, in a time zone, on which it ended. One that
    is open or was released adds nothing.
    """
    if operation.stage not in ENDED or operation.ended_at is None:
        return Image(operation.revision, {})
    took = timedelta() if operation.imported else operation.ended_at - operation.started_at
    figures = Figures(
        attempts=1,
        contacts=OutcomeFlag.CONTACT in operation.flags,
        no_contacts=operation.stage is Stage.NO_CONTACT,
        concluded=operation.stage is Stage.CONCLUDED,
        scheduled=operation.stage is not Stage.CONCLUDED,
        sales=OutcomeFlag.SALE in operation.flags,
        sales_cents=int((operation.value or Decimal()).scaleb(CENT_DIGITS)),
        not_interested=OutcomeFlag.NOT_INTERESTED in operation.flags,
        do_not_call=OutcomeFlag.DO_NOT_CALL in operation.flags,
        calls=operation.call_id is not None,
        answered_by_person=operation.answered_by is AnsweredBy.HUMAN,
        talk_seconds=round(operation.talk_seconds or 0),
        timed=not operation.imported,
        handling_seconds=round(took.total_seconds()),
    )
    groups = {
        Grouping.CAMPAIGN: operation.campaign_id,
        Grouping.AGENT: operation.agent or TEAM,
        Grouping.OUTCOME: operation.outcome or "",
        Grouping.ACTION_TYPE: operation.action_type or "",
    }
    day = operation.ended_at.astimezone(zone).date()
    return Image(operation.revision, _spread(figures, day.isoformat(), groups))


def _spread(counts: Gauges | Figures, when: str, groups: Mapping[Grouping, str]) -> Contribution:
    """The same amounts to each scope, and in each of these to the total and to each group."""
    amounts = {name: int(amount) for name, amount in counts if amount}
    campaign, agent = groups[Grouping.CAMPAIGN], groups[Grouping.AGENT]
    return {
        Cell(scope_of(*scope), name_of(grouping, when, value)): amounts
        for scope in product((None, campaign), (None, agent))
        for grouping, value in [(None, ""), *groups.items()]
        if not is_fixed(grouping, *scope)
    }


def scope_of(campaign: str | None, agent: str | None) -> str:
    """None for all. No campaign's id has a "#" in it."""
    of_campaign = "" if campaign is None else f"#campaign#{campaign}"
    of_agent = "" if agent is None else f"#agent#{agent}"
    return f"{SCOPE}{of_campaign}{of_agent}"


def name_of(grouping: Grouping | None, when: str, value: str) -> str:
    """`when` is a day, or now; without a grouping it is the total."""
    return f"{grouping or TOTAL}#{when}#{value}"


def total_of(campaign: str | None, agent: str | None) -> Cell:
    """The cell of all gauges of a scope."""
    return Cell(scope_of(campaign, agent), name_of(None, NOW, ""))


def is_fixed(grouping: Grouping | None, campaign: str | None, agent: str | None) -> bool:
    """Whether a scope has but one group, which is its total then."""
    return (grouping is Grouping.CAMPAIGN and campaign is not None) or (
        grouping is Grouping.AGENT and agent is not None
    )


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which statistics: of a campaign, an agent, None for all; of the days from `first` to `last`,
    both included; all together, or group by group.
    """

    campaign: str | None
    agent: str | None
    first: date
    last: date
    group_by: Grouping | None

    @classmethod
    def asked(
        cls,
        campaign: str | None,
        agent: str | None,
        since: date | None,
        until: date | None,
        group_by: Grouping | None,
        today: date,
    ) -> Self:
        """Of today where no day is said. Raises InvalidInput for a period that is too long."""
        wanted = cls(campaign, agent, since or today, until or today, group_by)
        if wanted.last < wanted.first:
            raise InvalidInput("to", "is before from")
        most = MAX_DAYS if wanted._kept_by is None else MAX_DAYS_IN_GROUPS
        if (wanted.last - wanted.first).days >= most:
            raise InvalidInput("from", f"no more than {most} days are shown at once")
        return wanted

    @property
    def _kept_by(self) -> Grouping | None:
        """By what the rows are kept: the totals are by day."""
        is_total = self.group_by is Grouping.DAY or is_fixed(
            self.group_by, self.campaign, self.agent
        )
        return None if is_total else self.group_by

    @property
    def has_gauges(self) -> bool:
        """Whether there are gauges of each group: of an outcome, or a day, there is no "now"."""
        return self.group_by in (Grouping.CAMPAIGN, Grouping.AGENT)

    def figures(self) -> tuple[Cell, Cell]:
        """The first and the last cell of its figures."""
        return self._cells(self.first.isoformat(), self.last.isoformat())

    def gauges(self) -> tuple[Cell, Cell]:
        """The first and the last cell of its gauges."""
        return self._cells(NOW, NOW)

    def _cells(self, first: str, last: str) -> tuple[Cell, Cell]:
        scope = scope_of(self.campaign, self.agent)
        return (
            Cell(scope, name_of(self._kept_by, first, "")),
            Cell(scope, name_of(self._kept_by, last, LAST_VALUE)),
        )

    def sums(self, rows: Iterable[tuple[str, Amounts]]) -> Mapping[str, Amounts]:
        """What rows of its cells come to, group by group; without a grouping under ""."""
        sums: dict[str, Counter[str]] = {}
        for name, amounts in rows:
            if amounts:
                sums.setdefault(self._group_of(name), Counter()).update(amounts)
        return sums

    def _group_of(self, name: str) -> str:
        _, when, value = name.split("#", 2)
        match self.group_by:
            case Grouping.DAY:
                return when
            case Grouping.CAMPAIGN:
                return self.campaign or value
            case Grouping.AGENT:
                return self.agent or value
        return value
