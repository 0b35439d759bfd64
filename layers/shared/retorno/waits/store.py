"""The table of waits, and that of the policies by which they are judged."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from pynamodb.attributes import NumberAttribute, UnicodeAttribute
from pynamodb.indexes import AllProjection, GlobalSecondaryIndex
from pynamodb.models import Model

from retorno.dynamodb import Refused, assign, bind, unavailable_on_trouble, update
from retorno.retention import KeptItem, expiring
from retorno.times import Period, stamp
from retorno.waits.model import QueuePolicy, Wait

BREACHED = "breached"
POLICIES = "policies"

# Comes after all that begins with a time.
LAST = "\x7f"


class ByBreach(GlobalSecondaryIndex["WaitItem"]):
    class Meta:
        index_name = "by_breach"
        projection = AllProjection()

    breached = UnicodeAttribute(hash_key=True)
    breach_order = UnicodeAttribute(range_key=True)


class ByQueue(GlobalSecondaryIndex["WaitItem"]):
    class Meta:
        index_name = "by_queue"
        projection = AllProjection()

    breached_in = UnicodeAttribute(hash_key=True)
    breach_order = UnicodeAttribute(range_key=True)


class WaitItem(KeptItem):
    """`call_id` "1546015415.757927", and all of its caller's wait as JSON.

    Of a breach alone `breached` is "breached", `breached_in` its queue, and `breach_order`
    "2026-03-02T13:05:05.000000Z 1546015415.757927", when the wait was too long.
    """

    call_id = UnicodeAttribute(hash_key=True)
    revision = NumberAttribute()
    wait = UnicodeAttribute()
    breached = UnicodeAttribute(null=True)
    breached_in = UnicodeAttribute(null=True)
    breach_order = UnicodeAttribute(null=True)

    by_breach = ByBreach()
    by_queue = ByQueue()

    def kept_from(self, now: datetime) -> datetime:
        return _wait(self).began_at


class Changed(Exception):
    """Somebody else wrote what was read."""


@dataclass(frozen=True, slots=True)
class BreachPage:
    """Waits that were too long, the latest first, and after which the next page begins; None at
    the end.
    """

    waits: Sequence[Wait]
    next_order: str | None


class WaitStore:
    def __init__(self, table_name: str, kept_days: int = 0) -> None:
        self._item = bind(WaitItem, table_name)
        self._kept_days = kept_days

    def get(self, call_id: str) -> Wait | None:
        """As it is at this moment. Raises Unavailable."""
        found = self.get_many([call_id])
        return found[0] if found else None

    def get_many(self, call_ids: Iterable[str]) -> Sequence[Wait]:
        """Those that there are, as they are at this moment. Raises Unavailable."""
        with unavailable_on_trouble():
            return [_wait(each) for each in self._item.batch_get(call_ids, consistent_read=True)]

    def kept(self, call_ids: Iterable[str]) -> Iterator[KeptItem]:
        """The same, as items. Raises Unavailable."""
        with unavailable_on_trouble():
            yield from self._item.batch_get(call_ids, consistent_read=True)

    def save(self, wait: Wait) -> None:
        """`wait` has the revision that was read, 0 for none. Raises Changed, Unavailable."""
        item = self._item
        unchanged = (
            item.revision == wait.revision if wait.revision else item.call_id.does_not_exist()
        )
        order = f"{stamp(wait.breached_at)} {wait.call_id}" if wait.breached_at else None
        written = wait.model_copy(update={"revision": wait.revision + 1})
        values = {
            "revision": written.revision,
            "wait": written.model_dump_json(),
            "breached": BREACHED if order else None,
            "breached_in": written.queue if order else None,
            "breach_order": order,
        }
        actions = [*assign(item, values), *expiring(item, wait.began_at, self._kept_days)]
        try:
            update(item(wait.call_id), actions, unchanged)
        except Refused:
            raise Changed from None

    def breaches(
        self, queue: str | None, period: Period, limit: int, start: str | None
    ) -> BreachPage:
        """Those whose wait was too long from a moment in a period on; of a queue, None for all.

        Raises Unavailable.
        """
        index, hash_name, hash_key = (
            (self._item.by_breach, "breached", BREACHED)
            if queue is None
            else (self._item.by_queue, "breached_in", queue)
        )
        until = start or f"{stamp(period.until)}{LAST}"
        exclusive = None
        if start:
            keys = {hash_name: hash_key, "breach_order": start, "call_id": start.partition(" ")[2]}
            exclusive = {name: {"S": text} for name, text in keys.items()}
        between = self._item.breach_order.between(stamp(period.since), until)
        with unavailable_on_trouble():
            found = index.query(
                hash_key,
                between,
                scan_index_forward=False,
                limit=limit,
                page_size=limit,
                last_evaluated_key=exclusive,
            )
            waits = [_wait(item) for item in found]
        last = found.last_evaluated_key
        return BreachPage(waits, last["breach_order"]["S"] if last else None)


class PolicyItem(Model):
    """`list_name` "policies", `queue` "vendas", and what it went by from time to time as JSON."""

    list_name = UnicodeAttribute(hash_key=True, default=POLICIES)
    queue = UnicodeAttribute(range_key=True)
    version = NumberAttribute()
    policy = UnicodeAttribute()


@dataclass(frozen=True, slots=True)
class PolicyPage:
    """By queue, and after which of them the next page begins; None at the end."""

    policies: Sequence[QueuePolicy]
    next_start: str | None


class PolicyStore:
    def __init__(self, table_name: str) -> None:
        self._item = bind(PolicyItem, table_name)

    def get(self, queue: str) -> QueuePolicy:
        """As it is at this moment, or as one that nobody set. Raises Unavailable."""
        with unavailable_on_trouble():
            try:
                return _policy(self._item.get(POLICIES, queue, consistent_read=True))
            except self._item.DoesNotExist:
                return QueuePolicy(queue=queue)

    def save(self, policy: QueuePolicy) -> None:
        """Raises Changed where there is another of its version; Unavailable."""
        item = self._item
        unchanged = (
            item.version == policy.version - 1
            if policy.version > 1
            else item.queue.does_not_exist()
        )
        values = {"version": policy.version, "policy": policy.model_dump_json()}
        try:
            update(item(POLICIES, policy.queue), assign(item, values), unchanged)
        except Refused as refusal:
            # A write whose answer was lost is sent again, and finds itself in its way.
            if not isinstance(refusal.item, PolicyItem) or _policy(refusal.item) != policy:
                raise Changed from None

    def page(self, limit: int, start: str | None) -> PolicyPage:
        """Of all queues for which one was ever set. Raises Unavailable."""
        exclusive = {"list_name": {"S": POLICIES}, "queue": {"S": start}} if start else None
        with unavailable_on_trouble():
            found = self._item.query(
                POLICIES, limit=limit, page_size=limit, last_evaluated_key=exclusive
            )
            policies = [_policy(item) for item in found]
        return PolicyPage(policies, policies[-1].queue if found.last_evaluated_key else None)


def _wait(item: WaitItem) -> Wait:
    return Wait.model_validate_json(item.wait)


def _policy(item: PolicyItem) -> QueuePolicy:
    return QueuePolicy.model_validate_json(item.policy)
