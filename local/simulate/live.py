"""The live part: after its days, the centre goes on for a minute or two in real time.

Customers ring before the first operator is there, and hang up; one asks to be called back, one is
promised a time. Then operators come, take calls and pauses, and Retorno rings back whom they
missed, through the exchange.
"""

import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from random import Random
from typing import Any

from local import cloud
from local.client import Client
from local.live import Watcher
from local.simulate.audit import PROMISE, Contact, account, disagreements
from local.simulate.centre import RUN_PREFIX, Centre, patience
from local.simulate.chats import plan as plan_chats
from local.simulate.exchange import Exchange, serving, telling
from local.simulate.feed import Feed
from local.simulate.floor import OPENS_AFTER, at_work, open_floor
from local.simulate.live_view import LiveScene
from local.simulate.messenger import CREDENTIALS, Conversations, Messenger, network
from local.simulate.people import QUEUES, SHIFTS, Customer
from local.simulate.quotes import Sales
from local.simulate.quotes import plan as plan_deals
from local.simulate.switch import Call, Engaged, Switch
from local.simulate.timeline import Timeline
from local.simulate.verdict import Book, Verdict, verdict_on
from local.simulate.view import Scene
from local.stack import Stack
from local.whatsapp import PHONE_NUMBER_ID
from local.whatsapp import serving as serving_whatsapp
from local.whatsapp import telling as telling_whatsapp

# Customers and telephones are so much quicker than in life.
PACE = 0.05

# Seconds, in real time.
TICK = 0.25
BETWEEN_LOOKS = 3
EARLY_CALLS_WITHIN = 5
BETWEEN_CALLS = 4
ASKS_AFTER = 2
PROMISED_AFTER = 25
NO_CALLS_IN_THE_LAST = 15
SETTLES_WITHIN = 90

EARLY_CALLS = 12
EARLY_PATIENCE = 80
# Operators look at offers in real time.
LATE_PATIENCE_FACTOR = 3

# The queue whose missed callers a campaign rings back; in another one, callers may ask for it.
MONITORED, OTHER = QUEUES[0], QUEUES[-1]
MOST_DIALS = 2
# To whoever asked for a call in a queue without a campaign, or at a time.
MOST_DIALS_AS_ASKED = 3
MOST_DIALS_AS_PROMISED = 1
CAMPAIGN = {
    "name": f"Retorno de {MONITORED}",
    "monitored_queue": MONITORED,
    "callback_queue": MONITORED,
    "max_attempts": MOST_DIALS,
    "min_gap_minutes": 1,
    "waits": dict.fromkeys(("busy", "no_answer", "voicemail", "failed"), 1),
}
SHOWN_STATES = ("waiting", "dialling", "reached", "blocked")


def go_live(
    centre: Centre, seconds: float, seed: int, home: Path, show: Callable[[Scene], None]
) -> "Live":
    """Deploys an exchange as the stack's telephone system for as long as it takes, and tells the
    centre's truth what it saw. Raises CloudError."""
    customers, run_id = centre.customers, centre.run_id
    switch = Switch(f"{run_id}-live", seed, customers, PACE)
    exchange = Exchange(switch, Stack.read(home).dial_secret)
    operators = [each for each in centre.operators if each.shift == SHIFTS[0]]
    agents = [each.name for each in operators]
    chats = plan_chats(customers, agents, seed)
    credentials = cloud.credentials(Stack.read(home), "WhatsAppSecret", CREDENTIALS)
    whatsapp = network(chats, credentials, run_id)
    with (
        serving(exchange) as dial_url,
        serving_whatsapp(whatsapp) as whatsapp_url,
        cloud.set_to(_parameters(dial_url, whatsapp_url), home) as stack,
        Client.of_stack(home) as supervisor,
        Client.of_stack(home) as sender,
    ):
        tokens = cloud.sign_in_agents(stack, agents)
        deals = plan_deals(customers, seed)
        consoles = open_floor(operators, supervisor, tokens, switch.all_calls, deals, seed)
        sales = Sales(supervisor, [each.seller for each in consoles], datetime.now(UTC))
        conversations = Conversations(supervisor, chats)
        messengers = [
            Messenger(agent, supervisor.as_user(tokens[agent]), whatsapp, chats, seed)
            for agent in agents
        ]
        feed = Feed(Watcher(stack.live_url, stack.tokens["supervisor"]), supervisor, seed)
        scene = LiveScene(switch, consoles, sales, chats, feed)
        live = Live(supervisor, switch, customers, scene, messengers, run_id, seed)
        with at_work([feed]):
            with (
                telling(switch, sender.send_calls),
                telling_whatsapp(whatsapp, f"{stack.api_url}/webhooks/whatsapp"),
            ):
                live.run(seconds, show)
            live.settle([sales, conversations, feed])
    account(switch.calls.values(), live.contacts, centre.truth)
    return live


def _parameters(dial_url: str, whatsapp_url: str) -> dict[str, str]:
    return {
        "DialProvider": "canonical",
        "DialUrl": dial_url,
        "WhatsAppUrl": whatsapp_url,
        "WhatsAppPhoneNumberId": PHONE_NUMBER_ID,
    }


class Live:
    """`contacts` are all whom the company was to ring back, `disagreements` what the exchange tells
    otherwise than the API, and `verdicts` those on all else, once it is over."""

    def __init__(
        self,
        client: Client,
        switch: Switch,
        customers: Sequence[Customer],
        scene: LiveScene,
        messengers: Sequence[Messenger],
        run_id: str,
        seed: int,
    ) -> None:
        self.scene = scene
        self.contacts: Sequence[Contact] = ()
        self.disagreements: Sequence[str] = ()
        self.verdicts: Sequence[Verdict] = ()
        self._client = client
        self._switch = switch
        self._consoles = scene.consoles
        self._messengers = messengers
        self._campaign_id = run_id
        self._random = Random(f"{seed} live")
        self._callers = self._in_some_order(customers)
        self._agenda: Timeline[Callable[[], object]] = Timeline()
        self._began = datetime.now(UTC)
        self._next_look = 0.0

    def run(self, seconds: float, show: Callable[[Scene], None]) -> None:
        """Raises CloudError."""
        with self._set_up():
            self._began = began = datetime.now(UTC)
            end = began + timedelta(seconds=seconds)
            self._plan(began, end)
            with at_work([*self._consoles, *self._messengers]):
                while (now := datetime.now(UTC)) < end:
                    while due := self._agenda.take(now):
                        due[1]()
                    self._show(show, (now - began) / (end - began))
        deadline = time.monotonic() + SETTLES_WITHIN
        while not self._switch.is_idle and time.monotonic() < deadline:
            self._show(show, 1)

    def settle(self, books: Sequence[Book]) -> None:
        """Compares, and the books too, once the API has had the time to catch up."""
        deadline = time.monotonic() + SETTLES_WITHIN
        while True:
            self._compare()
            if not self.disagreements or time.monotonic() > deadline:
                break
            time.sleep(1)
        self.verdicts = [verdict_on(book, SETTLES_WITHIN) for book in books]

    def figures(self) -> str:
        states = Counter(each["state"] for each in self.contacts)
        became = ", ".join(f"{count} {state}" for state, count in states.most_common())
        taken = sum(call.came_in and bool(call.talked_at) for call in self._calls())
        dials = len(self.scene.dials())
        return (
            f"{taken} waiting callers were taken and {dials} calls placed; "
            f"{len(self.contacts)} contacts: {became or 'none'}"
        )

    def _compare(self) -> None:
        people = {call.customer for call in self._calls() if call.customer}
        numbers = {each.number for each in people if not each.withheld}
        found = [each for number in numbers for each in self._client.contacts_of(number)]
        # Of an earlier run on the same stack the exchange knows nothing.
        self.contacts = [
            each for each in found if datetime.fromisoformat(each["changed_at"]) >= self._began
        ]
        self.disagreements = disagreements(
            self._calls(), self.contacts, self._operators(), self._limit_of
        )

    def _limit_of(self, list_name: str) -> int:
        if list_name.startswith(PROMISE):
            return MOST_DIALS_AS_PROMISED
        return MOST_DIALS if list_name == self._campaign_id else MOST_DIALS_AS_ASKED

    def _calls(self) -> list[Call]:
        return self._switch.all_calls()

    # --- What the company sets up -----------------------------------------------------------------

    @contextmanager
    def _set_up(self) -> Iterator[None]:
        """Queues and a campaign; in the end nobody is offered or rung any more."""
        for campaign in self._client.campaigns():
            if campaign["campaign_id"].startswith(RUN_PREFIX):
                self._client.remove_campaign(campaign)
        for queue in QUEUES:
            self._client.set_up(f"/queues/{queue}", {"mode": "ask", "offer_seconds": 5})
        self._client.set_up(f"/callback-campaigns/{self._campaign_id}", CAMPAIGN)
        try:
            yield
        finally:
            self._client.set_paused(self._campaign_id, paused=True)
            for queue in QUEUES:
                self._client.set_up(f"/queues/{queue}", {"mode": "none"})

    # --- What customers do ------------------------------------------------------------------------

    def _plan(self, began: datetime, end: datetime) -> None:
        def after(seconds: float, act: Callable[[], object]) -> None:
            self._agenda.put(began + timedelta(seconds=seconds), act)

        for _ in range(EARLY_CALLS):
            moment = self._random.uniform(0, EARLY_CALLS_WITHIN)
            after(moment, partial(self._ring_in, MONITORED, EARLY_PATIENCE))
        after(0, self._ring_in_and_ask)
        if customer := next(self._callers, None):
            after(OPENS_AFTER, partial(self._promise, customer))
        moment = OPENS_AFTER + EARLY_CALLS_WITHIN
        while moment < (end - began).total_seconds() - NO_CALLS_IN_THE_LAST:
            queue = self._random.choice(QUEUES)
            waits = LATE_PATIENCE_FACTOR * patience(self._random)
            after(moment, partial(self._ring_in, queue, waits))
            moment += self._random.expovariate(1 / BETWEEN_CALLS)

    def _in_some_order(self, customers: Sequence[Customer]) -> Iterator[Customer]:
        """Each of them calls once at most."""
        known = [each for each in customers if not each.withheld]
        return iter(self._random.sample(known, len(known)))

    def _ring_in(self, queue: str, seconds: float) -> Call | None:
        caller = next(self._callers, None)
        # Somebody who is being rung back does not call at the same time.
        with suppress(Engaged):
            if caller:
                return self._switch.ring_in(caller, queue, seconds, datetime.now(UTC))
        return None

    def _ring_in_and_ask(self) -> None:
        if call := self._ring_in(OTHER, 10 * EARLY_PATIENCE):
            self._soon(ASKS_AFTER, partial(self._ask, call))

    def _ask(self, call: Call) -> None:
        """Who waits would rather be called back, and hangs up once that is noted."""
        if not call.waits:
            return
        if self._client.request_callback(call.call_id):
            self._switch.hang_up(call, datetime.now(UTC))
        else:
            self._soon(TICK, partial(self._ask, call))

    def _soon(self, seconds: float, act: Callable[[], object]) -> None:
        self._agenda.put(datetime.now(UTC) + timedelta(seconds=seconds), act)

    def _promise(self, customer: Customer) -> None:
        at = datetime.now(UTC) + timedelta(seconds=PROMISED_AFTER)
        wish = {"number": customer.number, "at": at.isoformat(), "queue": OTHER}
        # A machine that is very busy is told too late.
        if not self._client.promise(wish, key=f"{self._campaign_id}-{at.timestamp()}"):
            self._soon(TICK, partial(self._promise, customer))

    # --- What there is to see ---------------------------------------------------------------------

    def _show(self, show: Callable[[Scene], None], progress: float) -> None:
        self.scene.progress = progress
        if time.monotonic() >= self._next_look:
            self._next_look = time.monotonic() + BETWEEN_LOOKS
            self.scene.operators = self._operators()
            self.scene.contacts = Counter(
                {
                    state: len(self._client.contacts(self._campaign_id, state))
                    for state in SHOWN_STATES
                }
            )
        show(self.scene)
        time.sleep(TICK)

    def _operators(self) -> list[dict[str, Any]]:
        names = {each.agent for each in self._consoles}
        return [each for each in self._client.agents() if each["agent"] in names]
