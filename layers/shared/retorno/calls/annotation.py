"""What operators say of calls: how they ended, whose they are, and notes."""

from collections.abc import Callable, Sequence
from datetime import datetime

from retorno.calls.model import Call, CallRules, Note, derive, disposing, linking
from retorno.calls.service import call_rules
from retorno.calls.store import CallStore, NoteStore
from retorno.customers.model import Link
from retorno.customers.service import CustomerDirectory, customer_directory
from retorno.dispositions.model import Flag
from retorno.dispositions.service import Dispositions, dispositions
from retorno.errors import Conflict, InvalidInput, NotFound
from retorno.settings import AnnotationSettings, CallLinkSettings

MAX_NOTES = 200

# Puts a number on the do-not-call list, by whom and when.
Forbid = Callable[[str, str, datetime], object]


class CallAnnotation:
    """What operators say of calls: how they ended, and notes."""

    def __init__(
        self,
        store: CallStore,
        notes: NoteStore,
        dispositions: Dispositions,
        rules: CallRules,
        forbid: Forbid,
    ) -> None:
        self._store = store
        self._notes = notes
        self._dispositions = dispositions
        self._rules = rules
        self._forbid = forbid

    def dispose(self, call_id: str, code: str, by: str, now: datetime) -> Call:
        """Gives a call a disposition; the last one counts.

        A customer who does not want to be called is put on the do-not-call list, and stays there
        whatever the call is given later.

        Raises InvalidInput for a code that is not to be given, NotFound, Unavailable.
        """
        disposition = self._dispositions.to_give(code)
        facts = self._store.amend(call_id, lambda _: disposing(disposition, by, now))
        call = derive(call_id, facts, self._rules)
        if call.number and Flag.DO_NOT_CALL in disposition.flags:
            self._forbid(call.number, by, now)
        return call

    def note(self, note: Note) -> Note:
        """Writes a note down. The same words of the same person are the same note.

        Raises Conflict where the call has too many, NotFound, Unavailable.
        """
        if self._store.get(note.call_id) is None:
            raise NotFound("there is no such call")
        if len(self._notes.of_call(note.call_id, MAX_NOTES)) == MAX_NOTES:
            raise Conflict(f"the call has {MAX_NOTES} notes, which is as many as it may have")
        return self._notes.add(note)

    def notes(self, call_id: str) -> Sequence[Note]:
        """Oldest first. Raises NotFound, Unavailable."""
        if self._store.get(call_id) is None:
            raise NotFound("there is no such call")
        return self._notes.of_call(call_id, MAX_NOTES)


class CallLinking:
    """People's choice of whose a call is."""

    def __init__(self, store: CallStore, directory: CustomerDirectory, rules: CallRules) -> None:
        self._store = store
        self._directory = directory
        self._rules = rules

    def __call__(self, call_id: str, customer_id: str | None, by: str, now: datetime) -> Link:
        """Links a call to a customer, or to nobody; later calls of its number remember it.

        Raises InvalidInput for a customer that does not exist, NotFound, Unavailable.
        """
        if customer_id is not None and not self._directory.exists(customer_id):
            raise InvalidInput("customer_id", "is no customer")
        facts = self._store.amend(call_id, lambda _: linking(customer_id, by, now))
        call = derive(call_id, facts, self._rules)
        if call.number_key and call.started_at:
            self._directory.remember(call.number_key, customer_id, call.started_at)
        (link,) = self._directory.links([call.lookup])
        return link


def call_annotation(settings: AnnotationSettings, forbid: Forbid) -> CallAnnotation:
    return CallAnnotation(
        CallStore(settings.calls_table, settings.calls_kept_days),
        NoteStore(settings.notes_table, settings.calls_kept_days),
        dispositions(settings),
        call_rules(settings),
        forbid,
    )


def call_linking(settings: CallLinkSettings) -> CallLinking:
    return CallLinking(
        CallStore(settings.calls_table, settings.calls_kept_days),
        customer_directory(settings),
        call_rules(settings),
    )
