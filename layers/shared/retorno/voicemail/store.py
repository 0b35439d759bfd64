"""The table of answered outbound calls, by day, and that of the weekly reports."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from pynamodb.attributes import NumberAttribute, UnicodeAttribute
from pynamodb.expressions.condition import Condition
from pynamodb.indexes import AllProjection, GlobalSecondaryIndex
from pynamodb.models import Model

from retorno.dynamodb import Refused, assign, bind, delete, unavailable_on_trouble, update
from retorno.retention import KeptItem, expiring
from retorno.times import Period, read_stamp, stamp
from retorno.voicemail.model import Answer, WeekReport

SUSPECT = "suspect"
WEEKLY = "weekly"

DAY_LENGTH = len("2026-03-02")


class BySuspect(GlobalSecondaryIndex["AnswerItem"]):
    class Meta:
        index_name = "by_suspect"
        projection = AllProjection()

    suspect = UnicodeAttribute(hash_key=True)
    answered_at = UnicodeAttribute(range_key=True)


class AnswerItem(KeptItem):
    """`day` "2026-03-02", in UTC, on which `call_id` "1546015415.757927" was answered."""

    day = UnicodeAttribute(hash_key=True)
    call_id = UnicodeAttribute(range_key=True)
    # The call's own count, so that a change told again never undoes a later one.
    call_revision = NumberAttribute()
    suspect = UnicodeAttribute(null=True)

    answered_at = UnicodeAttribute()
    number = UnicodeAttribute(null=True)
    agent = UnicodeAttribute(null=True)
    campaign = UnicodeAttribute(null=True)
    carrier = UnicodeAttribute()
    talk_seconds = NumberAttribute(null=True)
    review = UnicodeAttribute(null=True)
    disposition = UnicodeAttribute(null=True)
    detection = UnicodeAttribute(null=True)
    talk_time = UnicodeAttribute(null=True)

    by_suspect = BySuspect()

    def kept_from(self, now: datetime) -> datetime:
        return read_stamp(self.answered_at)


FIELDS = tuple(name for name in Answer.model_fields if name != "call_id")


@dataclass(frozen=True, slots=True)
class AnswerPage:
    """Answers, and where the next page begins; None at the end."""

    answers: Sequence[Answer]
    next_start: Mapping[str, str] | None


class AnswerStore:
    def __init__(self, table_name: str, kept_days: int = 0) -> None:
        self._item = bind(AnswerItem, table_name)
        self._kept_days = kept_days

    def put(self, answer: Answer, call_revision: int) -> None:
        """Writes an answer, unless one of a later revision is there. Raises Unavailable."""
        values = {name: getattr(answer, name) for name in FIELDS}
        values["call_revision"] = call_revision
        values["suspect"] = SUSPECT if answer.is_suspect else None
        actions = [
            *assign(self._item, values),
            *expiring(self._item, answer.answered_at, self._kept_days),
        ]
        try:
            update(self._key(answer), actions, self._not_later(call_revision))
        except Refused:
            return

    def remove(self, answer: Answer, call_revision: int) -> None:
        """Takes an answer out, unless one of a later revision is there. Raises Unavailable."""
        try:
            delete(self._key(answer), self._not_later(call_revision))
        except Refused:
            return

    def kept(self, answers: Iterable[Answer]) -> Iterator[KeptItem]:
        """Those that there are, as they are at this moment. Raises Unavailable."""
        keys = [(day_of(answer.answered_at), answer.call_id) for answer in answers]
        with unavailable_on_trouble():
            yield from self._item.batch_get(keys, consistent_read=True)

    def _key(self, answer: Answer) -> AnswerItem:
        return self._item(day_of(answer.answered_at), answer.call_id)

    def _not_later(self, call_revision: int) -> Condition:
        known = self._item.call_revision
        condition: Condition = known.does_not_exist() | (known <= call_revision)
        return condition

    def suspects(self, limit: int, start: Mapping[str, str] | None) -> AnswerPage:
        """Short answers that nobody told apart, oldest first; `start` is a `next_start`.

        Raises Unavailable.
        """
        exclusive = None
        if start:
            keys = {"suspect": SUSPECT, "day": start["answered_at"][:DAY_LENGTH], **start}
            exclusive = {name: {"S": text} for name, text in keys.items()}
        with unavailable_on_trouble():
            found = self._item.by_suspect.query(
                SUSPECT, limit=limit, page_size=limit, last_evaluated_key=exclusive
            )
            answers = [_answer(item) for item in found]
        last = found.last_evaluated_key
        return AnswerPage(
            answers,
            {name: last[name]["S"] for name in ("call_id", "answered_at")} if last else None,
        )

    def answered_in(self, period: Period) -> Iterator[Answer]:
        """All that was answered in a period. Raises Unavailable."""
        day, last_day = day_of(period.since), day_of(period.until)
        with unavailable_on_trouble():
            while day <= last_day:
                answers = (_answer(item) for item in self._item.query(day))
                yield from (each for each in answers if period.includes(stamp(each.answered_at)))
                day = (date.fromisoformat(day) + timedelta(days=1)).isoformat()


class ReportItem(Model):
    """`list_name` "weekly", `week` "2026-03-02", its Monday."""

    list_name = UnicodeAttribute(hash_key=True, default=WEEKLY)
    week = UnicodeAttribute(range_key=True)
    report = UnicodeAttribute()


class ReportStore:
    def __init__(self, table_name: str) -> None:
        self._item = bind(ReportItem, table_name)

    def put(self, report: WeekReport) -> None:
        """Raises Unavailable."""
        item = self._item(week=report.week.isoformat(), report=report.model_dump_json())
        with unavailable_on_trouble():
            item.save()

    def newest(self, limit: int, before: str | None) -> Sequence[WeekReport]:
        """Those of the weeks before `before`, newest first. Raises Unavailable."""
        earlier = self._item.week < before if before else None
        with unavailable_on_trouble():
            found = self._item.query(WEEKLY, earlier, scan_index_forward=False, limit=limit)
            return [WeekReport.model_validate_json(item.report) for item in found]


def day_of(moment: datetime) -> str:
    return stamp(moment)[:DAY_LENGTH]


def _answer(item: AnswerItem) -> Answer:
    values = {name: getattr(item, name) for name in FIELDS}
    values["answered_at"] = read_stamp(item.answered_at)
    return Answer(call_id=item.call_id, **values)
