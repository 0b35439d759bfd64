"""The rows of the counters: for all, for a queue, for an operator, by the hour and by the day.

Hours are those of UTC, so that the days of other time zones can be put together; days are the
company's own. The days of all queues, and of all operators, stand once more side by side.
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


def read_hour(name: str) -> datetime:
    return datetime.fromisoformat(f"{name.partition('#')[2]}:00+00:00")


def group_name(day: date, name: str) -> str:
    """Of the day of a queue or an operator, beside those of the others."""
    return f"{day.isoformat()}#{name}"


def cells_of(at: datetime, zone: ZoneInfo, queue: str | None, agent: str | None) -> Iterator[Cell]:
    """Those that a moment counts in."""
    day = at.astimezone(zone).date()
    scopes = dict.fromkeys([ALL, scope_of(queue, None), scope_of(None, agent)])
    for scope in scopes:
        yield Cell(scope, day_name(day))
        yield Cell(scope, hour_name(at))
    if queue is not None:
        yield Cell(BY_QUEUE, group_name(day, queue))
    if agent is not None:
        yield Cell(BY_AGENT, group_name(day, agent))


def cell_now(queue: str | None) -> Cell:
    """How things stand, in a queue or, for None, in all."""
    return Cell(scope_of(queue, None), NOW)
