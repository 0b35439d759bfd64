"""The weekly report, against a plain recount of the same calls."""

from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from retorno.calls.model import CallRules, derive, disposing, facts_of, merge, reviewing
from retorno.dispositions.model import Disposition, Flag
from retorno.telephony.ports import AnsweredBy, Direction, Stage
from retorno.voicemail.model import (
    THRESHOLDS,
    Answer,
    Judged,
    WeekReport,
    answer_of,
    best_threshold,
    period_of,
    report_of,
    week_of,
)
from tests.support.histories import BEGINNING, History, history

HUMAN, VOICEMAIL = AnsweredBy.HUMAN, AnsweredBy.VOICEMAIL
SAO_PAULO, LISBON = ZoneInfo("America/Sao_Paulo"), ZoneInfo("Europe/Lisbon")
MONDAY = date(2026, 3, 2)
NOON = datetime(2026, 3, 4, 12, 30, tzinfo=SAO_PAULO)
THRESHOLD_OF = {"vivo": 8.0, "tim": 20.0}

words = st.sampled_from([None, HUMAN, VOICEMAIL])


@st.composite
def answers(draw: st.DrawFn) -> Answer:
    carrier = draw(st.sampled_from(["vivo", "tim"]))
    talk = draw(st.none() | st.floats(0, 60).map(lambda seconds: round(seconds, 3)))
    short = talk is not None and talk < THRESHOLD_OF[carrier]
    return Answer(
        call_id=draw(st.uuids()).hex,
        answered_at=NOON + timedelta(hours=draw(st.integers(-20, 20))),
        number=None,
        agent=None,
        campaign=draw(st.sampled_from([None, "natal", "verão"])),
        carrier=carrier,
        talk_seconds=talk,
        review=draw(words),
        disposition=draw(words),
        detection=draw(words),
        talk_time=None if talk is None else VOICEMAIL if short else HUMAN,
    )


def report(of: Sequence[Answer]) -> WeekReport:
    return report_of(of, MONDAY, SAO_PAULO, THRESHOLD_OF.__getitem__, NOON)


@given(st.lists(answers(), max_size=30))
def test_counts_each_answer_once(of: list[Answer]) -> None:
    written = report(of)
    assert written.answered == len(of) == written.human + written.voicemail + written.unknown
    assert sum(written.decided_by.values()) == len(of)
    for by in (written.by_hour, written.by_carrier):
        assert sum(each.answered for each in by) == len(of)
        assert sum(each.voicemails for each in by) == written.voicemail
    of_campaigns = [each for each in of if each.campaign]
    assert sum(each.answered for each in written.by_campaign) == len(of_campaigns)


@given(st.lists(answers(), max_size=30))
def test_the_agreement_is_that_of_a_plain_recount(of: list[Answer]) -> None:
    judged = [
        (each, each.review or each.disposition)
        for each in of
        if (each.review or each.disposition) and each.talk_seconds is not None
    ]
    written = report(of).agreement
    taken = [each for each, _ in judged if each.talk_time == "voicemail"]
    real = [each for each, said in judged if said == "voicemail"]
    both = [each for each in taken if each in real]
    assert written.judged == len(judged)
    assert written.precision == (len(both) / len(taken) if taken else None)
    assert written.recall == (len(both) / len(real) if real else None)
    agreed = [each for each, said in judged if each.talk_time == said]
    assert written.agreement == (len(agreed) / len(judged) if judged else None)


@given(st.lists(answers(), max_size=30))
def test_what_holds_for_each_carrier_adds_up(of: list[Answer]) -> None:
    written = report(of)
    for name in ("judged", "voicemails_found", "people_taken_for_voicemails"):
        parts = [getattr(each, name) for each in written.agreement_by_carrier]
        assert sum(parts) == getattr(written.agreement, name)
    for each in written.agreement_by_carrier:
        assert each.threshold_seconds == THRESHOLD_OF[each.carrier]
        assert each.best_agreement is not None
        assert each.agreement is not None
        assert each.best_agreement >= each.agreement


@given(
    st.lists(st.tuples(st.floats(0, 400), st.sampled_from([HUMAN, VOICEMAIL])), max_size=12),
    st.integers(0, 60),
)
def test_no_threshold_is_better_than_the_best(judged: list[Judged], present: int) -> None:
    def agreeing(threshold: float) -> int:
        return sum((talk < threshold) == (said == "voicemail") for talk, said in judged)

    best, count = best_threshold(judged, present)
    assert count == agreeing(best) == max(map(agreeing, THRESHOLDS))
    nearer = [each for each in THRESHOLDS if abs(each - present) < abs(best - present)]
    assert all(agreeing(each) < count for each in nearer)


def test_the_best_threshold_divides_people_from_machines() -> None:
    judged = [(3.0, VOICEMAIL), (6.5, VOICEMAIL), (9.0, HUMAN), (40.0, HUMAN)]
    assert best_threshold(judged, 15) == (9, 4)
    assert best_threshold(judged, 2) == (7, 4)
    assert best_threshold([], 15) == (15, 0)


class TestAnswer:
    RULES = CallRules()
    BOX = Disposition(code="caixa_postal", label="Caixa", flags=frozenset({Flag.VOICEMAIL}))

    def answer(self, told: History, *said: dict[object, str]) -> Answer | None:
        facts = dict(said[0]) if said else {}
        for event in told.events:
            facts = dict(merge(facts, facts_of(event)))  # type: ignore[arg-type]
        return answer_of(derive("c1", facts, self.RULES))  # type: ignore[arg-type]

    def outbound(self, talk: float = 9, **said: object) -> History:
        known: dict[str, object] = {
            "direction": Direction.OUTBOUND_AUTO,
            "number": "+5511987654321",
            "provider": "twilio",
        }
        told = history("c1", **known | said).at(0, Stage.RINGING)
        return told.at(10, Stage.ANSWERED).at(10 + talk, Stage.COMPLETED)

    def test_a_short_one_is_suspect(self) -> None:
        answer = self.answer(self.outbound(talk=9, trunk="vivo", campaign="natal"))
        assert answer is not None
        assert (answer.is_suspect, answer.talk_seconds, answer.carrier) == (True, 9, "vivo")
        assert (answer.answered_at, answer.campaign) == (
            BEGINNING + timedelta(seconds=10),
            "natal",
        )

    def test_a_long_one_is_not(self) -> None:
        answer = self.answer(self.outbound(talk=15))
        assert answer is not None
        assert not answer.is_suspect

    @pytest.mark.parametrize(
        "said",
        [
            disposing(BOX, "ana", BEGINNING),
            reviewing(VOICEMAIL, "rui", BEGINNING),
        ],
    )
    def test_nor_is_one_of_which_somebody_told(self, said: dict[object, str]) -> None:
        answer = self.answer(self.outbound(talk=9), said)
        assert answer is not None
        assert (answer.is_suspect, answer.answered_by, answer.said) == (
            False,
            "voicemail",
            "voicemail",
        )

    @pytest.mark.parametrize(
        "told",
        [
            history("c1", direction=Direction.INBOUND).at(0, Stage.ANSWERED).at(9, Stage.COMPLETED),
            history("c1", direction=Direction.OUTBOUND_AUTO).at(0, Stage.ANSWERED),
            history("c1", direction=Direction.OUTBOUND_AUTO).at(9, Stage.NO_ANSWER),
            history("c1", direction=Direction.OUTBOUND_MANUAL, callee="2001")
            .at(0, Stage.ANSWERED)
            .at(9, Stage.COMPLETED),
        ],
        ids=["inbound", "in progress", "not answered", "to an extension"],
    )
    def test_other_calls_are_none(self, told: History) -> None:
        assert self.answer(told) is None


class TestWeek:
    @pytest.mark.parametrize(
        ("moment", "week"),
        [
            (datetime(2026, 3, 2, 3, 0, tzinfo=UTC), MONDAY),
            # Sunday evening in São Paulo.
            (datetime(2026, 3, 2, 2, 59, tzinfo=UTC), MONDAY - timedelta(days=7)),
            (datetime(2026, 3, 9, 2, 59, 59, tzinfo=UTC), MONDAY),
        ],
    )
    def test_begins_on_monday_where_the_company_is(self, moment: datetime, week: date) -> None:
        assert week_of(moment, SAO_PAULO) == week
        assert period_of(week, SAO_PAULO).since <= moment <= period_of(week, SAO_PAULO).until

    def test_has_an_hour_more_when_summer_ends(self) -> None:
        # 25 October 2026: Lisbon sets its clocks back.
        period = period_of(date(2026, 10, 19), LISBON)
        length = period.until.astimezone(UTC) - period.since.astimezone(UTC)
        assert length == timedelta(days=7, hours=1) - timedelta(microseconds=1)
