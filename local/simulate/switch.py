"""A telephone system's inside: lines, a queue, and calls. Virtual time, no I/O, no wall clock.

Others ask it for calls, from any thread, and `advance` gives the events of what follows. Whose line
is taken is engaged for everybody else, operators and customers alike.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from random import Random
from threading import Lock

from local.simulate.carrier import Event, between, told
from local.simulate.centre import NO_TALK, talk_time
from local.simulate.people import Customer
from local.simulate.timeline import Timeline

# Shares.
OPERATOR_IS_AWAY = 0.02

# Seconds.
OPERATOR_PICKS_UP = (2, 8)
OPERATOR_RINGS_OUT = 20
PICKS_UP = (6, 25)
RINGS_OUT = 30
TONE = 3


class NoSuchCall(Exception):
    """No call of that id waits."""


class Engaged(Exception):
    """The customer is in a call."""


@dataclass(frozen=True)
class Order:
    """A call that is to be placed: the telephone rings first, and then the number."""

    attempt_id: str
    number: str
    telephone: str
    agent: str


@dataclass(frozen=True)
class Connection:
    """A caller who waits is to be handed to a telephone."""

    offer_id: str
    call_id: str
    telephone: str
    agent: str


@dataclass(eq=False)
class Call:
    """`number` is the customer's as it is told, and `customer` None where nobody has it. `queue` is
    where a caller waits; a call that was placed has none.

    `engaged_at` is when the operator's telephone began to ring, and `clashed` tells of an order for
    a telephone that was engaged already. `offer_id` is of the order by which a caller is, or is
    being, connected.
    """

    call_id: str
    number: str
    customer: Customer | None
    queue: str
    began: datetime
    telephone: str = ""
    agent: str = ""
    stage: str = ""
    reason: str = ""
    answered_by: str = ""
    engaged_at: datetime | None = None
    talked_at: datetime | None = None
    ended_at: datetime | None = None
    clashed: bool = False
    offer_id: str = ""
    events: int = 0

    @property
    def came_in(self) -> bool:
        return bool(self.queue)

    @property
    def waits(self) -> bool:
        return self.came_in and self.stage == "queued"

    @property
    def result(self) -> str:
        """How a call that has ended did so, in one word."""
        return self.answered_by or self.reason


class Switch:
    """`customers` are all who can be called. `pace` is how long a second of theirs takes.

    `attempts` are the calls by the orders to place them, `connections` those of callers by the
    orders to connect them that stand: the telephone rings, or was picked up.
    """

    def __init__(
        self, run_id: str, seed: int, customers: Iterable[Customer], pace: float = 1
    ) -> None:
        self.calls: dict[str, Call] = {}
        self.attempts: dict[str, Call] = {}
        self.connections: dict[str, Call] = {}
        self._run_id = run_id
        self._seed = seed
        self._pace = pace
        self._customers = {each.number: each for each in customers if not each.withheld}
        self._times_called: Counter[str] = Counter()
        self._operators: dict[str, Random] = {}
        self._engaged: dict[str, Call] = {}
        self._now = datetime.min.replace(tzinfo=UTC)
        self._agenda: Timeline[Callable[[], None]] = Timeline()
        self._events: list[Event] = []
        self._lock = Lock()

    def advance(self, until: datetime) -> list[Event]:
        """Lives on to a moment; gives the events since this was asked last."""
        with self._at(until):
            events, self._events = self._events, []
            return events

    def place(self, order: Order, now: datetime) -> tuple[Call, bool]:
        """The call that an order is, and whether it is a new one."""
        with self._at(now):
            if known := self.attempts.get(order.attempt_id):
                return known, False
            customer = self._customers.get(order.number)
            call = self._begin(order.number, customer)
            self.attempts[order.attempt_id] = call
            call.agent = order.agent
            self._report(call, "queued")
            ring_customer = partial(self._ring_customer, call)
            nobody = partial(self._end, call, "no_answer", "operator_no_answer")
            self._ring_operator(call, order.telephone, ring_customer, nobody)
            return call, True

    def ring_in(self, customer: Customer, queue: str, patience: float, now: datetime) -> Call:
        """A customer calls, and waits for so many seconds. Raises Engaged."""
        with self._at(now):
            if customer.number in self._engaged:
                raise Engaged
            call = self._begin(customer.spell_number(), customer, queue)
            self._engaged[customer.number] = call
            self._report(call, "queued")
            self._after(patience, partial(self._give_up, call))
            return call

    def hang_up(self, call: Call, now: datetime) -> None:
        """A caller who waits goes."""
        with self._at(now):
            self._give_up(call)

    def connect(self, order: Connection, now: datetime) -> None:
        """Hands a caller to an operator; told again, it is the same. Raises NoSuchCall."""
        with self._at(now):
            if order.offer_id in self.connections:
                return
            call = self.calls.get(order.call_id)
            if call is None or not call.waits:
                raise NoSuchCall
            self.connections[order.offer_id] = call
            call.offer_id, call.agent = order.offer_id, order.agent
            self._report(call, "ringing")
            take, leave = partial(self._take, call), partial(self._put_back, call)
            self._ring_operator(call, order.telephone, take, leave)

    def close(self, now: datetime) -> list[Event]:
        """Ends all calls, and gives the last events."""
        with self._at(now):
            self._agenda = Timeline()
            for call in self.calls.values():
                if not call.ended_at:
                    self._end(call, "completed" if call.talked_at else "failed", "closed")
            events, self._events = self._events, []
            return events

    def all_calls(self) -> list[Call]:
        """From any thread."""
        return list(self.calls.copy().values())

    @property
    def is_idle(self) -> bool:
        """Whether nobody is in a call, and all events are taken."""
        with self._lock:
            return not self._engaged and not self._events

    @contextmanager
    def _at(self, moment: datetime) -> Iterator[None]:
        """Alone, and with all done that was due. Of two threads the later may bring the earlier
        moment; no call goes back in time for it."""
        with self._lock:
            while due := self._agenda.take(moment):
                self._now, act = due
                act()
            self._now = max(self._now, moment)
            yield

    def _after(self, seconds: float, act: Callable[[], None]) -> None:
        # Events carry milliseconds: whole ones keep them equal to what is kept here.
        wait = timedelta(milliseconds=int(seconds * self._pace * 1000))
        self._agenda.put(self._now + wait, act)

    # --- What follows -----------------------------------------------------------------------------

    def _ring_operator(
        self,
        call: Call,
        telephone: str,
        answered: Callable[[], None],
        unanswered: Callable[[], None],
    ) -> None:
        call.telephone = telephone
        if telephone in self._engaged:
            call.clashed = True
            self._after(TONE, unanswered)
            return
        self._engaged[telephone], call.engaged_at = call, self._now
        operator = self._operators.setdefault(telephone, Random(f"{self._seed} {telephone}"))
        if operator.random() < OPERATOR_IS_AWAY:
            self._after(OPERATOR_RINGS_OUT, unanswered)
        else:
            self._after(operator.uniform(*OPERATOR_PICKS_UP), answered)

    def _ring_customer(self, call: Call) -> None:
        customer = call.customer
        if customer is None:
            self._end(call, "failed", "unknown_number")
            return
        self._times_called[customer.number] += 1
        fate = customer.fate(self._times_called[customer.number])
        if fate == "is busy" or customer.number in self._engaged:
            self._after(TONE, partial(self._end, call, "no_answer", "busy"))
            return
        self._engaged[customer.number] = call
        self._report(call, "ringing")
        match fate:
            case "is away":
                self._after(RINGS_OUT, partial(self._end, call, "no_answer", "no_answer"))
            case "has a voicemail":
                seconds = customer.random.uniform(*NO_TALK)
                talk = partial(self._talk, call, "voicemail", seconds)
                self._after(customer.random.uniform(*PICKS_UP), talk)
            case _:
                talk = partial(self._talk, call, "human", talk_time(customer.random))
                self._after(customer.random.uniform(*PICKS_UP), talk)

    def _take(self, call: Call) -> None:
        """The operator picks up for a caller, who may have hung up meanwhile."""
        if not call.ended_at:
            self._talk(call, "human", talk_time(self._operators[call.telephone]))

    def _put_back(self, call: Call) -> None:
        """The operator did not pick up: the caller waits on."""
        if not call.ended_at:
            self._release(call.telephone, call)
            del self.connections[call.offer_id]
            call.offer_id = call.agent = call.telephone = ""
            self._report(call, "queued")

    def _give_up(self, call: Call) -> None:
        if not call.talked_at and not call.ended_at:
            self.connections.pop(call.offer_id, None)
            self._end(call, "cancelled", "hung_up")

    # --- Every call -------------------------------------------------------------------------------

    def _begin(self, number: str, customer: Customer | None, queue: str = "") -> Call:
        call_id = f"{self._run_id}-{len(self.calls) + 1}"
        call = Call(call_id, number, customer, queue, self._now)
        self.calls[call_id] = call
        return call

    def _talk(self, call: Call, answered_by: str, seconds: float) -> None:
        call.talked_at, call.answered_by = self._now, answered_by
        self._report(call, "answered", answered_by=answered_by)
        self._after(seconds, partial(self._end, call, "completed", "hung_up"))

    def _end(self, call: Call, stage: str, reason: str) -> None:
        call.ended_at, call.reason = self._now, reason
        self._report(call, stage, reason=reason)
        self._release(call.telephone, call)
        if call.customer:
            self._release(call.customer.number, call)

    def _release(self, line: str, call: Call) -> None:
        if self._engaged.get(line) is call:
            del self._engaged[line]

    def _report(self, call: Call, stage: str, **facts: str) -> None:
        call.stage, call.events = stage, call.events + 1
        event = told(call.call_id, call.events, stage, self._now)
        # Why a call was placed is not known here, so nothing is told of whom it is with.
        parties = between("inbound", call.number) if call.came_in else {}
        self._events.append({**event, **parties, "queue": call.queue, "agent": call.agent, **facts})
