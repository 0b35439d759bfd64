"""Virtual time: what is due next, and the hours in which anything happens at all."""

import heapq
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Generic, TypeVar

from local.simulate.people import SHIFTS, at_hour

OPENS, CLOSES = SHIFTS[0][0], SHIFTS[-1][1]

T = TypeVar("T")

END_OF_TIME = datetime.max.replace(tzinfo=UTC)


class Timeline(Generic[T]):
    """Things that fall due; those of the same moment in the order in which they were put."""

    def __init__(self) -> None:
        self._heap: list[tuple[datetime, int, T]] = []
        self._order = count()

    def put(self, moment: datetime, thing: T) -> None:
        heapq.heappush(self._heap, (moment, next(self._order), thing))

    def take(self, until: datetime) -> tuple[datetime, T] | None:
        if not self._heap or self._heap[0][0] > until:
            return None
        moment, _, thing = heapq.heappop(self._heap)
        return moment, thing


class OpeningHours:
    """When the centre is open between two moments: every day alike, weekends too."""

    def __init__(self, start: datetime, end: datetime) -> None:
        days = [start + timedelta(days=day) for day in range((end - start).days + 2)]
        spans = [(max(start, at_hour(day, OPENS)), min(end, at_hour(day, CLOSES))) for day in days]
        self.spans = [(opens, closes) for opens, closes in spans if opens < closes]
        self.end = end

    def moment(self, share: float) -> datetime:
        """The moment when this share of the open time has gone by: nights take no time."""
        left = share * sum((closes - opens for opens, closes in self.spans), timedelta())
        for opens, closes in self.spans:
            if left < closes - opens:
                return opens + left
            left -= closes - opens
        return self.end
