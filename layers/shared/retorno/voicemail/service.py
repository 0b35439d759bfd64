"""Keeping track of who answered outbound calls, listing what to listen to, reporting by week."""

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from typing import Any
from zoneinfo import ZoneInfo

from retorno.calls.model import CallRules
from retorno.calls.service import call_rules, change_of
from retorno.settings import VoicemailSettings
from retorno.voicemail.model import WEEK, WeekReport, answer_of, period_of, report_of, week_of
from retorno.voicemail.store import AnswerPage, AnswerStore, ReportStore, day_of

# A report is written again for so long, so that reviews which come late are in it.
REPORTED_WEEKS = 4


class AnswerTracking:
    """Follows the calls table's stream."""

    def __init__(self, store: AnswerStore, rules: CallRules) -> None:
        self._store = store
        self._rules = rules

    def follow(self, record: Mapping[str, Any]) -> None:
        """Keeps what a changed call tells of its answer. Told twice, or after a later change, it
        changes nothing. Raises Unavailable.
        """
        change = change_of(record, self._rules)
        if change is None:
            return
        before = answer_of(change.before) if change.before else None
        after = answer_of(change.after)
        if before == after:
            return
        if before and (after is None or day_of(before.answered_at) != day_of(after.answered_at)):
            self._store.remove(before, change.revision)
        if after:
            self._store.put(after, change.revision)


class VoicemailReviews:
    """What there is to listen to, and what came of it."""

    def __init__(self, answers: AnswerStore, reports: ReportStore) -> None:
        self._answers = answers
        self._reports = reports

    def suspects(self, limit: int, start: Mapping[str, str] | None) -> AnswerPage:
        """Oldest first. Raises Unavailable."""
        return self._answers.suspects(limit, start)

    def reports(self, limit: int, before: str | None) -> Sequence[WeekReport]:
        """Newest first. Raises Unavailable."""
        return self._reports.newest(limit, before)


class VoicemailReporting:
    def __init__(
        self, answers: AnswerStore, reports: ReportStore, rules: CallRules, zone: ZoneInfo
    ) -> None:
        self._answers = answers
        self._reports = reports
        self._rules = rules
        self._zone = zone

    def write_last_weeks(self, now: datetime) -> list[WeekReport]:
        """Writes the reports of the last whole weeks. Raises Unavailable."""
        this_week = week_of(now, self._zone)
        return [self.write(this_week - ago * WEEK, now) for ago in range(1, REPORTED_WEEKS + 1)]

    def write(self, week: date, now: datetime) -> WeekReport:
        """Writes the report of the week that a day is in. Raises Unavailable."""
        monday = week_of(period_of(week, self._zone).since, self._zone)
        answers = self._answers.answered_in(period_of(monday, self._zone))
        report = report_of(answers, monday, self._zone, self._rules.threshold_of, now)
        self._reports.put(report)
        return report


def answer_tracking(settings: VoicemailSettings) -> AnswerTracking:
    return AnswerTracking(
        AnswerStore(settings.answers_table, settings.calls_kept_days), call_rules(settings)
    )


def voicemail_reviews(settings: VoicemailSettings) -> VoicemailReviews:
    return VoicemailReviews(
        AnswerStore(settings.answers_table), ReportStore(settings.voicemail_reports_table)
    )


def voicemail_reporting(settings: VoicemailSettings) -> VoicemailReporting:
    return VoicemailReporting(
        AnswerStore(settings.answers_table),
        ReportStore(settings.voicemail_reports_table),
        call_rules(settings),
        settings.time_zone,
    )
