"""How long callers may wait, and whether they were answered in time, as the API shows it."""

from collections.abc import Sequence
from datetime import date, datetime

from pydantic import ConfigDict, Field

from retorno.calling_rules.model import Source, Standing, Text
from retorno.frozen import Frozen
from retorno.waits.compliance import Group, Line, Report, Wanted
from retorno.waits.model import (
    CUSTOM,
    DayType,
    Force,
    InForce,
    Limits,
    Outcome,
    Profile,
    Rule,
    Wait,
)


class RuleView(Frozen):
    """None of it is legal advice."""

    model_config = ConfigDict(from_attributes=True)

    id: str
    title: Text
    limits: Limits
    force: Force = Field(description="in_force, or a yardstick that is no law in force")
    note: Text
    source: Source
    checked_on: date = Field(description="When the source was last read")
    standing: Standing = Field(description="How far it was checked")

    @classmethod
    def of(cls, rule: Rule) -> "RuleView":
        return cls.model_validate(rule)


class ProfileView(Frozen):
    id: str
    title: Text
    country: str
    rules: list[RuleView]

    @classmethod
    def of(cls, profile: Profile) -> "ProfileView":
        rules = [RuleView.of(rule) for rule in profile.rules]
        return cls(id=profile.id, title=profile.title, country=profile.country, rules=rules)


class ProfileList(Frozen):
    own_rule: str = Field(description="The stack's: that of queues which have no policy")
    items: list[ProfileView]


class PolicyView(Frozen):
    queue: str
    rule: str | None = Field(description="Of GET /wait-profiles; null where limits say it")
    limits: Limits | None = Field(description="The queue's own; null where rule says it")
    state: str | None = Field(description="Whose holidays count, beside the country's")
    optional_holidays: bool
    since: datetime = Field(description="It is for waits that began at this moment or later")
    set_by: str
    version: int = Field(description="Of the ETag")

    @classmethod
    def of(cls, found: InForce) -> "PolicyView":
        return cls(**dict(found.policy), **found.model_dump(exclude={"policy"}))


class PolicyList(Frozen):
    items: list[PolicyView] = Field(description="A page may hold fewer than were asked for")
    cursor: str | None = Field(description="Where the next page begins; null at the end")


class FiguresView(Frozen):
    """Of waits that began in the period, without those that go on and are within their limit."""

    model_config = ConfigDict(from_attributes=True)

    waits: int = Field(description="answered + left + unknown, and breaches that still wait")
    answered: int = Field(description="By a person")
    left: int = Field(description="Hung up, were sent away, or came to a voicemail")
    unknown: int = Field(description="Waits whose end nobody told: they are not judged")
    in_time: int = Field(description="Answered within the limit")
    breaches: int = Field(description="Longer than the limit, however they ended")
    left_in_time: int = Field(description="Left within the limit: neither in time nor a breach")
    share_in_time: float | None = Field(description="in_time / (in_time + breaches)")
    average_seconds: float | None = Field(description="Of answered and left together")
    longest_seconds: int | None = Field(
        description="No wait that has ended was longer; it may be a tenth more than the longest"
    )

    @classmethod
    def of(cls, line: Line) -> "FiguresView":
        return cls(
            **line.figures.model_dump(exclude={"waited_seconds"}),
            share_in_time=line.figures.share_in_time,
            average_seconds=line.figures.average_seconds,
            longest_seconds=line.longest_seconds,
        )


class GroupView(FiguresView):
    """Waits that were judged alike."""

    queue: str | None = Field(description="Where callers came in first; null where none is told")
    day_type: DayType = Field(description="Of the day on which the wait began")
    rule: str = Field(description=f'Of `rules`, or "{CUSTOM}"')
    limit_seconds: int | None = Field(description="Null where waits are counted, but not judged")

    @classmethod
    def of_group(cls, group: Group, line: Line) -> "GroupView":
        keys = {**group._asdict(), "queue": group.queue or None}
        return cls(**FiguresView.of(line).model_dump(), **keys)


class ComplianceView(Frozen):
    """None of it is legal advice."""

    since: date = Field(serialization_alias="from")
    until: date = Field(serialization_alias="to")
    queue: str | None
    total: FiguresView
    items: list[GroupView] = Field(description="By queue and type of day, with their rule")
    rules: list[RuleView] = Field(description="Those of the items")

    @classmethod
    def of(cls, wanted: Wanted, report: Report, rules: Sequence[Rule]) -> "ComplianceView":
        return cls(
            since=wanted.first,
            until=wanted.last,
            queue=wanted.queue,
            total=FiguresView.of(report.total),
            items=[GroupView.of_group(*each) for each in report.groups],
            rules=[RuleView.of(rule) for rule in rules],
        )


class BreachView(Frozen):
    model_config = ConfigDict(from_attributes=True)

    call_id: str
    queue: str | None = Field(description="Where the caller came in first")
    last_queue: str | None = Field(description="Where they were last")
    day_type: DayType
    rule: str
    limit_seconds: int
    began_at: datetime
    breached_at: datetime
    outcome: Outcome
    ended_at: datetime | None = Field(description="Null while the caller waits")
    seconds: float | None = Field(description="From the beginning to the end")


class BreachList(Frozen):
    items: list[BreachView]
    cursor: str | None = Field(description="Where the next page begins; null at the end")

    @classmethod
    def of(cls, waits: Sequence[Wait], cursor: str | None) -> "BreachList":
        return cls(items=[BreachView.model_validate(wait) for wait in waits], cursor=cursor)
