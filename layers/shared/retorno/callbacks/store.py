"""The table of contacts, of how often each number was dialled, and of the dialler's rest."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from pynamodb.attributes import BooleanAttribute, ListAttribute, NumberAttribute, UnicodeAttribute
from pynamodb.expressions.condition import Condition
from pynamodb.expressions.update import Action
from pynamodb.indexes import AllProjection, GlobalSecondaryIndex, KeysOnlyProjection

from retorno.callbacks.model import RANKS, Contact, LoggedDial, NumberLog, State
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
from retorno.retention import KeptItem, expiry
from retorno.settings import CallListSettings
from retorno.times import STAMP_LENGTH, read_stamp, stamp

REST = "rest"
WAITING, LEASED = "waiting", "leased"
# Contacts of a line that are seen in one look, for half a read unit.
SEEN_AT_ONCE = 25
TIMES = frozenset(
    {
        "asked_at",
        "due_at",
        "until",
        "missed_at",
        "leased_until",
        "first_dialled_at",
        "dialled_at",
        "changed_at",
    }
)


class ByLine(GlobalSecondaryIndex["ContactItem"]):
    class Meta:
        index_name = "by_line"
        projection = KeysOnlyProjection()

    line = UnicodeAttribute(hash_key=True)
    line_order = UnicodeAttribute(range_key=True)


class ByWatch(GlobalSecondaryIndex["ContactItem"]):
    class Meta:
        index_name = "by_watch"
        projection = KeysOnlyProjection()

    watched = UnicodeAttribute(hash_key=True)
    watch_order = UnicodeAttribute(range_key=True)


class ByState(GlobalSecondaryIndex["ContactItem"]):
    class Meta:
        index_name = "by_state"
        projection = AllProjection()

    list_state = UnicodeAttribute(hash_key=True)
    state_order = UnicodeAttribute(range_key=True)


class ByNumber(GlobalSecondaryIndex["ContactItem"]):
    class Meta:
        index_name = "by_number"
        projection = KeysOnlyProjection()

    number_key = UnicodeAttribute(hash_key=True)
    contact_id = UnicodeAttribute(range_key=True)


class ContactItem(KeptItem):
    """`contact_id` "5feceb66ffc86f38d952786c6d696c79", and the contact's own fields.

    Besides contacts there are `number#+551187654321`, the dials to a number, and `rest`, until
    when nothing is dialled.
    """

    contact_id = UnicodeAttribute(hash_key=True)
    # Counts the writes of this item: a change holds only if nobody wrote since it was read.
    revision = NumberAttribute(null=True)

    list_name = UnicodeAttribute(null=True)
    number = UnicodeAttribute(null=True)
    queue = UnicodeAttribute(null=True)
    agent = UnicodeAttribute(null=True)
    purpose = UnicodeAttribute(null=True)
    state = UnicodeAttribute(null=True)
    reason = UnicodeAttribute(null=True)
    asked_at = UnicodeAttribute(null=True)
    due_at = UnicodeAttribute(null=True)
    until = UnicodeAttribute(null=True)
    note = UnicodeAttribute(null=True)
    max_attempts = NumberAttribute(null=True)
    caller_id = UnicodeAttribute(null=True)
    misses: ListAttribute[Any] = ListAttribute(of=UnicodeAttribute, null=True)
    missed_at = UnicodeAttribute(null=True)
    closed: ListAttribute[Any] = ListAttribute(of=UnicodeAttribute, null=True)
    closed_as = UnicodeAttribute(null=True)
    attempts = NumberAttribute(null=True)
    dials = NumberAttribute(null=True)
    failures = NumberAttribute(null=True)
    dial_id = UnicodeAttribute(null=True)
    dial_agent = UnicodeAttribute(null=True)
    known_blocked = BooleanAttribute(null=True)
    leased_until = UnicodeAttribute(null=True)
    call_id = UnicodeAttribute(null=True)
    result = UnicodeAttribute(null=True)
    first_dialled_at = UnicodeAttribute(null=True)
    dialled_at = UnicodeAttribute(null=True)
    changed_at = UnicodeAttribute(null=True)

    # Of a number: "2026-03-02T13:04:05.000000Z 5feceb66ffc86f38d952786c6d696c79".
    logged: ListAttribute[Any] = ListAttribute(of=UnicodeAttribute, null=True)

    # For the indexes alone: while waiting, "campaign:vendas" with the rank and when it is due,
    # "3 2026-03-02T13:04:05.000000Z"; "waiting" with the line and when it is due, or "leased" with
    # the end of the lease; "vendas#waiting" and when it is due, or when it ended.
    line = UnicodeAttribute(null=True)
    line_order = UnicodeAttribute(null=True)
    watched = UnicodeAttribute(null=True)
    watch_order = UnicodeAttribute(null=True)
    list_state = UnicodeAttribute(null=True)
    state_order = UnicodeAttribute(null=True)
    number_key = UnicodeAttribute(null=True)

    by_line = ByLine()
    by_watch = ByWatch()
    by_state = ByState()
    by_number = ByNumber()

    def kept_from(self, now: datetime) -> datetime | None:
        if self.logged is not None:
            return _last_logged(self.logged)
        return _contact(self).over_since if self.state else None


FIELDS = tuple(name for name in Contact.model_fields if name not in ("contact_id", "revision"))


class ContactTaken(Exception):
    """Somebody else wrote the contact, or dialled its number, since they were read."""


class AgentTaken(Exception):
    """Somebody else wrote the agent since they were read."""


@dataclass(frozen=True, slots=True)
class ContactPage:
    """Contacts, and where the next page begins; None at the end."""

    items: Sequence[Contact]
    next_start: Mapping[str, str] | None


class ContactStore:
    def __init__(self, table_name: str, kept_days: int = 0) -> None:
        self._item = bind(ContactItem, table_name)
        self._kept_days = kept_days

    def get(self, contact_id: str) -> Contact | None:
        """Raises Unavailable."""
        with unavailable_on_trouble():
            try:
                return _contact(self._item.get(contact_id, consistent_read=True))
            except self._item.DoesNotExist:
                return None

    def get_many(self, contact_ids: Sequence[str]) -> list[Contact]:
        """Those of these items that are contacts, as they are at this moment. Raises
        Unavailable.
        """
        with unavailable_on_trouble():
            found = self._item.batch_get(contact_ids, consistent_read=True)
            return [_contact(item) for item in found if item.state]

    def save(self, contact: Contact) -> Contact:
        """The contact as it is written then. Raises Refused where somebody wrote it since it was
        read; Unavailable.
        """
        written = contact.model_copy(update={"revision": contact.revision + 1})
        item = self._item(contact.contact_id)
        try:
            update(item, self._assigned(written), self._unchanged(contact))
        except Refused as refusal:
            # A write whose answer was lost is sent again, and finds itself in its way.
            if not isinstance(refusal.item, ContactItem) or _contact(refusal.item) != written:
                raise
        return written

    def log_of(self, number_key: str) -> NumberLog:
        """Raises Unavailable."""
        with unavailable_on_trouble():
            try:
                item = self._item.get(_log_id(number_key), consistent_read=True)
            except self._item.DoesNotExist:
                return NumberLog(number_key=number_key)
            return _log(number_key, item)

    def delete_log(self, number_key: str) -> bool:
        """Says whether there was one. Raises Unavailable."""
        try:
            delete(self._item(_log_id(number_key)), self._item.contact_id.exists())
        except Refused:
            return False
        return True

    def save_log(self, log: NumberLog) -> None:
        """Raises Refused where somebody wrote it since it was read; Unavailable."""
        actions, condition = self._log_write(log)
        update(self._item(_log_id(log.number_key)), actions, condition)

    def reserve(self, contact: Contact, log: NumberLog, of_agent: Sequence[Write[Any]]) -> Contact:
        """Writes a contact, the dials to its number, and what holds its agent, or none of them.

        The contact as it is written then. Raises ContactTaken, AgentTaken, Unavailable.
        """
        written = contact.model_copy(update={"revision": contact.revision + 1})
        actions, condition = self._log_write(log)
        mine: list[Write[Any]] = [
            Write(
                self._item(contact.contact_id),
                self._unchanged(contact),
                actions=self._assigned(written),
            ),
            Write(self._item(_log_id(log.number_key)), condition, actions=actions),
        ]
        try:
            write_together([*mine, *of_agent])
        except RefusedTogether as refusal:
            if any(write.item in refusal.items for write in mine):
                # As in `save`: it may be its own write that stands in the way.
                if self.get(contact.contact_id) == written:
                    return written
                raise ContactTaken from None
            raise AgentTaken from None
        return written

    def _unchanged(self, contact: Contact) -> Condition:
        item = self._item
        return (
            item.revision == contact.revision
            if contact.revision
            else item.contact_id.does_not_exist()
        )

    def _assigned(self, written: Contact) -> list[Action]:
        values = {name: getattr(written, name) for name in FIELDS}
        values["misses"] = list(written.misses)
        values["closed"] = list(written.closed)
        values["known_blocked"] = written.known_blocked or None
        is_waiting = written.state is State.WAITING
        watched = watch_order = None
        if is_waiting:
            watched, watch_order = WAITING, f"{stamp(written.due_at)} {written.line}"
        elif written.leased_until:
            watched, watch_order = LEASED, stamp(written.leased_until)
        shown_at = written.due_at if is_waiting else written.changed_at
        return assign(
            self._item,
            {
                **values,
                "revision": written.revision,
                "line": written.line if is_waiting else None,
                "line_order": _line_order(written.rank, written.due_at) if is_waiting else None,
                "watched": watched,
                "watch_order": watch_order,
                "list_state": _list_state(written.list_name, written.state),
                "state_order": f"{stamp(shown_at)} {written.contact_id}",
                "number_key": written.number_key,
                "expires_at": expiry(written.over_since, self._kept_days),
            },
        )

    def _log_write(self, log: NumberLog) -> tuple[list[Action], Condition]:
        item = self._item
        unchanged = (
            item.revision == log.revision if log.revision else item.contact_id.does_not_exist()
        )
        logged = [f"{stamp(each.at)} {each.dial_id}" for each in log.dials]
        expires_at = expiry(_last_logged(logged), self._kept_days)
        values = {"logged": logged, "revision": log.revision + 1, "expires_at": expires_at}
        return assign(item, values), unchanged

    def ranks_due(self, line: str, now: datetime) -> Collection[int]:
        """The ranks of a line in which contacts are due, or all where so many wait that this is
        not seen in one look. It may be a moment behind. Raises Unavailable.
        """
        with unavailable_on_trouble():
            found = list(self._item.by_line.query(line, limit=SEEN_AT_ONCE, page_size=SEEN_AT_ONCE))
        if len(found) == SEEN_AT_ONCE:
            return RANKS
        places = [item.line_order.partition(" ") for item in found]
        return {int(rank) for rank, _, due_at in places if due_at <= stamp(now)}

    def due(self, line: str, rank: int, now: datetime, limit: int) -> list[tuple[str, str]]:
        """Where the contacts of a line that are due stand among those of their rank, and their ids:
        the earliest first. It may be a moment behind. Raises Unavailable.
        """
        until_now = self._item.line_order.between(_line_order(rank, None), _line_order(rank, now))
        with unavailable_on_trouble():
            found = self._item.by_line.query(line, until_now, limit=limit)
            return [(item.line_order, item.contact_id) for item in found]

    def lines_due(self, until: datetime, limit: int) -> Mapping[str, datetime]:
        """The lines that have a contact which is due by a moment, and when the first is.

        It looks at `limit` contacts, the latest first. Raises Unavailable.
        """
        with unavailable_on_trouble():
            found = self._item.by_watch.query(
                WAITING,
                self._item.watch_order <= _after(until),
                scan_index_forward=False,
                limit=limit,
            )
            return {
                item.watch_order[STAMP_LENGTH + 1 :]: read_stamp(item.watch_order) for item in found
            }

    def leases_over(self, now: datetime, limit: int) -> list[str]:
        """The ids of contacts that nobody looks after, for the longest first. Raises
        Unavailable.
        """
        with unavailable_on_trouble():
            found = self._item.by_watch.query(
                LEASED, self._item.watch_order < stamp(now), limit=limit
            )
            return [item.contact_id for item in found]

    def of_number(self, number_key: str, limit: int) -> list[Contact]:
        """Raises Unavailable."""
        with unavailable_on_trouble():
            keys = [item.contact_id for item in self._item.by_number.query(number_key, limit=limit)]
            found = self._item.batch_get(keys, consistent_read=True) if keys else []
            return sorted((_contact(item) for item in found), key=lambda each: each.contact_id)

    def kept_of_number(self, number_key: str, limit: int) -> Iterator[KeptItem]:
        """Contacts, and how often the number was dialled. Raises Unavailable."""
        with unavailable_on_trouble():
            found = self._item.by_number.query(number_key, limit=limit)
            keys = [_log_id(number_key), *(item.contact_id for item in found)]
            yield from self._item.batch_get(keys, consistent_read=True)

    def in_state(
        self, list_name: str, state: State, limit: int, start: Mapping[str, str] | None
    ) -> ContactPage:
        """Of a list: those who wait as they become due, others as they came there. Raises
        Unavailable.
        """
        list_state = _list_state(list_name, state)
        exclusive = {"list_state": list_state, **start} if start else None
        with unavailable_on_trouble():
            found = self._item.by_state.query(
                list_state,
                limit=limit,
                page_size=limit,
                last_evaluated_key=(
                    {name: {"S": text} for name, text in exclusive.items()} if exclusive else None
                ),
            )
            items = [_contact(item) for item in found]
        last = found.last_evaluated_key
        return ContactPage(
            items,
            {name: last[name]["S"] for name in ("contact_id", "state_order")} if last else None,
        )

    def resting_until(self) -> datetime | None:
        """Until when nothing is dialled. Raises Unavailable."""
        with unavailable_on_trouble():
            try:
                return read_stamp(self._item.get(REST, consistent_read=True).until)
            except self._item.DoesNotExist:
                return None

    def rest(self, until: datetime) -> None:
        """Until then, or longer if somebody said so. Raises Unavailable."""
        item = self._item
        shorter = item.until.does_not_exist() | (item.until < stamp(until))
        try:
            update(item(REST), assign(item, {"until": until}), shorter)
        except Refused:
            return


def _log_id(number_key: str) -> str:
    return f"number#{number_key}"


def _line_order(rank: int, due_at: datetime | None) -> str:
    """Of a contact, or before all of its rank."""
    return f"{rank} {stamp(due_at) if due_at else ''}"


def _list_state(list_name: str, state: State) -> str:
    return f"{list_name}#{state.value}"


def _after(moment: datetime) -> str:
    """Comes after all that is due at a moment: no line has this character."""
    return f"{stamp(moment)} \x7f"


def _contact(item: ContactItem) -> Contact:
    return Contact.model_validate(dict(_read(item)))


def _read(item: ContactItem) -> Iterator[tuple[str, Any]]:
    for name in Contact.model_fields:
        value = getattr(item, name)
        if value is not None:
            yield name, read_stamp(value) if name in TIMES else value


def _last_logged(logged: Sequence[str]) -> datetime | None:
    return read_stamp(max(logged)) if logged else None


def _log(number_key: str, item: ContactItem) -> NumberLog:
    logged = [
        LoggedDial(at=read_stamp(each), dial_id=each[STAMP_LENGTH + 1 :]) for each in item.logged
    ]
    return NumberLog(number_key=number_key, dials=tuple(logged), revision=int(item.revision))


def contact_store(settings: CallListSettings) -> ContactStore:
    return ContactStore(settings.contacts_table, settings.calls_kept_days)
