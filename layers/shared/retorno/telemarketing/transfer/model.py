"""What is done with many customers of a campaign at once, where no file tells of each."""

from collections.abc import Mapping
from datetime import UTC, date, datetime, time, timedelta
from enum import StrEnum
from typing import Annotated, Any, Self
from zoneinfo import ZoneInfo

from pydantic import ConfigDict, Field, model_validator

from retorno.customers.model import Customer, OptionalText
from retorno.frozen import Strict
from retorno.telemarketing.assignments.model import LISTED, AgentName, Priority, State
from retorno.text import fold
from retorno.times import Period

MAX_AGENTS = 50


class Asked(Strict):
    """As it is asked for, and kept with the job."""

    def parameters(self) -> Mapping[str, Any]:
        return self.model_dump(mode="json")


class CustomerFilter(Asked):
    """Customers who suit all that it says; without anything, all. Case and accents are aside."""

    city: OptionalText = None
    tag: OptionalText = None
    owner: OptionalText = None
    name: Annotated[OptionalText, Field(description="How it begins")] = None

    def takes(self, customer: Customer) -> bool:
        """Whether a customer of that name suits the rest of it, too."""
        return (
            _suits(self.city, [customer.city])
            and _suits(self.tag, customer.tags)
            and _suits(self.owner, [customer.owner])
        )


def _suits(wanted: str | None, values: Any) -> bool:
    return wanted is None or fold(wanted) in {fold(value) for value in values if value}


class LinkingByFilter(Asked):
    """Links whoever suits; who is linked already is left as they are."""

    campaign: str = Field(min_length=1, max_length=64)
    filter: CustomerFilter
    agents: tuple[AgentName, ...] = Field(
        default=(), max_length=MAX_AGENTS, description="In turn; the team where there are none"
    )
    to_owner: bool = Field(
        default=False, description="Each to the operator who looks after them, or to the team"
    )
    priority: Priority | None = Field(default=None, description="9 comes first; 5 if not said")

    @model_validator(mode="after")
    def _says_one(self) -> Self:
        if self.agents and self.to_owner:
            raise ValueError("says both agents and to_owner")
        return self

    def agent_of(self, customer: Customer, turn: int) -> str | None:
        """Whose customer they are to be: `turn` were linked before. None for the team's."""
        if self.to_owner:
            return customer.owner
        return self.agents[turn % len(self.agents)] if self.agents else None


class PortfolioMove(Asked):
    """Gives an agent's customers to another."""

    campaign: str | None = Field(
        default=None, min_length=1, max_length=64, description="null for all that run today"
    )
    from_agent: AgentName
    to_agent: AgentName | None = Field(description="null for the team")
    states: tuple[State, ...] = Field(
        default=(State.NOT_ACTED, State.SCHEDULED), min_length=1, max_length=len(LISTED)
    )

    @model_validator(mode="after")
    def _moves(self) -> Self:
        if self.from_agent == self.to_agent:
            raise ValueError("from_agent and to_agent are the same")
        if State.UNLINKED in self.states:
            raise ValueError("who is unlinked is nobody's")
        return self


class What(StrEnum):
    OPERATIONS = "operations"
    HISTORY = "history"


class FileWish(Asked):
    """What is to be in a file: of operations those that began in a period, of history whatever was
    done in it."""

    model_config = ConfigDict(populate_by_name=True)

    what: What
    campaign: str | None = Field(
        default=None, min_length=1, max_length=64, description="null for all"
    )
    since: date | None = Field(default=None, alias="from", description="The first day")
    until: date | None = Field(default=None, alias="to", description="The last day, included")

    def period(self, zone: ZoneInfo) -> Period:
        """Raises InvalidInput where it would end before it begins."""
        since = _midnight(self.since, zone) if self.since else None
        until = _midnight(self.until, zone) + timedelta(days=1) if self.until else None
        return Period.between(since, until - timedelta(microseconds=1) if until else None)


def _midnight(day: date, zone: ZoneInfo) -> datetime:
    return datetime.combine(day, time.min, zone).astimezone(UTC)
