"""The offers table: the queues, the calls that wait in each, and what they were offered.

All that changes about a call is written together, so that a line lists just those who wait.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from pynamodb.attributes import ListAttribute, NumberAttribute, UnicodeAttribute
from pynamodb.expressions.condition import Condition
from pynamodb.models import Model

from retorno.dynamodb import (
    Refused,
    RefusedTogether,
    Write,
    assign,
    bind,
    unavailable_on_trouble,
    update,
    write_together,
)
from retorno.offers.model import Mode, Offer, Queue, State, Waiting
from retorno.times import STAMP_LENGTH, read_stamp, stamp

RECORD = "record"
QUEUES = "queues"
WAITING = "waiting#"
OFFERED = "offered#"

# What became of an offer can be asked for so long.
KEPT_FOR = timedelta(days=30)


class OfferItem(Model):
    """`pk` and `sk` are

    - `call#1546015415.757927`, `record`: a call that waits, and the offer that it is on.
    - `queue#vendas`, `waiting#2026-03-02T13:04:05.000000Z 1546015415.757927`: its place in the
      line; `offered#…` instead of `waiting#…` while it is on offer.
    - `offer#5feceb66ffc86f38d952786c6d696c79`, `record`: an offer, and what became of it.
    - `queues`, `vendas`: how a queue was set up.
    """

    pk = UnicodeAttribute(hash_key=True)
    sk = UnicodeAttribute(range_key=True)

    # Of a call it counts all writes: a change holds only if nobody wrote since it was read.
    revision = NumberAttribute(null=True)
    queue = UnicodeAttribute(null=True)
    since = UnicodeAttribute(null=True)
    # Who passed it on, and when: `2026-03-02T13:04:05.000000Z ana`.
    passed: ListAttribute[Any] = ListAttribute(of=UnicodeAttribute, null=True)
    offers = NumberAttribute(null=True)
    offer_id = UnicodeAttribute(null=True)
    not_before = UnicodeAttribute(null=True)

    call_id = UnicodeAttribute(null=True)
    agent = UnicodeAttribute(null=True)
    telephone = UnicodeAttribute(null=True)
    ordinal = NumberAttribute(null=True)
    waiting_since = UnicodeAttribute(null=True)
    offered_at = UnicodeAttribute(null=True)
    state = UnicodeAttribute(null=True)
    until = UnicodeAttribute(null=True)
    ordered_at = UnicodeAttribute(null=True)
    ended_at = UnicodeAttribute(null=True)
    reason = UnicodeAttribute(null=True)
    expires_at = NumberAttribute(null=True)

    version = NumberAttribute(null=True)
    mode = UnicodeAttribute(null=True)
    offer_seconds = NumberAttribute(null=True)
    skills: ListAttribute[Any] = ListAttribute(of=UnicodeAttribute, null=True)


OFFER_TIMES = frozenset({"waiting_since", "offered_at", "until", "ordered_at", "ended_at"})
OFFER_FIELDS = tuple(name for name in Offer.model_fields if name != "offer_id")


class Changed(Exception):
    """Somebody else wrote what was read, or took it."""


@dataclass(frozen=True, slots=True)
class QueuePage:
    """Queues by name, and after which of them the next page begins; None at the end."""

    queues: Sequence[Queue]
    next_start: str | None


@dataclass(frozen=True, slots=True)
class LinePage:
    """Calls in the order of waiting, and where the next page begins; None at the end."""

    items: Sequence[Waiting]
    next_start: str | None


class OfferStore:
    def __init__(self, table_name: str) -> None:
        self._item = bind(OfferItem, table_name)

    def get(self, call_id: str) -> Waiting | None:
        """A call in a line, as it is at this moment. Raises Unavailable."""
        found = self._get(_call_pk(call_id), RECORD)
        if found is None:
            return None
        return _waiting(found, self.offer(found.offer_id) if found.offer_id else None)

    def offer(self, offer_id: str) -> Offer | None:
        """Raises Unavailable."""
        found = self._get(_offer_pk(offer_id), RECORD)
        return _offer(found) if found else None

    def _get(self, pk: str, sk: str) -> OfferItem | None:
        with unavailable_on_trouble():
            try:
                return self._item.get(pk, sk, consistent_read=True)
            except self._item.DoesNotExist:
                return None

    def save(
        self,
        before: Waiting | None,
        after: Waiting,
        ended: Offer | None = None,
        others: Sequence[Write[Any]] = (),
    ) -> None:
        """Writes a call as it changes, the offer that it is on or that `ended`, and the `others`,
        or nothing. None stands before a call that comes into the line.

        Raises Changed where somebody wrote the call since it was read, or refused by the others;
        Unavailable.
        """
        record = self._item(
            _call_pk(after.call_id),
            RECORD,
            revision=before.revision + 1 if before else 1,
            queue=after.queue,
            since=stamp(after.since),
            passed=[f"{stamp(at)} {agent}" for agent, at in after.passed.items()],
            offers=after.offers,
            offer_id=after.offer.offer_id if after.offer else None,
            not_before=stamp(after.not_before) if after.not_before else None,
        )
        writes = [Write(record, self._is(before)), *self._moves(before, after)]
        self._write([*writes, *self._offers(after.offer, ended), *others])

    def remove(self, before: Waiting, ended: Offer | None) -> None:
        """A call leaves the line, and the offer that it was on has `ended`.

        Raises Changed where somebody wrote it since it was read; Unavailable.
        """
        record = self._item(_call_pk(before.call_id), RECORD)
        writes = [Write(record, self._is(before), delete=True), *self._moves(before, None)]
        self._write([*writes, *self._offers(ended)])

    @staticmethod
    def _write(writes: Sequence[Write[Any]]) -> None:
        try:
            write_together(writes)
        except RefusedTogether:
            raise Changed from None

    def _is(self, before: Waiting | None) -> Condition:
        item = self._item
        return item.revision == before.revision if before else item.pk.does_not_exist()

    def _moves(self, before: Waiting | None, after: Waiting | None) -> list[Write[OfferItem]]:
        """What changes of where a call stands in the line."""
        old, new = _place(before), _place(after)
        if old == new:
            return []
        leaves = [Write(self._item(*old), delete=True)] if old else []
        return leaves + ([Write(self._item(*new))] if new else [])

    def _offers(self, *offers: Offer | None) -> list[Write[OfferItem]]:
        return [Write(self._offer_item(offer)) for offer in offers if offer]

    def _offer_item(self, offer: Offer) -> OfferItem:
        values = {name: getattr(offer, name) for name in OFFER_FIELDS}
        told: dict[str, Any] = {
            name: stamp(value) if isinstance(value, datetime) else value
            for name, value in values.items()
        }
        expires_at = int((offer.offered_at + KEPT_FOR).timestamp())
        return self._item(_offer_pk(offer.offer_id), RECORD, **told, expires_at=expires_at)

    def waiting(self, queue: str, since: datetime, limit: int) -> list[Waiting]:
        """Those in a line that are on no offer, and wait since a moment or later, in the order of
        waiting, as it is at this moment. Raises Unavailable.
        """
        return self._waiting(self.line(queue, since, limit))

    def line(self, queue: str, since: datetime, limit: int) -> list[str]:
        """The calls of `waiting`, by their ids alone. Raises Unavailable."""
        between = self._item.sk.between(WAITING + stamp(since), _after(WAITING))
        with unavailable_on_trouble():
            found = self._item.query(
                _queue_pk(queue), between, consistent_read=True, limit=limit, page_size=limit
            )
            return [_call_in(item.sk, WAITING) for item in found]

    def on_offer(self, queue: str, limit: int, start: str | None) -> LinePage:
        """The calls of a queue that are on offer, in the order of waiting. Raises Unavailable."""
        pk = _queue_pk(queue)
        with unavailable_on_trouble():
            found = self._item.query(
                pk,
                self._item.sk.startswith(OFFERED),
                consistent_read=True,
                limit=limit,
                page_size=limit,
                last_evaluated_key=({"pk": {"S": pk}, "sk": {"S": start}} if start else None),
            )
            call_ids = [_call_in(item.sk, OFFERED) for item in found]
        last = found.last_evaluated_key
        return LinePage(self._waiting(call_ids), last["sk"]["S"] if last else None)

    def _waiting(self, call_ids: Sequence[str]) -> list[Waiting]:
        records = self._get_many(_call_pk(call_id) for call_id in call_ids)
        offers = self._get_many(
            _offer_pk(record.offer_id) for record in records.values() if record.offer_id
        )
        return [
            _waiting(
                record, _offer(offers[_offer_pk(record.offer_id)]) if record.offer_id else None
            )
            for call_id in call_ids
            if (record := records.get(_call_pk(call_id)))
        ]

    def _get_many(self, pks: Iterable[str]) -> dict[str, OfferItem]:
        keys = [(pk, RECORD) for pk in pks]
        with unavailable_on_trouble():
            found = self._item.batch_get(keys, consistent_read=True) if keys else []
            return {item.pk: item for item in found}

    def offers_at(self, pks: Iterable[str]) -> dict[str, Offer]:
        """Those of these items that are offers, as they are at this moment. Raises Unavailable."""
        offered = (pk for pk in pks if pk.startswith(_offer_pk("")))
        return {pk: _offer(item) for pk, item in self._get_many(offered).items()}

    def queue(self, queue: str) -> Queue:
        """As it was set up, or as one is that nobody set up. Raises Unavailable."""
        found = self._get(QUEUES, queue)
        return _queue(found) if found else Queue(queue=queue)

    def save_queue(self, queue: Queue, before: int) -> None:
        """Writes how a queue is set up. `before` is the version that was read, 0 for none.

        Raises Changed where there is another; Unavailable.
        """
        item = self._item
        unchanged = item.version == before if before else item.pk.does_not_exist()
        values: dict[str, Any] = {
            "version": queue.version,
            "mode": queue.mode.value,
            "offer_seconds": queue.offer_seconds,
            "skills": list(queue.skills),
        }
        try:
            update(item(QUEUES, queue.queue), assign(item, values), unchanged)
        except Refused as refusal:
            # A write whose answer was lost is sent again, and finds itself in its way.
            if not isinstance(refusal.item, OfferItem) or _queue(refusal.item) != queue:
                raise Changed from None

    def queues(self, limit: int, start: str | None) -> QueuePage:
        """Raises Unavailable."""
        with unavailable_on_trouble():
            found = self._item.query(
                QUEUES,
                limit=limit,
                page_size=limit,
                last_evaluated_key=({"pk": {"S": QUEUES}, "sk": {"S": start}} if start else None),
            )
            queues = [_queue(item) for item in found]
        return QueuePage(queues, queues[-1].queue if found.last_evaluated_key else None)


def _call_pk(call_id: str) -> str:
    return f"call#{call_id}"


def _offer_pk(offer_id: str) -> str:
    return f"offer#{offer_id}"


def _queue_pk(queue: str) -> str:
    return f"queue#{queue}"


def _after(prefix: str) -> str:
    """Comes after all that begins with a prefix and a time."""
    return f"{prefix}\x7f"


def _call_in(sk: str, prefix: str) -> str:
    return sk[len(prefix) + STAMP_LENGTH + 1 :]


def _place(waiting: Waiting | None) -> tuple[str, str] | None:
    """The key of the item by which the line knows of a call."""
    if waiting is None:
        return None
    prefix = OFFERED if waiting.offer else WAITING
    return _queue_pk(waiting.queue), f"{prefix}{stamp(waiting.since)} {waiting.call_id}"


def _waiting(item: OfferItem, offer: Offer | None) -> Waiting:
    passed: Mapping[str, datetime] = {
        each[STAMP_LENGTH + 1 :]: read_stamp(each) for each in item.passed
    }
    return Waiting(
        call_id=item.pk.partition("#")[2],
        queue=item.queue,
        since=read_stamp(item.since),
        passed=passed,
        offers=int(item.offers),
        offer=offer,
        not_before=read_stamp(item.not_before) if item.not_before else None,
        revision=int(item.revision),
    )


def _offer(item: OfferItem) -> Offer:
    values = {name: getattr(item, name) for name in OFFER_FIELDS}
    times = {
        name: read_stamp(value) if value and name in OFFER_TIMES else value
        for name, value in values.items()
    }
    offer_id = item.pk.partition("#")[2]
    return Offer.model_validate({**times, "offer_id": offer_id, "state": State(item.state)})


def _queue(item: OfferItem) -> Queue:
    return Queue(
        queue=item.sk,
        mode=Mode(item.mode),
        offer_seconds=int(item.offer_seconds),
        skills=tuple(item.skills),
        version=int(item.version),
    )
