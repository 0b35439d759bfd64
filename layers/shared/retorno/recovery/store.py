"""The table of the parts that calls play, those of one number together in one partition."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from pynamodb.attributes import BooleanAttribute, NumberAttribute, UnicodeAttribute
from pynamodb.expressions.condition import Condition
from pynamodb.indexes import AllProjection, GlobalSecondaryIndex, LocalSecondaryIndex

from retorno.dynamodb import (
    Refused,
    RefusedTogether,
    Write,
    assign,
    bind,
    delete,
    unavailable_on_trouble,
    update,
    write_together,
)
from retorno.errors import InvalidInput
from retorno.recovery.model import Dismissal, MissedCall, MissedFilter, Outcome, Part, Role, State
from retorno.retention import KeptItem, expiring
from retorno.times import Period, read_stamp, stamp

# Rows that one page of a filtered list may look at. A rare queue's list comes in more pages.
MAX_EXAMINED = 1_000
PAGE_SIZE = 100

ALL_MISSED = "missed"


class ByTime(LocalSecondaryIndex["PartItem"]):
    class Meta:
        index_name = "by_time"
        projection = AllProjection()

    number_key = UnicodeAttribute(hash_key=True)
    at = UnicodeAttribute(range_key=True)


class ByState(GlobalSecondaryIndex["PartItem"]):
    class Meta:
        index_name = "by_state"
        projection = AllProjection()

    state = UnicodeAttribute(hash_key=True)
    missed_order = UnicodeAttribute(range_key=True)


class AllMissed(GlobalSecondaryIndex["PartItem"]):
    class Meta:
        index_name = "all_missed"
        projection = AllProjection()

    missed = UnicodeAttribute(hash_key=True)
    missed_order = UnicodeAttribute(range_key=True)


class PartItem(KeptItem):
    """One call's part. Times are text that sorts as time does.

    `number_key` "+551187654321" (or "withheld#<call id>"), `call_id` "1546015415.757927". A
    missed call stands in the indexes by `missed_order` "2026-03-02T13:04:05.000000Z 1546015415.7".
    """

    number_key = UnicodeAttribute(hash_key=True)
    call_id = UnicodeAttribute(range_key=True)
    # Counts the writes of this item: what is decided from a look holds only if nobody wrote since.
    revision = NumberAttribute(default=0)
    # The call's own count, so that a change told again never undoes a later one.
    call_revision = NumberAttribute()

    role = UnicodeAttribute()
    at = UnicodeAttribute()
    number = UnicodeAttribute(null=True)
    queue = UnicodeAttribute(null=True)
    agent = UnicodeAttribute(null=True)
    branch = UnicodeAttribute(null=True)
    chosen_customer = UnicodeAttribute(null=True)
    reached_at = UnicodeAttribute(null=True)
    over = BooleanAttribute(default=False)
    reason = UnicodeAttribute(null=True)
    short_abandon = BooleanAttribute(default=False)

    missed = UnicodeAttribute(null=True)
    missed_order = UnicodeAttribute(null=True)
    state = UnicodeAttribute(null=True)
    attempts = NumberAttribute(default=0)
    first_attempt_seconds = NumberAttribute(null=True)
    recovered_by = UnicodeAttribute(null=True)
    recovered_by_agent = UnicodeAttribute(null=True)
    recovered_at = UnicodeAttribute(null=True)
    recovery_seconds = NumberAttribute(null=True)
    returned_by = UnicodeAttribute(null=True)
    returned_at = UnicodeAttribute(null=True)
    blocked = BooleanAttribute(null=True)
    dismissed_at = UnicodeAttribute(null=True)
    dismissed_by = UnicodeAttribute(null=True)
    dismissed_reason = UnicodeAttribute(null=True)

    by_time = ByTime()
    by_state = ByState()
    all_missed = AllMissed()

    def kept_from(self, now: datetime) -> datetime:
        return read_stamp(self.at)


PART_FIELDS = tuple(name for name in Part.model_fields if name not in ("number_key", "call_id"))
OUTCOME_FIELDS = tuple(Outcome.model_fields)


@dataclass(frozen=True, slots=True)
class Stored:
    """A part as it was found, and the revision that it was found at."""

    part: Part
    outcome: Outcome
    dismissal: Dismissal | None
    blocked: bool
    revision: int

    @property
    def missed_call(self) -> MissedCall:
        return MissedCall(part=self.part, outcome=self.outcome, dismissal=self.dismissal)


@dataclass(frozen=True, slots=True)
class MissedPage:
    """Missed calls, newest first, and the order after which the next page begins."""

    items: Sequence[MissedCall]
    next_order: str | None


class RecoveryStore:
    def __init__(self, table_name: str, kept_days: int = 0) -> None:
        self._item = bind(PartItem, table_name)
        self._kept_days = kept_days

    def put(self, part: Part, call_revision: int) -> None:
        """Writes a call's part, unless one of a later revision is there. Raises Unavailable.

        A miss keeps what became of it so far; any other part has no outcome.
        """
        item = self._item
        is_miss = part.role is Role.MISSED
        values = {name: getattr(part, name) for name in PART_FIELDS}
        values["missed"] = ALL_MISSED if is_miss else None
        values["missed_order"] = f"{stamp(part.at)} {part.call_id}" if is_miss else None
        if not is_miss:
            values |= dict.fromkeys(OUTCOME_FIELDS)
        actions = [
            item.revision.add(1),
            item.call_revision.set(call_revision),
            *assign(item, values),
            *expiring(item, part.at, self._kept_days),
        ]
        if is_miss:
            actions.append(item.state.set(item.state | State.OPEN.value))
        try:
            update(item(part.number_key, part.call_id), actions, self._not_later(call_revision))
        except Refused:
            return

    def remove(self, number_key: str, call_id: str, call_revision: int) -> None:
        """Takes a part out, unless one of a later revision is there. Raises Unavailable."""
        try:
            delete(self._item(number_key, call_id), self._not_later(call_revision))
        except Refused:
            return

    def _not_later(self, call_revision: int) -> Condition:
        known = self._item.call_revision
        condition: Condition = known.does_not_exist() | (known <= call_revision)
        return condition

    def around(
        self, number_key: str, period: Period, enough: Callable[[Part], bool] = lambda _: False
    ) -> Sequence[Stored]:
        """The parts of a number in a period, as they are at this moment, newest first: all of them,
        or as far back as to one that is `enough`. Raises Unavailable.
        """
        index = self._item.by_time
        found: list[Stored] = []
        with unavailable_on_trouble():
            for item in index.query(
                number_key,
                self._item.at.between(stamp(period.since), stamp(period.until)),
                consistent_read=True,
                scan_index_forward=False,
                page_size=PAGE_SIZE,
            ):
                found.append(_stored(item))
                if enough(found[-1].part):
                    break
        return found

    def save_outcome(self, found: Stored, outcome: Outcome) -> None:
        """Raises Refused where someone wrote since it was found; Unavailable."""
        self._save(found, {name: getattr(outcome, name) for name in OUTCOME_FIELDS})

    def save_dismissal(self, found: Stored, dismissal: Dismissal) -> None:
        """Raises Refused where someone wrote since it was found; Unavailable."""
        fields = dismissal.model_dump()
        self._save(found, {f"dismissed_{name}": value for name, value in fields.items()})

    def save_blocked(self, found: Stored, *, blocked: bool) -> None:
        """Raises Refused where someone wrote since it was found; Unavailable."""
        self._save(found, {"blocked": blocked or None})

    def _save(self, found: Stored, values: dict[str, Any]) -> None:
        item = self._item
        actions = [item.revision.add(1), *assign(item, values)]
        key = item(found.part.number_key, found.part.call_id)
        update(key, actions, item.revision == found.revision)

    def get(self, number_key: str, call_id: str) -> Stored | None:
        """Raises Unavailable."""
        with unavailable_on_trouble():
            try:
                return _stored(self._item.get(number_key, call_id, consistent_read=True))
            except self._item.DoesNotExist:
                return None

    def get_many(self, keys: Sequence[tuple[str, str]]) -> list[Stored]:
        """By number's key and call; as they are at this moment. Raises Unavailable."""
        with unavailable_on_trouble():
            return [_stored(item) for item in self._item.batch_get(keys, consistent_read=True)]

    def of_number(self, number_key: str) -> Iterator[Stored]:
        """All parts of a number, as they are at this moment. Raises Unavailable."""
        return map(_stored, self._of(number_key))

    def kept_of_number(self, number_key: str) -> Iterator[KeptItem]:
        """The same, as items. Raises Unavailable."""
        return self._of(number_key)

    def rename(self, number_key: str, pseudonym: str) -> Iterator[bool]:
        """Has the parts of a number stand under a pseudonym instead, with what became of them.

        Says of each whether it went; not where somebody wrote it meanwhile. What bears on a miss is
        copied before any miss goes, and dropped after all: whoever decides about a miss finds it
        beside all others, under either key. Raises Unavailable.
        """
        for item in self._of(number_key):
            if not item.missed:
                self._copy(item, pseudonym)
        for is_miss in (True, False):
            for item in self._of(number_key):
                if bool(item.missed) is is_miss:
                    if not is_miss:
                        # More may have been told of it since.
                        self._copy(item, pseudonym)
                    yield self._move(item, pseudonym)

    def _of(self, number_key: str) -> Iterator[PartItem]:
        with unavailable_on_trouble():
            yield from self._item.query(number_key, consistent_read=True)

    def _copy(self, item: PartItem, pseudonym: str) -> None:
        copy = self._renamed(item, pseudonym)
        with suppress(RefusedTogether):
            write_together([Write(copy, self._not_later(int(item.call_revision)))])

    def _move(self, item: PartItem, pseudonym: str) -> bool:
        writes = [Write(item, self._item.revision == item.revision, delete=True)]
        if self.get(pseudonym, item.call_id) is None:
            absent = self._item.number_key.does_not_exist()
            writes.append(Write(self._renamed(item, pseudonym), absent))
        try:
            write_together(writes)
        except RefusedTogether:
            return False
        return True

    def _renamed(self, item: PartItem, pseudonym: str) -> PartItem:
        renamed = self._item.from_raw_data(item.serialize())
        renamed.number_key = renamed.number = pseudonym
        return renamed

    def missed(self, wanted: MissedFilter, limit: int, before: str | None) -> MissedPage:
        """Missed calls, newest first, those that stand before `before`.

        A page looks at no more than MAX_EXAMINED calls: of a rare queue or agent it may hold
        fewer than `limit` and still not be the last. Raises InvalidInput for a `before` outside
        the period, Unavailable.
        """
        if before and not wanted.period.includes(before):
            raise InvalidInput("cursor", "is none that this API gave")
        items: list[MissedCall] = []
        examined = 0
        order = None
        with unavailable_on_trouble():
            for item in self._newest_first(wanted, before):
                fits = wanted.queue in (None, item.queue) and wanted.agent in (None, item.agent)
                if (fits and len(items) == limit) or examined == MAX_EXAMINED:
                    return MissedPage(items, order)
                if fits:
                    items.append(_stored(item).missed_call)
                examined += 1
                order = item.missed_order
        return MissedPage(items, None)

    def _newest_first(self, wanted: MissedFilter, before: str | None) -> Iterator[PartItem]:
        index = self._item.by_state if wanted.state else self._item.all_missed
        found = index.query(
            wanted.state or ALL_MISSED,
            self._item.missed_order.between(
                stamp(wanted.period.since), before or _after(wanted.period.until)
            ),
            scan_index_forward=False,
            page_size=PAGE_SIZE,
        )
        return (item for item in found if item.missed_order != before)

    def results(self, period: Period, limit: int) -> Sequence[tuple[State, bool, float | None]]:
        """State, short abandon and recovery seconds of the calls missed in a period.

        At most `limit` of them. Raises Unavailable.
        """
        index = self._item.all_missed
        with unavailable_on_trouble():
            found = index.query(
                ALL_MISSED,
                self._item.missed_order.between(stamp(period.since), _after(period.until)),
                attributes_to_get=["state", "short_abandon", "recovery_seconds"],
                limit=limit,
            )
            return [
                (State(item.state), item.short_abandon, item.recovery_seconds) for item in found
            ]

    def missed_before(self, before: datetime, state: State, limit: int) -> Sequence[Part]:
        """Missed calls in a state that were missed before a moment, oldest first. Raises
        Unavailable.
        """
        index = self._item.by_state
        with unavailable_on_trouble():
            found = index.query(state, self._item.missed_order < stamp(before), limit=limit)
            return [_stored(item).part for item in found]


def told_of(record: Mapping[str, Any]) -> tuple[str, str, frozenset[str]]:
    """The number's key, the call, and its queues before and after, of a record of the table's
    stream.
    """
    keys = record["dynamodb"]["Keys"]
    images = (record["dynamodb"].get(name, {}) for name in ("OldImage", "NewImage"))
    queues = frozenset(image["queue"]["S"] for image in images if "queue" in image)
    return keys["number_key"]["S"], keys["call_id"]["S"], queues


def _after(moment: datetime) -> str:
    """Comes after all that was missed at a moment: no call id has this character."""
    return f"{stamp(moment)} \x7f"


def _stored(item: PartItem) -> Stored:
    dismissal = None
    if item.dismissed_at:
        dismissal = Dismissal(
            at=read_stamp(item.dismissed_at), by=item.dismissed_by, reason=item.dismissed_reason
        )
    return Stored(
        part=Part.model_validate(_read(item, Part)),
        outcome=Outcome.model_validate(_read(item, Outcome)),
        dismissal=dismissal,
        blocked=bool(item.blocked),
        revision=int(item.revision),
    )


def _read(item: PartItem, model: type[Part] | type[Outcome]) -> dict[str, Any]:
    """What the item has of the model's fields; the model has the defaults of the others."""
    values = {name: getattr(item, name) for name in model.model_fields}
    return {
        name: read_stamp(value) if name == "at" or name.endswith("_at") else value
        for name, value in values.items()
        if value is not None
    }
