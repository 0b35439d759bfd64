"""The call centre itself, as a discrete-event simulation in virtual time. No I/O, no wall clock.

Everybody draws from a random stream of their own. So for one seed and period, all that customers
and operators do by themselves repeats; only whom the operators ring back, and what follows from
it, depends on `worklist`, which the product gives.
"""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from random import Random

from local.simulate.carrier import Carrier, Event, between, told
from local.simulate.people import BRASILIA, QUEUES, Customer, Operator, at_hour, hire, settle
from local.simulate.timeline import END_OF_TIME, OpeningHours, Timeline
from local.simulate.truth import Truth

ENDS = frozenset({"completed", "cancelled", "no_answer", "failed"})

RUN_PREFIX = "sim-"

CALLS_A_DAY = 1.0
# How busy each hour is; the centre is closed in all others.
HOURS = {8: 5, 9: 9, 10: 10, 11: 9, 12: 6, 13: 6, 14: 9, 15: 10, 16: 8, 17: 6, 18: 4, 19: 3}
BUSIEST = max(HOURS.values())

# Shares.
HANGS_UP_AT_ONCE = 0.06
LINE_FAILS = 0.015
LOSES_ITS_END = 0.012
RINGS_AGAIN = 0.35
MACHINE_IS_DETECTED = 0.4
MESSAGE_IS_LEFT = 0.4
IS_SUMMED_UP = 0.6
FATES = ("talks", "is in a hurry", "has a voicemail", "is away")
FATE_SHARES = (0.52, 0.05, 0.23, 0.20)

# Seconds. The product counts from 15 seconds as a talk with a person, and up to 5 as a short
# abandon: nothing here is near enough for a rounding to decide.
AT_ONCE = (1, 4)
QUEUE_LIMIT = 180
LONGEST_TALK = 480
NO_TALK = (3, 12)
WRAP_UP = (5, 40)
NOTING = (2, 30)
RESTS = (15, 90)
# Seconds, as a least and a mean of what comes on top.
PATIENCE = (15, 90)
TALK = (20, 170)
BEFORE_RINGING_AGAIN = (60, 2400)

BETWEEN_ATTEMPTS = timedelta(minutes=45)
# No call begins in the last minutes, so that all have ended when the simulation does.
LAST_CALLS = timedelta(minutes=20)
# The product closes a call whose end never comes so long after it began.
CLOSED_AFTER = timedelta(hours=4)


@dataclass(eq=False)
class Call:
    call_id: str
    direction: str
    customer: Customer
    number: str
    queue: str
    began: datetime
    since: datetime
    operator: Operator | None = None
    stage: str = ""
    loses_end: bool = False
    # The disposition that the operator is going to give it.
    summary: str | None = None
    events: int = 0

    @property
    def is_waiting(self) -> bool:
        return self.direction == "inbound" and self.stage in ("queued", "ringing")


class Centre:
    """`worklist` holds the ids of missed calls, in the order in which to ring the callers back;
    `begun` counts the calls that there were by direction."""

    def __init__(
        self, seed: int, start: datetime, end: datetime, customers: int, agents: int
    ) -> None:
        self.now = start
        self.hours = OpeningHours(start, end)
        self.customers = settle(customers, seed, start)
        self.operators = hire(agents, seed, start)
        self.calls: list[Call] = []
        self.begun: Counter[str] = Counter()
        self.truth = Truth()
        self.worklist: Sequence[str] = ()
        self.run_id = f"{RUN_PREFIX}{int(start.timestamp() * 1000):x}"
        self._last_call_at = end - LAST_CALLS
        self._summed_up: list[tuple[str, str]] = []
        self._callers: dict[str, Customer] = {}
        self._carrier = Carrier(seed)
        self._arrivals = Random(f"{seed} arrivals")
        self._agenda: Timeline[Callable[[], None]] = Timeline()
        self._schedule_shifts()
        self._schedule_arrival()

    def known(self) -> dict[str, Customer]:
        """Whom the company knows by name, by their codes."""
        named = [each for each in self.customers if each.name]
        return {f"{self.run_id}-{number}": each for number, each in enumerate(named)}

    def advance(self, until: datetime) -> list[Event]:
        """Lives on to a moment; gives the events that the carrier delivers by then."""
        while due := self._agenda.take(until):
            self.now, act = due
            act()
        self.now = until
        return self._carrier.arrived(until)

    def summed_up(self) -> list[tuple[str, str]]:
        """The calls that operators summed up since this was asked last, and the dispositions."""
        summed_up, self._summed_up = self._summed_up, []
        return summed_up

    def delayed_events(self) -> list[Event]:
        """What the carrier still has under way at the end."""
        return self._carrier.arrived(END_OF_TIME)

    def _after(self, seconds: float, act: Callable[[], None]) -> None:
        # Events carry milliseconds: whole ones keep them equal to what the truth reckons with.
        self._agenda.put(self.now + timedelta(milliseconds=int(seconds * 1000)), act)

    # --- Customers ------------------------------------------------------------------------------

    def _schedule_arrival(self) -> None:
        a_busy_second = len(self.customers) * CALLS_A_DAY * BUSIEST / sum(HOURS.values()) / 3600
        self._after(self._arrivals.expovariate(a_busy_second), self._arrive)

    def _arrive(self) -> None:
        self._schedule_arrival()
        customer = self._arrivals.choice(self.customers)
        hour = self.now.astimezone(BRASILIA).hour
        if self._arrivals.random() < HOURS.get(hour, 0) / BUSIEST:
            self._ring_in(customer)

    def _ring_in(self, customer: Customer) -> None:
        if customer.on_call or self.now > self._last_call_at:
            return
        customer.needs_help = True
        call = self._begin("inbound", customer, customer.random.choice(QUEUES))
        self._callers[call.call_id] = customer
        self._report(call, "queued")
        if self.now < self._last_call_at - CLOSED_AFTER:
            call.loses_end = customer.random.random() < LOSES_ITS_END
        self._after(patience(customer.random), partial(self._lose, call, "cancelled", "hung_up"))
        self._after(QUEUE_LIMIT, partial(self._lose, call, "no_answer", "queue_timeout"))
        if customer.random.random() < LINE_FAILS:
            self._after(10, partial(self._lose, call, "failed", "trunk_error"))
        self._connect_waiting()

    def _lose(self, call: Call, stage: str, reason: str) -> None:
        if not call.is_waiting:
            return
        customer = call.customer
        ended_at = call.began + CLOSED_AFTER if call.loses_end else self.now
        self.truth.missed(call.call_id, customer, ended_at)
        self._end(call, stage, reason)
        if customer.random.random() < RINGS_AGAIN:
            wait = draw(customer.random, BEFORE_RINGING_AGAIN)
            self._after(wait, partial(self._ring_again, customer))

    def _ring_again(self, customer: Customer) -> None:
        if customer.needs_help:
            self._ring_in(customer)

    # --- Operators ------------------------------------------------------------------------------

    def _schedule_shifts(self) -> None:
        for opens, _ in self.hours.spans:
            for operator in self.operators:
                begins = max(opens, at_hour(opens, operator.shift[0]))
                self._agenda.put(begins, partial(self._become_free, operator))

    def _become_free(self, operator: Operator) -> None:
        if not operator.on_shift(self.now):
            self._turn(operator, "off")
            return
        self._turn(operator, "free")
        self._connect_waiting()
        self._rest(operator)

    def _rest(self, operator: Operator) -> None:
        look = partial(self._look_at_missed, operator, operator.since)
        self._after(operator.random.uniform(*RESTS), look)

    def _look_at_missed(self, operator: Operator, free_since: datetime) -> None:
        """Rings the next caller back, unless a call came in between or the shift is over."""
        if operator.doing != "free" or operator.since != free_since:
            return
        if not operator.on_shift(self.now):
            self._turn(operator, "off")
        elif customer := self._next_to_ring_back():
            self._ring_back(operator, customer)
        else:
            self._rest(operator)

    def _next_to_ring_back(self) -> Customer | None:
        if self.now > self._last_call_at:
            return None
        callers = (self._callers.get(call_id) for call_id in self.worklist)
        return next((c for c in callers if c and self._may_be_rung(c)), None)

    def _may_be_rung(self, customer: Customer) -> bool:
        last = customer.last_rung_back
        return not customer.withheld and (last is None or self.now - last >= BETWEEN_ATTEMPTS)

    def _wrap_up(self, operator: Operator) -> None:
        self._turn(operator, "wrap-up")
        self._after(operator.random.uniform(*WRAP_UP), partial(self._become_free, operator))

    def _turn(self, operator: Operator, doing: str) -> None:
        operator.doing, operator.since = doing, self.now

    # --- Calls in -------------------------------------------------------------------------------

    def _connect_waiting(self) -> None:
        """Gives each waiting call, the oldest first, to the operator who is free for longest."""
        for call in [call for call in self.calls if call.is_waiting and not call.operator]:
            free = [
                operator
                for operator in self.operators
                if operator.doing == "free"
                and call.queue in operator.queues
                and operator.on_shift(self.now)
            ]
            if free:
                self._offer(call, min(free, key=lambda operator: operator.since))

    def _offer(self, call: Call, operator: Operator) -> None:
        call.operator = operator
        self._turn(operator, "ringing")
        self._report(call, "ringing")
        self._after(operator.random.uniform(3, 9), partial(self._pick_up, call))

    def _pick_up(self, call: Call) -> None:
        if call.is_waiting and call.operator:
            call.customer.needs_help = False
            self.truth.came_through(call.customer, call.began, self.now)
            self._talk(call, "human", talk_time(call.operator.random))

    # --- Calls back -----------------------------------------------------------------------------

    def _ring_back(self, operator: Operator, customer: Customer) -> None:
        customer.last_rung_back = self.now
        call = self._begin("outbound_manual", customer, "", operator)
        self._turn(operator, "ringing back")
        self._report(call, "ringing")
        if customer.on_call != call.call_id:
            self._after(3, partial(self._end, call, "no_answer", "busy"))
        else:
            [fate] = customer.random.choices(FATES, FATE_SHARES)
            self._after(customer.random.uniform(6, 25), partial(self._meet, call, fate))

    def _meet(self, call: Call, fate: str) -> None:
        random = call.customer.random
        if fate == "is away":
            self._end(call, "no_answer", "no_answer")
        elif fate == "talks":
            self._reach(call)
            summary = "resolvido" if random.random() < IS_SUMMED_UP else None
            self._talk(call, random.choice(("human", "unknown")), talk_time(random), summary)
        elif fate == "is in a hurry":
            # As short as a voicemail's: only the operator can tell.
            self._reach(call)
            self._talk(call, "unknown", random.uniform(*NO_TALK), "ligar_depois")
        elif random.random() < MACHINE_IS_DETECTED:
            self._talk(call, "voicemail", talk_time(random))
        elif random.random() < MESSAGE_IS_LEFT:
            # As long as a person's: only the operator can tell.
            self._talk(call, "unknown", talk_time(random), "caixa_postal")
        else:
            self._talk(call, "unknown", random.uniform(*NO_TALK))

    def _reach(self, call: Call) -> None:
        call.customer.needs_help = False
        self.truth.rang_back(call.call_id, call.customer, call.began, self.now)

    # --- Every call -----------------------------------------------------------------------------

    def _begin(
        self, direction: str, customer: Customer, queue: str, operator: Operator | None = None
    ) -> Call:
        self.begun[direction] += 1
        call_id = f"{self.run_id}-{self.begun.total()}"
        number = customer.spell_number()
        call = Call(call_id, direction, customer, number, queue, self.now, self.now, operator)
        # Somebody who is already in a call stays in that one, and the new one finds the line busy.
        customer.on_call = customer.on_call or call_id
        self.calls.append(call)
        return call

    def _talk(
        self, call: Call, answered_by: str, seconds: float, summary: str | None = None
    ) -> None:
        call.summary = summary
        if call.operator:
            self._turn(call.operator, "talking")
        self._report(call, "answered", answered_by=answered_by)
        self._after(seconds, partial(self._end, call, "completed", "hung_up"))

    def _end(self, call: Call, stage: str, reason: str) -> None:
        self._report(call, stage, reason=reason)
        self.calls.remove(call)
        if call.customer.on_call == call.call_id:
            call.customer.on_call = None
        if call.operator:
            self._wrap_up(call.operator)
            if call.summary:
                sum_up = partial(self._sum_up, call.call_id, call.summary)
                self._after(call.operator.random.uniform(*NOTING), sum_up)

    def _sum_up(self, call_id: str, disposition: str) -> None:
        self._summed_up.append((call_id, disposition))

    def _report(self, call: Call, stage: str, **facts: str) -> None:
        call.stage, call.since, call.events = stage, self.now, call.events + 1
        event = {
            **told(call.call_id, call.events, stage, self.now),
            **between(call.direction, call.number),
            "queue": call.queue,
            "agent": call.operator.name if call.operator else "",
            **facts,
        }
        if not (call.loses_end and stage in ENDS):
            self._carrier.post(event, self.now)


def patience(random: Random) -> float:
    if random.random() < HANGS_UP_AT_ONCE:
        return random.uniform(*AT_ONCE)
    return draw(random, PATIENCE)


def talk_time(random: Random) -> float:
    return min(draw(random, TALK), LONGEST_TALK)


def draw(random: Random, least_and_mean: tuple[float, float]) -> float:
    least, mean = least_and_mean
    return least + random.expovariate(1 / mean)
