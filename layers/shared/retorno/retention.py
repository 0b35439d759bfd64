"""How long things are kept: each table of things that end drops its items at `expires_at`.

It is written with the item's own writes. What people still wait for, or may still decide, has none.
"""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from pynamodb.attributes import NumberAttribute
from pynamodb.expressions.condition import Condition
from pynamodb.expressions.update import Action
from pynamodb.models import Model

from retorno.dynamodb import Refused, assign, update

DAY_SECONDS = 24 * 60 * 60

# The `expires_at` of what is held: the end of the year 9999.
HELD = 253_402_300_799

# How long what should be gone already is still there, once it is given its end: time for the daily
# look of whoever else holds it.
LEFT_FOR = timedelta(days=2)

# DynamoDB leaves alone what should have expired more than five years ago.
OVERLOOKED_AFTER = timedelta(days=4 * 365)

# Each of them counts the writes of an item.
REVISIONS = ("revision", "version", "call_revision")


class KeptItem(Model):
    """An item that its table drops by itself: `expires_at` is in seconds since 1970."""

    expires_at = NumberAttribute(null=True)

    def kept_from(self, now: datetime) -> datetime | None:
        """The moment from which on it is kept for its days; None where it is not over.

        It is `now` for what tells no time of its own.
        """
        raise NotImplementedError


def expiry(kept_from: datetime | None, kept_days: int) -> int | None:
    """The `expires_at` of what is kept for some days, 0 for ever, from a moment on; None where it
    does not expire.
    """
    if kept_from is None or not kept_days:
        return None
    return int(kept_from.timestamp()) + kept_days * DAY_SECONDS


def expiring(kind: type[KeptItem], kept_from: datetime | None, kept_days: int) -> list[Action]:
    """The same as a part of an update: whatever the item has already stands."""
    expires_at = expiry(kept_from, kept_days)
    if expires_at is None:
        return []
    return [kind.expires_at.set(kind.expires_at | expires_at)]


def hold(item: KeptItem) -> None:
    """Keeps an item that is bound to its table until it is released. One that is gone stays gone.

    What is written for good then stands; an item of which a later end is told may be given another
    `expires_at`, never one sooner than its days. Raises Unavailable.
    """
    kind = type(item)
    try:
        update(item, [kind.expires_at.set(HELD)], _hash_key(kind).exists())
    except Refused:
        return


def release(item: KeptItem, kept_days: int, now: datetime) -> bool:
    """Gives an item, as it was read just now, the `expires_at` that its days say: one that was
    held, or that was written before there was any; and no sooner than in two days.

    Says whether it did: not where somebody wrote the item since. Raises Unavailable.
    """
    kind = type(item)
    expires_at = expiry(item.kept_from(now), kept_days)
    soonest = int((now + LEFT_FOR).timestamp())
    values = {"expires_at": None if expires_at is None else max(expires_at, soonest)}
    try:
        update(item, assign(kind, values), _unchanged(item))
    except Refused:
        return False
    return True


def unexpiring(kind: type[KeptItem], now: datetime) -> Condition:
    """Holds for what has no `expires_at`, or one so long ago that it will not expire."""
    overlooked = kind.expires_at < int((now - OVERLOOKED_AFTER).timestamp())
    condition: Condition = kind.expires_at.does_not_exist() | overlooked
    return condition


def expired(record: Mapping[str, Any]) -> bool:
    """Whether a record of a table's stream tells that the table itself dropped an item: nothing
    happened to whatever it was about.
    """
    identity = record.get("userIdentity") or {}
    return bool(identity.get("principalId") == "dynamodb.amazonaws.com")


def news(event: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """The records of an event of tables' streams, without what the tables dropped."""
    return [record for record in event["Records"] if not expired(record)]


def _hash_key(kind: type[KeptItem]) -> Any:
    return getattr(kind, str(kind._hash_keyname))


def _unchanged(item: KeptItem) -> Condition:
    kind = type(item)
    condition: Condition = _hash_key(kind).exists()
    for name in ("expires_at", *REVISIONS):
        if name in kind.get_attributes():
            seen, attribute = getattr(item, name), getattr(kind, name)
            condition &= attribute.does_not_exist() if seen is None else attribute == seen
    return condition
