"""The do-not-call list: the table of who is on it, and who once was."""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, datetime

from pynamodb.attributes import JSONAttribute, NumberAttribute, UnicodeAttribute
from pynamodb.exceptions import TransactWriteError
from pynamodb.indexes import AllProjection, GlobalSecondaryIndex
from pynamodb.models import Model
from pynamodb.transactions import TransactWrite

from retorno.calling_rules.model import Entry, Origin, Record, Removal
from retorno.dynamodb import Refused, bind, unavailable_on_trouble
from retorno.errors import InvalidInput
from retorno.times import Period, read_stamp, stamp

LISTED = "listed"

# What DynamoDB takes in one transaction.
MAX_CHANGES = 100

# Someone else wrote one of the items: before, or at the same time.
LOST_RACES = frozenset({"ConditionalCheckFailed", "TransactionConflict"})


class ByTime(GlobalSecondaryIndex["ListItem"]):
    class Meta:
        index_name = "by_time"
        projection = AllProjection()

    listed = UnicodeAttribute(hash_key=True)
    listed_order = UnicodeAttribute(range_key=True)


class ListItem(Model):
    """What one origin says of a number.

    `number_key` "+551187654321", `origin` "customer". An entry in force stands in the index by
    `listed_order` "2026-03-02T13:04:05.000000Z +551187654321 customer"; of one that was removed
    `removals` alone are left.
    """

    number_key = UnicodeAttribute(hash_key=True)
    origin = UnicodeAttribute(range_key=True)
    # Counts the writes of this item: a change holds only if nobody wrote since it was read.
    revision = NumberAttribute()

    number = UnicodeAttribute(null=True)
    scope = UnicodeAttribute(null=True)
    effective_from = UnicodeAttribute(null=True)
    added_at = UnicodeAttribute(null=True)
    added_by = UnicodeAttribute(null=True)
    said_at = UnicodeAttribute(null=True)
    note = UnicodeAttribute(null=True)
    removals: JSONAttribute = JSONAttribute(null=True)

    listed = UnicodeAttribute(null=True)
    listed_order = UnicodeAttribute(null=True)

    by_time = ByTime()


@dataclass(frozen=True, slots=True)
class Key:
    number_key: str
    origin: Origin


@dataclass(frozen=True, slots=True)
class Stored:
    """A record as it was found, and the revision that it was found at; 0 where there is none."""

    key: Key
    record: Record
    revision: int = 0


@dataclass(frozen=True, slots=True)
class EntryPage:
    """Entries, newest first, and the order after which the next page begins."""

    entries: Sequence[Entry]
    next_order: str | None


class DoNotCallStore:
    def __init__(self, table_name: str) -> None:
        self._item = bind(ListItem, table_name)

    def of_number(self, number_key: str) -> Sequence[Record]:
        """One for each origin that ever spoke of the number. Raises Unavailable."""
        with unavailable_on_trouble():
            found = self._item.query(number_key, consistent_read=True)
            return [_stored(item).record for item in found]

    def get_many(self, keys: Sequence[Key]) -> Sequence[Stored]:
        """In the order of their keys. Raises Unavailable."""
        wanted = [(key.number_key, key.origin.value) for key in keys]
        with unavailable_on_trouble():
            items = self._item.batch_get(wanted, consistent_read=True)
            found = {(stored := _stored(item)).key: stored for item in items}
        return [found.get(key, Stored(key, Record())) for key in keys]

    def save(self, changes: Iterable[tuple[Stored, Record]]) -> None:
        """Writes all of them, at most MAX_CHANGES, or none.

        Raises Refused where someone wrote one of them since it was found; Unavailable.
        """
        item = self._item
        connection = item._get_connection().connection
        with (
            unavailable_on_trouble(),
            _refused_on_lost_race(),
            TransactWrite(connection=connection) as transaction,
        ):
            for found, record in changes:
                unchanged = (
                    item.revision == found.revision
                    if found.revision
                    else item.number_key.does_not_exist()
                )
                transaction.save(self._written(found, record), condition=unchanged)

    def _written(self, found: Stored, record: Record) -> ListItem:
        item = self._item(found.key.number_key, found.key.origin.value)
        item.revision = found.revision + 1
        item.removals = [removal.model_dump(mode="json") for removal in record.removals] or None
        if entry := record.entry:
            item.number = entry.number
            item.scope = entry.scope.value
            item.effective_from = entry.effective_from.isoformat()
            item.added_at = stamp(entry.added_at)
            item.added_by = entry.added_by
            item.said_at = stamp(entry.said_at)
            item.note = entry.note
            item.listed = LISTED
            item.listed_order = f"{item.added_at} {item.number_key} {item.origin}"
        return item

    def page(self, period: Period, limit: int, before: str | None) -> EntryPage:
        """Entries added in a period, newest first, those that stand before `before`.

        Raises InvalidInput for a `before` outside the period, Unavailable.
        """
        if before and not period.includes(before):
            raise InvalidInput("cursor", "is none that this API gave")
        upto = before or _after(period.until)
        between = self._item.listed_order.between(stamp(period.since), upto)
        with unavailable_on_trouble():
            # One for `before` itself, and one to know whether there are more.
            found = self._item.by_time.query(
                LISTED, between, scan_index_forward=False, limit=limit + 2
            )
            items = [item for item in found if item.listed_order != before]
        entries = [entry for item in items[:limit] if (entry := _stored(item).record.entry)]
        return EntryPage(entries, items[limit - 1].listed_order if len(items) > limit else None)


@contextmanager
def _refused_on_lost_race() -> Iterator[None]:
    try:
        yield
    except TransactWriteError as error:
        if not LOST_RACES.intersection(
            reason.code for reason in error.cancellation_reasons if reason
        ):
            raise
        raise Refused(None) from None


def _after(moment: datetime) -> str:
    """Comes after all that was added at a moment."""
    return f"{stamp(moment)} \x7f"


def _stored(item: ListItem) -> Stored:
    entry = None
    if item.added_at:
        entry = Entry(
            number=item.number,
            number_key=item.number_key,
            origin=Origin(item.origin),
            scope=item.scope,
            effective_from=date.fromisoformat(item.effective_from),
            added_at=read_stamp(item.added_at),
            added_by=item.added_by,
            said_at=read_stamp(item.said_at),
            note=item.note,
        )
    removals = tuple(Removal.model_validate(removal) for removal in item.removals or ())
    key = Key(item.number_key, Origin(item.origin))
    return Stored(key, Record(entry=entry, removals=removals), int(item.revision))
