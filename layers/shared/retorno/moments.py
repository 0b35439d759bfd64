"""Moments to come, as people write them."""

from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Annotated
from zoneinfo import ZoneInfo, available_timezones

from pydantic import BeforeValidator

from retorno.errors import InvalidInput


@cache
def _zones() -> frozenset[str]:
    return frozenset(available_timezones())


def _read_time(text: object) -> datetime:
    try:
        if isinstance(text, str) and "T" in text:
            return datetime.fromisoformat(text).replace(microsecond=0)
    except ValueError:
        pass
    raise ValueError("is no time of ISO 8601, such as 2026-03-02T15:00:00-03:00")


def _read_zone(name: object) -> ZoneInfo | None:
    if name is None:
        return None
    if not isinstance(name, str) or name not in _zones():
        raise ValueError("is no time zone of IANA, such as America/Sao_Paulo")
    return ZoneInfo(name)


WrittenTime = Annotated[datetime, BeforeValidator(_read_time)]
"""In whole seconds; without an offset it is a local time."""

WrittenZone = Annotated[ZoneInfo | None, BeforeValidator(_read_zone)]


def moment_to_come(
    at: datetime, zone: ZoneInfo | None, now: datetime, ahead: timedelta
) -> datetime:
    """A written time, in UTC; where it has no offset, it is the local time of `zone`.

    Raises InvalidInput for what is past or more than `ahead` away, and for a local time that
    clocks skip, or that they show twice.
    """
    if at.tzinfo is None and zone is None:
        raise InvalidInput("at", "needs an offset, such as -03:00, or else a time_zone")
    readings = [at.replace(tzinfo=at.tzinfo or zone, fold=fold) for fold in (0, 1)]
    if max(reading - now for reading in readings) <= timedelta(0):
        raise InvalidInput("at", "is past")
    if min(reading - now for reading in readings) > ahead:
        raise InvalidInput("at", f"is more than {ahead.days} days away")
    first, second = (reading.astimezone(UTC) for reading in readings)
    if first != second:
        happens = "comes twice" if first < second else "does not come"
        shown = " or ".join(m.astimezone(zone).isoformat() for m in sorted((first, second)))
        raise InvalidInput("at", f"{happens} in {zone}, where clocks change then: say {shown}")
    return first
