"""Conversations on WhatsApp without any I/O: what is said in each, and what WhatsApp makes of it,
written beforehand from one seed; what was said of that; and where the API tells of it otherwise.
"""

from collections import Counter, deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import cycle, zip_longest
from random import Random
from typing import Any

from local.simulate.people import MOBILE_FIRST_DIGITS, Customer
from local.whatsapp import Fate
from local.words import mask

Answer = Mapping[str, Any]

CHATS = 20

NO_SESSION = 131047

TEMPLATE, UNKNOWN_TEMPLATE = "retorno_de_contato", "promocao_antiga"

FAILED = "failed"

READ, UNREAD, IS_OFF = Fate(), Fate(reaches="delivered"), Fate(reaches="sent")
NOT_APPROVED, LOCKED_OUT = Fate(refused=132001), Fate(refused=131031)
NOT_ON_WHATSAPP, IN_AN_EXPERIMENT, HELD_BACK = (
    Fate(failed=131026),
    Fate(failed=130472),
    Fate(failed=131049),
)


@dataclass(frozen=True)
class Writes:
    """The customer does. Of several texts, one a second, the last is told first."""

    texts: tuple[str, ...]
    times_told: int = 1

    def told(self, now: datetime) -> list[tuple[str, datetime]]:
        """With their times, which WhatsApp has in whole seconds, in the order of telling."""
        last = now.replace(microsecond=0)
        texts = list(enumerate(reversed(self.texts)))
        return [(text, last - timedelta(seconds=age)) for age, text in texts] * self.times_told


@dataclass(frozen=True)
class Sends:
    """The agent does, a text or a template. Without a fate, Retorno refuses it: there is no
    session."""

    fate: Fate | None
    text: str | None = None
    template: str | None = None

    @property
    def wish(self) -> dict[str, Any]:
        if self.template is None:
            return {"text": self.text}
        return {"template": {"name": self.template, "language": "pt_BR"}}


@dataclass(frozen=True)
class Arrives:
    """The last message of the agent's does, after WhatsApp told that it had failed."""


Step = Writes | Sends | Arrives

ASKS = Writes(("Bom dia! Ainda dá para mudar meu plano?",))
ASKS_IN_PARTS = Writes(("Oi, liguei agora há pouco", "e ninguém atendeu"))
IS_TOLD_TWICE = Writes(("Vocês abrem no sábado?",), times_told=2)
ACCEPTS = Writes(("Pode ligar agora.",))
THANKS = Writes(("Obrigado!",))
ANSWER = "Claro! Já vejo isso para você."
OFFER = "Olá! Vimos que você nos ligou. Posso ajudar?"
INVITES = Sends(READ, template=TEMPLATE)
HAS_NO_SESSION = Sends(None, OFFER)

Story = tuple[Step, ...]

STORIES: Sequence[Story] = (
    (ASKS, Sends(READ, ANSWER), THANKS),
    (ASKS_IN_PARTS, Sends(READ, ANSWER), ACCEPTS),
    (IS_TOLD_TWICE, Sends(UNREAD, ANSWER)),
    (HAS_NO_SESSION, INVITES, ACCEPTS, Sends(READ, ANSWER)),
    (Sends(IS_OFF, template=TEMPLATE),),
    (Sends(NOT_APPROVED, template=UNKNOWN_TEMPLATE), INVITES, ACCEPTS),
    (Sends(NOT_ON_WHATSAPP, template=TEMPLATE),),
    (Sends(IN_AN_EXPERIMENT, template=TEMPLATE), HAS_NO_SESSION),
    (Sends(HELD_BACK, template=TEMPLATE), Arrives()),
    (ASKS, Sends(LOCKED_OUT, ANSWER), Sends(READ, ANSWER)),
)


@dataclass(frozen=True)
class Said:
    """A message; `state` is what becomes of it in the end. `place` orders a conversation: by
    WhatsApp's time, and then by arrival."""

    place: tuple[datetime, int]
    direction: str
    state: str
    text: str | None = None
    template: str | None = None
    agent: str | None = None
    code: int | None = None

    @property
    def told(self) -> dict[str, Any]:
        """As the API should tell of it."""
        names = ("direction", "state", "text", "template", "agent", "code")
        return {name: getattr(self, name) for name in names}


@dataclass(eq=False)
class Chat:
    """`steps` are still to come, and `fate` is that of what WhatsApp is sent next; `orders` counts
    what it was sent. `refused` counts the texts that Retorno refused, and `unread` the customer's
    since the agent looked."""

    customer: Customer
    agent: str
    steps: deque[Step]
    said: list[Said] = field(default_factory=list)
    fate: Fate = READ
    orders: int = 0
    refused: int = 0
    unread: int = 0
    complaints: list[str] = field(default_factory=list)

    @property
    def address(self) -> str:
        """The customer's, as WhatsApp writes it."""
        return whatsapp_id(self.customer)

    @property
    def addresses(self) -> set[str]:
        """That messages to the customer may be sent to."""
        return {self.address, self.customer.number.removeprefix("+")}

    def __str__(self) -> str:
        return f"{self.agent}'s chat with {mask(self.customer.number)}"

    def wrote(self, told: Iterable[tuple[str, datetime]]) -> None:
        """The customer, in the order of telling; what is told twice was written once."""
        for text, at in dict.fromkeys(told):
            self.unread += 1
            self.said.append(Said(self._place(at), "inbound", "received", text))

    def ordered(self) -> Fate:
        """WhatsApp was sent a message."""
        self.orders += 1
        return self.fate

    def answered(self, step: Sends, answer: Answer) -> None:
        """By the API, when the agent sent something."""
        if step.fate is None:
            self.refused += 1
            if answer.get("code") != NO_SESSION or not is_explained(answer):
                self.complaints.append(f"{self}: a text without a session was not refused")
        elif "message_id" not in answer:
            self.complaints.append(f"{self}: refused, since {answer['detail']}")
        else:
            code = step.fate.refused or step.fate.failed
            said = Said(
                self._place(datetime.fromisoformat(answer["at"])),
                "outbound",
                FAILED if code else step.fate.reaches,
                step.text,
                step.template,
                self.agent,
                code,
            )
            self.said.append(said)

    def _place(self, at: datetime) -> tuple[datetime, int]:
        return at, len(self.said)

    @property
    def in_order(self) -> list[Said]:
        return sorted(self.said, key=lambda said: said.place)

    @property
    def told(self) -> dict[str, Any]:
        """As the API should tell of the conversation; nothing where nobody wrote."""
        if not self.said:
            return {}
        ours = [said for said in self.said if said.direction == "outbound"]
        return {
            "number": self.customer.number,
            "agent": self.agent if ours else None,
            "unread": self.unread,
            "session_open": len(ours) < len(self.said),
            "failed": bool(ours) and ours[-1].state == FAILED,
        }


def whatsapp_id(customer: Customer) -> str:
    """Of a mobile number; outside São Paulo, Rio and their neighbours without the ninth digit."""
    ninth_digit = "9" if customer.area < "3" else ""
    return f"55{customer.area}{ninth_digit}{customer.line}"


def plan(customers: Sequence[Customer], agents: Sequence[str], seed: int) -> list[Chat]:
    """Each story is told, as far as there are customers with a mobile telephone."""
    random = Random(f"{seed} chats")
    mobile = [each for each in customers if each.line[0] in MOBILE_FIRST_DIGITS]
    reachable = [each for each in mobile if not each.withheld]
    chosen = random.sample(reachable, min(CHATS, len(reachable)))
    stories = [*STORIES, *random.choices(STORIES, k=CHATS - len(STORIES))]
    return [
        Chat(customer, agent, deque(story))
        for customer, agent, story in zip(chosen, cycle(agents), stories, strict=False)
    ]


def is_explained(failure: Answer) -> bool:
    """In both languages."""
    words = (failure["reason"], failure["what_to_do"])
    return all(each[language] for each in words for language in ("pt", "en"))


def chat_differences(chat: Chat, conversation: Answer, messages: Iterable[Answer]) -> Iterator[str]:
    """Where the API tells of it otherwise."""
    yield from chat.complaints
    written = sum(said.direction == "outbound" for said in chat.said)
    if chat.orders != written:
        yield f"{chat}: WhatsApp was sent {chat.orders} messages, but {written} were written"
    yield from _unlike(str(chat), chat.told, conversation)
    for number, (said, message) in enumerate(zip_longest(chat.in_order, messages), start=1):
        told = said.told if said else {}
        yield from _unlike(f"{chat}, message {number}", told, _as_told(message) if message else {})


def _as_told(message: Answer) -> dict[str, Any]:
    failure, template = message["failure"], message["template"]
    told = {name: message[name] for name in ("direction", "state", "text", "agent")}
    code = failure and (failure["code"] if is_explained(failure) else "not explained")
    return {**told, "template": template and template["name"], "code": code}


def _unlike(where: str, told: Answer, found: Answer) -> Iterator[str]:
    for name, value in told.items():
        if found.get(name) != value:
            yield f"{where}: {name} is {value}, but the API says {found.get(name)}"
    if found and not told:
        yield f"{where}: nobody wrote it"


def summary(chats: Sequence[Chat]) -> str:
    """ "60 in 20 conversations, 4 refused for want of a session, 5 failed (131026, 131049)" """
    said = [each for chat in chats for each in chat.said]
    refused = sum(chat.refused for chat in chats)
    codes = Counter(each.code for each in said if each.code)
    failed = f"{codes.total()} failed ({', '.join(map(str, sorted(codes)))})"
    return (
        f"{len(said)} in {len(chats)} conversations, {refused} refused for want of a session, "
        f"{failed if codes else 'none failed'}"
    )
