"""How figures, durations and numbers read in a terminal."""

from datetime import timedelta
from decimal import Decimal
from typing import Any

COUNTS = ("missed", "recovered", "returned", "open", "expired")


def figures(summary: dict[str, Any]) -> list[tuple[str, str]]:
    """The API's summary in words, in the order of interest; nothing before the first answer."""
    if not summary:
        return []
    counts = [(name, str(summary[name])) for name in COUNTS]
    rate = summary["recovery_rate"]
    return [
        *counts,
        ("rate", "–" if rate is None else f"{rate:.0%}"),
        ("median", _seconds(summary["recovery_seconds_median"])),
        ("p90", _seconds(summary["recovery_seconds_p90"])),
    ]


def span(time_passed: timedelta) -> str:
    minutes, seconds = divmod(int(time_passed.total_seconds()), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours} h {minutes:02}"
    return f"{minutes} min" if minutes else f"{seconds} s"


def mask(number: str) -> str:
    """A Brazilian E.164 number of which only the area and the last four digits are shown."""
    return f"{number[:3]} {number[3:5]} ••••-{number[-4:]}"


def money(value: Decimal | int) -> str:
    """As it is written in Brazil: R$ 2.310,40."""
    return f"R$ {value:,.2f}".translate(str.maketrans(",.", ".,"))


def _seconds(seconds: float | None) -> str:
    return "–" if seconds is None else span(timedelta(seconds=seconds))
