"""What was said with a person on WhatsApp."""

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

from retorno.messages.model import WHATSAPP, Conversation
from retorno.messages.store import Changed, MessageStore
from retorno.persons import Erased, Person
from retorno.retention import KeptItem
from retorno.settings import MessageSettings


class ConversationsOfPerson:
    """Conversations go as a whole: no figure is made of them, and WhatsApp's ids of messages hold
    the number. What is told of a message later than that is forgotten after 30 days.
    """

    name = "messages"

    def __init__(self, store: MessageStore) -> None:
        self._store = store

    def show(self, person: Person) -> Iterator[Mapping[str, Any]]:
        for conversation in self._conversations(person):
            for message in self._store.all_messages(conversation):
                yield message.model_dump(mode="json", exclude={"revision"}, exclude_none=True)

    def erase(self, person: Person, now: datetime) -> Iterator[Erased]:
        for key in self._conversations(person):
            conversation = self._store.conversation(key)
            for message in self._store.all_messages(key):
                self._store.forget_message(message)
                yield Erased.DONE
            if conversation:
                yield self._forget(conversation)

    def kept(self, person: Person) -> Iterator[KeptItem]:
        for key in self._conversations(person):
            yield from self._store.kept(key)

    def _conversations(self, person: Person) -> Iterator[str]:
        """What they wrote before they showed their number comes first: the other leads to it."""
        for number_key in person.number_keys:
            found = self._store.conversation(number_key)
            if found and found.user_id:
                yield f"{WHATSAPP}{found.user_id}"
            yield number_key

    def _forget(self, conversation: Conversation) -> Erased:
        try:
            self._store.forget(conversation)
        except Changed:
            return Erased.LATER
        return Erased.DONE


def conversations_of_person(settings: MessageSettings) -> ConversationsOfPerson:
    return ConversationsOfPerson(MessageStore(settings.messages_table))
