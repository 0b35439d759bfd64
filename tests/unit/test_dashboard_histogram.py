"""Ranks read from histograms, against those of the values themselves."""

import math
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from retorno.dashboard.figures import Missed
from retorno.dashboard.histogram import BUCKETS, LONGEST, Histogram, bucket_of, seconds_of

RELATIVE_ERROR = 0.05

# Waits, recoveries after days, and what no clock should say.
durations = st.one_of(
    st.floats(0, 300), st.floats(0, LONGEST), st.integers(0, 100).map(lambda each: 1.0 * each)
)


def histogram(values: Sequence[float]) -> Histogram:
    """Put together of one for each value, as the counters are."""
    amounts: dict[str, int] = {}
    for value in values:
        for name, many in Missed(recoveries=Histogram.of(value)).amounts("missed").items():
            amounts[name] = amounts.get(name, 0) + many
    return Missed.read("missed", amounts).recoveries


def exact(values: Sequence[float], rank: int) -> float:
    """The smallest value that at least `rank` in a hundred do not exceed."""
    return next(
        value
        for value in sorted(values)
        if 100 * sum(other <= value for other in values) >= rank * len(values)
    )


@given(values=st.lists(durations, min_size=1, max_size=40), rank=st.integers(1, 100))
def test_ranks_are_off_by_five_in_a_hundred_at_most(values: list[float], rank: int) -> None:
    said, truth = histogram(values).percentile(rank), exact(values, rank)
    assert said is not None
    if truth < 1:
        assert said == 0
    else:
        assert math.isclose(said, truth, rel_tol=0, abs_tol=truth * RELATIVE_ERROR * 1.000001)


@given(one=st.lists(durations, max_size=10), other=st.lists(durations, max_size=10))
def test_two_put_together_are_the_one_of_all(one: list[float], other: list[float]) -> None:
    counts = dict(histogram(one).counts)
    for bucket, many in histogram(other).counts.items():
        counts[bucket] = counts.get(bucket, 0) + many
    assert counts == histogram([*one, *other]).counts


def test_of_nothing_nothing_is_known() -> None:
    assert Histogram().percentile(50) is None
    assert Histogram.of(None) == Histogram()


@pytest.mark.parametrize("seconds", [LONGEST, LONGEST * 10, 1e300])
def test_what_takes_longest_is_in_the_last_bucket(seconds: float) -> None:
    assert bucket_of(seconds) == BUCKETS[-1]


def test_what_took_less_than_a_second_took_none() -> None:
    assert [seconds_of(bucket_of(each)) for each in (-3.0, 0.0, 0.999)] == [0, 0, 0]


def test_as_many_as_a_year_brings_have_their_ranks() -> None:
    counts = {10: 9 * 10**15, 20: 10**15}
    assert Histogram(counts=counts).percentile(90) == seconds_of(10)
    assert Histogram(counts={10: 9 * 10**15 - 1, 20: 10**15 + 1}).percentile(90) == seconds_of(20)
