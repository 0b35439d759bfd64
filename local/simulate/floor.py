"""The operators of the live part, each at a console of their own: what they say and do there."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime
from random import Random
from threading import Event as Signal
from typing import Protocol
from urllib.parse import quote

from local.client import Client
from local.simulate.people import Customer, Operator
from local.simulate.quotes import Deal, Seller
from local.simulate.switch import Call

WRAP_UP_SECONDS = 2
FIRST_TELEPHONE = 4000

# Seconds, in real time.
BETWEEN_LOOKS = 1.5
OPENS_AFTER = 7
LOGS_IN_WITHIN = 5
PAUSE = (6, 12)

# Shares, each time that an operator looks.
PAUSES = 0.03
REASONS = ("café", "banheiro", "supervisão")

# What an operator does about an offer: to some they say nothing.
ANSWERS = ("accept", "reject", "")
ANSWER_SHARES = (0.8, 0.12, 0.08)


class Worker(Protocol):
    def work(self, closing: Signal) -> None:
        """Until it closes. Raises CloudError."""


class Console:
    """One operator's. `begins` are the times at which they said that they are available."""

    def __init__(self, operator: Operator, client: Client, seller: Seller, seed: int) -> None:
        self.agent = operator.name
        self.begins: list[datetime] = []
        self.seller = seller
        self._seen = ""
        self._client = client
        self._random = Random(f"{seed} console {operator.name}")

    def work(self, closing: Signal) -> None:
        """Until it closes. Raises CloudError."""
        closing.wait(OPENS_AFTER + self._random.uniform(0, LOGS_IN_WITHIN))
        try:
            self._begin()
            while not closing.wait(BETWEEN_LOOKS):
                self._look(closing)
        finally:
            self._client.say("offline")

    def _look(self, closing: Signal) -> None:
        self.seller.look(datetime.now(UTC))
        state = self._client.me()["presence"]["state"]
        if state == "on_offer":
            self._answer_offer()
        elif state == "paused" or self._random.random() < PAUSES:
            # Who was silent or did not pick up was paused by the product.
            if state != "paused":
                self._client.say("paused", self._random.choice(REASONS))
            closing.wait(self._random.uniform(*PAUSE))
            self._begin()

    def _answer_offer(self) -> None:
        offer = self._client.offer()
        if offer is None or offer["offer_id"] == self._seen:
            return
        self._seen = offer["offer_id"]
        [answer] = self._random.choices(ANSWERS, ANSWER_SHARES)
        if answer:
            self._client.answer_offer(self._seen, answer)

    def _begin(self) -> None:
        self._client.say("available")
        self.begins.append(datetime.now(UTC))


def open_floor(
    operators: Sequence[Operator],
    supervisor: Client,
    tokens: Mapping[str, str],
    calls: Callable[[], Iterable[Call]],
    deals: Mapping[Customer, Deal],
    seed: int,
) -> list[Console]:
    """Registers the operators, each with a telephone of their own. `calls` gives all that there
    were, and `deals` are what customers make of quotes."""
    consoles = []
    for number, operator in enumerate(operators):
        supervisor.set_up(
            f"/agents/{quote(operator.name)}",
            {
                "name": operator.name,
                "queues": operator.queues,
                "telephone": str(FIRST_TELEPHONE + number),
                "wrap_up_seconds": WRAP_UP_SECONDS,
            },
        )
        client = supervisor.as_user(tokens[operator.name])
        seller = Seller(operator.name, client, calls, deals)
        consoles.append(Console(operator, client, seller, seed))
    return consoles


@contextmanager
def at_work(workers: Sequence[Worker]) -> Iterator[None]:
    """For as long as the block lasts. Raises CloudError at its end, if one met with trouble."""
    closing = Signal()
    with ThreadPoolExecutor(len(workers)) as threads:
        shifts: list[Future[None]] = [threads.submit(each.work, closing) for each in workers]
        try:
            yield
        finally:
            closing.set()
    for shift in shifts:
        shift.result()
