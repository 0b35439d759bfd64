"""Shows what was counted."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from zoneinfo import ZoneInfo

from retorno.counters.model import Amounts, Cell
from retorno.counters.store import Counters
from retorno.dashboard.figures import NAMES, Figures, Gauges
from retorno.dashboard.model import Wanted
from retorno.dashboard.rows import NOW, cell_now, cell_of_day
from retorno.errors import InvalidInput
from retorno.settings import CounterSettings

# What is read while someone waits: some ten megabytes of rows.
MAX_ROWS = 10_000


@dataclass(frozen=True, slots=True)
class Report:
    """Groups are those of which anything was counted: by time, or by name. `now` is of all or of a
    queue, and None of an agent.
    """

    total: Figures
    groups: Mapping[str, Figures]
    now: Gauges | None


@dataclass(frozen=True, slots=True)
class Today:
    """The company's day so far, and how things stand."""

    day: date
    figures: Figures
    now: Gauges


class Dashboard:
    """Shows what was counted."""

    def __init__(self, counters: Counters, zone: ZoneInfo) -> None:
        self._counters = counters
        self._zone = zone

    def today(self, now: datetime) -> Today:
        """In two reads of a row each. Raises Unavailable."""
        day = now.astimezone(self._zone).date()
        amounts = self._counters.row(cell_of_day(day, None, None))
        return Today(day, Figures.read(amounts), self._now(None))

    def report(self, wanted: Wanted) -> Report:
        """Raises InvalidInput where there are too many groups to read while someone waits;
        Unavailable.
        """
        days = wanted.days
        rows = self._counters.some(days) if days else self._rows(*wanted.cells)
        everything = Counter[str]()
        for _, amounts in rows:
            everything.update(amounts)
        of_groups = self._rows(*wanted.side_by_side) if wanted.side_by_side else rows
        groups = wanted.sums(of_groups) if wanted.group_by else {}
        return Report(
            total=Figures.read(everything),
            groups={group: Figures.read(sums) for group, sums in groups.items()},
            now=None if wanted.agent is not None else self._now(wanted.queue),
        )

    def _rows(self, first: Cell, last: Cell) -> Sequence[tuple[str, Amounts]]:
        rows = self._counters.rows(first, last, MAX_ROWS + 1)
        if len(rows) > MAX_ROWS:
            raise InvalidInput("from", "gives too many groups: ask for fewer days")
        return rows

    def _now(self, queue: str | None) -> Gauges:
        return Gauges.read(NOW, self._counters.row(cell_now(queue)))


def dashboard_reader(settings: CounterSettings) -> Dashboard:
    return Dashboard(Counters(settings.counters_table, NAMES), settings.time_zone)
