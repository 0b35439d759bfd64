"""A call that waits for an agent, and its offers to one agent after the other.

Who waits in a queue is the line of that queue, in the order of waiting. A call is on one offer at
a time, or on none; the offer holds its agent. What an offer came to is written with the call, so
that neither can be seen without the other.
"""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Annotated

from pydantic import Field

from retorno.agents.model import MAX_SKILLS, Hold, HoldKind, Names, Stored
from retorno.calls.model import Call
from retorno.frozen import Frozen
from retorno.telephony.ports import TELEPHONE, ConnectOrder

# Nobody holds the line for longer: the end of such a call was lost, and the sweeper will close it.
WAITS_AT_MOST = timedelta(hours=1)

# A hold outlives its offer, so that an answer in the last second finds the agent still held.
HELD_LONGER = timedelta(seconds=5)

# From the order to connect until it is looked up what became of it. It is longer than a function
# lives, and than a telephone rings.
CONNECTS_WITHIN = timedelta(seconds=40)
CONNECTING_HELD_LONGER = timedelta(seconds=20)

# Nobody knew what became of an order, or no call could be connected: it is tried again then.
LOOKS_AGAIN_AFTER = timedelta(seconds=15)

DEFAULT_OFFER_SECONDS = 20


class Mode(StrEnum):
    ASK = "ask"
    """A call is offered, and connected to whoever accepts it."""
    AUTO = "auto"
    """A call is connected at once."""
    NONE = "none"
    """The telephone system gives out the calls, and Retorno none."""


class QueueDraft(Frozen):
    """A queue as a person sets it up."""

    mode: Mode
    offer_seconds: Annotated[
        int, Field(ge=5, le=120, description="How long an agent may take to answer an offer")
    ] = DEFAULT_OFFER_SECONDS
    skills: Annotated[
        Names, Field(max_length=MAX_SKILLS, description="All of which an agent needs")
    ] = ()


class Queue(Frozen):
    """`version` counts what people set up, and is 0 where nobody did."""

    queue: str
    mode: Mode = Mode.NONE
    offer_seconds: int = DEFAULT_OFFER_SECONDS
    skills: tuple[str, ...] = ()
    version: int = 0

    def takes(self, stored: Stored) -> bool:
        """Whether an agent has the skills, and a telephone that can be rung."""
        has_skills = set(self.skills) <= set(stored.agent.skills)
        return has_skills and TELEPHONE.fullmatch(telephone_of(stored)) is not None


def telephone_of(stored: Stored) -> str:
    """What rings for an agent: the telephone that somebody set, or else their name."""
    return stored.agent.telephone or stored.agent.agent


class State(StrEnum):
    OFFERED = "offered"
    """The agent is asked."""
    ACCEPTED = "accepted"
    """The telephone system is being told to connect, or nobody knows whether it does."""
    CONNECTED = "connected"
    """The telephone system connects the call, or has."""
    REJECTED = "rejected"
    SILENT = "silent"
    FAILED = "failed"
    """The call could not be connected, or the agent's telephone was not picked up."""
    WITHDRAWN = "withdrawn"
    """The call ended, was answered elsewhere or changed its queue."""


ORDERED = frozenset({State.ACCEPTED, State.CONNECTED})
STANDING = frozenset({State.OFFERED, *ORDERED})


class Offer(Frozen):
    """`ordinal` counts the offers of the call. `until` is when the offer is looked at again: in
    `offered` it has then met with silence. None where nothing is left to be looked at.
    """

    offer_id: str
    call_id: str
    queue: str
    agent: str
    telephone: str
    ordinal: int
    waiting_since: datetime
    offered_at: datetime
    state: State
    until: datetime | None
    ordered_at: datetime | None = None
    ended_at: datetime | None = None
    reason: str | None = None

    @property
    def hold(self) -> Hold:
        """What keeps the agent for it, a while longer than it lasts."""
        longer = CONNECTING_HELD_LONGER if self.state in ORDERED else HELD_LONGER
        until = (self.until or self.offered_at) + longer
        return Hold(hold_id=self.offer_id, kind=HoldKind.OFFER, until=until)

    def accepted(self, call: Call, now: datetime) -> "Offer":
        # By the telephone system's clock, if that is ahead: what it queued before is no news.
        ordered_at = max(now, call.last_queued_at or now)
        return self.model_copy(
            update={
                "state": State.ACCEPTED,
                "until": now + CONNECTS_WITHIN,
                "ordered_at": ordered_at,
            }
        )

    def ended(self, state: State, now: datetime, reason: str | None = None) -> "Offer":
        return self.model_copy(
            update={"state": state, "until": None, "ended_at": now, "reason": reason}
        )

    def is_due(self, now: datetime) -> bool:
        return self.until is not None and now >= self.until

    def is_back(self, call: Call) -> bool:
        """Whether the telephone system queued the call again since it was to connect it."""
        return (
            self.state in ORDERED
            and self.ordered_at is not None
            and call.last_queued_at is not None
            and call.last_queued_at > self.ordered_at
        )

    def order(self, webhooks_url: str) -> ConnectOrder:
        return ConnectOrder(
            offer_id=self.offer_id,
            call_id=self.call_id,
            queue=self.queue,
            telephone=self.telephone,
            agent=self.agent,
            ordered_at=self.ordered_at or self.offered_at,
            webhooks_url=webhooks_url,
        )


class Waiting(Frozen):
    """A call in the line of a queue, in which it stands since `since`, also while on `offer`.

    `passed` says when each agent refused it or was silent. It is not offered before `not_before`.
    `revision` counts the writes; one that is not yet written has the revision 0.
    """

    call_id: str
    queue: str
    since: datetime
    passed: Mapping[str, datetime] = {}
    offers: int = 0
    offer: Offer | None = None
    not_before: datetime | None = None
    revision: int = 0

    def offered(self, offer: Offer) -> "Waiting":
        return self.model_copy(update={"offer": offer, "offers": offer.ordinal})

    def back(
        self, now: datetime, *, passed_by: str | None = None, not_before: datetime | None = None
    ) -> "Waiting":
        """In the line again, at its place."""
        passed = {**self.passed, passed_by: now} if passed_by else self.passed
        return self.model_copy(update={"offer": None, "passed": passed, "not_before": not_before})

    def may_be_offered(self, now: datetime) -> bool:
        return self.offer is None and (self.not_before is None or now >= self.not_before)

    def next_agent(
        self, idle: Sequence[Stored], was_away: Callable[[str, datetime], bool]
    ) -> Stored | None:
        """The first of those who were not asked; else of those who were something other than
        available since they passed it on: what is asked of nobody anew does not go round.
        """
        for each in idle:
            if each.agent.agent not in self.passed:
                return each
        for each in idle:
            agent, available_from = each.agent.agent, each.presence.available_from
            passed_at = self.passed[agent]
            if available_from and available_from > passed_at and was_away(agent, passed_at):
                return each
        return None
