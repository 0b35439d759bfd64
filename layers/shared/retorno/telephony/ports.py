"""What every provider is to Retorno: a sender of signed webhooks that tell of calls."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Any, Protocol

from retorno.phone import NumberPlan

# Times beyond these are a broken clock's: a clock may run ahead, but a fact of next year would
# stand for ever.
EARLIEST = datetime(2000, 1, 1, tzinfo=UTC)
MAX_AHEAD = timedelta(days=1)


# Ids stand in paths, where a slash divides and a percent sign quotes.
CALL_ID = re.compile(r"[\x21-\x24\x26-\x2e\x30-\x7e]{1,128}")
MAX_NAME_LENGTH = 128


class Direction(StrEnum):
    INBOUND = "inbound"
    OUTBOUND_MANUAL = "outbound_manual"
    OUTBOUND_AUTO = "outbound_auto"


class Stage(StrEnum):
    """Where a call has come to. The last four end it."""

    QUEUED = "queued"
    RINGING = "ringing"
    ANSWERED = "answered"
    COMPLETED = "completed"
    CANCELLED = "cancelled"
    NO_ANSWER = "no_answer"
    FAILED = "failed"


ENDS = frozenset({Stage.COMPLETED, Stage.CANCELLED, Stage.NO_ANSWER, Stage.FAILED})


class AnsweredBy(StrEnum):
    HUMAN = "human"
    VOICEMAIL = "voicemail"
    UNKNOWN = "unknown"


# The end reason of a caller who hung up in the voice menu, before any queue: not a missed call.
ENDED_IN_IVR = "ended_in_ivr"


@dataclass(frozen=True, slots=True)
class CallEvent:
    """One thing that a provider says of a call; what it does not say is None.

    `number` is the customer's side in E.164, whichever of `caller` and `callee` that is. `caller`
    and `callee` are E.164 where they are telephone numbers, and otherwise as written (an
    extension, a client's name). `leg_number` is whom a leg of the call rings, in E.164: the
    customer if the call goes out, an operator's phone if it came in.
    """

    call_id: str
    provider: str
    occurred_at: datetime
    stage: Stage | None = None
    direction: Direction | None = None
    caller: str | None = None
    callee: str | None = None
    number: str | None = None
    leg_number: str | None = None
    queue: str | None = None
    agent: str | None = None
    branch: str | None = None
    # The campaign that an outbound call belongs to, and the carrier's line that it goes out on.
    campaign: str | None = None
    trunk: str | None = None
    reason: str | None = None
    answered_by: AnsweredBy | None = None
    # The caller left a queue, which ends the call unless another queue takes it up.
    leaves_queue: bool = False


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why one entry of a payload was not taken. `index` counts from 0."""

    index: int
    field: str
    reason: str


@dataclass(frozen=True, slots=True)
class Reading:
    """What a payload said: the entries taken and ignored, the events in them, and the refused.

    `refused_payload` holds the refused entries alone, in the provider's own form, so that they
    can be read again later. `unknown` names values that no document of the provider lists, such
    as "CallStatus=paused": what else they came with is taken.
    """

    taken: int
    events: Sequence[CallEvent]
    ignored: int = 0
    refusals: Sequence[Refusal] = ()
    refused_payload: bytes = b""
    unknown: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class WebhookRequest:
    """`url` is the whole address as the provider called it; header names are in lower case.

    Either may hold what is secret, so neither is shown.
    """

    url: str = field(repr=False)
    headers: Mapping[str, str] = field(repr=False)
    body: bytes = field(repr=False)


class Provider(Protocol):
    """One telephony provider."""

    @property
    def name(self) -> str: ...

    def read(self, payload: bytes, plan: NumberPlan, now: datetime) -> Reading:
        """Raises InvalidInput where the payload as a whole cannot be read."""


class WebhookProvider(Provider, Protocol):
    """A provider that posts to the API what it tells."""

    def verify(self, request: WebhookRequest, secrets: Sequence[str], now: datetime) -> None:
        """Any of `secrets` will do. Raises NotAuthenticated."""

    def payload(self, request: WebhookRequest) -> bytes:
        """What of a request `read` takes, and what is kept of one that cannot be read."""


class Report(Protocol):
    """A list of calls that a provider can be asked for."""

    @property
    def name(self) -> str: ...

    def rows(self, since: datetime, until: datetime) -> Iterator[bytes]:
        """The calls that began in a period, and maybe more, each as the provider's `read` takes it.

        Raises Unavailable, also after some rows.
        """


class ContactProvider(Provider, Protocol):
    """A provider whose events leave out whom a call is with."""

    def read_contact(
        self, told: Mapping[str, Any], plan: NumberPlan, now: datetime
    ) -> list[CallEvent]:
        """What it says when asked for one contact. Raises InvalidInput."""


class ContactLookup(Protocol):
    """Asks a provider for what its events leave out."""

    def contact(self, contact_id: str) -> Mapping[str, Any]:
        """In the provider's own form. Raises NotFound, Unavailable."""


# Where an operator can be rung, as the provider writes it: "+551130001000", "sip:ana@pbx.example".
# Without a slash it names no other technology of Asterisk's.
TELEPHONE = re.compile(r"[A-Za-z0-9+@:._-]{1,128}")


# Of a voice menu: it stands in addresses that the telephone system is given.
MENU_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,63}")


@dataclass(frozen=True, slots=True)
class DialOrder:
    """A call to be placed: the operator's telephone rings, and then the customer is called.

    `attempt_id`, 32 hexadecimal digits, is another for each attempt, and the same whenever the same
    attempt is sent again. `number` is the customer's, in E.164; `caller_id` what they are shown,
    the provider's choice where it is None. `ordered_at` is when it was last sent. `webhooks_url`
    is where the API is reached, for a provider that is told with each call whom to tell of it.
    `menu_url` is where the first words are that the customer hears before they are connected.
    """

    attempt_id: str
    number: str
    telephone: str
    agent: str
    caller_id: str | None
    ordered_at: datetime
    webhooks_url: str
    menu_url: str | None = None


class DialRefused(Exception):
    """No call was placed, and the same order would be refused again. The text says why, without
    any number."""


class DialFailed(Exception):
    """No call was placed, but it may be tried again, after `retry_after` seconds if they are
    said."""

    def __init__(self, reason: str, retry_after: float | None = None) -> None:
        super().__init__(reason)
        self.retry_after = retry_after


class DialUncertain(Exception):
    """Nobody knows whether a call was placed."""


class Dialler(Protocol):
    """A provider that can be asked to place calls."""

    @property
    def name(self) -> str:
        """The provider's, as its calls have it."""

    def dial(self, order: DialOrder) -> str:
        """The id under which the provider will tell of the call. The order is sent once.

        Raises DialRefused, DialFailed, DialUncertain.
        """

    def find(self, order: DialOrder) -> str | None:
        """The id of the call that an order has become; None where the provider knows of none, so
        that to send the order again places no second one. Raises DialUncertain.
        """


@dataclass(frozen=True, slots=True)
class ConnectOrder:
    """A caller who waits is to be handed to an operator's telephone.

    `offer_id`, 32 hexadecimal digits, is another for each order. `call_id` is the waiting call's,
    as its provider tells it. `ordered_at` and `webhooks_url` are as in a DialOrder.
    """

    offer_id: str
    call_id: str
    queue: str
    telephone: str
    agent: str
    ordered_at: datetime
    webhooks_url: str


class Connector(Protocol):
    """A provider that can be asked to connect a caller who waits. Whom it does not connect goes on
    waiting there."""

    def connect(self, order: ConnectOrder) -> None:
        """Takes the order on: the telephone rings, or soon will. The order is sent once.

        Raises DialRefused, DialFailed, DialUncertain: of a connection what they say of a call.
        """

    def is_connecting(self, order: ConnectOrder) -> bool:
        """Whether the telephone rings by that order, or has been picked up; False where the caller
        may be handed to somebody else. Raises DialUncertain.
        """
