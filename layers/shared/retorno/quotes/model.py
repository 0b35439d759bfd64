"""A quote: what a customer was offered in a call, and whether they took it.

It belongs to its call: the number, the queue and the customer are the call's. A call may have
several quotes, and counts as one that has quotes all the same.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import Annotated, NamedTuple, Self

from pydantic import AfterValidator, BeforeValidator, ConfigDict, Field

from retorno.dialling.model import Asker
from retorno.errors import Conflict, InvalidInput, NotAllowed, NotFound
from retorno.frozen import Frozen, Strict
from retorno.phone import match_key
from retorno.telephony.ports import CALL_ID
from retorno.times import Period

CENT = Decimal("0.01")

MAX_DESCRIPTION = 1_000
MAX_REASON = 500


def _in_cents(value: Decimal) -> Decimal:
    return value.quantize(CENT)


def _none_if_blank(text: object) -> object:
    return (text.strip() or None) if isinstance(text, str) else text


Value = Annotated[Decimal, Field(ge=0, max_digits=12, decimal_places=2), AfterValidator(_in_cents)]
"""In the company's own currency."""

Description = Annotated[
    Annotated[str, Field(max_length=MAX_DESCRIPTION)] | None, BeforeValidator(_none_if_blank)
]


class QuoteDraft(Strict):
    """What of a quote people write."""

    description: Description = Field(default=None, description="What is offered")
    value: Value | None = Field(default=None, description="What it would cost, to the cent")


class QuoteWish(QuoteDraft):
    call_id: Annotated[str, Field(pattern=f"^{CALL_ID.pattern}$")] = Field(
        description="The call in which it is made, in progress or over"
    )

    @property
    def digest(self) -> str:
        """By which a wish that is told again is known."""
        return hashlib.sha256(self.model_dump_json().encode()).hexdigest()


class Seller(Asker):
    """Who makes quotes and decides them; `leads` is who may do so for anyone."""

    leads: bool = False


class Channel(StrEnum):
    """How the customer was spoken to."""

    PHONE = "phone"


class State(StrEnum):
    OPEN = "open"
    WON = "won"
    LOST = "lost"


class QuoteId(NamedTuple):
    """A quote is known within its call; so "<name>.<call_id>" says where it is."""

    name: str
    call_id: str

    @classmethod
    def made_by(cls, seller: Seller, key: str, call_id: str) -> Self:
        """The same for the same person, key and call alone."""
        digest = hashlib.sha256(f"{seller.name}\n{key}".encode()).hexdigest()
        return cls(digest[:32], call_id)

    @classmethod
    def read(cls, text: str) -> Self:
        """Raises NotFound for what is no id."""
        name, _, call_id = text.partition(".")
        if not name or not CALL_ID.fullmatch(call_id):
            raise NotFound("there is no such quote")
        return cls(name, call_id)

    def __str__(self) -> str:
        return f"{self.name}.{self.call_id}"


class Quote(Frozen):
    """`agent` is who made it. `value` is what was offered, `won_value` what it was won for.

    `customer_id` is whose the call is, None where nobody knows. `version` counts the writes.
    """

    name: str
    call_id: str
    wish_digest: str
    channel: Channel = Channel.PHONE
    number: str | None
    customer_id: str | None
    queue: str | None
    agent: str
    description: str | None
    value: Decimal | None
    state: State = State.OPEN
    won_value: Decimal | None = None
    reason: str | None = None
    created_at: datetime
    created_by: str
    decided_at: datetime | None = None
    decided_by: str | None = None
    version: int = 1

    @property
    def quote_id(self) -> QuoteId:
        return QuoteId(self.name, self.call_id)

    @property
    def over_since(self) -> datetime | None:
        """None while it is open."""
        return None if self.state is State.OPEN else self.decided_at

    @property
    def number_key(self) -> str | None:
        return match_key(self.number) if self.number else None

    def check_may_be_changed_by(self, seller: Seller) -> None:
        """Raises NotAllowed."""
        if not seller.leads and self.agent != seller.agent:
            raise NotAllowed("another operator's quote is for supervisors to change")


class QuoteRef(Frozen):
    """A quote as it is shown beside something else."""

    model_config = ConfigDict(from_attributes=True)

    quote_id: Annotated[str, BeforeValidator(str)]
    call_id: str = Field(description="The call in which it was made")
    state: str = Field(description="open, won or lost")
    agent: str = Field(description="Who made it")
    description: str | None
    value: Decimal | None = Field(description="What was offered")
    won_value: Decimal | None = Field(description="What it was won for")
    created_at: datetime


def edited(quote: Quote, draft: QuoteDraft) -> Quote:
    """Raises Conflict for one that is decided."""
    _check_open(quote)
    return _changed(quote, {"description": draft.description, "value": draft.value})


def won(quote: Quote, value: Decimal | None, by: str, now: datetime) -> Quote:
    """For the value that was offered where no other is said; told again it changes nothing.

    Raises InvalidInput where no value is known; Conflict for one that is decided otherwise.
    """
    won_value = quote.value if value is None else value
    if won_value is None:
        raise InvalidInput("value", "is required, as the quote has none")
    if quote.state is State.WON and quote.won_value == won_value:
        return quote
    return _decided(quote, State.WON, {"won_value": won_value}, by, now)


def lost(quote: Quote, reason: str, by: str, now: datetime) -> Quote:
    """Told again it changes nothing. Raises Conflict for one that is decided otherwise."""
    if quote.state is State.LOST and quote.reason == reason:
        return quote
    return _decided(quote, State.LOST, {"reason": reason}, by, now)


def reopened(quote: Quote) -> Quote:
    """As if nobody had decided it; one that is open stays as it is."""
    if quote.state is State.OPEN:
        return quote
    undecided = dict.fromkeys(("won_value", "reason", "decided_at", "decided_by"))
    return _changed(quote, {**undecided, "state": State.OPEN})


def linked(quote: Quote, customer_id: str | None) -> Quote:
    if quote.customer_id == customer_id:
        return quote
    return _changed(quote, {"customer_id": customer_id})


def _decided(quote: Quote, state: State, told: dict[str, object], by: str, now: datetime) -> Quote:
    _check_open(quote)
    return _changed(quote, {**told, "state": state, "decided_at": now, "decided_by": by})


def _changed(quote: Quote, values: dict[str, object]) -> Quote:
    return quote.model_copy(update={**values, "version": quote.version + 1})


def _check_open(quote: Quote) -> None:
    if quote.state is not State.OPEN:
        raise Conflict(f"the quote is {quote.state}; a supervisor can reopen it")


@dataclass(frozen=True, slots=True)
class QuoteFilter:
    """None where any will do; something other than the period is said. `number_key` is a match
    key, and the period that in which quotes were made.
    """

    customer_id: str | None = None
    agent: str | None = None
    number_key: str | None = None
    state: State | None = None
    period: Period = field(default_factory=Period)

    def takes(self, quote: Quote) -> bool:
        return (
            self.customer_id in (None, quote.customer_id)
            and self.agent in (None, quote.agent)
            and self.number_key in (None, quote.number_key)
            and self.state in (None, quote.state)
        )


@dataclass(frozen=True, slots=True)
class QuotesOfCall:
    """What the quotes of one call come to. It counts for the agent, the queue and the moment of
    the first. `calls_won` is 1 where any was won, and else 0.
    """

    agent: str
    queue: str | None
    created_at: datetime
    quotes: int
    open: int
    won: int
    lost: int
    won_cents: int
    calls_won: int

    @classmethod
    def of(cls, quotes: Sequence[Quote]) -> Self | None:
        """Of all that one call has; None where it has none."""
        if not quotes:
            return None
        first = min(quotes, key=lambda quote: (quote.created_at, quote.name))
        states = [quote.state for quote in quotes]
        return cls(
            agent=first.agent,
            queue=first.queue,
            created_at=first.created_at,
            quotes=len(quotes),
            open=states.count(State.OPEN),
            won=states.count(State.WON),
            lost=states.count(State.LOST),
            won_cents=sum(int(quote.won_value / CENT) for quote in quotes if quote.won_value),
            calls_won=int(State.WON in states),
        )
