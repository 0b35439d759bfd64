"""A clock that moves only when a test says so."""

from dataclasses import dataclass
from datetime import datetime, timedelta


@dataclass
class StoppedClock:
    now: datetime

    def __call__(self) -> datetime:
        return self.now

    def advance(self, **by: float) -> None:
        self.now += timedelta(**by)
