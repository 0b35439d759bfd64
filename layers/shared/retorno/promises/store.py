"""The table of promises."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import uuid4
from zoneinfo import ZoneInfo

from pynamodb.attributes import BooleanAttribute, NumberAttribute, UnicodeAttribute
from pynamodb.indexes import GlobalSecondaryIndex, KeysOnlyProjection

from retorno.dynamodb import Refused, assign, bind, unavailable_on_trouble, update
from retorno.promises.model import Promise, PromiseFilter
from retorno.retention import KeptItem, expiry
from retorno.times import read_stamp, stamp

TO_CHECK = "promise"


class ByDay(GlobalSecondaryIndex["PromiseItem"]):
    class Meta:
        index_name = "by_day"
        projection = KeysOnlyProjection()

    day = UnicodeAttribute(hash_key=True)
    at = UnicodeAttribute(range_key=True)


class ByAgent(GlobalSecondaryIndex["PromiseItem"]):
    class Meta:
        index_name = "by_agent"
        projection = KeysOnlyProjection()

    agent_day = UnicodeAttribute(hash_key=True)
    at = UnicodeAttribute(range_key=True)


class ByState(GlobalSecondaryIndex["PromiseItem"]):
    class Meta:
        index_name = "by_state"
        projection = KeysOnlyProjection()

    state = UnicodeAttribute(hash_key=True)
    at = UnicodeAttribute(range_key=True)


class ByCheck(GlobalSecondaryIndex["PromiseItem"]):
    class Meta:
        index_name = "by_check"
        projection = KeysOnlyProjection()

    to_check = UnicodeAttribute(hash_key=True)
    check_at = UnicodeAttribute(range_key=True)


class ByNumber(GlobalSecondaryIndex["PromiseItem"]):
    class Meta:
        index_name = "by_number"
        projection = KeysOnlyProjection()

    number = UnicodeAttribute(hash_key=True)
    at = UnicodeAttribute(range_key=True)


class PromiseItem(KeptItem):
    """`promise_id` "5feceb66ffc86f38d952786c6d696c79", and the promise's own fields."""

    promise_id = UnicodeAttribute(hash_key=True)
    # Counts the writes of this item: a change holds only if nobody wrote since it was read.
    revision = NumberAttribute()
    # A random name of the write that is here now, by which its writer knows it.
    written_by = UnicodeAttribute()

    wish_digest = UnicodeAttribute()
    version = NumberAttribute()
    number = UnicodeAttribute()
    queue = UnicodeAttribute()
    agent = UnicodeAttribute(null=True)
    purpose = UnicodeAttribute()
    note = UnicodeAttribute(null=True)
    call_id = UnicodeAttribute(null=True)
    at = UnicodeAttribute()
    moved_from = UnicodeAttribute(null=True)
    time_zone = UnicodeAttribute()
    tolerance_minutes = NumberAttribute()
    asked_at = UnicodeAttribute()
    asked_by = UnicodeAttribute()
    state = UnicodeAttribute()
    contact_id = UnicodeAttribute(null=True)
    dialled_at = UnicodeAttribute(null=True)
    reached = BooleanAttribute(null=True)
    reason = UnicodeAttribute(null=True)
    check_at = UnicodeAttribute(null=True)

    # For the indexes alone: "2026-03-02", "2026-03-02 ana", and TO_CHECK where there is a check_at.
    day = UnicodeAttribute()
    agent_day = UnicodeAttribute(null=True)
    to_check = UnicodeAttribute(null=True)

    by_day = ByDay()
    by_agent = ByAgent()
    by_state = ByState()
    by_check = ByCheck()
    by_number = ByNumber()

    def kept_from(self, now: datetime) -> datetime | None:
        return _promise(self).over_since


TIMES = frozenset({"at", "moved_from", "asked_at", "dialled_at", "check_at"})


@dataclass(frozen=True, slots=True)
class PromisePage:
    """Where the next page begins is None at the end."""

    promises: Sequence[Promise]
    next_start: Mapping[str, str] | None


class PromiseStore:
    """`zone` is the company's own, by which days begin."""

    def __init__(self, table_name: str, zone: ZoneInfo, kept_days: int = 0) -> None:
        self._item = bind(PromiseItem, table_name)
        self._kept_days = kept_days
        self._zone = zone

    def get(self, promise_id: str) -> Promise | None:
        """As it is at this moment. Raises Unavailable."""
        with unavailable_on_trouble():
            try:
                return _promise(self._item.get(promise_id, consistent_read=True))
            except self._item.DoesNotExist:
                return None

    def of_number(self, number: str) -> Iterator[Promise]:
        """All, as they are at this moment; `number` in E.164. Raises Unavailable."""
        with unavailable_on_trouble():
            for item in self._item.by_number.query(number):
                promise = self.get(item.promise_id)
                if promise and promise.number == number:
                    yield promise

    def kept_of_number(self, number: str) -> Iterator[KeptItem]:
        """The same, as items. Raises Unavailable."""
        with unavailable_on_trouble():
            ids = [item.promise_id for item in self._item.by_number.query(number)]
            yield from self._item.batch_get(ids, consistent_read=True)

    def save(self, promise: Promise) -> Promise:
        """The promise as it is written then. Raises Refused where somebody wrote it since it was
        read; Unavailable.
        """
        item = self._item
        written = promise.model_copy(update={"revision": promise.revision + 1})
        unchanged = (
            item.revision == promise.revision
            if promise.revision
            else item.promise_id.does_not_exist()
        )
        writer = uuid4().hex
        day = promise.day(self._zone).isoformat()
        values = {
            **written.model_dump(exclude={"promise_id"}),
            "written_by": writer,
            "day": day,
            "agent_day": f"{day} {promise.agent}" if promise.agent else None,
            "to_check": TO_CHECK if promise.check_at else None,
            "expires_at": expiry(promise.over_since, self._kept_days),
        }
        try:
            update(item(promise.promise_id), assign(item, values), unchanged)
        except Refused as refusal:
            # A write whose answer was lost is sent again, and finds itself in its way.
            if not isinstance(refusal.item, PromiseItem) or refusal.item.written_by != writer:
                raise
        return written

    def page(
        self, wanted: PromiseFilter, limit: int, start: Mapping[str, str] | None
    ) -> PromisePage:
        """Those of a day by their time; without a day those of a state, the latest first.

        It may be short of what the filter takes. Raises Unavailable.
        """
        index: Any
        if wanted.day is None:
            index, name, shelf = self._item.by_state, "state", str(wanted.state)
        elif wanted.agent is None:
            index, name, shelf = self._item.by_day, "day", wanted.day.isoformat()
        else:
            index, name, shelf = self._item.by_agent, "agent_day", f"{wanted.day} {wanted.agent}"
        exclusive = {key: {"S": text} for key, text in {name: shelf, **(start or {})}.items()}
        with unavailable_on_trouble():
            found = index.query(
                shelf,
                scan_index_forward=wanted.day is not None,
                limit=limit,
                page_size=limit,
                last_evaluated_key=exclusive if start else None,
            )
            ids = [item.promise_id for item in found]
            promises = self.get_many(ids)
        last = found.last_evaluated_key
        return PromisePage(
            [promise for promise in promises if wanted.takes(promise)],
            {key: last[key]["S"] for key in ("promise_id", "at")} if last else None,
        )

    def to_check(self, now: datetime, limit: int) -> list[str]:
        """The ids of those that are to be looked at by now, the longest due first.

        Raises Unavailable.
        """
        with unavailable_on_trouble():
            found = self._item.by_check.query(
                TO_CHECK, self._item.check_at <= stamp(now), limit=limit, page_size=limit
            )
            return [item.promise_id for item in found]

    def get_many(self, ids: Sequence[str]) -> list[Promise]:
        """Those that exist, as they are at this moment, in the order asked for.

        Raises Unavailable.
        """
        with unavailable_on_trouble():
            found = self._item.batch_get(ids, consistent_read=True) if ids else []
            promises = {item.promise_id: _promise(item) for item in found}
        return [promises[promise_id] for promise_id in ids if promise_id in promises]


def position_of(promise: Promise) -> Mapping[str, str]:
    return {"promise_id": promise.promise_id, "at": stamp(promise.at)}


def _promise(item: PromiseItem) -> Promise:
    values: dict[str, Any] = {name: getattr(item, name) for name in Promise.model_fields}
    return Promise.model_validate(
        {
            name: read_stamp(value) if value and name in TIMES else value
            for name, value in values.items()
        }
    )
