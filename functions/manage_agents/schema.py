"""Agents as the API shows them."""

from collections.abc import Mapping
from datetime import datetime

from pydantic import Field

from retorno.agents.model import Agent, State, Stored, Times
from retorno.agents.service import AgentPage
from retorno.frozen import Frozen


class PresenceView(Frozen):
    state: State
    reason: str | None = Field(description="Of a pause")
    since: datetime
    until: datetime | None = Field(
        description="When a wrap-up, or a wait for a call, ends by itself"
    )
    next_state: State | None = Field(description="What comes after calls and wrap-up")
    next_reason: str | None
    calls: list[str] = Field(description="The ids of the calls that they are in")

    @classmethod
    def of(cls, stored: Stored, now: datetime) -> "PresenceView":
        presence = stored.presence
        present = presence.at(now)
        is_passing = presence.passing is not None and now < presence.passing[1]
        is_held_up = bool(presence.calls) or is_passing
        return cls(
            state=present.state,
            reason=present.reason,
            since=present.begin,
            until=presence.passing[1] if presence.passing and is_passing else None,
            next_state=presence.wish.state if is_held_up else None,
            next_reason=presence.wish.reason if is_held_up else None,
            calls=list(presence.calls),
        )


class AgentView(Agent):
    presence: PresenceView
    revision: int = Field(description="Grows with every change, those of presence included")
    version: int = Field(description="Of the ETag: grows as the agent is set up anew")

    @classmethod
    def of(cls, stored: Stored, now: datetime) -> "AgentView":
        return cls(
            **stored.agent.model_dump(),
            presence=PresenceView.of(stored, now),
            revision=stored.revision,
            version=stored.version,
        )


class AgentList(Frozen):
    items: list[AgentView]
    cursor: str | None = Field(description="Where the next page begins; null at the end")

    @classmethod
    def of(cls, page: AgentPage, cursor: str | None, now: datetime) -> "AgentList":
        return cls(items=[AgentView.of(stored, now) for stored in page.items], cursor=cursor)


class TimesView(Frozen):
    agent: str
    seconds: Mapping[State, float] = Field(description="In each state, up to now")
    paused_seconds: Mapping[str, float] = Field(description="In pauses, by reason")

    @classmethod
    def of(cls, agent: str, times: Times) -> "TimesView":
        return cls(agent=agent, **times.model_dump())
