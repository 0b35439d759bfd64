"""A call list in memory, and a dialler that does what a test says."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from threading import RLock

from retorno.errors import Conflict, NotFound, RetornoError
from retorno.phone import match_key
from retorno.promises.seam import Contact, ContactState, Wanted, contact_id_of

AT_REST = frozenset({ContactState.WAITING, ContactState.BLOCKED})


@dataclass
class FakeCallList:
    """`before_each` is called before each request, and `refusal` is raised instead of asking."""

    contacts: dict[str, Contact] = field(default_factory=dict)
    wanted: dict[str, Wanted] = field(default_factory=dict)
    before_each: Callable[[], None] = lambda: None
    refusal: RetornoError | None = None
    lock: RLock = field(default_factory=RLock)

    def ask(self, wanted: Wanted, now: datetime) -> Contact:
        self.before_each()
        if self.refusal:
            raise self.refusal
        with self.lock:
            return self._put(wanted)

    def _put(self, wanted: Wanted) -> Contact:
        contact_id = contact_id_of(wanted.list_name, match_key(wanted.number))
        before = self.contacts.get(contact_id)
        if before and before.state in {*AT_REST, ContactState.DIALLING}:
            return before
        # A list takes whoever asks again.
        self.wanted[contact_id] = wanted
        self.contacts[contact_id] = Contact(
            contact_id=contact_id,
            list_name=wanted.list_name,
            state=ContactState.WAITING,
            reason="asked",
            number=wanted.number,
            due_at=wanted.due_at,
            call_id=wanted.call_id,
        )
        return self.contacts[contact_id]

    def one(self, contact_id: str) -> Contact:
        self.before_each()
        if contact_id not in self.contacts:
            raise NotFound("there is no such contact")
        return self.contacts[contact_id]

    def withdraw(self, contact_id: str, state: ContactState, now: datetime) -> Contact:
        self.before_each()
        with self.lock:
            contact = self.contacts[contact_id]
            if contact.state not in {*AT_REST, state}:
                raise Conflict(f"the contact is {contact.state}")
            self._set(contact, state=state, reason=state.value)
            return self.contacts[contact_id]

    def dial(self, contact_id: str, now: datetime) -> None:
        with self.lock:
            contact = self.contacts[contact_id]
            assert contact.state is ContactState.WAITING
            self._set(
                contact,
                state=ContactState.DIALLING,
                attempts=contact.attempts + 1,
                first_dialled_at=contact.first_dialled_at or now,
                dialled_at=now,
            )

    def end(self, contact_id: str, result: str) -> None:
        """The call is over; of one attempt there is no second."""
        state = ContactState.REACHED if result == "human" else ContactState.BLOCKED
        self._set(self.contacts[contact_id], state=state, reason=state.value, result=result)

    def close(self, contact_id: str, state: ContactState) -> None:
        """By whatever else happens to its customer."""
        self._set(self.contacts[contact_id], state=state, reason=state.value)

    def _set(self, contact: Contact, **values: object) -> None:
        self.contacts[contact.contact_id] = contact.model_copy(update=values)
