"""A call centre in small: callers who wait, agents, and a telephone system that connects them.

Its tables are real, its streams and its queue of work are brought on by hand, in the order in
which they came.
"""

from collections import deque
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from unittest.mock import patch

from botocore.client import BaseClient

from retorno.agents.model import AgentDraft, Presence, State, Wish
from retorno.agents.service import Agents, AgentTracking, Availability, Reservations
from retorno.agents.store import AgentStore
from retorno.calls.model import CallRules, facts_of
from retorno.calls.service import CallReader, CallUpkeep
from retorno.calls.store import CallStore
from retorno.offers.model import Mode, Offer, Queue, Waiting
from retorno.offers.service import Line, LineTracking, OfferRecords, Offers
from retorno.offers.store import OfferStore
from retorno.phone import NumberPlan
from retorno.telephony.ports import CallEvent, ConnectOrder, Direction, Stage
from tests.support.histories import BEGINNING
from tests.support.stream import Stream
from tests.support.tables import create_table

QUEUE = "vendas"
AVAILABLE = Wish(state=State.AVAILABLE)

# Nothing that happens once makes more work than this.
MUCH_WORK = 60


class Died(BaseException):
    """A worker that died between two requests."""


@contextmanager
def dying(at: int, *, before: bool) -> Iterator[None]:
    """Dies of the request to AWS that is the `at`-th, before or after its effect."""
    make_api_call = BaseClient._make_api_call  # type: ignore[attr-defined]
    count = 0

    def counting(client: BaseClient, operation: str, parameters: Any) -> Any:
        nonlocal count
        count += 1
        if count > at or (count == at and before):
            raise Died
        answer = make_api_call(client, operation, parameters)
        if count == at:
            raise Died
        return answer

    with patch.object(BaseClient, "_make_api_call", counting):
        yield


class Work:
    """The queue of work: messages that are delivered when they are due."""

    def __init__(self) -> None:
        self.messages: deque[tuple[datetime, Mapping[str, str]]] = deque()

    def send(self, message: Mapping[str, str], now: datetime, at: datetime | None = None) -> None:
        self.messages.append((max(now, at or now), message))

    def take(self, now: datetime) -> Mapping[str, str] | None:
        for each in self.messages:
            if each[0] <= now:
                self.messages.remove(each)
                return each[1]
        return None


@dataclass
class Switch:
    """A telephone system that connects whom it is told to, or raises what it is told to.

    `loses` orders it carries out without an answer.
    """

    orders: list[ConnectOrder] = field(default_factory=list)
    trouble: list[Exception] = field(default_factory=list)
    looked: list[ConnectOrder] = field(default_factory=list)
    known: set[str] = field(default_factory=set)
    answers: list[bool | Exception] = field(default_factory=list)

    def connect(self, order: ConnectOrder) -> None:
        self.orders.append(order)
        if self.trouble:
            raise self.trouble.pop(0)
        self.known.add(order.offer_id)

    def is_connecting(self, order: ConnectOrder) -> bool:
        self.looked.append(order)
        if self.answers:
            answer = self.answers.pop(0)
            if isinstance(answer, Exception):
                raise answer
            return answer
        return order.offer_id in self.known


class Centre:
    def __init__(self, name: str = "line", dynamodb: Any = None) -> None:
        def table(logical_id: str) -> str:
            return create_table(logical_id, f"{name}-{logical_id}", dynamodb)

        names = [table(each) for each in ("CallsTable", "AgentsTable", "OffersTable")]
        self.calls, agents = CallStore(names[0]), AgentStore(names[1])
        self.store = OfferStore(names[2])
        self.people = Agents(agents, NumberPlan("BR"))
        self.reservations = Reservations(agents)
        self.work = Work()
        work: Any = self.work
        self.switch = Switch()
        self.now = BEGINNING
        self.offers = Offers(
            self.store,
            CallReader(self.calls, CallRules()),
            CallUpkeep(self.calls),
            self.people,
            self.reservations,
            work,
            lambda: self.switch,
            "https://api.example.com",
        )
        self.records = OfferRecords(self.store, self.people)
        self.line = Line(self.store)
        self._tracking = AgentTracking(
            agents, CallRules(), timedelta(seconds=10), timedelta(hours=4)
        )
        self._lines = LineTracking(work, CallRules())
        self._availability = Availability([work])
        self._streams = [] if dynamodb else [Stream(names[0]), Stream(names[1])]

    def set_up(self, mode: Mode = Mode.ASK, *skills: str, queue: str = QUEUE) -> None:
        before = self.store.queue(queue)
        after = Queue(queue=queue, mode=mode, skills=skills, version=before.version + 1)
        self.store.save_queue(after, before.version)

    def hire(self, *agents: str, skills: tuple[str, ...] = ()) -> None:
        """Registers agents, who are available at once, a second after each other."""
        for agent in agents:
            draft = AgentDraft(
                name=agent, queues=(QUEUE, "suporte"), skills=skills, telephone=f"client:{agent}"
            )
            self.people.register(agent, draft, self.now)
            self.says(agent, AVAILABLE)
            self.pass_time(1)

    def says(self, agent: str, wish: Wish) -> None:
        self.people.ask(agent, wish, self.now)

    def tell(self, call_id: str, stage: Stage, **facts: Any) -> None:
        """What the telephone system tells of a call that came in."""
        event = CallEvent(
            **{
                "call_id": call_id,
                "provider": "canonical",
                "occurred_at": self.now,
                "stage": stage,
                "direction": Direction.INBOUND,
                "queue": QUEUE if stage is Stage.QUEUED else None,
                "number": "+5511987654321",
                **facts,
            }
        )
        self.calls.merge(call_id, facts_of(event))

    def queue(self, *call_ids: str) -> None:
        """Callers who come, a second after each other, and are seen to."""
        for call_id in call_ids:
            self.tell(call_id, Stage.QUEUED)
            self.pass_time(1)

    def flow(self) -> int:
        """Brings on all that is due, until nothing is. Says how many messages that took."""
        count = 0
        while True:
            self._follow()
            message = self.work.take(self.now)
            if message is None:
                return count
            self.offers.look(message, self.now)
            count += 1
            assert count < MUCH_WORK, "it goes round"

    def _follow(self) -> None:
        if not self._streams:
            return
        calls, agents = self._streams
        for record in calls.new_records():
            self._tracking.follow(record, self.now)
            self._lines.follow(record, self.now)
        for record in agents.new_records():
            self._availability.follow(record, self.now)

    def pass_time(self, seconds: float) -> None:
        """Second by second, with all that falls due."""
        end = self.now + timedelta(seconds=seconds)
        while True:
            self.flow()
            due = [at for at, _ in self.work.messages if at <= end]
            if not due and self.now == end:
                return
            self.now = max(self.now, min([*due, end]))

    def waiting(self, call_id: str) -> Waiting:
        found = self.store.get(call_id)
        assert found
        return found

    def offer(self, call_id: str) -> Offer:
        offer = self.waiting(call_id).offer
        assert offer
        return offer

    def offered_to(self, call_id: str) -> str | None:
        found = self.store.get(call_id)
        return found.offer.agent if found and found.offer else None

    def presence(self, agent: str) -> Presence:
        return self.people.one(agent).presence

    def state(self, agent: str) -> State:
        presence = self.presence(agent)
        return presence.at(max(presence.since, self.now)).state

    def accept(self, call_id: str) -> Offer:
        offer = self.offer(call_id)
        accepted = self.offers.accept(offer.offer_id, offer.agent, self.now)
        self.flow()
        return accepted

    def reject(self, call_id: str) -> Offer:
        offer = self.offer(call_id)
        rejected = self.offers.reject(offer.offer_id, offer.agent, None, self.now)
        self.flow()
        return rejected
