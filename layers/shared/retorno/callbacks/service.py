"""The call list: who is to be called back, as misses come and go and as people say."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Any

from retorno.callback_campaigns.model import MAX_CALLS_A_DAY, Campaign, Pace, Result
from retorno.callback_campaigns.service import Campaigns, campaigns
from retorno.callbacks.model import (
    AT_REST,
    OPEN,
    PROMISES,
    Contact,
    Miss,
    State,
    Wanted,
    asked,
    called_off,
    closed,
    contact_id_of,
    freed,
    joined,
    known_to_recovery,
    line_of_campaign,
    line_of_queue,
    result_of,
    withdrawn,
)
from retorno.callbacks.store import ContactPage, ContactStore, contact_store
from retorno.calling_rules.model import Facts
from retorno.calling_rules.service import CallingRules, calling_rules
from retorno.calls.model import Call, CallRules
from retorno.calls.service import call_rules, change_of
from retorno.dynamodb import Refused
from retorno.errors import Conflict, InvalidInput, NotFound, Unavailable
from retorno.phone import NumberPlan, is_erased, match_key
from retorno.recovery.model import UNREACHED, Dismissal, Role
from retorno.recovery.model import State as MissState
from retorno.recovery.service import (
    Matching,
    MissedCalls,
    PartFollowing,
    PartNews,
    matching,
    missed_calls,
    part_following,
)
from retorno.settings import (
    CallListSettings,
    ContactTableSettings,
    FillCallListSettings,
    FollowCallsSettings,
)
from retorno.work import WorkQueue

# Each loser of a race looks again at what the winner wrote; so many losses are no race.
MAX_LOOKS = 50

# A contact that is due sooner than the next look at all that will be is told of by itself.
TOLD_WITHIN = timedelta(seconds=90)

# No number is in more lists.
MAX_LISTS = 200

# How many contacts of a list are withdrawn at once, while someone waits.
CLEAR_LIMIT = 500
PAGE = 100

ENDS = {
    MissState.RECOVERED: State.REACHED,
    MissState.RETURNED: State.RETURNED,
    MissState.DISMISSED: State.DISMISSED,
    MissState.EXPIRED: State.EXPIRED,
}

# Who may come to wait again.
FOLLOWED = OPEN | {State.REACHED}

Change = Callable[[Contact], Contact]


class Contacts:
    """Writes contacts, and tells whoever has to know.

    A line is told of a contact that is soon due, and recovery of misses that are blocked.
    """

    def __init__(self, store: ContactStore, dialler: WorkQueue, misses: Matching) -> None:
        self._store = store
        self._dialler = dialler
        self._misses = misses

    def change(self, contact_id: str, change: Change, now: datetime) -> Contact:
        """Looks and writes until nobody wrote in between. Raises NotFound, Unavailable."""

        def of_known(before: Contact | None) -> Contact:
            if before is None:
                raise NotFound("there is no such contact")
            return change(before)

        return self.put(contact_id, of_known, now)

    def put(
        self, contact_id: str, change: Callable[[Contact | None], Contact], now: datetime
    ) -> Contact:
        """As `change`, for a contact that may be new. Raises Unavailable."""
        for _ in range(MAX_LOOKS):
            before = self._store.get(contact_id)
            after = change(before)
            try:
                if after != before:
                    after = self._store.save(after)
            except Refused:
                continue
            return self._told(after, now)
        raise Unavailable("the contact is being written by too many at once")

    def wake(self, line: str, now: datetime) -> None:
        """Has the dialler look at a line. Raises Unavailable."""
        self._dialler.send({"line": line}, now)

    def _told(self, contact: Contact, now: datetime) -> Contact:
        """What was told already is told again: whoever did it may not have come so far."""
        if contact.state is State.WAITING and contact.due_at <= now + TOLD_WITHIN:
            self._dialler.send({"line": contact.line}, now, contact.due_at)
        if contact.state is State.BLOCKED or not contact.recovery_knows:
            return self._recovery_told(contact, now)
        return contact

    def _recovery_told(self, contact: Contact, now: datetime) -> Contact:
        """Tells until nobody wrote in between: who tells late would undo what is told since."""
        for _ in range(MAX_LOOKS):
            for call_id in contact.misses:
                is_blocked = contact.state is State.BLOCKED
                self._misses.block(contact.number_key, call_id, now, blocked=is_blocked)
            after = known_to_recovery(contact)
            if after != contact:
                with suppress(Refused):
                    return self._store.save(after)
            found = self._store.get(contact.contact_id)
            if found is None or found == contact:
                return contact
            contact = found
        raise Unavailable("the contact is being written by too many at once")


class CallList:
    """What people see of the contacts, and what they ask for."""

    def __init__(
        self,
        store: ContactStore,
        contacts: Contacts,
        campaigns: Campaigns,
        misses: MissedCalls,
        plan: NumberPlan,
    ) -> None:
        self._store = store
        self._contacts = contacts
        self._campaigns = campaigns
        self._misses = misses
        self._plan = plan

    def ask(self, wanted: Wanted, now: datetime) -> Contact:
        """Puts somebody on a list who asked for a call; asked again it is the same contact.

        A queue with a campaign has no list of its own. Raises Unavailable.
        """
        wanted = self._in_its_list(wanted)
        contact_id = contact_id_of(wanted.list_name, match_key(wanted.number))
        return self._contacts.put(contact_id, lambda before: asked(before, wanted, now), now)

    def _in_its_list(self, wanted: Wanted) -> Wanted:
        if wanted.list_name != line_of_queue(wanted.queue):
            return wanted
        for campaign in self._campaigns.all():
            if campaign.monitored_queue == wanted.queue:
                place = {"list_name": campaign.campaign_id, "queue": campaign.callback_queue}
                return wanted.model_copy(update={**place, "max_attempts": campaign.max_attempts})
        return wanted

    def one(self, contact_id: str) -> Contact:
        """Raises NotFound, Unavailable."""
        found = self._store.get(contact_id)
        if found is None:
            raise NotFound("there is no such contact")
        return found

    def in_state(
        self, list_name: str, state: State, limit: int, start: Mapping[str, str] | None
    ) -> ContactPage:
        """Of a list: those who wait as they become due, others as they came there. Raises
        Unavailable.
        """
        return self._store.in_state(list_name, state, limit, start)

    def of_number(self, number: str) -> Sequence[Contact]:
        """In all lists; `number` in any written form. Raises InvalidInput, Unavailable."""
        parsed = self._plan.parse(number)
        if parsed is None:
            raise InvalidInput("number", "is not a phone number")
        return self._store.of_number(parsed.match_key, MAX_LISTS)

    def free(self, contact_id: str, now: datetime) -> Contact:
        """Lets a blocked contact be called again. Raises NotFound, Conflict, Unavailable."""

        def change(before: Contact) -> Contact:
            # Asked again because recovery could not be told, it is no conflict.
            if before.state is not State.BLOCKED and before.recovery_knows:
                raise Conflict(f"the contact is {before.state}, not blocked")
            return freed(before, now)

        return self._contacts.change(contact_id, change, now)

    def dismiss(self, contact_id: str, dismissal: Dismissal, now: datetime) -> Contact:
        """Ends a contact, and its missed calls, by a person's decision.

        Raises NotFound, Conflict while it is dialled or where it is over, Unavailable.
        """
        contact = self.withdraw(contact_id, State.DISMISSED, now)
        for call_id in contact.misses:
            try:
                self._misses.dismiss(call_id, dismissal, now)
            except (Conflict, NotFound):
                # It came to another end, or is a call that goes on.
                continue
        return contact

    def withdraw(self, contact_id: str, state: State, now: datetime) -> Contact:
        """Ends a contact without a call; ended so before, it stays as it is.

        Raises NotFound; Conflict while it is dialled, or where it came to another end; Unavailable.
        """

        def change(before: Contact) -> Contact:
            if before.state is state:
                return before
            if before.state not in AT_REST:
                raise Conflict(f"the contact is {before.state}")
            return withdrawn(before, state, state.value, now)

        return self._contacts.change(contact_id, change, now)

    def call_off(self, list_name: str, now: datetime) -> None:
        """Lets nobody dial for an appointment any more, if it came onto the list; a call that goes
        on is the last. Raises Unavailable.
        """
        contact_id = contact_id_of(list_name, number_key="")
        state = State.CANCELLED
        with suppress(NotFound):
            self._contacts.change(
                contact_id, lambda before: called_off(before, state, state.value, now), now
            )

    def wake(self, campaign_id: str, now: datetime) -> None:
        """Has the dialler look at a campaign that was resumed. Raises Unavailable."""
        self._contacts.wake(line_of_campaign(campaign_id), now)

    def clear(self, list_name: str, now: datetime) -> int:
        """Withdraws the contacts of a list that is no more: some hundreds of them, and the dialler
        the others as they become due. Says how many. Raises Unavailable.
        """
        found = [
            contact
            for state in sorted(AT_REST)
            for contact in self._store.in_state(list_name, state, CLEAR_LIMIT, None).items
        ]
        for contact in found:
            self._contacts.change(
                contact.contact_id,
                lambda before: withdrawn(before, State.CANCELLED, "no campaign", now),
                now,
            )
        return len(found)


class ContactsKept:
    """Contacts for those who look at how the call list stands."""

    def __init__(self, store: ContactStore) -> None:
        self._store = store

    def at(self, contact_ids: Sequence[str]) -> Sequence[Contact]:
        """Those of these items of the contacts table that are contacts, as they are at this
        moment. Raises Unavailable.
        """
        return self._store.get_many(contact_ids)


class DoNotCallWatch:
    """Takes contacts off their lists whose number is on the do-not-call list. The dialler asks that
    list, too, at each call; but who waits for none should not be shown as waiting.
    """

    def __init__(self, store: ContactStore, contacts: Contacts, rules: CallingRules) -> None:
        self._store = store
        self._contacts = contacts
        self._rules = rules

    def follow(self, record: Mapping[str, Any], now: datetime) -> None:
        """Of the do-not-call table's stream. Raises Unavailable."""
        number_key = record["dynamodb"]["Keys"]["number_key"]["S"]
        for contact in self._store.of_number(number_key, MAX_LISTS):
            self.look_at(contact, now)

    def look_at(self, contact: Contact, now: datetime) -> None:
        """Who is in a call leaves the list after it. Raises Unavailable."""
        if contact.state not in FOLLOWED:
            return
        facts = Facts(requested_at=contact.asked_at)
        check = self._rules.check(contact.number, contact.purpose, now, facts)
        if not check.decision.forbidden_by:
            return
        reason = check.decision.forbidden_by[0].origin.value
        self._contacts.change(
            contact.contact_id, lambda it: called_off(it, State.DO_NOT_CALL, reason, now), now
        )


class ListFilling:
    """Follows the recoveries table's stream: misses join the lists of their queue's campaigns, and
    leave them as they are over.
    """

    def __init__(
        self,
        parts: PartFollowing,
        store: ContactStore,
        contacts: Contacts,
        campaigns: Campaigns,
        do_not_call: DoNotCallWatch,
    ) -> None:
        self._do_not_call = do_not_call
        self._parts = parts
        self._store = store
        self._contacts = contacts
        self._campaigns = campaigns

    def follow(self, record: Mapping[str, Any], now: datetime) -> None:
        """Told twice, late or out of order, it does no harm. Raises Unavailable."""
        news = self._parts.read(record)
        if news.part and news.part.role is Role.OUTBOUND:
            return
        for campaign in self._campaigns.all():
            if campaign.monitored_queue in news.queues:
                self._follow_in(campaign, news, now)
        for queue in sorted(news.queues):
            self._leave(line_of_queue(queue), queue, news, now)

    def _follow_in(self, campaign: Campaign, news: PartNews, now: datetime) -> None:
        miss = _open_miss(news, campaign.monitored_queue)
        if miss is None:
            self._leave(campaign.campaign_id, campaign.monitored_queue, news, now)
            return
        contact_id = contact_id_of(campaign.campaign_id, news.number_key)
        contact = self._contacts.put(
            contact_id, lambda before: joined(before, miss, campaign, now), now
        )
        self._do_not_call.look_at(contact, now)

    def _leave(self, list_name: str, queue: str, news: PartNews, now: datetime) -> None:
        contact_id = contact_id_of(list_name, news.number_key)
        if _open_miss(news, queue) is None and self._store.get(contact_id):
            state = _end_of(news)
            self._contacts.change(
                contact_id, lambda before: closed(before, news.call_id, state, now), now
            )


class DialledCalls:
    """Follows the calls table's stream, and has the dialler look at the calls of lists that are
    over, and again where it turns out that they ended otherwise.
    """

    def __init__(self, calls: CallRules, dialler: WorkQueue) -> None:
        self._calls = calls
        self._dialler = dialler

    def follow(self, record: Mapping[str, Any], now: datetime) -> None:
        """Raises Unavailable."""
        change = change_of(record, self._calls)
        if change is None:
            return
        before = _result_of_dialled(change.before) if change.before else None
        if _result_of_dialled(change.after) not in (None, before):
            self._dialler.send({"call_id": change.after.call_id}, now)


def _result_of_dialled(call: Call) -> Result | None:
    """None of a call that goes on, or is of no list."""
    return None if call.campaign is None or call.ended_at is None else result_of(call)


def _open_miss(news: PartNews, queue: str) -> Miss | None:
    """What waits for its customer to be won back in a queue."""
    part, outcome = news.part, news.outcome
    if part is None or part.number is None or is_erased(part.number) or part.queue != queue:
        return None
    if outcome is None or outcome.state not in UNREACHED:
        return None
    return Miss(call_id=part.call_id, number=part.number, missed_at=part.at)


def _end_of(news: PartNews) -> State:
    """Of what is no open miss of the queue."""
    if news.outcome is not None:
        return ENDS.get(news.outcome.state, State.CANCELLED)
    # Somebody answered it after all, or it was never a customer's.
    return State.RETURNED if news.part else State.CANCELLED


def pace_of(contact: Contact, campaigns: Mapping[str, Campaign]) -> Pace:
    """What a contact's calls go by: the usual in a queue's list, and in a campaign that is no
    more.
    """
    if contact.list_name.startswith(PROMISES):
        # They are called then, however often they were called before.
        return Pace(max_calls_a_day=MAX_CALLS_A_DAY, min_gap_minutes=1)
    return campaigns.get(contact.list_name, Pace())


def contacts(settings: CallListSettings) -> Contacts:
    return Contacts(contact_store(settings), WorkQueue(settings.dialler_queue), matching(settings))


def contacts_kept(settings: ContactTableSettings) -> ContactsKept:
    return ContactsKept(ContactStore(settings.contacts_table))


def dialled_calls(settings: FollowCallsSettings) -> DialledCalls:
    return DialledCalls(call_rules(settings), WorkQueue(settings.dialler_queue))


def call_list(settings: CallListSettings) -> CallList:
    return CallList(
        contact_store(settings),
        contacts(settings),
        campaigns(settings),
        missed_calls(settings),
        settings.number_plan,
    )


def do_not_call_watch(settings: FillCallListSettings) -> DoNotCallWatch:
    return DoNotCallWatch(contact_store(settings), contacts(settings), calling_rules(settings))


def list_filling(settings: FillCallListSettings) -> ListFilling:
    return ListFilling(
        part_following(settings),
        contact_store(settings),
        contacts(settings),
        campaigns(settings),
        do_not_call_watch(settings),
    )
