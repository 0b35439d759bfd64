"""A call centre on a simulated cloud: customers who hang up, agents who come and go, and a
telephone system that does as docs/dialling.md asks, at times late, and not always with an answer.

It knows what truly happened, and says whatever must never happen.
"""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from random import Random
from typing import Any

from retorno.agents.model import AgentDraft, Stored, Wish
from retorno.agents.model import State as Presence
from retorno.agents.service import agents
from retorno.callback_campaigns.model import Campaign, CampaignDraft
from retorno.callback_campaigns.service import campaigns
from retorno.callbacks.model import Contact, Wanted
from retorno.callbacks.service import call_list, pace_of
from retorno.callbacks.store import ContactStore
from retorno.calling_rules.model import Listing, Origin, Scope
from retorno.calling_rules.service import Wanted as Forbidden
from retorno.calling_rules.service import do_not_call_list
from retorno.phone import match_key
from retorno.recovery.model import MissedCall, MissedFilter
from retorno.recovery.store import RecoveryStore
from retorno.settings import (
    AgentSettings,
    CallListSettings,
    DialProvider,
    DoNotCallSettings,
)
from retorno.telephony.ports import DialFailed, DialOrder, DialRefused, DialUncertain
from tests.support.events import http, user
from tests.support.simulated_cloud import Cloud
from tests.support.webhooks import canonical

# How much later than it took an order the telephone system lists the call, at most.
LAG = 50
MANY = 1_000
AGENT = user("[agent]", "ana")


@dataclass
class Placed:
    """A call as it truly went."""

    order: DialOrder
    call_id: str
    placed_at: datetime
    listed_at: datetime
    ended_at: datetime | None = None


@dataclass
class Centre:
    cloud: Cloud
    numbers: Sequence[str]
    agents: Sequence[str]
    campaigns: Sequence[Campaign]
    refused: frozenset[str]
    wrongs: list[str] = field(default_factory=list)
    placed: dict[str, Placed] = field(default_factory=dict)
    ordered: list[str] = field(default_factory=list)
    forbidden: dict[str, datetime] = field(default_factory=dict)
    queues: tuple[str, ...] = ("retorno",)
    name: str = "canonical"

    def __post_init__(self) -> None:
        self._contacts = ContactStore("contacts")
        self._campaigns = {each.campaign_id: each for each in self.campaigns}

    @property
    def _random(self) -> Random:
        return self.cloud.random

    @property
    def now(self) -> datetime:
        return self.cloud.clock.now

    # --- The telephone system -------------------------------------------------------------------

    def dial(self, order: DialOrder) -> str:
        random = self._random
        self._tells_of_wrongs(order)
        self.cloud.may_die("before it orders a call")
        if order.number in self.refused:
            raise DialRefused("the number is none")
        trouble = random.random()
        if trouble < 0.04:
            raise DialFailed("429", random.choice([None, 2, 45]))
        if trouble < 0.06:
            raise DialFailed("nothing listens there")
        if trouble < 0.08:
            raise DialUncertain("500")
        self.cloud.passes(random.uniform(0.1, 2))
        call_id = self._place(order)
        self.cloud.may_die("after it ordered a call")
        self.cloud.passes(random.uniform(0.1, 2))
        if trouble < 0.14:
            raise DialUncertain("the answer was lost")
        return call_id

    def find(self, order: DialOrder) -> str | None:
        self.cloud.passes(self._random.uniform(0.1, 2))
        self.cloud.may_die("as it asks for a call")
        if self._random.random() < 0.25:
            raise DialUncertain("500")
        placed = self.placed.get(order.attempt_id)
        return placed.call_id if placed and self.now >= placed.listed_at else None

    def _tells_of_wrongs(self, order: DialOrder) -> None:
        """At the moment of an order: nobody is rung but whom and when the rules allow."""
        attempt = order.attempt_id
        if attempt in self.ordered:
            self.wrongs.append(f"{attempt} was ordered twice")
        self.ordered.append(attempt)
        contact = self._contact_of(order)
        if contact is None:
            self.wrongs.append(f"{attempt} is of no contact")
            return
        pace = pace_of(contact, self._campaigns)
        if contact.attempts > contact.limit(pace):
            self.wrongs.append(f"{attempt} is more than {contact.limit(pace)} attempts")
        if contact.agent not in (None, order.agent):
            self.wrongs.append(f"{attempt} is for {contact.agent}")
        if contact.until and self.now > contact.until + timedelta(seconds=30):
            self.wrongs.append(f"{attempt} is too late")
        same_number = [each for each in self.placed.values() if each.order.number == order.number]
        today = [each for each in same_number if each.placed_at.date() == self.now.date()]
        if len(today) >= pace.max_calls_a_day:
            self.wrongs.append(f"{attempt} is the day's {len(today) + 1}th call to a number")
        last = max((each.order.ordered_at for each in same_number), default=None)
        gap = timedelta(minutes=pace.min_gap_minutes)
        if last and order.ordered_at < last + gap - timedelta(seconds=30):
            self.wrongs.append(f"{attempt} comes {order.ordered_at - last} after another")
        if any(each.ended_at is None for each in same_number):
            self.wrongs.append(f"{attempt} rings who is in a call of ours")
        for each in self.placed.values():
            if each.order.agent == order.agent and each.ended_at is None:
                self.wrongs.append(f"{attempt} is {order.agent}'s second call, {each.call_id}")
        forbidden_at = self.forbidden.get(order.number)
        if forbidden_at and forbidden_at < order.ordered_at - timedelta(seconds=30):
            self.wrongs.append(f"{attempt} rings who does not want it")
        # Three hours behind, as São Paulo is.
        there = (order.ordered_at - timedelta(hours=3)).time()
        if pace.hours and not any(each.since <= there < each.until for each in pace.hours):
            self.wrongs.append(f"{attempt} is out of hours: {order.ordered_at}")

    def _contact_of(self, order: DialOrder) -> Contact | None:
        with self.cloud.aside():
            found = self._contacts.of_number(match_key(order.number), MANY)
        return next((each for each in found if each.dial_id == order.attempt_id), None)

    def _place(self, order: DialOrder) -> str:
        if order.attempt_id in self.placed:
            return self.placed[order.attempt_id].call_id
        listed_at = self.now + timedelta(seconds=self._random.uniform(0, LAG))
        call = Placed(order, f"out-{len(self.placed)}", self.now, listed_at)
        self.placed[order.attempt_id] = call
        self._go_on(call)
        return call.call_id

    def _go_on(self, call: Placed) -> None:
        random = self._random
        agent = call.order.agent
        facts = {"direction": "outbound_auto", "to": call.order.number, "agent": agent}
        rings = random.uniform(1, 8)
        answers = rings + random.uniform(2, 40)
        self.cloud.after(rings, lambda: self.tell(call.call_id, "ringing", **facts))

        def ends(seconds: float, stage: str, **more: str) -> None:
            def end() -> None:
                call.ended_at = self.now
                self.tell(call.call_id, stage, **facts, **more)

            self.cloud.after(seconds, end)

        def answered(seconds: float, **more: str) -> None:
            told = {**facts, **more}
            self.cloud.after(answers, lambda: self.tell(call.call_id, "answered", **told))
            ends(answers + seconds, "completed")

        end = random.random()
        if end < 0.42:
            answered(random.uniform(20, 200))
        elif end < 0.5:
            answered(random.uniform(3, 12))
        elif end < 0.56:
            answered(random.uniform(8, 30), answered_by="voicemail")
        elif end < 0.62:
            length = random.uniform(16, 40)
            answered(length)
            self.cloud.after(
                answers + length + random.uniform(1, 60),
                lambda: self._note(call.call_id, "caixa_postal"),
            )
        elif end < 0.72:
            ends(answers, "no_answer", reason="busy")
        elif end < 0.92:
            ends(answers, "no_answer")
        elif end < 0.98:
            ends(answers, "failed", reason="congestion")
        # And the end of some is never told.
        else:

            def over() -> None:
                call.ended_at = self.now

            self.cloud.after(answers, over)

    def tell(self, call_id: str, stage: str, **facts: str) -> None:
        """Tells of a call: at times late, or twice, and so out of order."""
        event = {
            "event_id": f"{call_id}-{stage}",
            "call_id": call_id,
            "stage": stage,
            "occurred_at": self.now.isoformat(),
            **facts,
        }
        if stage == "ringing" and self._random.random() < 0.05:
            return
        for _ in range(2 if self._random.random() < 0.05 else 1):
            late = self._random.random() < 0.06
            delay = self._random.uniform(5, 60) if late else self._random.uniform(0.05, 1)
            self.cloud.after(delay, lambda: self._send(event))

    def _send(self, event: dict[str, str]) -> None:
        answer = self.cloud.call("IngestCalls", canonical(self.now, event))
        if answer is None or answer["statusCode"] != 200:
            self.cloud.after(5, lambda: self._send(event))
        else:
            self._is_taken(event)

    def _is_taken(self, event: dict[str, str]) -> None:
        """For whoever wants to know."""

    def _note(self, call_id: str, code: str) -> None:
        event = http(
            "PUT /calls/{call_id}/disposition",
            path=f"/calls/{call_id}/disposition",
            headers={"content-type": "application/json"},
            body=json.dumps({"code": code}).encode(),
            claims=AGENT,
        )
        answer = self.cloud.call("AnnotateCalls", event)
        if answer is None or answer["statusCode"] != 200:
            self.cloud.after(5, lambda: self._note(call_id, code))

    # --- People ---------------------------------------------------------------------------------

    def opens(self) -> None:
        settings = CallListSettings.from_environment()
        for campaign in self.campaigns:
            draft = CampaignDraft.model_validate(
                campaign.model_dump(include=set(CampaignDraft.model_fields))
            )
            campaigns(settings).add(campaign.campaign_id, draft, DialProvider.CANONICAL)
        people = agents(AgentSettings.from_environment())
        for agent in self.agents:
            people.register(agent, AgentDraft(name=agent, queues=self.queues), self.now)
            self.cloud.after(self._random.uniform(0, 1200), self._asks(agent, "available"))

    def _asks(self, agent: str, state: str) -> Callable[[], None]:
        wish = Wish(state=Presence(state), reason="almoço" if state == "paused" else None)
        people = agents(AgentSettings.from_environment())
        return lambda: self.cloud.insist(lambda: people.ask(agent, wish, self.now))

    def rests(self, agent: str) -> None:
        """A pause, or a walk out of the door, for a while."""
        self._asks(agent, self._random.choice(["paused", "offline"]))()
        self.cloud.after(self._random.uniform(60, 900), self._asks(agent, "available"))

    def calls_in(self, call_id: str, number: str, queue: str, *, answered_by: str = "") -> None:
        facts = {"direction": "inbound", "from": number, "queue": queue}
        self.tell(call_id, "queued", **facts)
        wait = self._random.uniform(6, 60)
        if answered_by:
            facts |= {"agent": answered_by}
            self.cloud.after(wait, lambda: self.tell(call_id, "answered", **facts))
            self.cloud.after(wait + 60, lambda: self.tell(call_id, "completed", **facts))
        else:
            self.cloud.after(wait, lambda: self.tell(call_id, "cancelled", **facts))

    def forbids(self, number: str) -> None:
        entries = do_not_call_list(DoNotCallSettings.from_environment())

        def put() -> None:
            entries.put(
                Forbidden(number, Listing(origin=Origin.CUSTOMER, scope=Scope.ALL)), "leo", self.now
            )
            self.forbidden.setdefault(number, self.now)

        self.cloud.insist(put)

    def wants(self, **wanted: Any) -> None:
        contacts = call_list(CallListSettings.from_environment())
        asked = Wanted(**wanted)
        self.cloud.insist(lambda: contacts.ask(asked, self.now))

    # --- What became of it ----------------------------------------------------------------------

    def contacts(self) -> list[Contact]:
        return [
            contact
            for number in self.numbers
            for contact in self._contacts.of_number(match_key(number), MANY)
        ]

    def people(self) -> Sequence[Stored]:
        return [agents(AgentSettings.from_environment()).one(agent) for agent in self.agents]

    def missed_calls(self) -> Sequence[MissedCall]:
        return RecoveryStore("recoveries").missed(MissedFilter(), 10_000, None).items
