"""The table of telemarketing's set-up."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from pynamodb.attributes import BooleanAttribute, NumberAttribute, UnicodeAttribute
from pynamodb.indexes import AllProjection, LocalSecondaryIndex
from pynamodb.models import Model

from retorno.dynamodb import Write, assign, bind, unavailable_on_trouble, write_together
from retorno.telemarketing.setup.model import (
    Campaign,
    Entry,
    SavedFilter,
    ScriptVersion,
    T,
    usual,
)

# More than anyone can choose from. All together, scripts and all, are one answer of Lambda's.
MAX_LISTED = 150

# Of a user, and as many that are shared.
MAX_FILTERS = 100

SHARED = "shared"


class ByOrder(LocalSecondaryIndex["SetupItem"]):
    class Meta:
        index_name = "by_order"
        projection = AllProjection()

    list_name = UnicodeAttribute(hash_key=True)
    order = UnicodeAttribute(range_key=True)


class SetupItem(Model):
    """`list_name` "outcomes", `code` "venda", and all of it as JSON; or a script that an action
    type had or has, "scripts#oferta" and "000003".

    `used` is there as soon as history may know it. `order` is the last day of a campaign, and whose
    a filter is: "user#ana", or "shared".
    """

    list_name = UnicodeAttribute(hash_key=True)
    code = UnicodeAttribute(range_key=True)
    version = NumberAttribute()
    used = BooleanAttribute(null=True)
    order = UnicodeAttribute(null=True)
    entry = UnicodeAttribute()

    by_order = ByOrder()


@dataclass(frozen=True, slots=True)
class CampaignPage:
    """Where the next page begins is None at the end."""

    campaigns: Sequence[Campaign]
    next_start: Mapping[str, str] | None

    def only(self, wanted: Callable[[Campaign], bool]) -> "CampaignPage":
        return CampaignPage([each for each in self.campaigns if wanted(each)], self.next_start)


@dataclass(frozen=True, slots=True)
class ScriptPage:
    """Scripts, the latest first, and where the next page begins; None at the end."""

    scripts: Sequence[ScriptVersion]
    next_start: str | None


class SetupStore:
    def __init__(self, table_name: str) -> None:
        self._item = bind(SetupItem, table_name)

    def get(self, kind: type[T], key: str) -> T | None:
        """As it is at this moment. Raises Unavailable."""
        with unavailable_on_trouble():
            try:
                item = self._item.get(kind.list_name, key, consistent_read=True)
            except self._item.DoesNotExist:
                return usual(kind).get(key)
        return _read(kind, item)

    def all(self, kind: type[T]) -> Sequence[T]:
        """Up to 150, and the usual ones. Raises Unavailable."""
        with unavailable_on_trouble():
            found = self._item.query(kind.list_name, consistent_read=True, limit=MAX_LISTED)
            entries = [_read(kind, item) for item in found]
        return list((usual(kind) | {entry.key: entry for entry in entries}).values())

    def every_campaign(self) -> Iterator[Campaign]:
        """By id, read as they are asked for. Raises Unavailable."""
        with unavailable_on_trouble():
            for item in self._item.query(Campaign.list_name, consistent_read=True):
                yield _read(Campaign, item)

    def campaigns(self, limit: int, start: Mapping[str, str] | None) -> CampaignPage:
        """By id. Raises Unavailable."""
        found = self._item.query(
            Campaign.list_name,
            consistent_read=True,
            limit=limit,
            page_size=limit,
            last_evaluated_key=_key(start),
        )
        return self._page(found)

    def campaigns_since(
        self, day: date, limit: int, start: Mapping[str, str] | None
    ) -> CampaignPage:
        """Those that end on a day or later, by their last day. Raises Unavailable."""
        found = self._item.by_order.query(
            Campaign.list_name,
            self._item.order >= day.isoformat(),
            consistent_read=True,
            limit=limit,
            page_size=limit,
            last_evaluated_key=_key(start),
        )
        return self._page(found)

    def _page(self, found: Any) -> CampaignPage:
        with unavailable_on_trouble():
            campaigns = [_read(Campaign, item) for item in found]
            last = found.last_evaluated_key
        start = {name: last[name]["S"] for name in last if name != "list_name"} if last else None
        return CampaignPage(campaigns, start)

    def filters(self, owner: str | None) -> Sequence[SavedFilter]:
        """A user's own, or those that are shared. Raises Unavailable."""
        with unavailable_on_trouble():
            found = self._item.by_order.query(
                SavedFilter.list_name,
                self._item.order == (SHARED if owner is None else f"user#{owner}"),
                consistent_read=True,
                limit=MAX_FILTERS,
            )
            return [_read(SavedFilter, item) for item in found]

    def script(self, code: str, version: int) -> ScriptVersion | None:
        """Raises Unavailable."""
        with unavailable_on_trouble():
            try:
                found = self._item.get(_scripts(code), _script(version), consistent_read=True)
            except self._item.DoesNotExist:
                return None
        return ScriptVersion.model_validate_json(found.entry)

    def scripts(self, code: str, limit: int, start: str | None = None) -> ScriptPage:
        """Raises Unavailable."""
        with unavailable_on_trouble():
            found = self._item.query(
                _scripts(code),
                self._item.code < start if start else None,
                consistent_read=True,
                scan_index_forward=False,
                limit=limit,
                page_size=limit,
            )
            scripts = [ScriptVersion.model_validate_json(item.entry) for item in found]
        has_more = found.last_evaluated_key is not None
        return ScriptPage(scripts, _script(scripts[-1].version) if has_more else None)

    def save(self, entry: Entry, others: Sequence[Write[Any]] = ()) -> None:
        """Of version 1 as a new one, together with what else is to be written.

        Raises RefusedTogether where somebody wrote it since, or what has to hold for the others
        does not; Unavailable.
        """
        item = self._item
        # A usual one is of version 1 without being in the table.
        first = 2 if entry.key in usual(type(entry)) else 1
        unchanged = (
            item.version == entry.version - 1
            if entry.version > first
            else item.code.does_not_exist()
        )
        values = {
            "version": entry.version,
            "order": _order(entry),
            "entry": entry.model_dump_json(exclude={"version", "used"}),
            # What somebody marks just now stays marked.
            **({"used": True} if entry.used else {}),
        }
        mine = Write(item(entry.list_name, entry.key), unchanged, assign(item, values))
        write_together([mine, *others])

    def delete(self, entry: Entry) -> None:
        """Raises RefusedTogether where somebody wrote it since, or it is used; Unavailable."""
        item = self._item
        unused = (item.version == entry.version) & item.used.does_not_exist()
        write_together([Write(item(entry.list_name, entry.key), unused, delete=True)])

    def marking(self, entry: Entry) -> Write[SetupItem]:
        item = self._item
        used = [item.used.set(True)]
        return Write(item(entry.list_name, entry.key), item.code.exists(), used)

    def keeping(self, code: str, script: ScriptVersion) -> Write[SetupItem]:
        key, entry = _script(script.version), script.model_dump_json()
        return Write(self._item(_scripts(code), key, version=script.version, entry=entry))


def _scripts(code: str) -> str:
    """ "scripts#oferta" """
    return f"scripts#{code}"


def _script(version: int) -> str:
    """ "000003" """
    return f"{version:06}"


def _order(entry: Entry) -> str | None:
    """ "2026-03-31" of a campaign, "user#ana" of a filter"""
    match entry:
        case Campaign():
            return entry.ends_on.isoformat()
        case SavedFilter():
            return SHARED if entry.shared else f"user#{entry.owner}"
    return None


def _key(start: Mapping[str, str] | None) -> dict[str, dict[str, str]] | None:
    if start is None:
        return None
    return {
        name: {"S": value} for name, value in {"list_name": Campaign.list_name, **start}.items()
    }


def _read(kind: type[T], item: SetupItem) -> T:
    told = {"version": item.version, "used": bool(item.used)}
    return kind.model_validate_json(item.entry).model_copy(update=told)
