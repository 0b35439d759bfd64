"""Times as text that sorts as time does, and periods of time."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Self

from retorno.errors import InvalidInput

# Before and after all that a call can tell. Python writes a year of fewer than four digits badly.
FIRST = datetime(1000, 1, 1, tzinfo=UTC)
LAST = datetime.max.replace(tzinfo=UTC)

STAMP_LENGTH = len("2026-03-02T13:04:05.000000Z")


def stamp(at: datetime) -> str:
    """A time as fixed-width text in UTC."""
    return at.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


def read_stamp(text: str) -> datetime:
    """The time that a text begins with, as `stamp` wrote it."""
    return datetime.fromisoformat(text[:STAMP_LENGTH])


@dataclass(frozen=True, slots=True)
class Period:
    """From one moment to another, both included."""

    since: datetime = FIRST
    until: datetime = LAST

    @classmethod
    def between(cls, since: datetime | None, until: datetime | None) -> Self:
        """Open where an end is None. Raises InvalidInput where it would end before it begins."""
        period = cls(max(since or FIRST, FIRST), min(until or LAST, LAST))
        if period.until < period.since:
            raise InvalidInput("to", "is before from")
        return period

    def includes(self, text: str) -> bool:
        """Whether a text begins with the stamp of a moment in the period."""
        return stamp(self.since) <= text[:STAMP_LENGTH] <= stamp(self.until)
