"""WhatsApp's Cloud API in its published form: what its webhooks tell, and what it is sent.

https://developers.facebook.com/docs/whatsapp/cloud-api/webhooks/components
https://developers.facebook.com/docs/whatsapp/cloud-api/reference/messages
"""

import hashlib
import hmac
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from retorno.errors import InvalidInput, NotAuthenticated
from retorno.messages.model import (
    MAX_ID_LENGTH,
    USER_ID,
    Contact,
    Conversation,
    Delivery,
    Message,
    MessageDirection,
    Refusal,
    Told,
    received_id,
    tracker_of,
)
from retorno.phone import NumberPlan
from retorno.telephony.ports import EARLIEST, MAX_AHEAD

NAME = "whatsapp"

MAX_CONTENT_BYTES = 100_000
MAX_DETAILS = 500

# WhatsApp's own word to the company, such as that a customer has another number now.
SYSTEM = "system"

# What is common to all kinds of messages; the rest is of one kind.
ENVELOPE = frozenset({"id", "from", "from_user_id", "from_parent_user_id", "timestamp", "type"})

# Where a message of a kind has words that a person can read.
WORDS: Mapping[str, Sequence[tuple[str, ...]]] = {
    "text": [("text", "body")],
    "image": [("image", "caption")],
    "video": [("video", "caption")],
    "document": [("document", "caption"), ("document", "filename")],
    "button": [("button", "text")],
    "interactive": [
        ("interactive", "button_reply", "title"),
        ("interactive", "list_reply", "title"),
        ("interactive", "nfm_reply", "body"),
    ],
    "reaction": [("reaction", "emoji")],
    "location": [("location", "name"), ("location", "address")],
    "order": [("order", "text")],
    SYSTEM: [("system", "body")],
}

FAILED = "failed"

EPOCH_SECONDS = re.compile(r"[0-9]{1,11}")


@dataclass(frozen=True, slots=True)
class Received:
    """A message of a customer. One of WhatsApp's own opens no session."""

    contact: Contact
    message: Message

    @property
    def opens_session(self) -> bool:
        return self.message.type != SYSTEM


@dataclass(frozen=True, slots=True)
class Status:
    """What is told of a message of ours; `tracker` is what we gave along with it."""

    wamid: str
    told: Told
    tracker: str | None


@dataclass(frozen=True, slots=True)
class Reading:
    """What a webhook says. `unread` has those of its changes in which something is left that
    cannot be read, or that nobody knows, whole and in WhatsApp's own form; `left` counts it."""

    received: Sequence[Received]
    statuses: Sequence[Status]
    left: int = 0
    unread: bytes = b""


def sign(app_secret: str, body: bytes) -> str:
    """The value of X-Hub-Signature-256."""
    return "sha256=" + hmac.new(app_secret.encode(), body, hashlib.sha256).hexdigest()


def verify(app_secret: str, signature: str, body: bytes) -> None:
    """Raises NotAuthenticated."""
    given = signature.encode(errors="replace")
    if not hmac.compare_digest(sign(app_secret, body).encode(), given):
        raise NotAuthenticated("X-Hub-Signature-256 does not match the body")


def read(payload: bytes, plan: NumberPlan, now: datetime) -> Reading:
    """Raises InvalidInput for what is no webhook of WhatsApp's."""
    try:
        told = json.loads(payload, parse_constant=_refuse_constant)
    except (ValueError, RecursionError):
        raise InvalidInput("body", "is no JSON") from None
    entries = told.get("entry") if isinstance(told, dict) else None
    if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
        raise InvalidInput("entry", "must be a list of objects")
    received: list[Received] = []
    statuses: list[Status] = []
    left, unread = 0, []
    for entry in entries:
        for change in _list(entry.get("changes")) or [None]:
            found = _Change(change, plan, now)
            received += found.received
            statuses += found.statuses
            if found.left:
                left += found.left
                unread.append({**entry, "changes": [change]})
    kept = json.dumps({**told, "entry": unread}).encode() if unread else b""
    return Reading(received, statuses, left, kept)


class _Change:
    """One change of an entry, read."""

    def __init__(self, change: object, plan: NumberPlan, now: datetime) -> None:
        self.received: list[Received] = []
        self.statuses: list[Status] = []
        self.left = 0
        self._plan = plan
        self._now = now
        value = _at(change, "value")
        messages, statuses = _list(_at(value, "messages")), _list(_at(value, "statuses"))
        contacts = _list(_at(value, "contacts"))
        for each in messages:
            try:
                self.received.append(self._message(each, contacts))
            except InvalidInput:
                self.left += 1
        for each in statuses:
            try:
                self.statuses.append(self._status(each))
            except InvalidInput:
                self.left += 1
        # Another kind of news, or news that are no list.
        if not messages and not statuses:
            self.left += 1

    def _message(self, told: object, contacts: Sequence[object]) -> Received:
        if _at(told, "group_id") is not None:
            raise InvalidInput("group_id", "is a group's, and not a customer's")
        wamid, at = _id(told), self._time(told)
        contact = self._contact(told, contacts)
        kind = _text(told, "type") or "unknown"
        message = Message(
            message_id=received_id(wamid),
            conversation=contact.conversation,
            direction=MessageDirection.INBOUND,
            at=at,
            type=kind[:64],
            text=_words(told, kind),
            content=_content(told),
            wamid=wamid,
            reply_to=_text(told, "context", "id"),
        )
        return Received(contact, message)

    def _contact(self, told: object, contacts: Sequence[object]) -> Contact:
        names = [name for name in (_text(told, "from"), _text(told, "from_user_id")) if name]
        alone = contacts[0] if len(contacts) == 1 else None
        profile = next(
            (
                each
                for each in contacts
                if _at(each, "wa_id") in names or _at(each, "user_id") in names
            ),
            alone,
        )
        known = [*names, _text(profile, "wa_id"), _text(profile, "user_id")]
        user_id = next((each for each in known if each and USER_ID.fullmatch(each)), None)
        wa_id = next((each for each in known if each and each.isascii() and each.isdecimal()), None)
        if not user_id and not (wa_id and len(wa_id) <= MAX_ID_LENGTH):
            raise InvalidInput("from", "does not tell who wrote")
        # WhatsApp leaves the plus off.
        number = self._plan.parse(f"+{wa_id}") if wa_id else None
        name = _text(profile, "profile", "name") or _text(profile, "profile", "username")
        return Contact(
            number=number.e164 if number else None,
            wa_id=wa_id,
            user_id=user_id,
            name=name and name[:256],
        )

    def _status(self, told: object) -> Status:
        wamid, at, status = _id(told), self._time(told), _text(told, "status")
        if status == FAILED:
            news = Told(refusal=refusal_of(_at(told, "errors", 0), at))
        elif status in list(Delivery):
            news = Told(deliveries={Delivery(status): at})
        else:
            raise InvalidInput("status", "is none that is known")
        return Status(wamid, news, _text(told, "biz_opaque_callback_data"))

    def _time(self, told: object) -> datetime:
        written = str(_at(told, "timestamp"))
        if not EPOCH_SECONDS.fullmatch(written):
            raise InvalidInput("timestamp", "is not in epoch seconds")
        at = datetime.fromtimestamp(int(written), UTC)
        if not EARLIEST <= at <= self._now + MAX_AHEAD:
            raise InvalidInput("timestamp", "is a broken clock's")
        return at


def refusal_of(error: object, at: datetime) -> Refusal:
    """The same for an error of a webhook and for one that an order is answered with."""
    code = _at(error, "code")
    details = (
        _text(error, "error_data", "details") or _text(error, "message") or _text(error, "title")
    )
    known = isinstance(code, int) and not isinstance(code, bool) and abs(code) < 2**31
    return Refusal(at=at, code=code if known else None, details=(details or "")[:MAX_DETAILS])


def order_of(message: Message, conversation: Conversation) -> dict[str, Any]:
    """What WhatsApp is sent for the last attempt of a message. Who wrote to us is answered under
    the very id that they wrote with."""
    order: dict[str, Any] = {
        "messaging_product": "whatsapp",
        "recipient_type": "individual",
        "biz_opaque_callback_data": tracker_of(message.message_id, len(message.attempts)),
        **_recipient(conversation),
        "type": message.type,
    }
    if message.template is None:
        return order | {"text": {"body": message.text}}
    template: dict[str, Any] = {
        "name": message.template.name,
        "language": {"code": message.template.language},
    }
    if message.template.parameters:
        parameters = [{"type": "text", "text": each} for each in message.template.parameters]
        template["components"] = [{"type": "body", "parameters": parameters}]
    return order | {"template": template}


def _recipient(conversation: Conversation) -> dict[str, str]:
    number = conversation.wa_id or (conversation.number or "").removeprefix("+")
    if number:
        return {"to": number}
    return {"recipient": conversation.user_id or ""}


def _words(told: object, kind: str) -> str | None:
    found = (_text(told, *path) for path in WORDS.get(kind, ()))
    if kind == "contacts":
        found = (
            ", ".join(filter(None, (_text(each, "name", "formatted_name") for each in people)))
            for people in [_list(_at(told, "contacts"))]
        )
    return next((text for text in found if text), None)


def _content(told: object) -> Mapping[str, Any]:
    """Raises InvalidInput for what is too large, or cannot be written as text."""
    fields = told.items() if isinstance(told, dict) else ()
    content = {name: value for name, value in fields if name not in ENVELOPE}
    if _text(told, "text", "body") is not None:
        del content["text"]
    try:
        size = len(json.dumps(content, ensure_ascii=False).encode())
    except ValueError:
        raise InvalidInput("messages", "holds half a character") from None
    if size > MAX_CONTENT_BYTES:
        raise InvalidInput("messages", "is too large")
    return content


def _id(told: object) -> str:
    wamid = _text(told, "id")
    if not wamid or len(wamid) > MAX_ID_LENGTH:
        raise InvalidInput("id", "is required")
    return wamid


def _at(told: object, *path: str | int) -> Any:
    """What is at a path; None where there is nothing."""
    for name in path:
        if isinstance(name, str) and isinstance(told, dict):
            told = told.get(name)
        elif isinstance(name, int) and isinstance(told, list) and len(told) > name:
            told = told[name]
        else:
            return None
    return told


def _text(told: object, *path: str | int) -> str | None:
    """Text that can be written; None for all else."""
    found = _at(told, *path)
    if not isinstance(found, str):
        return None
    return found.encode(errors="replace").decode() or None


def _list(told: object) -> list[Any]:
    return told if isinstance(told, list) else []


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is no JSON")
