"""Dials as the API shows them."""

from datetime import datetime

from pydantic import ConfigDict, Field

from retorno.calling_rules.model import Purpose
from retorno.dialling.model import Dial, DialState
from retorno.frozen import Frozen


class DialView(Frozen):
    model_config = ConfigDict(from_attributes=True)

    dial_id: str
    state: DialState
    call_id: str | None = Field(description="Under which the call is shown; null before it is one")
    number: str = Field(description="Who is called, in E.164")
    purpose: Purpose
    telephone: str = Field(description="The one that rings first")
    agent: str
    asked_by: str
    asked_at: datetime
    missed_call_id: str | None
    reason: str | None = Field(description="Why there is no call, or nobody knows")
    retry_at: datetime | None = Field(description="When it may be tried again")

    @classmethod
    def of(cls, dial: Dial) -> "DialView":
        return cls.model_validate(dial)


class DialList(Frozen):
    items: list[DialView]
    cursor: str | None = Field(description="Where the next page begins; null at the end")
