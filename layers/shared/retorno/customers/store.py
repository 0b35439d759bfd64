"""The customers table: each record with the numbers, documents and codes that lead to it.

All items of a customer are written together, so that none leads to a record that says otherwise.
"""

import string
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from pynamodb.attributes import JSONAttribute, ListAttribute, NumberAttribute, UnicodeAttribute
from pynamodb.expressions.condition import Condition
from pynamodb.indexes import GlobalSecondaryIndex, KeysOnlyProjection
from pynamodb.models import Model

from retorno.customers.model import (
    Choice,
    Customer,
    NumberLine,
    Stored,
    document_key,
    name_key,
)
from retorno.dynamodb import (
    MAX_ITEMS_AT_ONCE,
    Refused,
    RefusedTogether,
    Write,
    bind,
    delete,
    unavailable_on_trouble,
    update,
    write_together,
)
from retorno.errors import Conflict, InvalidInput, Unavailable
from retorno.times import STAMP_LENGTH, read_stamp, stamp

# The index by name has a partition for each letter or digit that names begin with, and one for all
# other beginnings: one for all names would take 1,000 writes a second.
SHELVES = (*string.digits, *string.ascii_lowercase, "other")

RECORD = "record"
CLAIM = "claim"
# Comes before all holders, so that one query reads it with the first of them.
CHOICES = "choices"
HELD = "held#"

# How many customers of a number are looked at: of more, a person would not choose.
MAX_HOLDERS = 25
# The last choices of a number that are known.
MAX_CHOICES = 50
MAX_ATTEMPTS = 50

# No webhook waits for a customer, and the embedded cloud is slow with many thousands of them.
READ_TIMEOUT_SECONDS = 8


class ByName(GlobalSecondaryIndex["CustomerItem"]):
    class Meta:
        index_name = "by_name"
        projection = KeysOnlyProjection()

    shelf = UnicodeAttribute(hash_key=True)
    name_key = UnicodeAttribute(range_key=True)


class CustomerItem(Model):
    """A record, or what leads to it. `pk` and `sk` are

    - `customer#<id>`, `record`: all that is known of the customer.
    - `document#<key>` or `code#<code>`, `claim`: whose it is, in `customer_id`.
    - `number#<match key>`, `held#<since>#<id>`: since when the customer has that number.
    - `number#<match key>`, `choices`: whom people chose at calls of that number, in `choices`, as
      "2026-03-02T13:04:05.000000Z <customer id>", in the order of the calls.
    """

    pk = UnicodeAttribute(hash_key=True)
    sk = UnicodeAttribute(range_key=True)

    version = NumberAttribute(null=True)
    name = UnicodeAttribute(null=True)
    code = UnicodeAttribute(null=True)
    document = UnicodeAttribute(null=True)
    tags: ListAttribute[Any] = ListAttribute(of=UnicodeAttribute, null=True)
    owner = UnicodeAttribute(null=True)
    city = UnicodeAttribute(null=True)
    phone = UnicodeAttribute(null=True)
    mobile = UnicodeAttribute(null=True)
    branches = JSONAttribute(null=True)
    contacts = JSONAttribute(null=True)
    # Since when the customer has each number, by match key.
    held = JSONAttribute(null=True)
    # Who wrote last, where it was no person: that writer knows its own work by it.
    written_by = UnicodeAttribute(null=True)
    # For the index alone.
    shelf = UnicodeAttribute(null=True)
    name_key = UnicodeAttribute(null=True)

    customer_id = UnicodeAttribute(null=True)
    choices: ListAttribute[Any] = ListAttribute(of=UnicodeAttribute, null=True)

    by_name = ByName()


FIELDS = tuple(name for name in Customer.model_fields if name != "customer_id")


class Changed(Exception):
    """Someone else wrote the customer since it was read, or made one of that id."""


@dataclass(frozen=True, slots=True)
class Saving:
    """A customer as it is to be, and as it was: None for a new one."""

    customer: Customer
    before: Stored | None = None
    written_by: str | None = None


@dataclass(frozen=True, slots=True)
class IdPage:
    """Customer ids, and where the next page begins; None at the end."""

    customer_ids: Sequence[str]
    next_start: Mapping[str, str] | None = field(default=None)


class CustomerStore:
    def __init__(self, table_name: str) -> None:
        self._item = bind(CustomerItem, table_name, READ_TIMEOUT_SECONDS)

    def get(self, customer_id: str) -> Stored | None:
        """As it is at this moment. Raises Unavailable."""
        with unavailable_on_trouble():
            try:
                return _stored(self._item.get(_pk(customer_id), RECORD, consistent_read=True))
            except self._item.DoesNotExist:
                return None

    def get_many(
        self, customer_ids: Iterable[str], *, at_this_moment: bool = False
    ) -> dict[str, Stored]:
        """Those that exist, by id. Raises Unavailable."""
        keys = [(_pk(customer_id), RECORD) for customer_id in dict.fromkeys(customer_ids)]
        with unavailable_on_trouble():
            found = self._item.batch_get(keys, consistent_read=at_this_moment) if keys else []
            stored = [_stored(item) for item in found]
        return {each.customer.customer_id: each for each in stored}

    def claimants(self, documents: Iterable[str], codes: Iterable[str]) -> dict[str, str]:
        """Whose they are, by `claim_of`, as it is at this moment. Raises Unavailable."""
        claims = [claim_of("document", document) for document in documents]
        claims += [claim_of("code", code) for code in codes]
        keys = [(claim, CLAIM) for claim in dict.fromkeys(claims)]
        with unavailable_on_trouble():
            found = self._item.batch_get(keys, consistent_read=True) if keys else []
            return {item.pk: item.customer_id for item in found}

    def save(self, saving: Saving, now: datetime) -> Stored:
        """Raises Changed; Conflict where another customer has its document or code; Unavailable."""
        after = _after(saving, now)
        self._write(self._writes(saving, after))
        return after

    def save_many(self, savings: Iterable[Saving], now: datetime) -> list[Saving]:
        """Each whole or not at all, in as few requests as that takes.

        Says which were not written, because of someone who wrote since. Raises Unavailable.
        """
        failed: list[Saving] = []
        for pack in self._packs(savings, now):
            try:
                self._write([write for _, writes in pack for write in writes])
            except (Changed, Conflict):
                failed += [saving for saving, writes in pack if not self._is_written(writes)]
        return failed

    def _is_written(self, writes: list[Write[CustomerItem]]) -> bool:
        try:
            self._write(writes)
        except (Changed, Conflict):
            return False
        return True

    def _packs(
        self, savings: Iterable[Saving], now: datetime
    ) -> Iterator[list[tuple[Saving, list[Write[CustomerItem]]]]]:
        """So many as fit in one transaction, which may touch no item twice."""
        pack: list[tuple[Saving, list[Write[CustomerItem]]]] = []
        touched: set[tuple[str, str]] = set()
        for saving in savings:
            writes = self._writes(saving, _after(saving, now))
            keys = {(write.item.pk, write.item.sk) for write in writes}
            if pack and (len(touched) + len(keys) > MAX_ITEMS_AT_ONCE or touched & keys):
                yield pack
                pack, touched = [], set()
            pack.append((saving, writes))
            touched |= keys
        if pack:
            yield pack

    def delete(self, before: Stored) -> None:
        """Raises Changed, Unavailable."""
        leads = [Write(item, delete=True) for item in self._leads(before)]
        record = self._item(_pk(before.customer.customer_id), RECORD)
        self._write([Write(record, self._is(before), delete=True), *leads])

    def _write(self, writes: Sequence[Write[CustomerItem]]) -> None:
        try:
            write_together(writes)
        except RefusedTogether as refusal:
            if any(item.sk == RECORD for item in refusal.items):
                raise Changed from None
            field = refusal.items[0].pk.partition("#")[0]
            raise Conflict(f"another customer has this {field}") from None

    def _writes(self, saving: Saving, after: Stored) -> list[Write[CustomerItem]]:
        old = {(item.pk, item.sk): item for item in self._leads(saving.before)}
        new = {(item.pk, item.sk): item for item in self._leads(after)}
        return [
            Write(self._record(after), self._is(saving.before)),
            *(Write(item, delete=True) for key, item in old.items() if key not in new),
            *(Write(item, self._unclaimed(item)) for key, item in new.items() if key not in old),
        ]

    def _is(self, before: Stored | None) -> Condition:
        item = self._item
        return item.version == before.version if before else item.pk.does_not_exist()

    def _unclaimed(self, item: CustomerItem) -> Condition | None:
        return self._item.pk.does_not_exist() if item.sk == CLAIM else None

    def _record(self, stored: Stored) -> CustomerItem:
        customer = stored.customer
        values = customer.model_dump(mode="json", include=set(FIELDS), exclude_none=True)
        return self._item(
            _pk(customer.customer_id),
            RECORD,
            version=stored.version,
            held=dict(stored.held),
            written_by=stored.written_by,
            shelf=_shelf(name_key(customer.name)),
            name_key=name_key(customer.name),
            **{name: value for name, value in values.items() if value != []},
        )

    def _leads(self, stored: Stored | None) -> list[CustomerItem]:
        """The items that lead to a record."""
        if stored is None:
            return []
        customer_id = stored.customer.customer_id
        claims = [
            self._item(claim_of(name, value), CLAIM, customer_id=customer_id)
            for name, value in (
                ("document", stored.customer.document),
                ("code", stored.customer.code),
            )
            if value
        ]
        holders = [
            self._item(_number_pk(number_key), f"{HELD}{since}#{customer_id}")
            for number_key, since in stored.held.items()
        ]
        return [*claims, *holders]

    def by_name(self, prefix: str, limit: int, start: Mapping[str, str] | None = None) -> IdPage:
        """Those whose name begins so, in the order of names; all for "".

        Raises InvalidInput for a `start` whose name begins otherwise, Unavailable.
        """
        begins = self._item.name_key.startswith(name_key(prefix)) if prefix else None
        if start and prefix and not start["name_key"].startswith(name_key(prefix)):
            raise InvalidInput("cursor", "is none that this API gave")
        first = _shelf(start["name_key"]) if start else SHELVES[0]
        shelves = [_shelf(name_key(prefix))] if prefix else SHELVES[SHELVES.index(first) :]
        page: list[CustomerItem] = []
        more = False
        with unavailable_on_trouble():
            for shelf in shelves:
                wanted = limit - len(page)
                found = self._item.by_name.query(
                    shelf,
                    begins,
                    limit=wanted,
                    page_size=wanted,
                    last_evaluated_key=_index_key(shelf, start) if start else None,
                )
                page += found
                more = bool(found.last_evaluated_key) or shelf != shelves[-1]
                if len(page) == limit:
                    break
                start = None
        next_start = (
            {"customer_id": _id(page[-1].pk), "name_key": page[-1].name_key} if more else None
        )
        return IdPage([_id(item.pk) for item in page], next_start)

    def holders(
        self, number_key: str, limit: int, start: Mapping[str, str] | None = None
    ) -> IdPage:
        """Those who have a number, who had it first coming first. Raises Unavailable."""
        pk = _number_pk(number_key)
        exclusive = {"pk": {"S": pk}, "sk": {"S": HELD + start["held"]}} if start else None
        with unavailable_on_trouble():
            found = self._item.query(
                pk,
                self._item.sk.startswith(HELD),
                limit=limit,
                page_size=limit,
                last_evaluated_key=exclusive,
            )
            customer_ids = [_holder(item.sk)[0] for item in found]
        last = found.last_evaluated_key
        next_start = {"held": last["sk"]["S"].removeprefix(HELD)} if last else None
        return IdPage(customer_ids, next_start)

    def all_holders(self, number_key: str) -> Iterator[str]:
        """The ids of all who have a number, as it is at this moment. Raises Unavailable."""
        begins = self._item.sk.startswith(HELD)
        with unavailable_on_trouble():
            for item in self._item.query(_number_pk(number_key), begins, consistent_read=True):
                yield _holder(item.sk)[0]

    def forget_choices(self, number_key: str) -> bool:
        """Says whether anybody had chosen whose the number is. Raises Unavailable."""
        try:
            delete(self._item(_number_pk(number_key), CHOICES), self._item.pk.exists())
        except Refused:
            return False
        return True

    def line(self, number_key: str) -> NumberLine:
        """What is known of a number, in one query. Raises Unavailable."""
        with unavailable_on_trouble():
            limit = MAX_HOLDERS + 1
            found = list(self._item.query(_number_pk(number_key), limit=limit, page_size=limit))
        holders = [_holder(item.sk) for item in found if item.sk != CHOICES]
        return NumberLine(
            holders=dict(holders[:MAX_HOLDERS]),
            choices=tuple(
                _choice(written) for item in found if item.sk == CHOICES for written in item.choices
            ),
        )

    def remember(self, number_key: str, choice: Choice) -> None:
        """Adds a choice, in the place of one that was made at the same call. Raises Unavailable."""
        item = self._item(_number_pk(number_key), CHOICES)
        written = f"{stamp(choice.at)} {choice.customer_id or ''}".rstrip()
        known: list[str] = []
        condition: Condition = self._item.pk.does_not_exist()
        for _ in range(MAX_ATTEMPTS):
            others = [each for each in known if each[:STAMP_LENGTH] != written[:STAMP_LENGTH]]
            choices = sorted([*others, written])[-MAX_CHOICES:]
            try:
                return update(item, [self._item.choices.set(choices)], condition)
            except Refused as refusal:
                known = list(refusal.item.choices) if isinstance(refusal.item, CustomerItem) else []
                condition = self._item.choices == known
        raise Unavailable("the number is being written by too many at once")


def claim_of(field: str, value: str) -> str:
    """The key of what nobody else may have: a document in any written form, or a code."""
    return f"{field}#{document_key(value) if field == 'document' else value}"


def _index_key(shelf: str, start: Mapping[str, str]) -> dict[str, dict[str, str]]:
    key = {"pk": _pk(start["customer_id"]), "sk": RECORD, "name_key": start["name_key"]}
    return {name: {"S": text} for name, text in {"shelf": shelf, **key}.items()}


def _shelf(key: str) -> str:
    return key[0] if key[0] in SHELVES else SHELVES[-1]


def _pk(customer_id: str) -> str:
    return f"customer#{customer_id}"


def _id(pk: str) -> str:
    return pk.partition("#")[2]


def _number_pk(number_key: str) -> str:
    return f"number#{number_key}"


def _holder(sk: str) -> tuple[str, datetime]:
    since, _, customer_id = sk.removeprefix(HELD).partition("#")
    return customer_id, read_stamp(since)


def _choice(written: str) -> Choice:
    return Choice(at=read_stamp(written), customer_id=written[STAMP_LENGTH + 1 :] or None)


def _after(saving: Saving, now: datetime) -> Stored:
    known = saving.before.held if saving.before else {}
    return Stored(
        customer=saving.customer,
        version=saving.before.version + 1 if saving.before else 1,
        held={key: known.get(key, stamp(now)) for key in saving.customer.numbers()},
        written_by=saving.written_by,
    )


def _stored(item: CustomerItem) -> Stored:
    values: dict[str, Any] = {name: getattr(item, name) for name in FIELDS}
    known = {name: value for name, value in values.items() if value is not None}
    return Stored(
        customer=Customer(customer_id=_id(item.pk), **known),
        version=int(item.version),
        held=item.held,
        written_by=item.written_by,
    )
