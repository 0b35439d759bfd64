"""How long things took, kept so that the ranks of any two sets of them can be put together.

Seconds fall into buckets, each of which is 1.105 times as wide as the one before (the sketch of
Masson, Rim and Lee, DDSketch, 2019). What is read from a bucket is off by at most 5 % of what fell
into it; less than a second is read as none.
"""

import math
from collections.abc import Mapping
from datetime import timedelta

from retorno.frozen import Frozen

RELATIVE_ERROR = 0.05
WIDER = (1 + RELATIVE_ERROR) / (1 - RELATIVE_ERROR)

# What took longer is taken for that long.
LONGEST = timedelta(days=100).total_seconds()


def bucket_of(seconds: float) -> int:
    if seconds < 1:
        return 0
    return 1 + math.floor(math.log(min(seconds, LONGEST), WIDER))


def seconds_of(bucket: int) -> float:
    """What is off as little as can be for all that falls into a bucket."""
    return 2 * WIDER**bucket / (1 + WIDER) if bucket else 0.0


BUCKETS = range(bucket_of(LONGEST) + 1)


class Histogram(Frozen):
    """How many fell into each bucket, by its number."""

    counts: Mapping[int, int] = {}

    @classmethod
    def of(cls, seconds: float | None) -> "Histogram":
        """Of one thing; of none where it is not known how long that took."""
        return cls() if seconds is None else cls(counts={bucket_of(seconds): 1})

    @property
    def total(self) -> int:
        return sum(self.counts.values())

    def percentile(self, rank: int) -> float | None:
        """In seconds: of so many in a hundred that it is not exceeded by; None of nothing."""
        wanted = -(-self.total * rank // 100)
        passed = 0
        for bucket in sorted(self.counts):
            passed += self.counts[bucket]
            if 0 < wanted <= passed:
                return seconds_of(bucket)
        return None
