"""Telemarketing in numbers: counted as its tables' streams tell, and read as people ask."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

from retorno.counters.model import Amounts, Cell, Told
from retorno.counters.store import Counters
from retorno.errors import InvalidInput
from retorno.settings import CounterSettings
from retorno.telemarketing.assignments.service import assignment_change
from retorno.telemarketing.operations.service import operation_change
from retorno.telemarketing.statistics.model import (
    NOW,
    TEAM,
    Figures,
    Gauges,
    Grouping,
    Wanted,
    name_of,
    scope_of,
    told_of_assignment,
    told_of_operation,
    total_of,
)

NAMES = frozenset({*Gauges.model_fields, *Figures.model_fields})

# Some three megabytes of rows.
MAX_ROWS = 20_000


class Counting:
    """Follows the streams of assignments and operations."""

    def __init__(self, counters: Counters, zone: ZoneInfo) -> None:
        self._counters = counters
        self._zone = zone

    def count(self, records: Iterable[Mapping[str, Any]]) -> None:
        """What is told twice, late, or in another order, counts once. Raises Unavailable."""
        news: list[Told | None] = []
        for record in records:
            news.append(told_of_assignment(*assignment_change(record)))
            news.append(told_of_operation(*operation_change(record), self._zone))
        self._counters.count(each for each in news if each)


@dataclass(frozen=True, slots=True)
class Row:
    """`group` is None for what has none, such as an attempt without an outcome; `now` where the
    groups are no campaigns or agents.
    """

    group: str | None
    now: Gauges | None
    figures: Figures


@dataclass(frozen=True, slots=True)
class Report:
    """The total, and each group of which anything was counted, by its name."""

    total: Row
    groups: Sequence[Row]


class Lists(NamedTuple):
    """How many customers stand in each list of a worklist."""

    not_acted: int
    scheduled: int
    concluded: int


class Statistics:
    def __init__(self, counters: Counters) -> None:
        self._counters = counters

    def gauges(self, campaign: str | None, agent: str | None) -> Gauges:
        """How the customers of a campaign, an agent, None for all, stand now; TEAM is the agent of
        those whom anybody may contact. Raises Unavailable.
        """
        return Gauges(**self._counters.row(total_of(campaign, agent)))

    def worklist(self, campaign: str, agent: str, *, in_team: bool) -> Lists:
        """How many stand in each list of an agent: their own, and the team's if they are of it.

        Raises Unavailable.
        """
        own = self.gauges(campaign, agent)
        if not in_team:
            return Lists(own.not_acted, own.scheduled - own.to_team, own.concluded)
        team, all_agents = self.gauges(campaign, TEAM), self.gauges(campaign, None)
        of_others = max(0, all_agents.to_team - own.to_team)
        return Lists(
            own.not_acted + team.not_acted,
            own.scheduled + team.scheduled + of_others,
            own.concluded + team.concluded,
        )

    def has_customers(self, campaign_ids: Sequence[str], agent: str | None) -> set[str]:
        """Those of the campaigns in which an agent has customers; None is for those whom anybody of
        the team may contact. Raises Unavailable.
        """
        if agent is not None:
            return self._with_any(campaign_ids, agent, "linked")
        teams_own = self._with_any(campaign_ids, TEAM, "linked")
        return teams_own | self._with_any(campaign_ids, None, "to_team")

    def _with_any(self, campaign_ids: Sequence[str], agent: str | None, gauge: str) -> set[str]:
        if not campaign_ids:
            return set()
        scope = scope_of(None, agent)
        names = {name_of(Grouping.CAMPAIGN, NOW, each): each for each in campaign_ids}
        rows = self._counters.rows(Cell(scope, min(names)), Cell(scope, max(names)), MAX_ROWS)
        return {names[name] for name, amounts in rows if name in names and amounts.get(gauge)}

    def report(self, wanted: Wanted) -> Report:
        """Raises InvalidInput where there are too many groups to read while someone waits;
        Unavailable.
        """
        figures = self._sums(wanted, wanted.figures())
        gauges = self._sums(wanted, wanted.gauges()) if wanted.has_gauges else {}
        everything = Counter[str]()
        for amounts in figures.values():
            everything.update(amounts)
        total = Row(
            group=None,
            now=self.gauges(wanted.campaign, wanted.agent),
            figures=Figures(**everything),
        )
        if wanted.group_by is None:
            return Report(total, ())
        groups = [
            Row(
                group=name or None,
                now=Gauges(**gauges.get(name, {})) if wanted.has_gauges else None,
                figures=Figures(**figures.get(name, {})),
            )
            for name in sorted({*figures, *gauges})
        ]
        return Report(total, groups)

    def _sums(self, wanted: Wanted, cells: tuple[Cell, Cell]) -> Mapping[str, Amounts]:
        rows = self._counters.rows(*cells, MAX_ROWS + 1)
        if len(rows) > MAX_ROWS:
            raise InvalidInput(
                "group_by", "gives too many groups: ask for fewer days, a campaign, or an agent"
            )
        return wanted.sums(rows)


def counting(settings: CounterSettings) -> Counting:
    return Counting(Counters(settings.counters_table, NAMES), settings.time_zone)


def statistics(settings: CounterSettings) -> Statistics:
    return Statistics(Counters(settings.counters_table, NAMES))
