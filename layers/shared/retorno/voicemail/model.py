"""Did a person answer, or their voicemail? What is to be listened to, and how well the talk-time
threshold tells the two apart.
"""

from bisect import bisect_left
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Sequence
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

from retorno.calls.model import Call, EvidenceKind
from retorno.frozen import Frozen
from retorno.telephony.ports import AnsweredBy, Direction
from retorno.times import Period

ALL_CARRIERS = "all"

# Whole seconds that a threshold may have: messages that operators leave are seldom longer.
THRESHOLDS = range(301)

WEEK = timedelta(weeks=1)


class Answer(Frozen):
    """An outbound call that was answered and is over, and who says by whom.

    `talk_time` is what the threshold of the time makes of `talk_seconds`.
    """

    call_id: str
    answered_at: datetime
    number: str | None
    agent: str | None
    campaign: str | None
    carrier: str
    talk_seconds: float | None
    review: AnsweredBy | None = None
    disposition: AnsweredBy | None = None
    detection: AnsweredBy | None = None
    talk_time: AnsweredBy | None = None

    @property
    def decided_by(self) -> EvidenceKind | None:
        return next((kind for kind in EvidenceKind if getattr(self, kind)), None)

    @property
    def answered_by(self) -> AnsweredBy:
        decided_by = self.decided_by
        return getattr(self, decided_by) if decided_by else AnsweredBy.UNKNOWN

    @property
    def said(self) -> AnsweredBy | None:
        """What people say: a reviewer, or else the operator."""
        return self.review or self.disposition

    @property
    def is_suspect(self) -> bool:
        """A short answer of which nothing else tells whose it was."""
        return self.decided_by is EvidenceKind.TALK_TIME and self.talk_time is AnsweredBy.VOICEMAIL


def answer_of(call: Call) -> Answer | None:
    """None for a call that is no customer's, that came in, was not answered or is not over."""
    answered_at = call.answered_at or call.ended_at
    goes_out = call.direction not in (None, Direction.INBOUND)
    if call.internal or not goes_out or not call.was_answered:
        return None
    if answered_at is None or call.ended_at is None:
        return None
    return Answer(
        call_id=call.call_id,
        answered_at=answered_at,
        number=call.number,
        agent=call.agent,
        campaign=call.campaign,
        carrier=call.carrier,
        talk_seconds=call.talk_seconds,
        **{each.kind: each.answered_by for each in call.evidence},
    )


class Agreement(Frozen):
    """How well the threshold tells voicemails from people, by what people say of the same answers.

    `judged` answers have both a talk time and a person's word. Precision is the share of
    voicemails in what the threshold takes for one, recall the share that it finds of those that
    are; None where there was none. The best threshold is the one of THRESHOLDS that agrees with
    most of the words; of equally good ones, the nearest to the present one.
    """

    carrier: str
    threshold_seconds: float | None
    judged: int
    voicemails_found: int
    voicemails_taken_for_people: int
    people_taken_for_voicemails: int
    precision: float | None
    recall: float | None
    agreement: float | None
    best_threshold_seconds: int | None
    best_agreement: float | None


class Share(Frozen):
    """How many of some answers were voicemails'."""

    name: str
    answered: int
    voicemails: int
    share: float


class WeekReport(Frozen):
    """The answers of a week, from Monday to Sunday in the company's time zone."""

    week: date
    time_zone: str
    written_at: datetime
    answered: int
    human: int
    voicemail: int
    unknown: int
    suspects: int
    decided_by: dict[str, int]
    agreement: Agreement
    agreement_by_carrier: list[Agreement]
    by_hour: list[Share]
    by_campaign: list[Share]
    by_carrier: list[Share]


def week_of(moment: datetime, zone: ZoneInfo) -> date:
    """The Monday before a moment."""
    day = moment.astimezone(zone).date()
    return day - timedelta(days=day.weekday())


def period_of(week: date, zone: ZoneInfo) -> Period:
    """The last moment counts in, and is the last microsecond of Sunday."""
    begins, ends = (
        datetime(day.year, day.month, day.day, tzinfo=zone) for day in (week, week + WEEK)
    )
    return Period(begins, ends - timedelta(microseconds=1))


def report_of(
    answers: Iterable[Answer],
    week: date,
    zone: ZoneInfo,
    threshold_of: Callable[[str], float],
    written_at: datetime,
) -> WeekReport:
    """`answers` are those of the week; `threshold_of` gives a carrier's seconds."""
    answers = list(answers)
    verdicts = Counter(answer.answered_by for answer in answers)
    judged: dict[str, list[Judged]] = defaultdict(list)
    for answer in answers:
        if answer.said and answer.talk_seconds is not None:
            judged[answer.carrier].append((answer.talk_seconds, answer.said))
    by_carrier = [
        _agreement(carrier, threshold_of(carrier), judged[carrier]) for carrier in sorted(judged)
    ]
    return WeekReport(
        week=week,
        time_zone=zone.key,
        written_at=written_at,
        answered=len(answers),
        human=verdicts[AnsweredBy.HUMAN],
        voicemail=verdicts[AnsweredBy.VOICEMAIL],
        unknown=verdicts[AnsweredBy.UNKNOWN],
        suspects=sum(answer.is_suspect for answer in answers),
        decided_by=dict(Counter(answer.decided_by or "nothing" for answer in answers)),
        agreement=_together(by_carrier, [pair for pairs in judged.values() for pair in pairs]),
        agreement_by_carrier=by_carrier,
        by_hour=_shares(answers, lambda each: f"{each.answered_at.astimezone(zone):%H}"),
        by_campaign=_shares(answers, lambda each: each.campaign),
        by_carrier=_shares(answers, lambda each: each.carrier),
    )


# The seconds of talk, and who answered as people say.
Judged = tuple[float, AnsweredBy]


def _agreement(carrier: str, threshold: float, judged: Sequence[Judged]) -> Agreement:
    taken = [(talk < threshold, said is AnsweredBy.VOICEMAIL) for talk, said in judged]
    return _rated(
        carrier,
        threshold,
        judged,
        found=taken.count((True, True)),
        lost=taken.count((False, True)),
        wronged=taken.count((True, False)),
    )


def _together(by_carrier: Sequence[Agreement], judged: Sequence[Judged]) -> Agreement:
    """Each carrier by its own threshold; the best one is the best for all alike."""
    thresholds = {each.threshold_seconds for each in by_carrier}
    return _rated(
        ALL_CARRIERS,
        thresholds.pop() if len(thresholds) == 1 else None,
        judged,
        found=sum(each.voicemails_found for each in by_carrier),
        lost=sum(each.voicemails_taken_for_people for each in by_carrier),
        wronged=sum(each.people_taken_for_voicemails for each in by_carrier),
    )


def _rated(
    carrier: str,
    threshold: float | None,
    judged: Sequence[Judged],
    *,
    found: int,
    lost: int,
    wronged: int,
) -> Agreement:
    best, best_agreeing = best_threshold(judged, threshold or 0)
    return Agreement(
        carrier=carrier,
        threshold_seconds=threshold,
        judged=len(judged),
        voicemails_found=found,
        voicemails_taken_for_people=lost,
        people_taken_for_voicemails=wronged,
        precision=_ratio(found, found + wronged),
        recall=_ratio(found, found + lost),
        agreement=_ratio(len(judged) - lost - wronged, len(judged)),
        best_threshold_seconds=best if judged else None,
        best_agreement=_ratio(best_agreeing, len(judged)),
    )


def best_threshold(judged: Sequence[Judged], present: float) -> tuple[int, int]:
    """The threshold in seconds that agrees with most of `judged`, and with how many."""
    people = sorted(talk for talk, said in judged if said is AnsweredBy.HUMAN)
    machines = sorted(talk for talk, said in judged if said is AnsweredBy.VOICEMAIL)

    def agreeing(threshold: float) -> int:
        return bisect_left(machines, threshold) + len(people) - bisect_left(people, threshold)

    best = min(THRESHOLDS, key=lambda each: (-agreeing(each), abs(each - present), each))
    return best, agreeing(best)


def _shares(answers: Sequence[Answer], name_of: Callable[[Answer], str | None]) -> list[Share]:
    """By name; answers without one are left out."""
    answered = Counter(name for answer in answers if (name := name_of(answer)))
    voicemails = Counter(
        name_of(answer) for answer in answers if answer.answered_by is AnsweredBy.VOICEMAIL
    )
    return [
        Share(
            name=name, answered=count, voicemails=voicemails[name], share=voicemails[name] / count
        )
        for name, count in sorted(answered.items())
    ]


def _ratio(part: int, whole: int) -> float | None:
    return part / whole if whole else None
