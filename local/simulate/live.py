"""The live part: after its days, the centre goes on for a minute or two in real time.

Customers ring before the first operator is there, and hang up. Then operators come, take calls and
pauses; and the product rings back whom they missed, through the exchange.
"""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from random import Random

from local import cloud
from local.client import Client
from local.simulate.centre import Centre, patience
from local.simulate.exchange import Exchange, serving, telling
from local.simulate.floor import Console, at_work, open_floor
from local.simulate.live_view import LiveScene
from local.simulate.people import QUEUES, SHIFTS, Customer
from local.simulate.switch import Engaged, Switch
from local.simulate.timeline import Timeline
from local.simulate.truth import Truth
from local.simulate.view import Scene
from local.stack import Stack

# Customers and telephones are so much quicker than in life.
PACE = 0.05

# Seconds, in real time.
TICK = 0.25
BETWEEN_LOOKS = 1.0
EARLY_CALLS_WITHIN = 5
LATE_CALLS_FROM = 12
BETWEEN_CALLS = 4
NO_CALLS_IN_THE_LAST = 20
HANGING_UP_TAKES_AT_MOST = 30

EARLY_CALLS = 14
EARLY_PATIENCE = 60


def go_live(
    centre: Centre, seconds: float, seed: int, home: Path, show: Callable[[Scene], None]
) -> "Live":
    """Deploys the exchange as the stack's telephone system for as long as it takes, and tells the
    centre's truth what it saw. Raises CloudError."""
    switch = Switch(f"{centre.run_id}-live", seed, centre.customers, PACE)
    exchange = Exchange(switch, Stack.read(home).dial_secret)
    with (
        serving(exchange) as url,
        cloud.set_to({"DialProvider": "canonical", "DialUrl": url}, home) as stack,
        Client.of_stack(home) as supervisor,
        Client.of_stack(home) as sender,
        telling(switch, sender.send_calls),
    ):
        operators = [each for each in centre.operators if each.shift == SHIFTS[0]]
        tokens = cloud.sign_in_agents(stack, [each.name for each in operators])
        consoles = open_floor(operators, supervisor, tokens, seed)
        live = Live(supervisor, switch, centre.customers, consoles, seed)
        live.run(seconds, show)
    live.account(centre.truth)
    return live


class Live:
    def __init__(
        self,
        client: Client,
        switch: Switch,
        customers: Sequence[Customer],
        consoles: Sequence[Console],
        seed: int,
    ) -> None:
        self.scene = LiveScene(switch, consoles)
        self._client = client
        self._switch = switch
        self._consoles = consoles
        self._random = Random(f"{seed} live")
        self._callers = self._in_some_order(customers)
        self._agenda: Timeline[Callable[[], object]] = Timeline()
        self._next_look = 0.0

    def run(self, seconds: float, show: Callable[[Scene], None]) -> None:
        """Raises CloudError."""
        began = datetime.now(UTC)
        end = began + timedelta(seconds=seconds)
        self._plan(began, end)
        with at_work(self._consoles):
            while (now := datetime.now(UTC)) < end:
                while due := self._agenda.take(now):
                    due[1]()
                self._show(show, (now - began) / (end - began))
        self._hang_up(show)

    def account(self, truth: Truth) -> None:
        """What the exchange saw, told to the truth."""
        for call in self._switch.calls.values():
            if call.customer is None:
                continue
            if call.answered_by == "human" and call.talked_at:
                if call.direction == "inbound":
                    truth.came_through(call.customer, call.began, call.talked_at)
                else:
                    truth.rang_back(call.call_id, call.customer, call.began, call.talked_at)
            elif call.direction == "inbound" and call.ended_at:
                truth.missed(call.call_id, call.customer, call.ended_at)

    def _plan(self, began: datetime, end: datetime) -> None:
        for _ in range(EARLY_CALLS):
            moment = began + timedelta(seconds=self._random.uniform(0, EARLY_CALLS_WITHIN))
            self._agenda.put(moment, partial(self._ring_in, EARLY_PATIENCE))
        moment = began + timedelta(seconds=LATE_CALLS_FROM)
        while moment < end - timedelta(seconds=NO_CALLS_IN_THE_LAST):
            self._agenda.put(moment, partial(self._ring_in, patience(self._random)))
            moment += timedelta(seconds=self._random.expovariate(1 / BETWEEN_CALLS))

    def _in_some_order(self, customers: Sequence[Customer]) -> Iterator[Customer]:
        known = [each for each in customers if not each.withheld]
        return iter(self._random.sample(known, len(known)))

    def _ring_in(self, seconds: float) -> None:
        queue = self._random.choice(QUEUES)
        # Somebody who is being rung back does not call at the same time.
        with suppress(Engaged, StopIteration):
            self._switch.ring_in(next(self._callers), queue, seconds, datetime.now(UTC))

    def _hang_up(self, show: Callable[[Scene], None]) -> None:
        """Nobody is called any more; who talks finishes."""
        deadline = time.monotonic() + HANGING_UP_TAKES_AT_MOST
        while not self._switch.is_idle and time.monotonic() < deadline:
            self._show(show, 1)

    def _show(self, show: Callable[[Scene], None], progress: float) -> None:
        self.scene.progress = progress
        if time.monotonic() >= self._next_look:
            self._next_look = time.monotonic() + BETWEEN_LOOKS
            names = {each.agent for each in self._consoles}
            self.scene.operators = [
                each for each in self._client.agents() if each["agent"] in names
            ]
        show(self.scene)
        time.sleep(TICK)
