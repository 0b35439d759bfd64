"""The table of operations, and of which operation a call belongs to."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from pynamodb.attributes import NumberAttribute, UnicodeAttribute
from pynamodb.indexes import GlobalSecondaryIndex, KeysOnlyProjection

from retorno.dynamodb import Write, bind, unavailable_on_trouble, write_together
from retorno.retention import KeptItem, expiry
from retorno.telemarketing.operations.model import (
    Operation,
    OperationId,
    PastOperation,
    Shelf,
)
from retorno.times import Period, stamp

ORDINAL_LENGTH = 6
OPERATION = "operation#"
CALL = "call"
PAST = "past#"


class ByCampaign(GlobalSecondaryIndex["OperationItem"]):
    class Meta:
        index_name = "by_campaign"
        projection = KeysOnlyProjection()

    campaign_id = UnicodeAttribute(hash_key=True)
    started_at = UnicodeAttribute(range_key=True)


class ByCustomer(GlobalSecondaryIndex["OperationItem"]):
    class Meta:
        index_name = "by_customer"
        projection = KeysOnlyProjection()

    customer_id = UnicodeAttribute(hash_key=True)
    started_at = UnicodeAttribute(range_key=True)


class ByAgent(GlobalSecondaryIndex["OperationItem"]):
    class Meta:
        index_name = "by_agent"
        projection = KeysOnlyProjection()

    agent = UnicodeAttribute(hash_key=True)
    started_at = UnicodeAttribute(range_key=True)


class OperationItem(KeptItem):
    """`contact` "natal#5f3c…", `entry` "operation#000003", and all of it as JSON.

    Or "call#CA5f3c…", "call": the operation in which the call was made, in `operation_id`; or
    "natal#5f3c…", "past#<digest>": what an operation of another system became.
    """

    contact = UnicodeAttribute(hash_key=True)
    entry = UnicodeAttribute(range_key=True)
    # Counts the writes of this item: a change holds only if nobody wrote since it was read.
    revision = NumberAttribute(null=True)
    operation = UnicodeAttribute(null=True)

    # For the indexes alone.
    campaign_id = UnicodeAttribute(null=True)
    customer_id = UnicodeAttribute(null=True)
    agent = UnicodeAttribute(null=True)
    started_at = UnicodeAttribute(null=True)

    operation_id = UnicodeAttribute(null=True)
    # Of what another system told: the file that told it first.
    mark = UnicodeAttribute(null=True)

    by_campaign = ByCampaign()
    by_customer = ByCustomer()
    by_agent = ByAgent()

    def kept_from(self, now: datetime) -> datetime | None:
        return read(self).ended_at if self.operation else now


@dataclass(frozen=True, slots=True)
class Taken:
    """What an operation of another system became. `is_new` where this very file told it first."""

    operation_id: str
    is_new: bool


@dataclass(frozen=True, slots=True)
class OperationPage:
    """Where the next page begins is None at the end."""

    operations: Sequence[Operation]
    next_start: Mapping[str, str] | None


SHELVES = {
    Shelf.CAMPAIGN: "campaign_id",
    Shelf.CUSTOMER: "customer_id",
    Shelf.AGENT: "agent",
}

POSITION = ("contact", "entry", "started_at")
"""What says where a page begins."""


class OperationStore:
    def __init__(self, table_name: str, kept_days: int = 0) -> None:
        self._item = bind(OperationItem, table_name)
        self._kept_days = kept_days

    def get(self, operation_id: OperationId) -> Operation | None:
        """As it is at this moment. Raises Unavailable."""
        with unavailable_on_trouble():
            try:
                return read(self._item.get(*_key(operation_id), consistent_read=True))
            except self._item.DoesNotExist:
                return None

    def writing(self, after: Operation) -> Write[Any]:
        """Part of a transaction: it holds where nobody wrote the operation since it was read."""
        item = self._item
        before = after.revision - 1
        unchanged = item.revision == before if before else item.revision.does_not_exist()
        return Write(
            item(
                *_key(OperationId(after.campaign_id, after.customer_id, after.ordinal)),
                revision=after.revision,
                operation=after.model_dump_json(exclude_defaults=True),
                campaign_id=after.campaign_id,
                customer_id=after.customer_id,
                agent=after.agent,
                started_at=stamp(after.started_at),
                expires_at=expiry(after.ended_at, self._kept_days),
            ),
            unchanged,
        )

    def save(self, after: Operation) -> None:
        """Raises RefusedTogether where somebody wrote it since it was read; Unavailable."""
        write_together([self.writing(after)])

    def linking(self, call_id: str, operation: Operation) -> Write[Any]:
        """Part of a transaction: a call is in one operation, the one it was linked to last."""
        link = self._item(
            f"{CALL}#{call_id}",
            CALL,
            operation_id=operation.operation_id,
            expires_at=expiry(operation.started_at, self._kept_days),
        )
        return Write(link)

    def taking(self, past: PastOperation, operation: Operation, mark: str) -> Write[Any]:
        """Part of a transaction: it holds where this was not taken over before."""
        item = self._item
        taken = item(
            *_past_key(past),
            operation_id=operation.operation_id,
            mark=mark,
            expires_at=expiry(operation.started_at, self._kept_days),
        )
        return Write(taken, item.entry.does_not_exist())

    def taken(self, past: PastOperation, mark: str) -> Taken | None:
        """What it became; None where it was not taken over. Raises Unavailable."""
        with unavailable_on_trouble():
            try:
                found = self._item.get(*_past_key(past), consistent_read=True)
            except self._item.DoesNotExist:
                return None
        return Taken(str(found.operation_id), found.mark == mark)

    def of_call(self, call_id: str) -> OperationId | None:
        """The operation that a call was linked to. Raises Unavailable."""
        with unavailable_on_trouble():
            try:
                found = self._item.get(f"{CALL}#{call_id}", CALL, consistent_read=True)
            except self._item.DoesNotExist:
                return None
        return OperationId.read(found.operation_id)

    def page(
        self, shelf: Shelf, of: str, limit: int, start: Mapping[str, str] | None
    ) -> OperationPage:
        """The last begun first. Raises Unavailable."""
        index: Any = getattr(self._item, f"by_{shelf}")
        name = SHELVES[shelf]
        exclusive = {key: {"S": text} for key, text in {name: of, **(start or {})}.items()}
        with unavailable_on_trouble():
            found = index.query(
                of,
                scan_index_forward=False,
                limit=limit,
                page_size=limit,
                last_evaluated_key=exclusive if start else None,
            )
            operations = self._read_all([(item.contact, item.entry) for item in found])
        last = found.last_evaluated_key
        position = {key: last[key]["S"] for key in POSITION} if last else None
        return OperationPage(operations, position)

    def of_customer(self, customer_id: str) -> Iterator[Operation]:
        """All, as they are at this moment. Raises Unavailable."""
        with unavailable_on_trouble():
            for item in self._item.by_customer.query(customer_id):
                yield from self._read_all([(item.contact, item.entry)])

    def kept_of_customer(self, customer_id: str) -> Iterator[KeptItem]:
        """The same, as items, with those that lead to them. Raises Unavailable."""
        calls: list[tuple[str, str]] = []
        with unavailable_on_trouble():
            contacts = {item.contact for item in self._item.by_customer.query(customer_id)}
            for contact in sorted(contacts):
                for item in self._item.query(contact, consistent_read=True):
                    yield item
                    if item.operation and (call_id := read(item).call_id):
                        calls.append((f"{CALL}#{call_id}", CALL))
            yield from self._item.batch_get(calls, consistent_read=True)

    def begun_in(self, campaign_id: str, period: Period) -> Iterator[Operation]:
        """All of a campaign that began in a period, in that order. Raises Unavailable."""
        between = self._item.started_at.between(stamp(period.since), stamp(period.until))
        start: dict[str, Any] | None = None
        while True:
            with unavailable_on_trouble():
                found = self._item.by_campaign.query(
                    campaign_id,
                    between,
                    limit=AT_ONCE,
                    page_size=AT_ONCE,
                    last_evaluated_key=start,
                )
                operations = self._read_all([(item.contact, item.entry) for item in found])
            yield from operations
            start = found.last_evaluated_key
            if start is None:
                return

    def _read_all(self, keys: Sequence[tuple[str, str]]) -> list[Operation]:
        found = self._item.batch_get(list(keys), consistent_read=True) if keys else []
        by_key = {(item.contact, item.entry): read(item) for item in found}
        return [by_key[key] for key in keys if key in by_key]


# As many as one BatchGetItem reads.
AT_ONCE = 100


def _key(operation_id: OperationId) -> tuple[str, str]:
    campaign_id, customer_id, ordinal = operation_id
    return f"{campaign_id}#{customer_id}", f"{OPERATION}{ordinal:0{ORDINAL_LENGTH}}"


def _past_key(past: PastOperation) -> tuple[str, str]:
    return f"{past.campaign_id}#{past.customer_id}", f"{PAST}{past.digest}"


def read(item: OperationItem) -> Operation:
    return Operation.model_validate_json(item.operation or "")


def read_image(image: Mapping[str, Any]) -> Operation | None:
    """Of the table's stream; None of what is no operation."""
    written = image.get("operation")
    return Operation.model_validate_json(written["S"]) if written else None
