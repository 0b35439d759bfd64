"""Promising customers a time to be called back at, and keeping the promise."""

from collections.abc import Collection, Mapping, Sequence
from contextlib import suppress
from datetime import datetime

from retorno.agents.service import Agents, agents
from retorno.callbacks.model import Contact, contact_id_of
from retorno.callbacks.model import State as ContactState
from retorno.callbacks.service import CallList, call_list
from retorno.calling_rules.model import Facts
from retorno.calling_rules.service import CallingRules, calling_rules
from retorno.dialling.model import Asker
from retorno.dynamodb import Refused
from retorno.errors import (
    Conflict,
    InvalidInput,
    NotAllowed,
    NotFound,
    PreconditionFailed,
    RetornoError,
    Unavailable,
)
from retorno.moments import moment_to_come
from retorno.observability import count, logger
from retorno.phone import match_key
from retorno.promises.model import (
    CANCELLABLE,
    CHANGEABLE,
    MAX_AHEAD,
    Promise,
    PromiseFilter,
    PromiseWish,
    State,
    first_check,
    promise_id_of,
)
from retorno.promises.store import PromisePage, PromiseStore, position_of
from retorno.schedules import Schedules
from retorno.settings import KeepPromisesSettings, PromiseSettings, PromiseTableSettings

# Each loser of a race looks again at what the winner wrote; so many losses are no race.
MAX_LOOKS = 20

# How many promises one run looks at; the next run takes the rest.
CHECK_LIMIT = 500

# A list that is filtered looks at so many promises for one page, so many at a time.
FILTER_LIMIT = 1_000
LOOK_AT_ONCE = 100

ENDS: Mapping[State, str] = {
    State.KEPT: "PromisesKept",
    State.LATE: "PromisesLate",
    State.MISSED: "PromisesMissed",
    State.FORBIDDEN: "PromisesForbidden",
    State.CANCELLED: "PromisesCancelled",
}


class Keeping:
    """Brings promises onto the call list when their time is near, and says what became of them."""

    def __init__(self, store: PromiseStore, schedules: Schedules, calls: CallList) -> None:
        self._store = store
        self._schedules = schedules
        self._calls = calls

    def fire(self, promise_id: str, version: int, now: datetime) -> None:
        """The time of a version is near. Of another version than the one that stands, of one that
        is cancelled, or told again, it changes nothing. Raises Unavailable.
        """
        for _ in range(MAX_LOOKS):
            promise = self._store.get(promise_id)
            if promise is None or (promise.version, promise.state) != (version, State.PROMISED):
                return
            with suppress(Refused):
                self._list(promise, now)
                return
        raise Unavailable("the promise is being written by too many at once")

    def check(self, now: datetime) -> None:
        """Looks at those whose `check_at` has come: what a schedule or a crash left undone is
        done, and what became of a contact is taken over.

        Raises Unavailable once all were looked at, if some could not be.
        """
        failed = 0
        for promise_id in self._store.to_check(now, CHECK_LIMIT):
            try:
                self._look_after(promise_id, now)
            except RetornoError:
                logger.exception("a promise could not be looked after", promise_id=promise_id)
                failed += 1
        if failed:
            raise Unavailable(f"{failed} promises could not be looked after")

    def arrange(self, promise: Promise, now: datetime) -> Promise:
        """Has a promise that was just written come onto the list in time. Where something does not
        answer, `check` does it; so the promise stands, whatever happens here.
        """
        try:
            return self._prepare(promise, now)
        except Unavailable:
            logger.exception("a promise waits for its check", promise_id=promise.promise_id)
        except Refused:
            return self._store.get(promise.promise_id) or promise
        return promise

    def call_off(
        self, promise: Promise, state: ContactState, allowed: Collection[State], now: datetime
    ) -> None:
        """Takes a promise off the call list, if it is there. `allowed` is what may have become of
        it there.

        Raises Conflict where something else did, the customer is being called, or the contact is
        just being made; Unavailable.
        """
        if promise.state is not State.LISTED:
            return
        if promise.contact_id is None:
            raise Conflict("the promise is just coming onto the call list; try again in a minute")
        settled = promise.settled(self._calls.one(promise.contact_id))
        if settled == promise:
            settled = promise.settled(self._calls.withdraw(promise.contact_id, state, now))
        if settled.state not in allowed:
            raise Conflict(f"the promise is {settled.state}")

    def drop_schedule(self, promise: Promise) -> None:
        """One that stays would fire for nothing."""
        try:
            self._schedules.drop(_schedule_name(promise))
        except Unavailable:
            logger.exception("a schedule is left over", promise_id=promise.promise_id)

    def _look_after(self, promise_id: str, now: datetime) -> None:
        for _ in range(MAX_LOOKS):
            promise = self._store.get(promise_id)
            # The index may be behind.
            if promise is None or promise.check_at is None or promise.check_at > now:
                return
            with suppress(Refused):
                if promise.state is State.PROMISED:
                    self._prepare(promise, now)
                    count("PromisesCaught")
                else:
                    self._follow(promise, now)
                return
        raise Unavailable("the promise is being written by too many at once")

    def _prepare(self, promise: Promise, now: datetime) -> Promise:
        if promise.lists_at <= now:
            return self._list(promise, now)
        message = {"promise_id": promise.promise_id, "version": str(promise.version)}
        self._schedules.put(_schedule_name(promise), promise.lists_at, message)
        return self._store.save(promise.scheduled())

    def _list(self, promise: Promise, now: datetime) -> Promise:
        """In two steps, and the first is a lease: nobody else makes a contact before `check_at`.
        So none is made for a promise that was cancelled or changed meanwhile.
        """
        if promise.state is State.PROMISED and now > promise.until:
            return self.end(promise.ended(State.MISSED, "nobody looked in time"))
        leased = self._store.save(promise.listed(now))
        # A list takes anew whoever asks again, be it after their call.
        made = self._made(promise) if promise.state is State.LISTED else None
        contact = made or self._calls.ask(promise.wanted(), now)
        return self._store.save(leased.with_contact(contact.contact_id))

    def _made(self, promise: Promise) -> Contact | None:
        """The contact of which whoever made it did not live to tell."""
        wanted = promise.wanted()
        try:
            return self._calls.one(contact_id_of(wanted.list_name, match_key(wanted.number)))
        except NotFound:
            return None

    def _follow(self, promise: Promise, now: datetime) -> Promise:
        if promise.contact_id is None:
            return self._list(promise, now)
        contact = self._calls.one(promise.contact_id)
        settled = promise.settled(contact)
        if settled == promise and now > promise.until:
            # Unless it is being dialled at this moment.
            with suppress(Conflict):
                self._calls.withdraw(contact.contact_id, ContactState.EXPIRED, now)
                settled = promise.ended(State.MISSED, contact.reason)
        return self._store.save(promise.listed(now)) if settled == promise else self.end(settled)

    def end(self, promise: Promise) -> Promise:
        """Writes and counts one that is over. Raises Refused, Unavailable."""
        ended = self._store.save(promise)
        count(ENDS[ended.state])
        return ended


class Promises:
    """Promises as people make, see, change and cancel them.

    `by` is an operator, who may change their own and those of nobody in particular, and None for
    whoever may change any. `expected` is the version that a person saw, None for any.
    """

    def __init__(
        self,
        store: PromiseStore,
        keeping: Keeping,
        rules: CallingRules,
        agents: Agents,
    ) -> None:
        self._store = store
        self._keeping = keeping
        self._rules = rules
        self._agents = agents

    def make(self, wish: PromiseWish, key: str, asker: Asker, now: datetime) -> Promise:
        """Promises a call, or shows what has become of it: the same person's same key is the same
        promise.

        Raises InvalidInput; CallForbidden where a rule forbids the time, and it is not to be moved;
        Unavailable.
        """
        promise_id = promise_id_of(asker, key)
        found = self._store.get(promise_id)
        if found is None:
            new = self._new(promise_id, wish, asker.name, now, now)
            try:
                return self._keeping.arrange(self._store.save(new), now)
            except Refused:
                found = self.one(promise_id)
        if found.wish_digest != wish.digest:
            raise InvalidInput("Idempotency-Key", "was used for another request")
        return found

    def one(self, promise_id: str) -> Promise:
        """Raises NotFound, Unavailable."""
        found = self._store.get(promise_id)
        if found is None:
            raise NotFound("there is no such promise")
        return found

    def page(
        self, wanted: PromiseFilter, limit: int, start: Mapping[str, str] | None
    ) -> PromisePage:
        """Those of a day by their time; without a day those of a state, the latest first.

        It looks at 1,000 at most; a page may be short, or empty, and there are more. Raises
        Unavailable.
        """
        found: list[Promise] = []
        for _ in range(FILTER_LIMIT // LOOK_AT_ONCE):
            page = self._store.page(wanted, min(limit, LOOK_AT_ONCE), start)
            found += page.promises
            start = page.next_start
            if start is None or len(found) >= limit:
                break
        if len(found) > limit:
            return PromisePage(found[:limit], position_of(found[limit - 1]))
        return PromisePage(found, start)

    def change(
        self,
        promise_id: str,
        wish: PromiseWish,
        expected: int | None,
        by: Asker | None,
        now: datetime,
    ) -> Promise:
        """Promises another call in place of one that nobody made yet, be it missed.

        Raises NotFound, NotAllowed, PreconditionFailed; Conflict where the customer was called, or
        is just being called; what `make` raises.
        """
        for _ in range(MAX_LOOKS):
            before = self._own(promise_id, expected, by)
            if before.state not in CHANGEABLE:
                raise Conflict(f"the promise is {before.state}")
            new = self._new(promise_id, wish, before.asked_by, before.asked_at, now)
            after = new.in_place_of(before)
            # Should the next step fail, it is missed, and so reported; not lost.
            allowed = CHANGEABLE | {State.CANCELLED}
            self._keeping.call_off(before, ContactState.EXPIRED, allowed, now)
            try:
                saved = self._store.save(after)
            except Refused:
                continue
            self._keeping.drop_schedule(before)
            return self._keeping.arrange(saved, now)
        raise Unavailable("the promise is being written by too many at once")

    def cancel(
        self, promise_id: str, expected: int | None, by: Asker | None, now: datetime
    ) -> None:
        """Cancelling twice does nothing more.

        Raises NotFound, NotAllowed, PreconditionFailed; Conflict where the customer was called, or
        is just being called, and where the promise was missed; Unavailable.
        """
        for _ in range(MAX_LOOKS):
            promise = self._own(promise_id, expected, by)
            if promise.state is State.CANCELLED:
                return None
            if promise.state not in CANCELLABLE:
                raise Conflict(f"the promise is {promise.state}")
            self._keeping.call_off(promise, ContactState.CANCELLED, {State.CANCELLED}, now)
            try:
                self._keeping.end(promise.ended(State.CANCELLED))
            except Refused:
                continue
            return self._keeping.drop_schedule(promise)
        raise Unavailable("the promise is being written by too many at once")

    def _own(self, promise_id: str, expected: int | None, by: Asker | None) -> Promise:
        promise = self.one(promise_id)
        if by and not promise.may_be_changed_by(by):
            raise NotAllowed("another operator's promise is for supervisors to change")
        if expected not in (None, promise.version):
            raise PreconditionFailed("the promise was changed since; look at it again")
        return promise

    def _new(
        self, promise_id: str, wish: PromiseWish, asked_by: str, asked_at: datetime, now: datetime
    ) -> Promise:
        """As a wish makes it; its time may be moved to where the rules allow it."""
        at = moment_to_come(wish.at, wish.time_zone, now, MAX_AHEAD)
        queue = self._queue(wish)
        facts = Facts(requested_at=asked_at)
        check = self._rules.check(wish.number, wish.purpose, at, facts)
        allowed_at = check.decision.next_allowed_at
        if allowed_at is None or (allowed_at != at and not wish.move):
            raise check.refusal
        return Promise(
            promise_id=promise_id,
            wish_digest=wish.digest,
            number=check.number.e164,
            queue=queue,
            agent=wish.agent,
            purpose=wish.purpose,
            note=wish.note,
            call_id=wish.call_id,
            at=allowed_at,
            moved_from=at if allowed_at != at else None,
            time_zone=str(wish.time_zone or check.decision.place.zones[0]),
            tolerance_minutes=wish.tolerance_minutes,
            asked_at=asked_at,
            asked_by=asked_by,
            check_at=first_check(allowed_at, now),
        )

    def _queue(self, wish: PromiseWish) -> str:
        queues: Sequence[str] = ()
        if wish.agent is not None:
            try:
                queues = self._agents.one(wish.agent).agent.queues
            except NotFound:
                raise InvalidInput("agent", "is not registered") from None
        queue = wish.queue or next(iter(queues), None)
        if queue is None:
            raise InvalidInput("queue", "is required, as no agent with a queue is named")
        return queue


class PromisesMade:
    """Promises for those who look at what becomes of them."""

    def __init__(self, store: PromiseStore) -> None:
        self._store = store

    def at(self, promise_ids: Sequence[str]) -> Sequence[Promise]:
        """Those that exist, as they are at this moment. Raises Unavailable."""
        return self._store.get_many(promise_ids)


def _schedule_name(promise: Promise) -> str:
    return f"promise-{promise.promise_id}-{promise.version}"


def keeping(settings: KeepPromisesSettings) -> Keeping:
    return Keeping(
        PromiseStore(settings.promises_table, settings.time_zone, settings.calls_kept_days),
        Schedules(
            settings.promise_schedules,
            settings.promises_queue_arn,
            settings.scheduler_role_arn,
            settings.promise_dead_letters_arn,
        ),
        call_list(settings),
    )


def promises_made(settings: PromiseTableSettings) -> PromisesMade:
    return PromisesMade(PromiseStore(settings.promises_table, settings.time_zone))


def promises(settings: PromiseSettings) -> Promises:
    return Promises(
        PromiseStore(settings.promises_table, settings.time_zone, settings.calls_kept_days),
        keeping(settings),
        calling_rules(settings),
        agents(settings),
    )
