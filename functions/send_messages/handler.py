"""Shows conversations on WhatsApp, and sends messages to customers."""

from collections.abc import Sequence
from functools import cache
from http import HTTPStatus
from typing import Annotated, Literal
from urllib.parse import quote

from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.event_handler.openapi.params import Body, Header, Query
from aws_lambda_powertools.utilities.typing import LambdaContext

from functions.send_messages.schema import (
    Address,
    ConversationList,
    ConversationView,
    MessageId,
    MessageList,
    MessageView,
    ReadRequest,
)
from retorno import clock
from retorno import cursor as cursors
from retorno.customers.lookup import Lookup
from retorno.customers.service import CustomerDirectory, customer_directory
from retorno.dialling.model import Asker
from retorno.http import Api, Cursor, Limit, answer
from retorno.messages.model import Conversation, Key, MessageState, MessageWish
from retorno.messages.service import Conversations, Outbox, Position
from retorno.messages.service import conversations as conversations_of
from retorno.messages.service import outbox as outbox_of
from retorno.settings import ConversationSettings
from retorno.telephony.ports import MAX_NAME_LENGTH

app = Api()
settings = cache(ConversationSettings.from_environment)


@cache
def outbox() -> Outbox:
    return outbox_of(settings())


@cache
def conversations() -> Conversations:
    return conversations_of(settings())


@cache
def directory() -> CustomerDirectory:
    return customer_directory(settings())


@app.post(
    "/conversations/<number>/messages",
    tags=["conversations"],
    summary="Sends a message; asked again with the same key, it is the same message",
    status_code=201,
)
def send(
    number: Address,
    wish: Annotated[MessageWish, Body()],
    key: Annotated[Key, Header(alias="Idempotency-Key", description="One for each message")],
) -> Response[MessageView]:
    asker = Asker(name=app.user.name, agent=app.user.agent)
    message = outbox().send(number, wish, key, asker, clock.now())
    is_open = message.state in (MessageState.SENDING, MessageState.UNCERTAIN)
    address = quote(message.conversation, safe="+")
    status = HTTPStatus.ACCEPTED if is_open else HTTPStatus.CREATED
    location = f"/conversations/{address}/messages/{message.message_id}"
    return answer(MessageView.of(message), status, location=location)


@app.get(
    "/conversations/<number>/messages",
    tags=["conversations"],
    summary="The messages of a conversation, in the order of WhatsApp's time and then of arrival",
)
def messages(
    number: Address,
    order: Annotated[Literal["oldest", "newest"], Query(description="Which come first")] = "oldest",
    limit: Limit = 50,
    cursor: Cursor = None,
) -> MessageList:
    conversation = conversations().at(number)
    list_name = f"messages of {conversation}, {order}"
    start = cursors.decode(list_name, cursor, "arrived", "place")
    found = conversations().messages(
        conversation, limit, Position.read(start) if start else None, order == "newest"
    )
    after, later = (
        cursors.encode(list_name, each.written if each else None)
        for each in (found.next_start, found.later)
    )
    return MessageList(
        items=[MessageView.of(each) for each in found.messages], cursor=after, later=later
    )


@app.get(
    "/conversations/<number>/messages/<message_id>",
    tags=["conversations"],
    summary="A message, and what became of it",
)
def message(number: Address, message_id: MessageId) -> MessageView:
    return MessageView.of(conversations().message(number, message_id))


@app.get(
    "/conversations",
    tags=["conversations"],
    summary="Conversations, those with the latest message first",
)
def page(
    agent: Annotated[
        str | None,
        Query(
            min_length=1,
            max_length=MAX_NAME_LENGTH,
            description="Who wrote last; me for yourself",
        ),
    ] = None,
    customer_id: Annotated[
        str | None,
        Query(min_length=1, max_length=64, description="With all of a customer's numbers, at once"),
    ] = None,
    failed: Annotated[
        bool, Query(description="Only those whose last message of ours failed, whoever wrote it")
    ] = False,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> ConversationList:
    whose = app.user.agent if agent == "me" else agent
    if customer_id is not None:
        customer = directory().some([customer_id]).get(customer_id)
        numbers = customer.numbers() if customer else ()
        theirs = conversations().of_numbers(numbers, whose, failed)
        return ConversationList(items=shown(theirs), cursor=None)
    list_name = f"conversations of {whose}, failed {failed}"
    start = cursors.decode(list_name, cursor, "conversation", "last_at")
    found = conversations().page(whose, failed, limit, start)
    return ConversationList(
        items=shown(found.conversations), cursor=cursors.encode(list_name, found.next_start)
    )


@app.get(
    "/conversations/<number>",
    tags=["conversations"],
    summary="A conversation: whether a session is open, and what is unread",
)
def one(number: Address) -> ConversationView:
    (view,) = shown([conversations().one(number)])
    return view


@app.post(
    "/conversations/<number>/read",
    tags=["conversations"],
    summary="Says that what the customer wrote has been read here",
)
def read(
    number: Address, request: Annotated[ReadRequest | None, Body()] = None
) -> ConversationView:
    up_to = request.message_id if request else None
    (view,) = shown([conversations().read(number, up_to)])
    return view


def shown(of: Sequence[Conversation]) -> list[ConversationView]:
    lookups = [Lookup(number_key=each.number_key, at=each.last_at) for each in of]
    links, now = directory().links(lookups), clock.now()
    return [ConversationView.of(each, link, now) for each, link in zip(of, links, strict=True)]


def handler(event: dict[str, object], context: LambdaContext) -> dict[str, object]:
    return app.resolve(event, context)
