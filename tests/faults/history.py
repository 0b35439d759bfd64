"""Random histories: who does what, and when; played by all of the product, through any trouble."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, time, timedelta
from http import HTTPStatus
from random import Random
from typing import Any, NamedTuple
from unittest.mock import patch

from retorno.callback_campaigns.model import Campaign, Waits
from retorno.calling_rules.model import Weekday, Window
from retorno.telephony.ports import (
    ConnectOrder,
    DialFailed,
    DialOrder,
    DialRefused,
    DialUncertain,
)
from tests.conftest import moto
from tests.support.clock import StoppedClock
from tests.support.deployment import CONTEXT, deployed, forget
from tests.support.events import Answer, Claims, answer, user
from tests.support.functions import function_of, handler_of
from tests.support.quick_dynamodb import Item
from tests.support.simulated_centre import Centre
from tests.support.simulated_cloud import COUNTING, ONLOOKERS, Cloud, Trouble, request

# A Monday in São Paulo, 9:30.
OPENING = datetime(2026, 3, 2, 12, 30, tzinfo=UTC)
BUSY = 2400
# Until a call whose end is never told is swept up, and all that waits for it comes to an end; and
# until what the last look of each minute brings about is done.
LONGEST = timedelta(hours=3.5, seconds=50)

# What looks at everything, and after how many seconds again: as in the template, but that calls are
# swept less often, which takes time.
LOOKS = {
    "WatchCallbacks": 60,
    "KeepPromises": 60,
    "KeepAppointments": 60,
    "SweepCalls": 300,
    "ExpireMissedCalls": 300,
}
WAITS = Waits(busy=5, no_answer=12, voicemail=15, failed=4)

AGENTS = [f"agente{index}" for index in range(3)]
NUMBERS = [f"+551198{index:07}" for index in range(10)]
CUSTOMERS = [f"+551197{index:07}" for index in range(3)]
LINE = "sac"
LEO = user("[supervisor]", "leo")
OFFER = "offer#"

# Who was silent, and is paused for it, is back some time.
BACK_AFTER = 600

# So long an agent is kept for who is handed to them, and so long news may take to be followed.
HELD = timedelta(seconds=55)
FOLLOWED_WITHIN = timedelta(minutes=3)


# What people do, in words.
WORDS = {
    "calls_in": "{number} rings, queue {queue}: call {call_id}",
    "forbids": "nobody may ring {number} any more",
    "wants_a_call": "{number} wants a call, from {agent}",
    "is_promised": "{number} is promised a call in {minutes} min: {key}",
    "moves": "{key} is moved: in {minutes} min",
    "cancels": "{key} is cancelled",
    "rests": "{agent} rests for a while",
    "links": "customer {customer} comes into the campaign, to {agent}",
    "appoints": "customer {customer} is to be contacted in {minutes} min",
    "appoints_no_more": "customer {customer} is to be contacted at no time",
    "gives": "customer {customer} is given to {agent}",
    "works": "{agent} works on customer {customer}, and ends with {end}",
}


class Act(NamedTuple):
    """Somebody does something, so many seconds after opening. `name` is a method of `World`."""

    at: float
    name: str
    how: Mapping[str, Any]

    @property
    def begins_at(self) -> datetime:
        return OPENING + timedelta(seconds=self.at)

    def __str__(self) -> str:
        known = {name: "anybody" if value is None else value for name, value in self.how.items()}
        return WORDS[self.name].format(**known)


def acts_of(seed: int) -> list[Act]:
    """Customers hang up, ring again, wait in line, are promised calls and want none; agents rest,
    and work on the customers of a campaign."""
    random = Random(seed)
    acts: list[Act] = []

    def act(name: str, since: float = 0, **how: Any) -> float:
        at = round(random.uniform(since, BUSY))
        acts.append(Act(at, name, how))
        return at

    for index, number in enumerate(NUMBERS):
        for again in range(random.choice([1, 1, 2, 3])):
            queue = random.choice(["vendas", "vendas", "suporte", LINE, LINE])
            is_answered = queue != LINE and again > 0 and random.random() < 0.4
            by = random.choice(AGENTS) if is_answered else ""
            act("calls_in", call_id=f"in-{index}-{again}", number=number, queue=queue,
                answered_by="fora" if by else "")  # fmt: skip
        match random.choice(["", "", "", "forbids", "wants", "promise", "promise"]):
            case "forbids":
                act("forbids", number=number)
            case "wants":
                act("wants_a_call", number=number, agent=random.choice([None, *AGENTS]))
            case "promise":
                _promise(act, random, f"p{index}", number)
    for agent in AGENTS:
        for _ in range(2):
            act("rests", agent=agent)
    for index in range(len(CUSTOMERS)):
        _customer(act, random, index)
    return sorted(acts, key=lambda each: each.at)


def _promise(act: Callable[..., float], random: Random, key: str, number: str) -> None:
    made = act("is_promised", key=key, number=number, minutes=random.choice([1, 5, 20, 45]))
    match random.choice(["", "", "moves", "cancels"]):
        case "moves":
            act("moves", made, key=key, number=number, minutes=random.choice([1, 10, 30]))
        case "cancels":
            act("cancels", made, key=key)


def _customer(act: Callable[..., float], random: Random, index: int) -> None:
    at = act("links", customer=index, agent=random.choice([None, *AGENTS]))
    for _ in range(random.randint(1, 5)):
        agent = random.choice(AGENTS)
        match random.choice(["appoints", "appoints", "appoints_no_more", "gives", "works"]):
            case "appoints":
                act("appoints", at, customer=index, minutes=random.choice([1, 5, 20]))
            case "appoints_no_more":
                act("appoints_no_more", at, customer=index)
            case "gives":
                act("gives", at, customer=index, agent=agent)
            case "works":
                end = random.choice(["conclude", "postpone", "no-contact", "release"])
                act("works", at, customer=index, agent=agent, end=end)


@dataclass
class World(Centre):
    """All of it. What people do is done over HTTP, until there is an answer."""

    promised: dict[str, str] = field(default_factory=dict)
    customers: dict[int, str] = field(default_factory=dict)
    told: list[dict[str, str]] = field(default_factory=list)
    connected: list[str] = field(default_factory=list)
    waiting: set[str] = field(default_factory=set)
    talking: dict[str, str] = field(default_factory=dict)
    handed: dict[str, datetime] = field(default_factory=dict)
    heard: dict[str, datetime] = field(default_factory=dict)

    def begins(self) -> None:
        """Before anything goes wrong."""
        self.opens()
        self._now("PUT /queues/{queue}", {"mode": "ask", "offer_seconds": 20}, queue=LINE)
        campaign = {
            "name": "Natal",
            "begins_on": "2026-03-01",
            "ends_on": "2026-03-31",
            "queue": "retorno",
            "dialling": True,
        }
        self._now("PUT /telemarketing/campaigns/{campaign}", campaign, campaign="natal")
        for index, number in enumerate(CUSTOMERS):
            draft = {"name": f"Cliente {index}", "mobile": number}
            self.customers[index] = self._now("POST /customers", draft).body["customer_id"]
        self.cloud.watching.append(self._sees)
        for agent in self.agents:
            self.cloud.every(BACK_AFTER, lambda agent=agent: self._asks(agent, "available")())  # type: ignore[misc]

    def _now(self, route: str, body: Any, **parts: Any) -> Answer:
        """Nothing goes wrong where no function is said to run."""
        event = request(route, LEO, body, **parts)
        told = answer(handler_of(function_of(route))(event, CONTEXT))
        assert told.status == HTTPStatus.CREATED, told.body
        return told

    # --- Callers who wait, and are offered ------------------------------------------------------

    def calls_in(self, call_id: str, number: str, queue: str, *, answered_by: str = "") -> None:
        if queue != LINE:
            super().calls_in(call_id, number, queue, answered_by=answered_by)
            return
        self.waiting.add(call_id)
        facts = {"direction": "inbound", "from": number, "queue": queue}
        self.tell(call_id, "queued", **facts)

        def gives_up() -> None:
            if call_id in self.waiting:
                self.waiting.discard(call_id)
                self.tell(call_id, "cancelled", **facts)

        self.cloud.after(self._random.uniform(30, 400), gives_up)

    def _sees(self, table: str, old: Item | None, new: Item | None) -> None:
        """An agent sees an offer, and answers it, or not."""
        if table != "offers" or not new or not new["pk"]["S"].startswith(OFFER) or old:
            return
        offer_id, agent = new["pk"]["S"].removeprefix(OFFER), new["agent"]["S"]
        how = self._random.choice(["accept", "accept", "accept", "reject", ""])
        if how:
            claims = user("[agent]", agent)
            route = f"POST /offers/{{offer_id}}/{how}"
            self.cloud.after(
                self._random.uniform(1, 22),
                lambda: self.cloud.ask(route, claims, offer_id=offer_id),
            )

    def connect(self, order: ConnectOrder) -> None:
        if order.offer_id in self.connected:
            self.wrongs.append(f"{order.offer_id} was ordered twice")
        self.connected.append(order.offer_id)
        self._tells_of_second_calls(order.offer_id, order.agent)
        trouble = self._random.random()
        if trouble < 0.05:
            raise DialRefused("no")
        if trouble < 0.1:
            raise DialFailed("busy")
        self.cloud.passes(self._random.uniform(0.1, 2))
        self._connects(order)
        self.cloud.may_die("after it ordered a connection")
        if trouble < 0.15:
            raise DialUncertain("the answer was lost")

    def is_connecting(self, order: ConnectOrder) -> bool:
        self.cloud.passes(self._random.uniform(0.1, 2))
        if self._random.random() < 0.1:
            raise DialUncertain("500")
        return order.call_id in self.talking

    def _connects(self, order: ConnectOrder) -> None:
        """Whoever still waits is handed over, or comes back into the line."""
        call_id, agent = order.call_id, order.agent
        if call_id not in self.waiting:
            return
        self.waiting.discard(call_id)
        self.talking[call_id] = agent
        self.handed[call_id] = order.ordered_at
        facts = {"direction": "inbound", "queue": LINE}
        rings = self._random.uniform(2, 9)

        def comes_back() -> None:
            del self.talking[call_id]
            self.waiting.add(call_id)
            self.tell(call_id, "queued", **facts)
            self.cloud.after(60, gives_up)

        def gives_up() -> None:
            if call_id in self.waiting:
                self.waiting.discard(call_id)
                self.tell(call_id, "cancelled", **facts)

        def talks() -> None:
            self.tell(call_id, "answered", agent=agent, **facts)
            self.cloud.after(self._random.uniform(20, 120), ends)

        def ends() -> None:
            del self.talking[call_id]
            self.tell(call_id, "completed", agent=agent, **facts)

        self.cloud.after(rings, comes_back if self._random.random() < 0.15 else talks)

    def _tells_of_second_calls(self, order: str, agent: str) -> None:
        busy = [each.call_id for each in self.placed.values()
                if each.order.agent == agent and each.ended_at is None]  # fmt: skip
        self.wrongs += [f"{order} is {agent}'s second call, {call_id}" for call_id in busy]
        self._tells_of_taken(order, agent)

    def _tells_of_taken(self, order: str, agent: str) -> None:
        """Whoever talks is held for a minute, and by then that they talk was told; if it was not,
        nobody can know."""
        for call_id, other in self.talking.items():
            is_known = f"{call_id}-answered" in self.heard_long_ago()
            is_held = self.now < self.handed[call_id] + HELD
            if other == agent and (is_known or is_held):
                self.wrongs.append(f"{order} is {agent}'s second call, {call_id}")

    def heard_long_ago(self) -> set[str]:
        """The events that were taken, and had the time to be followed."""
        return {each for each, at in self.heard.items() if at < self.now - FOLLOWED_WITHIN}

    def _tells_of_wrongs(self, order: DialOrder) -> None:
        super()._tells_of_wrongs(order)
        self._tells_of_taken(order.attempt_id, order.agent)

    def _send(self, event: dict[str, str]) -> None:
        if event not in self.told:
            self.told.append(event)
        super()._send(event)

    def _is_taken(self, event: dict[str, str]) -> None:
        self.heard.setdefault(event["event_id"], self.now)

    # --- Promises, and calls that are asked for -------------------------------------------------

    def wants_a_call(self, number: str, agent: str | None) -> None:
        self.wants(
            list_name="queue:retorno",
            number=number,
            queue="retorno",
            agent=agent,
            until=None,
            due_at=self.now,
            asked_at=self.now,
        )

    def _wish(self, number: str, minutes: int) -> dict[str, Any]:
        at = (self.now + timedelta(minutes=minutes)).isoformat()
        return {"number": number, "at": at, "queue": "retorno", "tolerance_minutes": 30}

    def is_promised(self, key: str, number: str, minutes: int) -> None:
        def kept(answer: Answer) -> None:
            if answer.status == 201:
                self.promised[key] = answer.body["callback_id"]

        wish, headers = self._wish(number, minutes), {"idempotency-key": key}
        self.cloud.ask("POST /callbacks", LEO, wish, headers, then=kept)

    def moves(self, key: str, number: str, minutes: int) -> None:
        self._promised("PUT", key, self._wish(number, minutes))

    def cancels(self, key: str) -> None:
        self._promised("DELETE", key)

    def _promised(self, method: str, key: str, wish: Any = None) -> None:
        if key in self.promised:
            route = f"{method} /callbacks/{{callback_id}}"
            headers = {"if-match": "*"}
            self.cloud.ask(route, LEO, wish, headers, callback_id=self.promised[key])

    # --- Telemarketing --------------------------------------------------------------------------

    def _of(self, method: str, customer: int, part: str = "", body: Any = None) -> None:
        route = f"{method} /telemarketing/campaigns/{{campaign}}/customers/{{customer_id}}{part}"
        self.cloud.ask(route, LEO, body, campaign="natal", customer_id=self.customers[customer])

    def links(self, customer: int, agent: str | None) -> None:
        self._of("PUT", customer, body={"agent": agent})

    def appoints(self, customer: int, minutes: int) -> None:
        at = (self.now + timedelta(minutes=minutes)).isoformat()
        self._of("PUT", customer, "/schedule", {"at": at})

    def appoints_no_more(self, customer: int) -> None:
        self._of("DELETE", customer, "/schedule")

    def gives(self, customer: int, agent: str) -> None:
        self._of("POST", customer, "/transfer", {"agent": agent})

    def works(self, customer: int, agent: str, end: str) -> None:
        claims = user("[agent]", agent)
        wish = {"campaign": "natal", "customer_id": self.customers[customer]}

        def opened(answer: Answer) -> None:
            if answer.status == 201:
                operation = answer.body["operation"]["operation_id"]
                seconds = self._random.uniform(5, 120)
                self.cloud.after(seconds, lambda: self._ends(claims, operation, end))

        self.cloud.ask("POST /telemarketing/operations", claims, wish, then=opened)

    def _ends(self, claims: Claims, operation: str, end: str) -> None:
        soon = (self.now + timedelta(minutes=10)).isoformat()
        body = {
            "conclude": {"outcome": "sem_interesse"},
            "postpone": {"outcome": "ligar_depois", "at": soon},
            "no-contact": {"reason": "nao_atendeu"},
            "release": None,
        }[end]
        route = f"POST /telemarketing/operations/{{operation}}/{end}"
        self.cloud.ask(route, claims, body, operation=operation)


class OneAtATime:
    """Instead of threads, so that a seed repeats."""

    def __init__(self, workers: int) -> None: ...

    def __enter__(self) -> "OneAtATime":
        return self

    def __exit__(self, *error: object) -> None: ...

    def submit(self, do: Any, item: Any) -> Any:
        placed = Future[None]()
        placed.set_result(do(item))
        return placed


def campaign(campaign_id: str, **fields: Any) -> Campaign:
    return Campaign(
        campaign_id=campaign_id,
        name=campaign_id,
        monitored_queue=campaign_id,
        callback_queue="retorno",
        waits=WAITS,
        min_gap_minutes=4,
        **fields,
    )


@contextmanager
def lived(
    seed: int,
    acts: Sequence[Act],
    *,
    only: frozenset[float] | None = None,
    lasts: timedelta = LONGEST,
    is_real: bool = False,
) -> Iterator[World]:
    """The world at rest, after these acts and all that followed from them; through all faults that
    the seed brings, or `only` some, by their dice."""
    clock = StoppedClock(OPENING)
    morning = Window(days=(Weekday.MONDAY,), since=time(9, 40), until=time(12, 0))
    with moto(), ExitStack() as patches:
        forget()
        patches.callback(forget)
        deployment = deployed()
        deployment.configure(CALLING_PROFILES="none", CALL_MAX_HOURS="1")
        cloud = Cloud(
            deployment,
            clock,
            str(seed),
            Trouble(),
            only=only,
            aside=ONLOOKERS - COUNTING,
            is_real=is_real,
        )
        patches.enter_context(cloud.running())
        campaigns = [campaign("vendas"), campaign("suporte", max_attempts=2, hours=(morning,))]
        world = World(
            cloud,
            NUMBERS + CUSTOMERS,
            AGENTS,
            campaigns,
            frozenset(NUMBERS[:1]),
            queues=("retorno", LINE),
        )
        for name in ("retorno.dialling.service.dialler", "retorno.offers.service.connector"):
            patches.enter_context(patch(name, lambda settings: world))
        patches.enter_context(patch("retorno.callbacks.dialler.ThreadPoolExecutor", OneAtATime))
        world.begins()
        for act in acts:
            do = getattr(world, act.name)
            own = Random(f"{seed} {act}")
            cloud.after(act.at, lambda do=do, act=act: do(**act.how), own)  # type: ignore[misc]
        for function, seconds in LOOKS.items():
            cloud.every(seconds, lambda function=function: cloud.call(function, {}))  # type: ignore[misc]
        cloud.run(OPENING + lasts)
        yield world
