"""Who answered: a reviewer knows best, then the operator, the detection, and the talk time."""

from datetime import datetime, timedelta
from functools import reduce
from itertools import permutations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from retorno.calls.model import (
    Call,
    CallRules,
    EvidenceKind,
    Facts,
    closing,
    derive,
    disposing,
    facts_of,
    merge,
    reviewing,
)
from retorno.dispositions.model import Disposition, Flag
from retorno.telephony.ports import AnsweredBy, Direction, Stage
from tests.support.histories import BEGINNING, history

HUMAN, VOICEMAIL, UNKNOWN = AnsweredBy.HUMAN, AnsweredBy.VOICEMAIL, AnsweredBy.UNKNOWN
RULES = CallRules(talk_threshold=15, trunk_thresholds={"vivo": 8, "twilio": 20})

SPOKE = Disposition(code="resolvido", label="Resolvido", flags=frozenset({Flag.HUMAN_ANSWERED}))
MACHINE = Disposition(code="caixa_postal", label="Caixa", flags=frozenset({Flag.VOICEMAIL}))
SILENT = Disposition(code="queda", label="Caiu")


def after(seconds: float) -> datetime:
    return BEGINNING + timedelta(seconds=seconds)


def facts(
    talk: float | None = 40,
    detected: AnsweredBy | None = None,
    direction: Direction = Direction.OUTBOUND_MANUAL,
) -> Facts:
    """A call that rang for 10 s and then was talked for so long, or is still going on."""
    told = history("c1", direction=direction, number="+5511987654321")
    told.at(0, Stage.RINGING).at(10, Stage.ANSWERED, answered_by=detected)
    if talk is not None:
        told.at(10 + talk, Stage.COMPLETED)
    return together(*(facts_of(event) for event in told.events))


def together(*said: Facts) -> Facts:
    return reduce(merge, said)


def call(*said: Facts) -> Call:
    return derive("c1", together(*said), RULES)


def decided(*said: Facts) -> tuple[AnsweredBy | None, EvidenceKind | None]:
    known = call(*said)
    return known.answered_by, known.evidence[0].kind if known.evidence else None


class TestPrecedence:
    @pytest.mark.parametrize("order", list(permutations(range(3))))
    def test_each_counts_more_than_those_after_it(self, order: tuple[int, ...]) -> None:
        said = (
            facts(talk=40, detected=VOICEMAIL),
            disposing(SPOKE, "ana", after(60)),
            reviewing(VOICEMAIL, "rui", after(90)),
        )
        known = call(*(said[index] for index in order))
        assert [(each.kind, each.answered_by, each.by) for each in known.evidence] == [
            ("review", VOICEMAIL, "rui"),
            ("disposition", HUMAN, "ana"),
            ("detection", VOICEMAIL, None),
            ("talk_time", HUMAN, None),
        ]
        assert known.answered_by is VOICEMAIL

    def test_talk_time_decides_where_nothing_else_does(self) -> None:
        assert decided(facts(talk=14.999)) == (VOICEMAIL, EvidenceKind.TALK_TIME)
        assert decided(facts(talk=15)) == (HUMAN, EvidenceKind.TALK_TIME)

    def test_not_to_know_is_no_evidence(self) -> None:
        assert decided(facts(detected=UNKNOWN)) == (HUMAN, EvidenceKind.TALK_TIME)
        heard_later = history("c1").at(12, Stage.ANSWERED, answered_by=VOICEMAIL).events
        assert decided(facts(detected=UNKNOWN), *map(facts_of, heard_later)) == (
            VOICEMAIL,
            EvidenceKind.DETECTION,
        )

    def test_a_disposition_that_does_not_tell_decides_nothing(self) -> None:
        silent = disposing(SILENT, "ana", after(60))
        assert decided(facts(talk=3), silent) == (VOICEMAIL, EvidenceKind.TALK_TIME)

    def test_a_call_in_progress_is_not_judged_by_its_talk_time(self) -> None:
        assert decided(facts(talk=None)) == (UNKNOWN, None)
        assert decided(facts(talk=None, detected=HUMAN)) == (HUMAN, EvidenceKind.DETECTION)

    def test_nor_is_one_that_never_ended(self) -> None:
        told = history("c1", direction=Direction.OUTBOUND_AUTO).at(0, Stage.ANSWERED)
        answered = facts_of(*told.events)
        assert decided(answered, closing(answered, timedelta(hours=4))) == (UNKNOWN, None)

    def test_nor_is_one_that_came_in(self) -> None:
        assert decided(facts(talk=3, direction=Direction.INBOUND)) == (UNKNOWN, None)

    def test_a_call_that_nobody_answered_was_answered_by_nobody(self) -> None:
        told = history("c1", direction=Direction.OUTBOUND_AUTO)
        told.at(0, Stage.RINGING).at(30, Stage.NO_ANSWER)
        assert decided(*map(facts_of, told.events)) == (None, None)


class TestThreshold:
    @pytest.mark.parametrize(
        ("said", "least"),
        [
            ({}, 15),
            ({"trunk": "vivo"}, 8),
            ({"trunk": "tim"}, 15),
            ({"provider": "twilio"}, 20),
            ({"provider": "twilio", "trunk": "vivo"}, 8),
        ],
    )
    def test_is_the_trunks_or_else_the_providers(self, said: dict[str, str], least: float) -> None:
        def answered_by(talk: float) -> AnsweredBy | None:
            told = history("c1", direction=Direction.OUTBOUND_AUTO, **said)
            told.at(0, Stage.ANSWERED).at(talk, Stage.COMPLETED)
            return call(*map(facts_of, told.events)).answered_by

        assert answered_by(least) is HUMAN
        assert answered_by(least - 0.001) is VOICEMAIL


class TestDisposition:
    def test_the_last_one_counts(self) -> None:
        first, last = disposing(SPOKE, "ana", after(60)), disposing(MACHINE, "rui", after(61))
        for said in ((first, last), (last, first), (last, first, first)):
            given = call(facts(), *said).disposition
            assert given is not None
            assert (given.code, given.by, given.at) == ("caixa_postal", "rui", after(61))

    @given(
        flags=st.frozensets(st.sampled_from([Flag.HUMAN_ANSWERED, Flag.SALE, Flag.FINAL])),
        by=st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Zs"]), min_size=1),
    )
    def test_is_read_as_it_was_written(self, flags: frozenset[Flag], by: str) -> None:
        meant = Disposition(code="x-1", label="X", flags=flags)
        given = call(facts(), disposing(meant, f"{by} da Silva", after(60))).disposition
        assert given is not None
        assert (given.code, given.flags, given.by) == ("x-1", flags, f"{by} da Silva")

    def test_may_be_nobodys(self) -> None:
        given = call(facts(), disposing(SILENT, "", after(60))).disposition
        assert given is not None
        assert (given.code, given.flags, given.by) == ("queda", frozenset(), "")


class TestReview:
    def test_the_first_one_counts(self) -> None:
        first, late = reviewing(HUMAN, "rui", after(90)), reviewing(VOICEMAIL, "eva", after(91))
        for said in ((first, late), (late, first)):
            assert decided(facts(talk=2), *said) == (HUMAN, EvidenceKind.REVIEW)
