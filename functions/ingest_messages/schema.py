"""What WhatsApp's webhook takes, as the API's description says it, and what it answers."""

from typing import Annotated

from aws_lambda_powertools.event_handler.openapi.params import Query
from pydantic import Field

from retorno.frozen import Frozen
from retorno.messages.service import Receipt

# The handler reads the raw body, which is what WhatsApp signed.
BODY = {
    "requestBody": {
        "required": True,
        "content": {
            "application/json": {
                "schema": {"type": "object", "description": "As WhatsApp's Cloud API documents it"}
            }
        },
    }
}

Mode = Annotated[str, Query(alias="hub.mode", max_length=64)]
VerifyToken = Annotated[str, Query(alias="hub.verify_token", max_length=1000)]
Challenge = Annotated[str, Query(alias="hub.challenge", max_length=1000)]


class NewsTaken(Frozen):
    received: int = Field(description="Messages of customers that are new")
    statuses: int
    unknown: int = Field(description="Statuses of messages that nobody here sent, or not yet")
    kept: int = Field(description="What cannot be read, kept as it came")

    @classmethod
    def of(cls, receipt: Receipt) -> "NewsTaken":
        return cls.model_validate(receipt, from_attributes=True)
