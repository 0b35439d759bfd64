"""What is done with menus: written by leaders, and walked through by callers."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from retorno.calling_rules.model import Listing, Origin
from retorno.calling_rules.profiles import chosen
from retorno.calling_rules.service import DoNotCallList, Wanted, do_not_call_list
from retorno.calls.service import OutgoingCalls, outgoing_calls
from retorno.errors import (
    InvalidInput,
    NotFound,
    PreconditionFailed,
    PreconditionRequired,
    Unavailable,
)
from retorno.menus.model import DoNotCall, Language, StoredMenu, Tree
from retorno.menus.rules import MenuRule, rules_of
from retorno.menus.store import Changed, MenuPage, MenuStore
from retorno.menus.virtual_queue import VirtualQueue, virtual_queue
from retorno.menus.walk import Act, Heard, Position, Walk
from retorno.observability import logger
from retorno.phone import NumberPlan
from retorno.settings import ManageMenuSettings, ServeMenuSettings
from retorno.telephony.ports import MENU_NAME, CallEvent, Stage


class Menus:
    """Menus as people write and see them."""

    def __init__(self, store: MenuStore, rules: tuple[MenuRule, ...]) -> None:
        self._store = store
        self._rules = rules

    def one(self, menu: str) -> StoredMenu:
        """Raises NotFound, Unavailable."""
        found = self._store.latest(menu)
        if found is None or found.retired:
            raise NotFound("there is no such menu")
        return found

    def page(self, limit: int, start: str | None) -> MenuPage:
        """By name, after `start`. Raises Unavailable."""
        return self._store.page(limit, start)

    def create(self, menu: str, tree: Tree, by: str, now: datetime) -> StoredMenu:
        """Raises InvalidInput; PreconditionRequired where there is one already; Unavailable."""
        if not MENU_NAME.fullmatch(menu):
            raise InvalidInput("menu", "is not of a-z, 0-9, _ and -, up to 64 of them")
        last = self._store.latest(menu)
        if last and not last.retired:
            raise PreconditionRequired(
                "there is such a menu; If-Match must say which version was seen"
            )
        return self._save(menu, tree, last, by, now)

    def change(
        self, menu: str, tree: Tree, expected: int | None, by: str, now: datetime
    ) -> StoredMenu:
        """Calls that are in the menu go on with the version that they began with. `expected` is
        the version that a person saw, None for any.

        Raises InvalidInput, NotFound, PreconditionFailed, Unavailable.
        """
        return self._save(menu, tree, self._seen(menu, expected), by, now)

    def remove(self, menu: str, expected: int | None, now: datetime) -> None:
        """No call begins with it any more. Raises NotFound, PreconditionFailed, Unavailable."""
        try:
            self._store.retire(self._seen(menu, expected), now)
        except Changed:
            raise _changed() from None

    def _seen(self, menu: str, expected: int | None) -> StoredMenu:
        found = self.one(menu)
        if expected not in (None, found.version):
            raise _changed()
        return found

    def _save(
        self, menu: str, tree: Tree, last: StoredMenu | None, by: str, now: datetime
    ) -> StoredMenu:
        tree.check(self._rules)
        new = StoredMenu(
            menu=menu,
            version=last.version + 1 if last else 1,
            tree=tree,
            changed_at=now,
            changed_by=by,
        )
        try:
            self._store.save(last if last and not last.retired else None, new)
        except Changed:
            raise _changed() from None
        return new


def _changed() -> PreconditionFailed:
    return PreconditionFailed("the menu was changed since; look at it again")


@dataclass(frozen=True, slots=True)
class Script:
    """What a caller hears next, and in which voice."""

    language: Language
    acts: Sequence[Act]


class MenuCalls:
    """Leads callers through menus."""

    def __init__(
        self,
        store: MenuStore,
        virtual_queue: VirtualQueue,
        do_not_call: DoNotCallList,
        calls: OutgoingCalls,
        plan: NumberPlan,
    ) -> None:
        self._store = store
        self._virtual_queue = virtual_queue
        self._do_not_call = do_not_call
        self._calls = calls
        self._plan = plan

    def step(self, menu: str, at: Position, heard: Heard, now: datetime) -> Script:
        """A position that the menu does not have is its beginning.

        Raises NotFound where there is no such menu of that use, Unavailable.
        """
        stored = self._store.get(menu, at.version) if at.version else None
        if stored is None or (at.node and at.node not in stored.tree.nodes):
            stored, at = self._newest(menu), Position(use=at.use)
        if stored.tree.use is not at.use:
            raise NotFound("there is no such menu of this use")
        at = at.model_copy(update={"version": stored.version})
        deeds = _Deeds(menu, heard.call, now, self._virtual_queue, self._do_not_call, self._calls)
        return Script(stored.tree.language, Walk(stored.tree, at, heard, deeds, self._plan).acts())

    def _newest(self, menu: str) -> StoredMenu:
        found = self._store.latest(menu)
        if found is None or found.retired:
            raise NotFound("there is no such menu")
        return found


@dataclass(frozen=True, slots=True)
class _Deeds:
    """What a menu brings about for one call, now."""

    menu: str
    call: CallEvent
    now: datetime
    virtual_queue: VirtualQueue
    forbidden: DoNotCallList
    calls: OutgoingCalls

    def enter_queue(self, queue: str) -> None:
        """Only the menu knows the name. A caller does not wait for it to be written down."""
        entered = replace(self.call, stage=Stage.QUEUED, occurred_at=self.now, queue=queue)
        try:
            self.calls.begin(entered)
        except Unavailable:
            logger.exception("the queue of a call is not written down")

    def call_back(self, number: str, queue: str) -> None:
        self.virtual_queue.ask_for_caller(self.call.call_id, number, queue, self.now)

    def do_not_call(self, number: str, node: DoNotCall) -> None:
        by = f"menu {self.menu}"
        listing = Listing(origin=Origin.CUSTOMER, scope=node.scope, note=by)
        self.forbidden.put(Wanted(number, listing), by, self.now)


def menus(settings: ManageMenuSettings) -> Menus:
    """Raises KeyError for a profile that does not exist."""
    rules = rules_of(chosen(settings.calling_profiles, settings.country))
    return Menus(MenuStore(settings.menus_table), rules)


def menu_calls(settings: ServeMenuSettings) -> MenuCalls:
    return MenuCalls(
        MenuStore(settings.menus_table),
        virtual_queue(settings),
        do_not_call_list(settings),
        outgoing_calls(settings),
        settings.number_plan,
    )
