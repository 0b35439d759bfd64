"""Conversations and messages as the API shows them."""

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any
from urllib.parse import unquote

from aws_lambda_powertools.event_handler.openapi.params import Path
from pydantic import AfterValidator, ConfigDict, Field

from retorno.customers.model import CustomerRef, Link
from retorno.frozen import Frozen, Strict
from retorno.messages.model import (
    Conversation,
    Delivery,
    Glimpse,
    Message,
    MessageDirection,
    MessageState,
    Refusal,
    Template,
)
from retorno.messages.refusals import Words

Address = Annotated[
    str,
    Path(
        max_length=400,
        description='A number in any written form, or "whatsapp:" and a user id; quoted',
    ),
    AfterValidator(unquote),
]
MessageId = Annotated[str, Path(max_length=64)]


class FailureView(Frozen):
    code: int | None = Field(description="WhatsApp's; null where it told none")
    at: datetime
    reason: Words
    what_to_do: Words
    retry_after: int | None = Field(
        description="In seconds, before which it makes no sense to try again; null where it never "
        "does, or nobody can say"
    )
    details: str = Field(description="WhatsApp's own words")

    @classmethod
    def of(cls, refusal: Refusal) -> "FailureView":
        explanation = refusal.explanation
        return cls(
            code=refusal.code,
            at=refusal.at,
            reason=explanation.reason,
            what_to_do=explanation.what_to_do,
            retry_after=explanation.retry_after,
            details=refusal.details,
        )


class MessageView(Frozen):
    message_id: str
    conversation: str
    direction: MessageDirection
    state: MessageState
    at: datetime = Field(description="WhatsApp's time, or of ours the time at which it was written")
    arrival: int = Field(description="Counts the messages of a conversation as they arrive")
    type: str
    text: str | None
    template: Template | None
    content: Mapping[str, Any] = Field(description="What else WhatsApp told, in its own form")
    reply_to: str | None = Field(description="The `provider_id` of the message that it answers")
    provider_id: str | None = Field(description="As WhatsApp knows it")
    agent: str | None
    sent_at: datetime | None
    delivered_at: datetime | None
    read_at: datetime | None
    attempts: int
    failure: FailureView | None = Field(
        description="The last one; it stays, whatever comes after it"
    )
    retry_at: datetime | None = Field(description="When it is sent anew by itself")

    @classmethod
    def of(cls, message: Message) -> "MessageView":
        refusal = message.refusal
        return cls(
            message_id=message.message_id,
            conversation=message.conversation,
            direction=message.direction,
            state=message.state,
            at=message.at,
            arrival=message.ordinal,
            type=message.type,
            text=message.text,
            template=message.template,
            content=message.content,
            reply_to=message.reply_to,
            provider_id=message.provider_id,
            agent=message.agent,
            sent_at=message.told_at(Delivery.SENT),
            delivered_at=message.told_at(Delivery.DELIVERED),
            read_at=message.told_at(Delivery.READ) or message.told_at(Delivery.PLAYED),
            attempts=len(message.attempts),
            failure=FailureView.of(refusal) if refusal else None,
            retry_at=message.retry_at,
        )


class MessageList(Frozen):
    items: list[MessageView]
    cursor: str | None = Field(description="Where the next page begins; null at the end")
    later: str | None = Field(
        description="At the end: what to give as `cursor` to see what has come since; else null"
    )


class ConversationView(Frozen):
    model_config = ConfigDict(from_attributes=True)

    conversation: str = Field(description="Good as the address of a conversation")
    number: str | None = Field(description="In E.164; null for a user who shows none")
    wa_id: str | None = Field(description="The number as WhatsApp writes it")
    user_id: str | None = Field(description="By which WhatsApp knows the user, number or not")
    name: str | None = Field(description="Which the customer goes by on WhatsApp")
    agent: str | None = Field(description="Who wrote last")
    unread: int
    session_until: datetime | None = Field(
        description="Up to when any text may be sent; null where the customer never wrote"
    )
    session_open: bool
    failed: bool = Field(description="Whether the last message of ours failed")
    last_message: Glimpse | None
    customer: CustomerRef | None = Field(description="Who it is with, if that is known")
    linked_by: str | None = Field(description="remembered of the number, or only_match")
    candidates: list[CustomerRef] = Field(description="Who it may be, while nobody chose")

    @classmethod
    def of(cls, conversation: Conversation, link: Link, now: datetime) -> "ConversationView":
        told = {name: getattr(conversation, name, None) for name in cls.model_fields}
        return cls.model_validate(
            {
                **told,
                "session_open": conversation.is_open(now),
                "customer": link.customer,
                "linked_by": link.how,
                "candidates": link.candidates,
            }
        )


class ConversationList(Frozen):
    items: list[ConversationView]
    cursor: str | None = Field(description="Where the next page begins; null at the end")


class ReadRequest(Strict):
    message_id: Annotated[str, Field(max_length=64)] | None = Field(
        default=None, description="The last message that was seen; the last there is if not said"
    )
