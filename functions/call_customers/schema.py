"""A call to a customer as the API shows it."""

from datetime import datetime

from pydantic import ConfigDict, Field

from retorno.dialling.model import DialState
from retorno.frozen import Frozen


class PlacedCall(Frozen):
    model_config = ConfigDict(from_attributes=True)

    dial_id: str
    state: DialState = Field(description="Of one that is not placed: ask again with the same key")
    call_id: str | None = Field(description="The call, which the operation now has")
    number: str = Field(description="Who is called, in E.164")
    telephone: str = Field(description="The one that rings first")
    asked_at: datetime
