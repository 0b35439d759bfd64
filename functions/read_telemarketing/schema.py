"""Statistics as the API shows them."""

from datetime import date
from decimal import Decimal

from pydantic import ConfigDict, Field

from retorno.frozen import Frozen
from retorno.telemarketing.statistics.model import Grouping, Wanted
from retorno.telemarketing.statistics.service import Report, Row


class GaugesView(Frozen):
    """Customers, at this moment."""

    model_config = ConfigDict(from_attributes=True)

    linked: int = Field(description="The sum of the next three")
    not_acted: int = Field(description="Wait for a contact without a time")
    scheduled: int = Field(description="Wait for a time, or it has come")
    concluded: int
    acted: int = Field(description="Have had an attempt since they were linked")
    overdue: int = Field(description="Their time has come, and nobody acted on it yet")
    to_team: int = Field(description="Of these: the team's to act on, since their agent was away")


class FiguresView(Frozen):
    """Of operations that ended in the period. Rates are null where they divide by nothing."""

    model_config = ConfigDict(from_attributes=True)

    attempts: int = Field(description="Operations that ended with a result")
    concluded: int = Field(description="Attempts that ended for good")
    scheduled: int = Field(description="Attempts that ended with a time for the next")
    contacts: int = Field(description="Attempts whose outcome is a contact")
    no_contacts: int = Field(description="Attempts that ended with a reason for no contact")
    sales: int = Field(description="Attempts whose outcome is a sale")
    sales_value: Decimal
    not_interested: int
    do_not_call: int
    calls: int = Field(description="Attempts in a call that Retorno knows of")
    answered_by_person: int = Field(description="Of these calls")
    talk_seconds: int = Field(description="Of these calls")
    timed: int = Field(description="Attempts that were not imported: their handling is known")
    handling_seconds: int = Field(description="From the beginning of those to their end")
    contact_rate: float | None = Field(description="contacts / attempts")
    conversion: float | None = Field(description="sales / contacts")
    conversion_of_attempts: float | None = Field(description="sales / attempts")
    attempts_per_contact: float | None = Field(description="attempts / contacts")
    attempts_per_hour: float | None = Field(description="timed / hours of handling")
    calls_per_hour: float | None = Field(description="calls / hours of handling")


class TotalView(FiguresView):
    now: GaugesView

    @classmethod
    def of_total(cls, row: Row) -> "TotalView":
        return cls(now=GaugesView.model_validate(row.now), **_figures(row))


class GroupView(FiguresView):
    group: str | None = Field(description="null for what has none: no outcome, the team's")
    now: GaugesView | None = Field(description="Of campaigns and agents alone")

    @classmethod
    def of(cls, row: Row) -> "GroupView":
        now = row.now and GaugesView.model_validate(row.now)
        return cls(group=row.group, now=now, **_figures(row))


def _figures(row: Row) -> dict[str, object]:
    return FiguresView.model_validate(row.figures).model_dump()


class StatisticsView(Frozen):
    since: date = Field(serialization_alias="from")
    until: date = Field(serialization_alias="to")
    campaign: str | None
    agent: str | None
    group_by: Grouping | None
    total: TotalView
    items: list[GroupView] = Field(description="Groups of which there is anything, by name")

    @classmethod
    def of(cls, wanted: Wanted, report: Report) -> "StatisticsView":
        return cls(
            since=wanted.first,
            until=wanted.last,
            campaign=wanted.campaign,
            agent=wanted.agent,
            group_by=wanted.group_by,
            total=TotalView.of_total(report.total),
            items=[GroupView.of(row) for row in report.groups],
        )
