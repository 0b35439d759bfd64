"""Requests for a call back, as the API shows them."""

from datetime import datetime

from pydantic import Field

from retorno.callbacks.model import Contact, State
from retorno.frozen import Frozen


class CallbackRequestView(Frozen):
    contact_id: str = Field(description="The same for one customer and queue")
    number: str = Field(description="In E.164")
    queue: str
    state: State
    asked_at: datetime = Field(description="Who asked, or began to wait, earlier is called earlier")

    @classmethod
    def of(cls, contact: Contact) -> "CallbackRequestView":
        return cls(**contact.model_dump(include=set(cls.model_fields)))
