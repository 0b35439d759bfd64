"""Telemarketing's set-up: as others go by it, and as people change it."""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from datetime import date, datetime
from typing import Any, Protocol
from uuid import uuid4

from retorno.dynamodb import RefusedTogether, Write
from retorno.errors import (
    Conflict,
    InvalidInput,
    NotAllowed,
    NotFound,
    PreconditionFailed,
    PreconditionRequired,
    Unavailable,
)
from retorno.phone import NumberPlan
from retorno.settings import TelemarketingSetupSettings
from retorno.telemarketing.setup.model import (
    ActionType,
    ActionTypeDraft,
    Campaign,
    CampaignDraft,
    Criteria,
    Draft,
    Entry,
    FilterDraft,
    LastingT,
    Listed,
    ListedT,
    NoContactReason,
    Outcome,
    SavedFilter,
    ScriptVersion,
    T,
)
from retorno.telemarketing.setup.store import (
    MAX_FILTERS,
    MAX_LISTED,
    CampaignPage,
    ScriptPage,
    SetupStore,
)
from retorno.text import fold

# Each loser of a race looks again at what the winner wrote; so many losses are no race.
MAX_LOOKS = 20


class HasCustomers(Protocol):
    def __call__(self, campaign_ids: Sequence[str], agent: str | None) -> set[str]:
        """Those of the campaigns in which an agent has customers; None is for the team's own."""


class Setup:
    """What telemarketing goes by. All raise Unavailable."""

    def __init__(self, store: SetupStore) -> None:
        self._store = store

    def campaigns(self) -> Iterator[Campaign]:
        """All, by id, read as they are asked for."""
        return self._store.every_campaign()

    def campaign_page(self, limit: int, start: Mapping[str, str] | None) -> CampaignPage:
        """By id."""
        return self._store.campaigns(limit, start)

    def running(self, today: date, limit: int, start: Mapping[str, str] | None) -> CampaignPage:
        """Those that run today, by their last day. A page may be short, and there are more."""
        page = self._store.campaigns_since(today, limit, start)
        return page.only(lambda campaign: campaign.runs_on(today))

    def running_for(
        self,
        agent: str,
        queues: Collection[str],
        has_customers: HasCustomers,
        today: date,
        limit: int,
        start: Mapping[str, str] | None,
    ) -> CampaignPage:
        """Of those that run today the ones in which an agent of these queues has customers, or
        their team has.
        """
        page = self.running(today, limit, start)
        campaigns = {campaign.campaign_id: campaign.queue for campaign in page.campaigns}
        teams = [each for each, queue in campaigns.items() if queue in queues]
        shown = has_customers([*campaigns], agent) | has_customers(teams, None)
        return page.only(lambda campaign: campaign.campaign_id in shown)

    def campaign(self, campaign_id: str) -> Campaign:
        """Raises NotFound, Unavailable."""
        return _found(self._store, Campaign, campaign_id)

    def to_run(self, campaign_id: str, today: date) -> Campaign:
        """Raises NotFound; Conflict where it does not run today; Unavailable."""
        campaign = self.campaign(campaign_id)
        if not campaign.runs_on(today):
            raise Conflict("the campaign does not run today")
        return campaign

    def action_types(self) -> Sequence[ActionType]:
        """By name, the retired ones included; and so for outcomes and reasons."""
        return _by_name(self._store.all(ActionType))

    def action_type(self, code: str) -> ActionType:
        """Raises NotFound, Unavailable."""
        return _found(self._store, ActionType, code)

    def to_give_action_type(self, code: str) -> ActionType:
        """Raises InvalidInput for one that does not exist or is retired, Unavailable."""
        return self._to_give(ActionType, code, "action_type")

    def script(self, code: str, version: int) -> ScriptVersion:
        """As it was, be it replaced since. Raises NotFound, Unavailable."""
        current = self.action_type(code).current_script
        found = current if current.version == version else self._store.script(code, version)
        if found is None:
            raise NotFound("there is no such version")
        return found

    def scripts(self, code: str, limit: int, start: str | None = None) -> ScriptPage:
        """Of an action type, the latest first.

        Raises NotFound, Unavailable.
        """
        current = self.action_type(code).current_script
        page = self._store.scripts(code, limit, start)
        # A usual one that nobody changed is in no table.
        return page if page.scripts or start else ScriptPage([current], None)

    def outcomes(self) -> Sequence[Outcome]:
        return _by_name(self._store.all(Outcome))

    def outcome(self, code: str) -> Outcome:
        """Raises NotFound, Unavailable."""
        return _found(self._store, Outcome, code)

    def to_give_outcome(self, code: str) -> Outcome:
        """Raises InvalidInput for one that does not exist or is retired, Unavailable."""
        return self._to_give(Outcome, code, "outcome")

    def reasons(self) -> Sequence[NoContactReason]:
        return _by_name(self._store.all(NoContactReason))

    def reason(self, code: str) -> NoContactReason:
        """Raises NotFound, Unavailable."""
        return _found(self._store, NoContactReason, code)

    def to_give_reason(self, code: str) -> NoContactReason:
        """Raises InvalidInput for one that does not exist or is retired, Unavailable."""
        return self._to_give(NoContactReason, code, "reason")

    def marking(self, *entries: Entry) -> list[Write[Any]]:
        """What marks those that are not yet used, for a transaction with that which uses them. It
        is refused where one was deleted meanwhile: who looks it up again then learns that.
        """
        unused = {(entry.list_name, entry.key): entry for entry in entries if not entry.used}
        return [self._store.marking(entry) for entry in unused.values()]

    def _to_give(self, kind: type[ListedT], code: str, field: str) -> ListedT:
        try:
            found = _found(self._store, kind, code)
        except NotFound:
            raise InvalidInput(field, f"there is no such {kind.called}") from None
        if found.retired:
            raise InvalidInput(field, f"the {kind.called} was retired")
        return found


class SettingUp:
    """What leaders change. `expected` is the version that they saw, None for any."""

    def __init__(self, store: SetupStore, plan: NumberPlan) -> None:
        self._store = store
        self._plan = plan

    def add_campaign(self, campaign_id: str, draft: CampaignDraft) -> Campaign:
        """Raises InvalidInput; PreconditionRequired where there is one; Unavailable."""
        checked = draft.checked(self._plan)
        campaign = Campaign(campaign_id=campaign_id, **dict(checked))
        return self._add(campaign, lambda: self._marking_action_types(campaign))

    def change_campaign(
        self, campaign_id: str, draft: CampaignDraft, expected: int | None
    ) -> Campaign:
        """Raises InvalidInput, NotFound, PreconditionFailed, Unavailable."""
        checked = draft.checked(self._plan)

        def write(before: Campaign) -> Campaign:
            _check_version(before, expected)
            after = before.changed(checked)
            self._store.save(after, self._marking_action_types(after))
            return after

        return _decided(self._store, Campaign, campaign_id, write)

    def add_action_type(
        self, code: str, draft: ActionTypeDraft, by: str, now: datetime
    ) -> ActionType:
        """The versions of its script go on where an earlier one of that code left off.

        Raises Conflict where there are too many; PreconditionRequired where there is one;
        Unavailable.
        """
        self._check_room(ActionType)
        last = self._store.scripts(code, limit=1).scripts
        versions = last[0].version if last else 0
        new = ActionType(code=code, script_version=versions, **dict(draft)).rewritten(by, now)
        return self._add(new, lambda: [self._store.keeping(code, new.current_script)])

    def change_action_type(
        self, code: str, draft: ActionTypeDraft, expected: int | None, by: str, now: datetime
    ) -> ActionType:
        """A script that is another now is a new version.

        Raises NotFound, PreconditionFailed, Unavailable.
        """

        def write(before: ActionType) -> ActionType:
            _check_version(before, expected)
            after = before.changed(draft)
            if after.script == before.script:
                self._store.save(after)
                return after
            after = after.rewritten(by, now)
            # The one before is kept already, unless it is a usual one's.
            scripts = (before.current_script, after.current_script)
            self._store.save(after, [self._store.keeping(code, script) for script in scripts])
            return after

        return _decided(self._store, ActionType, code, write)

    def add(self, listed: ListedT) -> ListedT:
        """An outcome or a reason. Raises Conflict where there are too many;
        PreconditionRequired where there is one; Unavailable.
        """
        self._check_room(type(listed))
        return self._add(listed, list)

    def change(self, kind: type[ListedT], code: str, draft: Draft, expected: int | None) -> ListedT:
        """An outcome or a reason. What was given keeps what it meant then.

        Raises NotFound, PreconditionFailed, Unavailable.
        """

        def write(before: ListedT) -> ListedT:
            _check_version(before, expected)
            after = before.changed(draft)
            self._store.save(after)
            return after

        return _decided(self._store, kind, code, write)

    def remove(self, kind: type[LastingT], key: str, expected: int | None) -> None:
        """Deletes what nobody used, and retires what somebody did.

        Raises NotFound, PreconditionFailed, Unavailable.
        """

        def write(before: LastingT) -> LastingT:
            _check_version(before, expected)
            if not before.used:
                self._store.delete(before)
            elif not before.retired:
                retired = {"retired": True, "version": before.version + 1}
                self._store.save(before.model_copy(update=retired))
            return before

        _decided(self._store, kind, key, write)

    def _add(self, entry: LastingT, others: Callable[[], list[Write[Any]]]) -> LastingT:
        for _ in range(MAX_LOOKS):
            if self._store.get(type(entry), entry.key):
                raise PreconditionRequired(
                    f"the {entry.called} exists; If-Match must say which version was seen"
                )
            with suppress(RefusedTogether):
                self._store.save(entry, others())
                return entry
        raise _too_many_writers(entry)

    def _check_room(self, kind: type[Listed]) -> None:
        if len(self._store.all(kind)) >= MAX_LISTED:
            raise Conflict(f"there are {MAX_LISTED} already: change one of them")

    def _marking_action_types(self, campaign: Campaign) -> list[Write[Any]]:
        """A campaign uses those that it names. Raises InvalidInput where one does not exist."""
        if not campaign.action_types:
            return []
        known = {each.code: each for each in self._store.all(ActionType)}
        for code in campaign.action_types:
            if code not in known:
                raise InvalidInput("action_types", f"there is no {code}")
        return Setup(self._store).marking(*(known[code] for code in campaign.action_types))


class Filters:
    """Saved filters: each user's own, and those that leaders share."""

    def __init__(self, store: SetupStore) -> None:
        self._store = store

    def seen_by(self, user: str) -> Sequence[SavedFilter]:
        """Their own and the shared ones, by name. Raises Unavailable."""
        return _by_name([*self._store.filters(user), *self._store.filters(None)])

    def one(self, filter_id: str, user: str) -> SavedFilter:
        """Raises NotFound also for one that is another's own; Unavailable."""
        found = _found(self._store, SavedFilter, filter_id)
        _check_seen(found, user)
        return found

    def add(self, draft: FilterDraft, user: str, *, leads: bool) -> SavedFilter:
        """Raises NotAllowed, InvalidInput; Conflict where there are too many; Unavailable."""
        _check_may_write(draft, leads=leads)
        self._check_criteria(draft.criteria)
        saved = SavedFilter(filter_id=str(uuid4()), owner=user, **dict(draft))
        self._check_room(saved)
        self._store.save(saved)
        return saved

    def change(
        self, filter_id: str, draft: FilterDraft, expected: int | None, user: str, *, leads: bool
    ) -> SavedFilter:
        """Raises NotFound, NotAllowed, InvalidInput, PreconditionFailed, Conflict, Unavailable."""
        _check_may_write(draft, leads=leads)
        self._check_criteria(draft.criteria)

        def write(before: SavedFilter) -> SavedFilter:
            _check_seen(before, user)
            _check_may_write(before, leads=leads)
            _check_version(before, expected)
            after = before.changed(draft)
            if after.shared != before.shared:
                self._check_room(after)
            self._store.save(after)
            return after

        return _decided(self._store, SavedFilter, filter_id, write)

    def remove(self, filter_id: str, expected: int | None, user: str, *, leads: bool) -> None:
        """Raises NotFound, NotAllowed, PreconditionFailed, Unavailable."""

        def write(before: SavedFilter) -> SavedFilter:
            _check_seen(before, user)
            _check_may_write(before, leads=leads)
            _check_version(before, expected)
            self._store.delete(before)
            return before

        _decided(self._store, SavedFilter, filter_id, write)

    def _check_criteria(self, criteria: Criteria) -> None:
        """What nobody can have been given would take nobody."""
        for field, kind, code in (
            ("last_outcome", Outcome, criteria.last_outcome),
            ("last_reason", NoContactReason, criteria.last_reason),
        ):
            if code is not None and self._store.get(kind, code) is None:
                raise InvalidInput(f"criteria.{field}", f"there is no such {kind.called}")

    def _check_room(self, saved: SavedFilter) -> None:
        if len(self._store.filters(None if saved.shared else saved.owner)) >= MAX_FILTERS:
            raise Conflict(f"there are {MAX_FILTERS} already: change one of them")


def _check_seen(saved: SavedFilter, user: str) -> None:
    if not saved.shared and saved.owner != user:
        raise _not_found(SavedFilter)


def _check_may_write(draft: FilterDraft, *, leads: bool) -> None:
    if draft.shared and not leads:
        raise NotAllowed("shared filters are for supervisors to write")


def _check_version(before: Entry, expected: int | None) -> None:
    if expected not in (None, before.version):
        raise PreconditionFailed(f"the {before.called} was changed since; look at it again")


def _decided(store: SetupStore, kind: type[T], key: str, write: Callable[[T], T]) -> T:
    """Looks and writes until nobody wrote in between."""
    for _ in range(MAX_LOOKS):
        before = _found(store, kind, key)
        with suppress(RefusedTogether):
            return write(before)
    raise _too_many_writers(before)


def _too_many_writers(entry: Entry) -> Unavailable:
    return Unavailable(f"the {entry.called} is being written by too many at once")


def _found(store: SetupStore, kind: type[T], key: str) -> T:
    found = store.get(kind, key)
    if found is None:
        raise _not_found(kind)
    return found


def _not_found(kind: type[Entry]) -> NotFound:
    return NotFound(f"there is no such {kind.called}")


def _by_name(entries: Iterable[T]) -> list[T]:
    return sorted(entries, key=lambda entry: fold(entry.name))


def setup(settings: TelemarketingSetupSettings) -> Setup:
    return Setup(SetupStore(settings.telemarketing_setup_table))


def setting_up(settings: TelemarketingSetupSettings) -> SettingUp:
    return SettingUp(SetupStore(settings.telemarketing_setup_table), settings.number_plan)


def filters(settings: TelemarketingSetupSettings) -> Filters:
    return Filters(SetupStore(settings.telemarketing_setup_table))
