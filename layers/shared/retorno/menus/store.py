"""The menus table: each version of each menu, for the calls that began with it."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from pynamodb.attributes import NumberAttribute, UnicodeAttribute
from pynamodb.indexes import GlobalSecondaryIndex, KeysOnlyProjection
from pynamodb.models import Model

from retorno.dynamodb import (
    Refused,
    RefusedTogether,
    Write,
    bind,
    unavailable_on_trouble,
    update,
    write_together,
)
from retorno.menus.model import StoredMenu, Tree
from retorno.times import read_stamp, stamp

LISTED = "menu"

# No call lasts longer: Twilio, for one, ends each after 24 hours.
KEPT_FOR = timedelta(days=1)


class ByMenu(GlobalSecondaryIndex["MenuItem"]):
    class Meta:
        index_name = "by_menu"
        projection = KeysOnlyProjection()

    listed = UnicodeAttribute(hash_key=True)
    menu = UnicodeAttribute(range_key=True)


class MenuItem(Model):
    """A version. That which new calls begin with is `listed`, the others go at `expires_at`, in
    epoch seconds."""

    menu = UnicodeAttribute(hash_key=True)
    version = NumberAttribute(range_key=True)
    tree = UnicodeAttribute()
    changed_at = UnicodeAttribute()
    changed_by = UnicodeAttribute()
    listed = UnicodeAttribute(null=True)
    expires_at = NumberAttribute(null=True)

    by_menu = ByMenu()


class Changed(Exception):
    """Someone else wrote the menu since it was read."""


@dataclass(frozen=True, slots=True)
class MenuPage:
    """Menus by name, and after which of them the next page begins; None at the end."""

    menus: Sequence[StoredMenu]
    next_start: str | None


class MenuStore:
    def __init__(self, table_name: str) -> None:
        self._item = bind(MenuItem, table_name)

    def latest(self, menu: str) -> StoredMenu | None:
        """The last version, be it retired or not, as it is at this moment. Raises Unavailable."""
        with unavailable_on_trouble():
            found = self._item.query(
                menu, consistent_read=True, scan_index_forward=False, limit=1, page_size=1
            )
            return next((_stored(item) for item in found), None)

    def get(self, menu: str, version: int) -> StoredMenu | None:
        """Raises Unavailable."""
        with unavailable_on_trouble():
            try:
                return _stored(self._item.get(menu, version, consistent_read=True))
            except self._item.DoesNotExist:
                return None

    def save(self, before: StoredMenu | None, after: StoredMenu) -> None:
        """Writes a new version; `before` is the one that it takes the place of.

        Raises Changed, Unavailable.
        """
        item = self._item(
            after.menu,
            after.version,
            tree=after.tree.model_dump_json(exclude_none=True),
            changed_at=stamp(after.changed_at),
            changed_by=after.changed_by,
            listed=LISTED,
        )
        writes = [Write(item, self._item.menu.does_not_exist())]
        if before:
            writes.append(self._retirement(before, after.changed_at))
        try:
            write_together(writes)
        except RefusedTogether:
            raise Changed from None

    def retire(self, stored: StoredMenu, now: datetime) -> None:
        """No call begins with it any more. Raises Changed, Unavailable."""
        write = self._retirement(stored, now)
        try:
            update(write.item, write.actions, self._item.listed.exists())
        except Refused:
            raise Changed from None

    def _retirement(self, stored: StoredMenu, now: datetime) -> Write[MenuItem]:
        expires_at = int((now + KEPT_FOR).timestamp())
        actions = [self._item.listed.remove(), self._item.expires_at.set(expires_at)]
        item = self._item(stored.menu, stored.version)
        return Write(item, self._item.listed.exists(), actions)

    def page(self, limit: int, start: str | None) -> MenuPage:
        """Those that new calls begin with, by name, after `start`. Raises Unavailable."""
        with unavailable_on_trouble():
            after = self._item.menu > start if start else None
            found = self._item.by_menu.query(LISTED, after, limit=limit, page_size=limit)
            keys = [(item.menu, item.version) for item in found]
            items = [_stored(item) for item in self._item.batch_get(keys)] if keys else []
        # The index is a moment behind: what was replaced meanwhile may still stand in it.
        menus = sorted((each for each in items if not each.retired), key=lambda each: each.menu)
        return MenuPage(menus, keys[-1][0] if found.last_evaluated_key else None)


def _stored(item: MenuItem) -> StoredMenu:
    return StoredMenu(
        menu=item.menu,
        version=int(item.version),
        tree=Tree.model_validate_json(item.tree),
        changed_at=read_stamp(item.changed_at),
        changed_by=item.changed_by,
        retired=item.listed is None,
    )
