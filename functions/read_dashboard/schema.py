"""Figures as the API shows them: docs/metrics.md has their formulas."""

from collections.abc import Iterator, Mapping
from datetime import date
from decimal import Decimal
from typing import Annotated, Any, Self

from pydantic import AfterValidator, ConfigDict, Field

from retorno.dashboard.figures import Figures
from retorno.dashboard.model import ALL_SECTIONS, Grouping, Wanted
from retorno.dashboard.reader import Report
from retorno.frozen import Frozen
from retorno.settings import DashboardSettings, ServiceLevelOf

Seconds = Annotated[float, AfterValidator(lambda seconds: round(seconds, 3))]


class View(Frozen):
    """Rates and averages are null where they divide by nothing."""

    model_config = ConfigDict(from_attributes=True)


class InboundView(View):
    calls: int
    offered: int = Field(description="calls - in_menu")
    answered: int
    abandoned: int
    short_abandons: int = Field(description="Of abandoned")
    no_answer: int
    failed: int
    by_machine: int
    in_menu: int
    queued: int = Field(description="Of offered: it is known how long they waited")
    queued_answered: int
    in_time: int = Field(description="Of queued_answered")
    service_level: float | None = Field(default=None, description="As `service_level` says")
    abandonment_rate: float | None = Field(description="abandoned / offered")
    abandonment_rate_without_short: float | None
    average_speed_of_answer_seconds: Seconds | None = Field(description="Of queued_answered")
    average_wait_to_abandon_seconds: Seconds | None
    wait_seconds_median: Seconds | None = Field(description="Of queued, to 5 %, as the next two")
    wait_seconds_p90: Seconds | None
    longest_wait_seconds: Seconds | None
    talk_seconds: Seconds
    average_talk_seconds: Seconds | None


class OutboundView(View):
    calls: int
    answered: int
    by_person: int
    by_voicemail: int
    operator_no_answer: int = Field(description="Not in calls: the customer was never rung")
    contact_rate: float | None = Field(description="by_person / calls")
    voicemail_share: float | None = Field(description="by_voicemail / answered")
    talk_seconds: Seconds
    average_talk_seconds: Seconds | None


class UndirectedView(View):
    calls: int


class MissedView(View):
    calls: int
    short_abandons: int
    open: int
    blocked: int
    recovered: int
    returned: int
    expired: int
    dismissed: int
    attempted: int = Field(description="Somebody called back, whoever was reached")
    attempts: int = Field(description="Calls back that reached nobody")
    won_back: int = Field(description="By the operator's calls, whoever missed them")
    recovery_rate: float | None = Field(description="recovered / calls")
    first_attempt_seconds_median: Seconds | None = Field(description="To 5 %, as the next three")
    first_attempt_seconds_p90: Seconds | None
    recovery_seconds_median: Seconds | None
    recovery_seconds_p90: Seconds | None


class OperatorsView(View):
    available_seconds: Seconds
    on_offer_seconds: Seconds
    dialling_seconds: Seconds
    busy_seconds: Seconds
    wrap_up_seconds: Seconds
    paused_seconds: Seconds
    occupancy: float | None


class OffersView(View):
    offers: int
    accepted: int
    refused: int
    ignored: int
    failed: int
    withdrawn: int
    acceptance_rate: float | None = Field(description="accepted / (accepted + refused + ignored)")


class PromisesView(View):
    kept: int
    late: int
    missed: int
    forbidden: int
    kept_rate: float | None = Field(description="kept / all four")


class QuotesView(View):
    calls: int = Field(description="Calls with a quote")
    calls_won: int
    quotes: int
    open: int
    won: int
    lost: int
    won_value: Decimal
    conversion_of_calls_with_a_quote: float | None = Field(description="calls_won / calls")


class FiguresView(View):
    """Sections are null where they are not kept: operators' time of a queue, and of a direction
    all but its own calls.
    """

    all_calls: int
    answered_calls: int = Field(description="In which people spoke with each other")
    talk_seconds: Seconds
    voicemail_share: float | None = Field(description="Of the answers of outbound calls")
    conversion_of_answered_calls: float | None = Field(
        description="Calls with a quote that was won / answered_calls"
    )
    inbound: InboundView | None
    outbound_manual: OutboundView | None
    outbound_auto: OutboundView | None
    undirected: UndirectedView | None
    missed: MissedView | None
    operators: OperatorsView | None
    offers: OffersView | None
    promises: PromisesView | None
    quotes: QuotesView | None

    @classmethod
    def of(cls, figures: Figures, shown: frozenset[str], of: ServiceLevelOf) -> Self:
        view = cls.model_validate(figures)
        told: dict[str, Any] = {}
        if view.inbound:
            level = figures.inbound.service_level_of(of)
            told["inbound"] = view.inbound.model_copy(update={"service_level": level})
        return view.model_copy(update=told | dict.fromkeys(ALL_SECTIONS - shown))


class GroupView(FiguresView):
    group: str = Field(description="A name; or when an hour began, or a day")


class GaugesView(View):
    """How things stand at this moment, whatever the period."""

    missed_open: int
    missed_blocked: int
    contacts_waiting: int
    contacts_dialling: int
    contacts_blocked: int


class ServiceLevelView(Frozen):
    seconds: float = Field(description="Within which an answer is in time")
    of: ServiceLevelOf


class DashboardView(Frozen):
    since: date = Field(serialization_alias="from")
    until: date = Field(serialization_alias="to")
    time_zone: str
    queue: str | None
    agent: str | None
    group_by: Grouping | None
    service_level: ServiceLevelView
    now: GaugesView | None = Field(description="null for an agent")
    total: FiguresView
    items: list[GroupView] = Field(description="Groups of which there is anything, in order")

    @classmethod
    def of(cls, wanted: Wanted, report: Report, settings: DashboardSettings) -> Self:
        of = settings.service_level_of
        return cls(
            since=wanted.first,
            until=wanted.last,
            time_zone=str(wanted.zone),
            queue=wanted.queue,
            agent=wanted.agent,
            group_by=wanted.group_by,
            service_level=ServiceLevelView(seconds=settings.service_level_seconds, of=of),
            now=GaugesView.model_validate(report.now) if report.now else None,
            total=FiguresView.of(report.total, wanted.sections(None), of),
            items=[
                GroupView(
                    group=group,
                    **FiguresView.of(figures, wanted.sections(group), of).model_dump(),
                )
                for group, figures in report.groups.items()
            ],
        )

    def table(self) -> Iterator[list[str]]:
        """The groups, or else the total, as rows of text, the header first."""
        every = FiguresView.of(Figures(), ALL_SECTIONS, self.service_level.of)
        columns = [name for name, _ in _cells(every.model_dump())]
        yield ["group", *columns]
        rows = [(item.group, item) for item in self.items] if self.group_by else [("", self.total)]
        for group, figures in rows:
            cells = dict(_cells(figures.model_dump()))
            yield [group, *(cells.get(name, "") for name in columns)]


def _cells(values: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, str]]:
    """Figures by their names, those of a section by "inbound.calls"."""
    for name, value in values.items():
        if isinstance(value, Mapping):
            yield from _cells(value, f"{name}.")
        else:
            yield f"{prefix}{name}", "" if value is None else str(value).replace(".", ",")
