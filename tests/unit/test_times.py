"""Times as text, and periods."""

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from retorno.errors import InvalidInput
from retorno.times import FIRST, LAST, Period, read_stamp, stamp

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
SECOND = timedelta(seconds=1)

moments = st.datetimes(timezones=st.timezones()).filter(lambda at: 1000 < at.year < 9999)


@given(moments, moments)
def test_stamps_sort_as_their_times_do(one: datetime, other: datetime) -> None:
    assert (stamp(one) < stamp(other)) == (one.astimezone(UTC) < other.astimezone(UTC))


@given(moments)
def test_a_stamp_reads_back_as_its_time(moment: datetime) -> None:
    assert read_stamp(stamp(moment)) == moment.astimezone(UTC)
    assert read_stamp(f"{stamp(moment)} and more") == moment.astimezone(UTC)


def test_a_stamp_is_in_utc() -> None:
    in_sao_paulo = datetime(2026, 3, 2, 9, tzinfo=timezone(timedelta(hours=-3)))
    assert stamp(in_sao_paulo) == "2026-03-02T12:00:00.000000Z"


class TestPeriod:
    def test_is_open_where_nothing_is_said(self) -> None:
        assert Period.between(None, None) == Period(FIRST, LAST)

    def test_does_not_end_before_it_begins(self) -> None:
        with pytest.raises(InvalidInput, match="to: is before from"):
            Period.between(NOON, NOON - SECOND)

    def test_includes_both_its_ends(self) -> None:
        period = Period.between(NOON, NOON + SECOND)
        assert period.includes(f"{stamp(NOON)} c1")
        assert period.includes(f"{stamp(NOON + SECOND)} c1")
        assert not period.includes(stamp(NOON + 2 * SECOND))
        assert not period.includes("made up")
