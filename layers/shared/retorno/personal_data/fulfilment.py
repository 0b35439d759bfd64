"""Does what was asked for of one person's data, in every context that has some."""

import time
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime

from retorno.callbacks.personal_data import contacts_of_person
from retorno.calling_rules.personal_data import do_not_call_of_person
from retorno.calls.personal_data import calls_of_person
from retorno.customers.personal_data import CustomersOfPerson, customers_of_person
from retorno.dialling.personal_data import dials_of_person
from retorno.dynamodb import Refused
from retorno.messages.personal_data import conversations_of_person
from retorno.personal_data.files import Bucket, FilesOfPerson
from retorno.personal_data.model import (
    LOOKS_AGAIN_AFTER,
    Hold,
    Kind,
    Request,
    State,
)
from retorno.personal_data.service import KIND, REQUEST
from retorno.personal_data.store import PersonalDataStore
from retorno.persons import Erased, KeptData, Person, PersonalData
from retorno.promises.personal_data import promises_of_person
from retorno.quotes.personal_data import quotes_of_person
from retorno.realtime.personal_data import sights_of_person
from retorno.recovery.personal_data import missed_calls_of_person
from retorno.retention import HELD, release
from retorno.retention import hold as keep
from retorno.settings import FulfilPersonalDataSettings
from retorno.telemarketing.assignments.personal_data import assignments_of_person
from retorno.telemarketing.operations.personal_data import operations_of_person
from retorno.times import stamp
from retorno.voicemail.personal_data import answers_of_person
from retorno.waits.personal_data import waits_of_person
from retorno.work import WorkQueue

# A function has 15 minutes; what it is at when the time is over may take some.
WORK_SECONDS = 600.0

# What an erasure waits for that was asked for right after a hold was lifted.
HOLDS = "holds"

# What is kept for so many days, 0 for ever.
KeptFor = tuple[int, Sequence[KeptData]]


@dataclass(frozen=True, slots=True)
class Look:
    """What one look rewrote, by name; what is in somebody's hands; and whether it saw all."""

    items: Counter[str]
    waits_for: Sequence[str]
    whole: bool


class Fulfilment:
    """Does what was asked for. The order of `contexts` counts: nobody is dialled any more before
    anything else, missed calls go before their calls, and customers last, by whom others are found.
    """

    def __init__(
        self,
        store: PersonalDataStore,
        contexts: Sequence[PersonalData],
        kept: Sequence[KeptFor],
        customers: CustomersOfPerson,
        queue: WorkQueue,
        files: Bucket,
        stopwatch: Callable[[], float] = time.monotonic,
    ) -> None:
        self._store = store
        self._contexts = contexts
        self._kept = kept
        self._customers = customers
        self._queue = queue
        self._files = files
        self._stopwatch = stopwatch

    def take(self, body: str, now: datetime) -> None:
        """Of the queue. Told twice, or broken off anywhere, it does no harm. Raises Unavailable."""
        message = self._queue.read(body, now)
        if message is None:
            return
        # Somebody else who is at it writes what became of it.
        with suppress(Refused):
            if message[KIND] == Kind.HOLD:
                self._hold(message[REQUEST], now)
            else:
                self._fulfil(Kind(message[KIND]), message[REQUEST], now)

    def resume(self, now: datetime) -> int:
        """Has all that is not over looked at again, and all that is held: something may have ended
        since, or come. What is kept for a time is kept for 100 days at least. Says how many.

        Raises Unavailable.
        """
        messages = [{KIND: kind.value, REQUEST: found} for kind, found in self._store.open()]
        self._queue.send_all(messages, now)
        return len(messages)

    def _fulfil(self, kind: Kind, request_id: str, now: datetime) -> None:
        request = self._store.request(kind, request_id)
        if request is None or request.person is None:
            return
        if kind is Kind.EXPORT:
            self._export(request, request.person, now)
        else:
            self._erase(request, request.person, now)

    def _erase(self, request: Request, person: Person, now: datetime) -> None:
        holds = [hold for each in person.number_keys if (hold := self._store.hold(each))]
        if not all(hold.lifted_at for hold in holds):
            self._store.save(request.ended(State.HELD, now))
            return
        # What was held is found by the number until it is released.
        look = Look(Counter(), [HOLDS], whole=True) if holds else self._look(person, now)
        looked = request.looked(look.items, look.waits_for, now, whole=look.whole)
        self._store.save(looked)
        if not looked.is_over:
            message = {KIND: looked.kind.value, REQUEST: looked.request_id}
            self._queue.send(message, now, now + LOOKS_AGAIN_AFTER if look.whole else None)

    def _look(self, person: Person, now: datetime) -> Look:
        deadline = self._stopwatch() + WORK_SECONDS
        items: Counter[str] = Counter()
        waits_for: dict[str, None] = {}
        for context in self._contexts:
            for erased in context.erase(person, now):
                if erased is Erased.LATER:
                    waits_for[context.name] = None
                else:
                    items[context.name] += 1
                if self._stopwatch() > deadline:
                    return Look(items, list(waits_for), whole=False)
        return Look(items, list(waits_for), whole=True)

    def _hold(self, number_key: str, now: datetime) -> None:
        hold = self._store.hold(number_key)
        if hold is None:
            return
        owners = (each.customer.customer_id for each in self._customers.own(number_key))
        known = hold.of(owners)
        if known != hold:
            known = self._store.save_hold(known)
        look = self._look_at_kept(known, now)
        again = {KIND: Kind.HOLD, REQUEST: number_key}
        if not look.whole:
            self._queue.send(again, now)
        elif not known.lifted_at:
            self._store.save_hold(known.model_copy(update={"looked_at": now}))
        elif known.is_released(now) and not look.items:
            self._store.forget_hold(known)
        else:
            self._queue.send(again, now, now + LOOKS_AGAIN_AFTER)

    def _look_at_kept(self, hold: Hold, now: datetime) -> Look:
        """Holds what would expire, or, of a hold that is lifted, releases what is held: if another
        one holds it too, that does so again within a day, before anything is dropped.
        """
        deadline = self._stopwatch() + WORK_SECONDS
        items: Counter[str] = Counter()
        for kept_days, contexts in self._kept:
            for context in contexts:
                for item in context.kept(hold.person):
                    if hold.lifted_at and item.expires_at == HELD:
                        release(item, kept_days, now)
                        items[HOLDS] += 1
                    elif not hold.lifted_at and item.expires_at not in (None, HELD):
                        keep(item)
                        items[HOLDS] += 1
                    if self._stopwatch() > deadline:
                        return Look(items, [], whole=False)
        return Look(items, [], whole=True)

    def _export(self, request: Request, person: Person, now: datetime) -> None:
        data = {context.name: list(context.show(person)) for context in self._contexts}
        content = {
            "numbers": list(person.pseudonyms),
            "customers": list(person.customers),
            "made_at": stamp(now),
            "data": data,
        }
        self._files.put_export(request.request_id, content)
        items = {name: len(found) for name, found in data.items() if found}
        self._store.save(request.model_copy(update={"items": items}).ended(State.DONE, now))


def fulfilment(settings: FulfilPersonalDataSettings) -> Fulfilment:
    files = Bucket(settings.files_bucket)
    contacts, promises = contacts_of_person(settings), promises_of_person(settings)
    dials, conversations = dials_of_person(settings), conversations_of_person(settings)
    quotes, operations = quotes_of_person(settings), operations_of_person(settings)
    assignments, missed = assignments_of_person(settings), missed_calls_of_person(settings)
    calls, customers = calls_of_person(settings), customers_of_person(settings)
    answers, waits = answers_of_person(settings, calls), waits_of_person(settings, calls)
    contexts: tuple[PersonalData, ...] = (
        contacts,
        promises,
        dials,
        conversations,
        quotes,
        operations,
        assignments,
        missed,
        calls,
        sights_of_person(settings),
        do_not_call_of_person(settings),
        FilesOfPerson((files, Bucket(settings.kept_payloads_bucket))),
        customers,
    )
    kept: tuple[KeptFor, ...] = (
        (settings.calls_kept_days, (contacts, promises, dials, missed, calls, answers, waits)),
        (settings.messages_kept_days, (conversations,)),
        (settings.operations_kept_days, (quotes, operations, assignments)),
    )
    return Fulfilment(
        PersonalDataStore(settings.personal_data_table),
        contexts,
        kept,
        customers,
        WorkQueue(settings.personal_data_queue),
        files,
    )
