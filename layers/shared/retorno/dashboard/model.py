"""What may be asked of the counters, and which of their rows answer it."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from enum import StrEnum
from typing import Self
from zoneinfo import ZoneInfo

from retorno.counters.model import Amounts, Cell
from retorno.dashboard.figures import SECTIONS
from retorno.dashboard.rows import (
    BY_AGENT,
    BY_QUEUE,
    LAST_NAME,
    cell_of_day,
    group_name,
    hour_name,
    read_day,
    read_hour,
    scope_of,
)
from retorno.errors import InvalidInput
from retorno.telephony.ports import Direction

HOUR = timedelta(hours=1)

# Of days, of groups, of what is put together of hours, and of hours that are shown each.
MAX_DAYS = 366
MAX_DAYS_IN_GROUPS = 92
MAX_DAYS_OF_HOURS = 92
MAX_DAYS_BY_HOUR = 31

# There were no calls before; and time zones need a day after the last one.
YEARS = range(2000, 9999)


class Grouping(StrEnum):
    HOUR = "hour"
    DAY = "day"
    QUEUE = "queue"
    AGENT = "agent"
    DIRECTION = "direction"


ALL_SECTIONS = frozenset(SECTIONS)
# Agents have several queues: how they spend their time is no queue's.
OF_QUEUES = ALL_SECTIONS - {"operators"}
# Each has its section.
DIRECTIONS = (*(direction.value for direction in Direction), "undirected")


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which figures: of a queue or an agent, None for all; of the days in `zone` from `first` to
    `last`, both included; all together, or group by group. The company's days are in `own_zone`.
    """

    queue: str | None
    agent: str | None
    first: date
    last: date
    zone: ZoneInfo
    own_zone: ZoneInfo
    group_by: Grouping | None

    @classmethod
    def asked(
        cls,
        queue: str | None,
        agent: str | None,
        since: date | None,
        until: date | None,
        zone: ZoneInfo | None,
        own_zone: ZoneInfo,
        group_by: Grouping | None,
        now: datetime,
    ) -> Self:
        """Of today where no day is said. Raises InvalidInput for what the rows do not say."""
        zone = zone or own_zone
        today = now.astimezone(zone).date()
        first, last = since or today, until or today
        wanted = cls(queue, agent, first, last, zone, own_zone, group_by)
        wanted._check_scope()
        wanted._check_period()
        if wanted._by_hours:
            wanted._check_hours()
        return wanted

    def _check_scope(self) -> None:
        if self.queue is not None and self.agent is not None:
            raise InvalidInput("agent", "figures are of a queue or of an agent, not of both")
        if self.group_by is Grouping.AGENT and self.queue is not None:
            raise InvalidInput("group_by", "a queue's figures are not kept by agent")
        if self.group_by is Grouping.QUEUE and self.agent is not None:
            raise InvalidInput("group_by", "an agent's figures are not kept by queue")
        if self._is_side_by_side and self.zone.key != self.own_zone.key:
            raise InvalidInput(
                "time_zone", f"the days of all queues and agents are kept in {self.own_zone} alone"
            )

    def _check_period(self) -> None:
        for field, day in (("from", self.first), ("to", self.last)):
            if day.year not in YEARS:
                raise InvalidInput(field, "is in no year that has calls")
        if self.last < self.first:
            raise InvalidInput("to", "is before from")
        most = MAX_DAYS
        if self.group_by is Grouping.HOUR:
            most = MAX_DAYS_BY_HOUR
        elif self._by_hours:
            most = MAX_DAYS_OF_HOURS
        elif self._is_side_by_side:
            most = MAX_DAYS_IN_GROUPS
        if (self.last - self.first).days >= most:
            raise InvalidInput("from", f"no more than {most} days are shown at once")

    def _check_hours(self) -> None:
        """Hours are kept as those of UTC."""
        begin, end = self._bounds()
        for number in range(-(-(end - begin) // HOUR) + 1):
            offset = (begin + number * HOUR).astimezone(self.zone).utcoffset()
            if offset is None or offset % HOUR:
                raise InvalidInput(
                    "time_zone",
                    f"hours are kept as those of UTC, and {self.zone} is not whole hours from it",
                )

    def _bounds(self) -> tuple[datetime, datetime]:
        """When the first day begins, and when the last is over."""
        after = self.last + timedelta(days=1)
        begin, end = (
            datetime.combine(day, time(), self.zone).astimezone(UTC) for day in (self.first, after)
        )
        return begin, end

    @property
    def _is_side_by_side(self) -> bool:
        """Whether it takes the days of all queues, or of all agents."""
        return (self.group_by is Grouping.QUEUE and self.queue is None) or (
            self.group_by is Grouping.AGENT and self.agent is None
        )

    @property
    def _by_hours(self) -> bool:
        """Whether it takes hours: days are kept in the company's own zone."""
        return self.group_by is Grouping.HOUR or self.zone.key != self.own_zone.key

    @property
    def days(self) -> Sequence[Cell]:
        """Those that all of it comes to, where they do not stand together: a queue's or an agent's
        stand among those of the others.
        """
        if self._by_hours or (self.queue is None and self.agent is None):
            return []
        dates = (
            self.first + timedelta(days=number)
            for number in range((self.last - self.first).days + 1)
        )
        return [cell_of_day(day, self.queue, self.agent) for day in dates]

    @property
    def cells(self) -> tuple[Cell, Cell]:
        """The first and the last of those that all of it comes to, where there are no `days`."""
        if not self._by_hours:
            return cell_of_day(self.first, None, None), cell_of_day(self.last, None, None)
        scope, (begin, end) = scope_of(self.queue, self.agent), self._bounds()
        return Cell(scope, hour_name(begin)), Cell(scope, hour_name(end - HOUR))

    @property
    def side_by_side(self) -> tuple[Cell, Cell] | None:
        """The first and the last of those of the groups, where they are others."""
        if not self._is_side_by_side:
            return None
        scope = BY_QUEUE if self.group_by is Grouping.QUEUE else BY_AGENT
        first, last = group_name(self.first, ""), group_name(self.last, LAST_NAME)
        return Cell(scope, first), Cell(scope, last)

    def sections(self, group: str | None) -> frozenset[str]:
        """Those that are kept of a group; None is all of it."""
        if group is not None and self.group_by is Grouping.DIRECTION:
            return frozenset({group})
        of_queue = self.queue is not None or (group is not None and self.group_by is Grouping.QUEUE)
        return OF_QUEUES if of_queue else ALL_SECTIONS

    def sums(self, rows: Iterable[tuple[str, Amounts]]) -> Mapping[str, Amounts]:
        """What rows come to, group by group: by time, or by name."""
        sums: dict[str, Counter[str]] = {}
        for name, amounts in rows:
            for group, part in self._groups_of(name, amounts):
                if part:
                    sums.setdefault(group, Counter()).update(part)
        in_time = self.group_by in (Grouping.HOUR, Grouping.DAY)
        return sums if in_time else dict(sorted(sums.items()))

    def _groups_of(self, name: str, amounts: Amounts) -> Iterator[tuple[str, Amounts]]:
        match self.group_by:
            case Grouping.HOUR:
                yield read_hour(name).astimezone(self.zone).isoformat(), amounts
            case Grouping.DAY if self._by_hours:
                yield read_hour(name).astimezone(self.zone).date().isoformat(), amounts
            case Grouping.DAY:
                yield read_day(name), amounts
            case Grouping.DIRECTION:
                for direction in DIRECTIONS:
                    prefix = f"{direction}_"
                    yield (
                        direction,
                        {each: many for each, many in amounts.items() if each.startswith(prefix)},
                    )
            case Grouping.QUEUE if self.queue is not None:
                yield self.queue, amounts
            case Grouping.AGENT if self.agent is not None:
                yield self.agent, amounts
            case Grouping.QUEUE | Grouping.AGENT:
                yield name.partition("#")[2], amounts
