"""Conversations on WhatsApp as they take place: operators at their screens, customers at their
telephones, and WhatsApp between them.
"""

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from random import Random
from threading import Event as Signal

from local.client import Client
from local.simulate.chats import (
    Arrives,
    Chat,
    Sends,
    Step,
    Writes,
    chat_differences,
    summary,
)
from local.simulate.floor import OPENS_AFTER
from local.whatsapp import Fate, WhatsApp

CREDENTIALS = ("app_secret", "access_token")

# Seconds, in real time.
BETWEEN_STEPS = (1, 3)
BETWEEN_LOOKS = 0.5


class Messenger:
    """What an operator and their customers write to each other, in those of the chats that are the
    operator's."""

    def __init__(
        self, agent: str, client: Client, whatsapp: WhatsApp, chats: Sequence[Chat], seed: int
    ) -> None:
        self._client = client
        self._whatsapp = whatsapp
        self._chats = [chat for chat in chats if chat.agent == agent]
        self._random = Random(f"{seed} messenger {agent}")

    def work(self, closing: Signal) -> None:
        """Until all is said, or it closes. Raises CloudError."""
        closing.wait(OPENS_AFTER)
        while going_on := [chat for chat in self._chats if chat.steps]:
            chat = self._random.choice(going_on)
            if closing.wait(self._random.uniform(*BETWEEN_STEPS)):
                return
            self._do(chat, chat.steps.popleft(), closing)

    def _do(self, chat: Chat, step: Step, closing: Signal) -> None:
        match step:
            case Writes():
                self._write(chat, step)
            case Sends():
                self._send(chat, step, closing)
            case Arrives():
                self._arrive(chat)

    def _write(self, chat: Chat, step: Writes) -> None:
        told = step.told(datetime.now(UTC))
        chat.wrote(told)
        ids: dict[str, str] = {}
        for text, at in told:
            again = {"id": ids[text]} if text in ids else {}
            sent = {"timestamp": str(int(at.timestamp())), **again}
            name = chat.customer.name or ""
            ids[text] = self._whatsapp.write(chat.address, text, name, **sent)

    def _send(self, chat: Chat, step: Sends, closing: Signal) -> None:
        """Once the operator has read what the customer wrote."""
        number = chat.customer.number
        while chat.unread:
            if self._client.conversation(number).get("unread") == chat.unread:
                self._client.read_conversation(number)
                chat.unread = 0
            elif closing.wait(BETWEEN_LOOKS):
                return
        chat.fate = step.fate or Fate()
        key = f"{number} {len(chat.said)} {chat.refused}".replace(" ", "-")
        chat.answered(step, self._client.send_message(number, step.wish, key))

    def _arrive(self, chat: Chat) -> None:
        last = next(each for each in reversed(self._whatsapp.messages) if each.to in chat.addresses)
        status = {
            "id": last.wamid,
            "status": "delivered",
            "timestamp": str(int(datetime.now(UTC).timestamp())),
            "recipient_id": last.to,
        }
        body = self._whatsapp.payload({"statuses": [status]})
        self._client.tell_as_whatsapp(body, self._whatsapp.headers(body))


def network(chats: Sequence[Chat], credentials: Mapping[str, str], run_id: str) -> WhatsApp:
    """WhatsApp, which makes of each message what was written beforehand. No two runs share the id
    of a message."""

    def fate(address: str) -> Fate:
        return next(chat for chat in chats if address in chat.addresses).ordered()

    seed = int.from_bytes(run_id.encode(), "big")
    return WhatsApp(credentials["app_secret"], credentials["access_token"], seed, fate=fate)


class Conversations:
    """All that was said, by all."""

    name = "Messages"

    def __init__(self, supervisor: Client, chats: Sequence[Chat]) -> None:
        self.chats = chats
        self._client = supervisor

    def summary(self) -> str:
        return summary(self.chats)

    def differences(self) -> Iterator[str]:
        """Raises CloudError."""
        for chat in self.chats:
            number = chat.customer.number
            conversation = self._client.conversation(number)
            messages = self._client.messages(number) if conversation else ()
            yield from chat_differences(chat, conversation, messages)
