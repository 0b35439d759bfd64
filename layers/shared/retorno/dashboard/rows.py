"""The rows of the counters: for all, for a queue, for an operator, by the hour and by the day.

Hours are those of UTC, so that the days of other time zones can be put together; days are the
company's own. The days of all queues stand side by side, and so do those of all operators.
"""

from collections.abc import Iterator
from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

from retorno.counters.model import Cell

ALL = "dashboard"
NOW = "now"
# Comes after all that is a name.
LAST_NAME = "\U0010ffff"


def scope_of(queue: str | None, agent: str | None) -> str:
    """Of one of both, or of all."""
    if queue is not None:
        return f"{ALL}#queue#{queue}"
    return ALL if agent is None else f"{ALL}#agent#{agent}"


BY_QUEUE = f"{ALL}#by_queue"
BY_AGENT = f"{ALL}#by_agent"


def day_name(day: date) -> str:
    return f"day#{day.isoformat()}"


def hour_name(hour: datetime) -> str:
    """Such as "hour#2026-03-02T13"."""
    return f"hour#{hour.astimezone(UTC).isoformat()[:13]}"


def read_day(name: str) -> str:
    """Of a row of a day, whosever it is."""
    return name.removeprefix("day#")[: len("2026-03-02")]


def read_hour(name: str) -> datetime:
    return datetime.fromisoformat(f"{name.partition('#')[2]}:00+00:00")


def group_name(day: date, name: str) -> str:
    """Of the day of a queue or an operator, beside those of the others."""
    return f"{day.isoformat()}#{name}"


def cell_of_day(day: date, queue: str | None, agent: str | None) -> Cell:
    """Of one of both, or of all."""
    if queue is not None:
        return Cell(BY_QUEUE, group_name(day, queue))
    return Cell(ALL, day_name(day)) if agent is None else Cell(BY_AGENT, group_name(day, agent))


def cells_of(at: datetime, zone: ZoneInfo, queue: str | None, agent: str | None) -> Iterator[Cell]:
    """Those that a moment counts in."""
    day = at.astimezone(zone).date()
    for of in dict.fromkeys([(None, None), (queue, None), (None, agent)]):
        yield cell_of_day(day, *of)
        yield Cell(scope_of(*of), hour_name(at))


def cell_now(queue: str | None) -> Cell:
    """How things stand, in a queue or, for None, in all."""
    return Cell(scope_of(queue, None), NOW)
