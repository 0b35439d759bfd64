"""The table of quotes."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from pynamodb.attributes import NumberAttribute, UnicodeAttribute
from pynamodb.indexes import GlobalSecondaryIndex, KeysOnlyProjection

from retorno.dynamodb import Write, bind, unavailable_on_trouble, write_together
from retorno.quotes.model import Quote, QuoteFilter, QuoteId
from retorno.retention import KeptItem, expiry
from retorno.times import stamp


class ByCustomer(GlobalSecondaryIndex["QuoteItem"]):
    class Meta:
        index_name = "by_customer"
        projection = KeysOnlyProjection()

    customer_id = UnicodeAttribute(hash_key=True)
    created_at = UnicodeAttribute(range_key=True)


class ByNumber(GlobalSecondaryIndex["QuoteItem"]):
    class Meta:
        index_name = "by_number"
        projection = KeysOnlyProjection()

    number_key = UnicodeAttribute(hash_key=True)
    created_at = UnicodeAttribute(range_key=True)


class ByAgent(GlobalSecondaryIndex["QuoteItem"]):
    class Meta:
        index_name = "by_agent"
        projection = KeysOnlyProjection()

    agent = UnicodeAttribute(hash_key=True)
    created_at = UnicodeAttribute(range_key=True)


class ByState(GlobalSecondaryIndex["QuoteItem"]):
    class Meta:
        index_name = "by_state"
        projection = KeysOnlyProjection()

    state = UnicodeAttribute(hash_key=True)
    created_at = UnicodeAttribute(range_key=True)


class QuoteItem(KeptItem):
    """`call_id` "1546015415.757927", `name` "5feceb66ffc86f38d952786c6d696c79", and all of the
    quote as JSON: the quotes of a call are one partition.
    """

    call_id = UnicodeAttribute(hash_key=True)
    name = UnicodeAttribute(range_key=True)
    # Counts the writes of this item: a change holds only if nobody wrote since it was read.
    version = NumberAttribute()
    quote = UnicodeAttribute()

    # For the indexes alone.
    customer_id = UnicodeAttribute(null=True)
    number_key = UnicodeAttribute(null=True)
    agent = UnicodeAttribute()
    state = UnicodeAttribute()
    created_at = UnicodeAttribute()

    by_customer = ByCustomer()
    by_number = ByNumber()
    by_agent = ByAgent()
    by_state = ByState()

    def kept_from(self, now: datetime) -> datetime | None:
        return _quote(self).over_since


POSITION = ("call_id", "name", "created_at")
"""What says where a page begins."""


@dataclass(frozen=True, slots=True)
class QuotePage:
    """Where the next page begins is None at the end."""

    quotes: Sequence[Quote]
    next_start: Mapping[str, str] | None


class QuoteStore:
    def __init__(self, table_name: str, kept_days: int = 0) -> None:
        self._item = bind(QuoteItem, table_name)
        self._kept_days = kept_days

    def get(self, quote_id: QuoteId) -> Quote | None:
        """As it is at this moment. Raises Unavailable."""
        with unavailable_on_trouble():
            try:
                found = self._item.get(quote_id.call_id, quote_id.name, consistent_read=True)
            except self._item.DoesNotExist:
                return None
        return _quote(found)

    def of_call(self, call_id: str) -> list[Quote]:
        """All, as they are at this moment, oldest first. Raises Unavailable."""
        with unavailable_on_trouble():
            found = [_quote(item) for item in self._item.query(call_id, consistent_read=True)]
        return sorted(found, key=lambda quote: (quote.created_at, quote.name))

    def save(self, quote: Quote) -> None:
        """Raises RefusedTogether where somebody wrote it since it was read; Unavailable."""
        item = self._item
        before = quote.version - 1
        unchanged = item.version == before if before else item.version.does_not_exist()
        written = item(
            quote.call_id,
            quote.name,
            version=quote.version,
            quote=quote.model_dump_json(exclude_defaults=True),
            customer_id=quote.customer_id,
            number_key=quote.number_key,
            agent=quote.agent,
            state=quote.state,
            created_at=stamp(quote.created_at),
            expires_at=expiry(quote.over_since, self._kept_days),
        )
        write_together([Write(written, unchanged)])

    def of_number(self, number_key: str) -> Iterator[Quote]:
        """All, as they are at this moment. Raises Unavailable."""
        return self._all(self._item.by_number, number_key)

    def of_customer(self, customer_id: str) -> Iterator[Quote]:
        """All, as they are at this moment. Raises Unavailable."""
        return self._all(self._item.by_customer, customer_id)

    def kept(self, quote: Quote) -> Iterator[KeptItem]:
        """The item of a quote, if there still is one. Raises Unavailable."""
        with unavailable_on_trouble():
            yield from self._item.batch_get([(quote.call_id, quote.name)], consistent_read=True)

    def _all(self, index: Any, value: str) -> Iterator[Quote]:
        with unavailable_on_trouble():
            for item in index.query(value):
                yield from self._read_all([(item.call_id, item.name)])

    def page(self, wanted: QuoteFilter, limit: int, start: Mapping[str, str] | None) -> QuotePage:
        """Newest first. It may be short of what the filter takes. Raises Unavailable."""
        index, name, value = self._shelf(wanted)
        exclusive = {key: {"S": text} for key, text in {name: value, **(start or {})}.items()}
        period = wanted.period
        with unavailable_on_trouble():
            found = index.query(
                value,
                self._item.created_at.between(stamp(period.since), stamp(period.until)),
                scan_index_forward=False,
                limit=limit,
                page_size=limit,
                last_evaluated_key=exclusive if start else None,
            )
            quotes = self._read_all([(item.call_id, item.name) for item in found])
        last = found.last_evaluated_key
        return QuotePage(
            [quote for quote in quotes if wanted.takes(quote)],
            {key: last[key]["S"] for key in POSITION} if last else None,
        )

    def _shelf(self, wanted: QuoteFilter) -> tuple[Any, str, str]:
        """The index of the fewest: its name for what it is asked for, and that."""
        item = self._item
        shelves: list[tuple[Any, str, str | None]] = [
            (item.by_number, "number_key", wanted.number_key),
            (item.by_customer, "customer_id", wanted.customer_id),
            (item.by_agent, "agent", wanted.agent),
            (item.by_state, "state", wanted.state),
        ]
        return next((index, name, value) for index, name, value in shelves if value is not None)

    def _read_all(self, keys: Sequence[tuple[str, str]]) -> list[Quote]:
        found = self._item.batch_get(list(keys), consistent_read=True) if keys else []
        by_key = {(item.call_id, item.name): _quote(item) for item in found}
        return [by_key[key] for key in keys if key in by_key]


def position_of(quote: Quote) -> Mapping[str, str]:
    return {
        "call_id": quote.call_id,
        "name": quote.name,
        "created_at": stamp(quote.created_at),
    }


def _quote(item: QuoteItem) -> Quote:
    return Quote.model_validate_json(item.quote)
