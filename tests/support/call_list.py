"""A call list in memory, its contacts by the rules of the real one, and a hand to dial them."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from threading import RLock

from retorno.callback_campaigns.model import Pace, Result
from retorno.callbacks.model import (
    AT_REST,
    Contact,
    State,
    Wanted,
    asked,
    called_off,
    contact_id_of,
    ended,
    placed,
    reserved,
    withdrawn,
)
from retorno.errors import Conflict, NotFound, RetornoError
from retorno.phone import match_key


@dataclass
class FakeCallList:
    """`before_each` is called before each request, and `refusal` is raised instead of asking."""

    contacts: dict[str, Contact] = field(default_factory=dict)
    before_each: Callable[[], None] = lambda: None
    refusal: RetornoError | None = None
    lock: RLock = field(default_factory=RLock)

    def ask(self, wanted: Wanted, now: datetime) -> Contact:
        self.before_each()
        if self.refusal:
            raise self.refusal
        contact_id = contact_id_of(wanted.list_name, match_key(wanted.number))
        with self.lock:
            return self._keep(asked(self.contacts.get(contact_id), wanted, now))

    def one(self, contact_id: str) -> Contact:
        self.before_each()
        if contact_id not in self.contacts:
            raise NotFound("there is no such contact")
        return self.contacts[contact_id]

    def withdraw(self, contact_id: str, state: State, now: datetime) -> Contact:
        self.before_each()
        with self.lock:
            contact = self.contacts[contact_id]
            if contact.state not in {*AT_REST, state}:
                raise Conflict(f"the contact is {contact.state}")
            return self._keep(withdrawn(contact, state, state.value, now))

    def call_off(self, list_name: str, now: datetime) -> None:
        self.before_each()
        with self.lock:
            if contact := self.contacts.get(contact_id_of(list_name, "")):
                self._keep(called_off(contact, State.CANCELLED, "cancelled", now))

    def dial(self, contact_id: str, now: datetime) -> None:
        with self.lock:
            contact = self.contacts[contact_id]
            assert contact.state is State.WAITING
            dialling = reserved(contact, "ana", now)
            dial_id = dialling.dial_id or ""
            self._keep(placed(dialling, dial_id, f"call-{dial_id}", now, now))

    def end(self, contact_id: str, result: str, now: datetime) -> None:
        """The call is over."""
        with self.lock:
            contact = self.contacts[contact_id]
            self._keep(ended(contact, contact.dial_id or "", Result(result), now, Pace(), now))

    def _keep(self, contact: Contact) -> Contact:
        self.contacts[contact.contact_id] = contact
        return contact
