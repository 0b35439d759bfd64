"""Quotes: what customers make of them, written beforehand from one seed; the operators who make
them in their calls; and where the API tells of them otherwise.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from random import Random
from typing import Any

from local.client import Client
from local.simulate.people import Customer
from local.simulate.switch import Call
from local.words import money

Answer = Mapping[str, Any]

OPEN, WON, LOST = "open", "won", "lost"
STATES = (OPEN, WON, LOST)
STATE_SHARES = (0.2, 0.45, 0.35)

REASONS = ("achou caro", "comprou de outro", "vai pensar no ano que vem", "sem orçamento")
PRODUCTS = ("Plano família", "Plano empresa", "Instalação", "Garantia estendida")

# Shares.
IS_QUOTED = 0.6
HAS_NO_VALUE_YET = 0.2
BARGAINS = 0.4
IS_TOLD_TWICE = 0.2

CENTS = (4990, 249990)
# A part of the price, in percent.
BARGAIN = (75, 95)
# Seconds, in real time.
DECIDED_AFTER = (4, 20)


@dataclass(frozen=True)
class Deal:
    """What a customer makes of a quote, so long after it. `value` is None where the quote says
    none, and `won_value` what it is won for. `told_twice` is a quote whose maker hears no answer,
    and tells it again.
    """

    state: str
    product: str
    value: Decimal | None
    won_value: Decimal | None
    reason: str | None
    after: timedelta
    told_twice: bool


@dataclass(eq=False)
class Quote:
    """One that was made; `state` is what has become of it so far."""

    call: Call
    agent: str
    deal: Deal
    quote_id: str
    made_at: datetime
    state: str = OPEN

    @property
    def told(self) -> dict[str, Any]:
        """As the API should tell of it."""
        deal = self.deal
        return {
            "quote_id": self.quote_id,
            "state": self.state,
            "call_id": self.call.call_id,
            "channel": "phone",
            "number": self.call.customer and self.call.customer.number,
            "agent": self.agent,
            "description": deal.product,
            "value": _text(deal.value),
            "won_value": _text(deal.won_value) if self.state == WON else None,
            "reason": deal.reason if self.state == LOST else None,
        }


def plan(customers: Sequence[Customer], seed: int) -> dict[Customer, Deal]:
    """Of those to whom a quote will be made if an operator talks with them."""
    random = Random(f"{seed} quotes")
    deals = ((customer, _deal(random), random.random()) for customer in customers)
    return {customer: deal for customer, deal, share in deals if share < IS_QUOTED}


def _deal(random: Random) -> Deal:
    [state] = random.choices(STATES, STATE_SHARES)
    price = Decimal(random.randrange(*CENTS)).scaleb(-2)
    value = None if random.random() < HAS_NO_VALUE_YET else price
    bargains = value is None or random.random() < BARGAINS
    bargain = (price * random.randint(*BARGAIN) / 100).quantize(Decimal("0.01"))
    reason = random.choice(REASONS)
    return Deal(
        state=state,
        product=random.choice(PRODUCTS),
        value=value,
        won_value=(bargain if bargains else price) if state == WON else None,
        reason=reason if state == LOST else None,
        after=timedelta(seconds=random.uniform(*DECIDED_AFTER)),
        told_twice=random.random() < IS_TOLD_TWICE,
    )


class Seller:
    """An operator who quotes. `calls` gives all that there were, whoever took them."""

    def __init__(
        self,
        agent: str,
        client: Client,
        calls: Callable[[], Iterable[Call]],
        deals: Mapping[Customer, Deal],
    ) -> None:
        self.agent = agent
        self.quotes: list[Quote] = []
        self._client = client
        self._calls = calls
        self._deals = deals

    def look(self, now: datetime) -> None:
        """Makes quotes to whom the operator talks with, and tells what became of earlier ones.
        Raises CloudError."""
        for call, deal in self.to_be_made():
            self._make(call, deal, now)
        for quote in self.quotes:
            if quote.state != quote.deal.state and now >= quote.made_at + quote.deal.after:
                self._decide(quote)

    def to_be_made(self) -> list[tuple[Call, Deal]]:
        """Where the customer is to have a quote still."""
        have_one = {quote.call.call_id for quote in self.quotes}
        return [
            (call, deal)
            for call in self._calls()
            if call.agent == self.agent and call.answered_by == "human"
            if call.call_id not in have_one
            if call.customer and (deal := self._deals.get(call.customer))
        ]

    def _make(self, call: Call, deal: Deal, now: datetime) -> None:
        wish = {
            "call_id": call.call_id,
            "description": deal.product,
            "value": _text(deal.value),
        }
        for _ in range(2 if deal.told_twice else 1):
            made = self._client.make_quote(wish, key=call.call_id)
        if made:
            self.quotes.append(Quote(call, self.agent, deal, made["quote_id"], now))

    def _decide(self, quote: Quote) -> None:
        deal = quote.deal
        if deal.state == WON:
            other = {} if deal.won_value == deal.value else {"value": _text(deal.won_value)}
            self._client.decide_quote(quote.quote_id, "win", other)
        else:
            self._client.decide_quote(quote.quote_id, "lose", {"reason": deal.reason})
        quote.state = deal.state


class Sales:
    """All that was quoted since a moment, by all."""

    name = "Quotes"

    def __init__(self, supervisor: Client, sellers: Sequence[Seller], since: datetime) -> None:
        self._client = supervisor
        self._sellers = sellers
        self._since = since

    @property
    def quotes(self) -> list[Quote]:
        return [quote for seller in self._sellers for quote in seller.quotes]

    def summary(self) -> str:
        """ "7 made, 3 won for R$ 2.310,40, 2 lost, 2 open" """
        quotes = self.quotes
        states = Counter(quote.state for quote in quotes)
        won = f"{states[WON]} won for {money(won_value(quotes))}"
        return f"{len(quotes)} made, {won}, {states[LOST]} lost, {states[OPEN]} open"

    def counted(self) -> list[tuple[str, str]]:
        quotes = self.quotes
        return [("quotes", str(len(quotes))), ("won", money(won_value(quotes)))]

    def differences(self) -> Iterator[str]:
        """What there was no time for is made now. Raises CloudError."""
        for seller in self._sellers:
            seller.look(datetime.now(UTC))
            for call, _ in seller.to_be_made():
                yield f"in {call.call_id} {seller.agent} could make no quote"
            listed = self._client.quotes_of(seller.agent, self._since)
            calls = [self._client.call(quote.call.call_id) for quote in seller.quotes]
            yield from quote_differences(seller.quotes, listed, calls)


def quote_differences(
    quotes: Iterable[Quote], listed: Iterable[Answer], calls: Iterable[Answer]
) -> Iterator[str]:
    """Where the API's list, or what it shows beside the calls, says anything else."""
    expected = {quote.quote_id: quote.told for quote in quotes}
    found = {each["quote_id"]: each for each in listed}
    beside = {
        (quote["quote_id"], call["call_id"], quote["state"])
        for call in calls
        for quote in call["quotes"]
    }
    for quote_id in found.keys() - expected.keys():
        yield f"nobody made the quote that the API lists in {found[quote_id]['call_id']}"
    for quote_id, told in expected.items():
        where = f"the quote in {told['call_id']}"
        answer = found.get(quote_id, {})
        for name, value in told.items():
            if answer.get(name) != value:
                yield f"{where}: {name} is {value}, but the API says {answer.get(name)}"
        if (quote_id, told["call_id"], told["state"]) not in beside:
            yield f"{where} is {told['state']}, but not so beside its call"


def won_value(quotes: Iterable[Quote]) -> Decimal:
    values = (quote.deal.won_value for quote in quotes if quote.state == WON)
    return sum((value for value in values if value), Decimal())


def _text(value: Decimal | None) -> str | None:
    return None if value is None else str(value)
