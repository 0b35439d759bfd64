"""The table of dials."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from pynamodb.attributes import NumberAttribute, UnicodeAttribute
from pynamodb.indexes import AllProjection, GlobalSecondaryIndex, KeysOnlyProjection

from retorno.dialling.model import Dial
from retorno.dynamodb import Refused, assign, bind, unavailable_on_trouble, update
from retorno.retention import KeptItem, expiry
from retorno.times import read_stamp


class ByAgent(GlobalSecondaryIndex["DialItem"]):
    class Meta:
        index_name = "by_agent"
        projection = AllProjection()

    agent = UnicodeAttribute(hash_key=True)
    asked_at = UnicodeAttribute(range_key=True)


class ByNumber(GlobalSecondaryIndex["DialItem"]):
    class Meta:
        index_name = "by_number"
        projection = KeysOnlyProjection()

    number = UnicodeAttribute(hash_key=True)
    asked_at = UnicodeAttribute(range_key=True)


class DialItem(KeptItem):
    """`dial_id` "5feceb66ffc86f38d952786c6d696c79", and the dial's own fields."""

    dial_id = UnicodeAttribute(hash_key=True)
    # Counts the writes of this item: a change holds only if nobody wrote since it was read.
    revision = NumberAttribute()

    wish_digest = UnicodeAttribute()
    number = UnicodeAttribute()
    purpose = UnicodeAttribute()
    telephone = UnicodeAttribute()
    agent = UnicodeAttribute()
    asked_by = UnicodeAttribute()
    missed_call_id = UnicodeAttribute(null=True)
    campaign = UnicodeAttribute(null=True)
    caller_id = UnicodeAttribute(null=True)
    menu = UnicodeAttribute(null=True)
    asked_at = UnicodeAttribute()
    ordered_at = UnicodeAttribute()
    provider = UnicodeAttribute()
    state = UnicodeAttribute()
    call_id = UnicodeAttribute(null=True)
    reason = UnicodeAttribute(null=True)
    retry_at = UnicodeAttribute(null=True)
    owner = UnicodeAttribute()
    reserved_until = UnicodeAttribute(null=True)

    by_agent = ByAgent()
    by_number = ByNumber()

    def kept_from(self, now: datetime) -> datetime:
        return read_stamp(self.asked_at)


TIMES = frozenset({"asked_at", "ordered_at", "retry_at", "reserved_until"})


@dataclass(frozen=True, slots=True)
class DialPage:
    """Dials, newest first, and where the next page begins; None at the end."""

    dials: Sequence[Dial]
    next_start: Mapping[str, str] | None


class DialStore:
    def __init__(self, table_name: str, kept_days: int = 0) -> None:
        self._item = bind(DialItem, table_name)
        self._kept_days = kept_days

    def get(self, dial_id: str) -> Dial | None:
        """Raises Unavailable."""
        with unavailable_on_trouble():
            try:
                return _dial(self._item.get(dial_id, consistent_read=True))
            except self._item.DoesNotExist:
                return None

    def of_number(self, number: str) -> Iterator[Dial]:
        """All, as they are at this moment; `number` in E.164. Raises Unavailable."""
        with unavailable_on_trouble():
            for item in self._item.by_number.query(number):
                dial = self.get(item.dial_id)
                if dial and dial.number == number:
                    yield dial

    def kept_of_number(self, number: str) -> Iterator[KeptItem]:
        """The same, as items. Raises Unavailable."""
        with unavailable_on_trouble():
            ids = [item.dial_id for item in self._item.by_number.query(number)]
            yield from self._item.batch_get(ids, consistent_read=True)

    def save(self, dial: Dial) -> Dial:
        """The dial as it is written then. Raises Refused where somebody wrote it since it was
        read; Unavailable.
        """
        item = self._item
        written = dial.model_copy(update={"revision": dial.revision + 1})
        unchanged = (
            item.revision == dial.revision if dial.revision else item.dial_id.does_not_exist()
        )
        values = written.model_dump(exclude={"dial_id"})
        values["expires_at"] = expiry(dial.asked_at, self._kept_days)
        try:
            update(item(dial.dial_id), assign(item, values), unchanged)
        except Refused as refusal:
            # A write whose answer was lost is sent again, and finds itself in its way.
            if not isinstance(refusal.item, DialItem) or _dial(refusal.item) != written:
                raise
        return written

    def of_agent(self, agent: str, limit: int, start: Mapping[str, str] | None) -> DialPage:
        """Raises Unavailable."""
        with unavailable_on_trouble():
            found = self._item.by_agent.query(
                agent,
                scan_index_forward=False,
                limit=limit,
                page_size=limit,
                last_evaluated_key=(
                    {name: {"S": text} for name, text in {"agent": agent, **start}.items()}
                    if start
                    else None
                ),
            )
            dials = [_dial(item) for item in found]
        last = found.last_evaluated_key
        return DialPage(
            dials, {name: last[name]["S"] for name in ("dial_id", "asked_at")} if last else None
        )


def _dial(item: DialItem) -> Dial:
    values: dict[str, Any] = {name: getattr(item, name) for name in Dial.model_fields}
    return Dial.model_validate(
        {
            name: read_stamp(value) if value and name in TIMES else value
            for name, value in values.items()
        }
    )
