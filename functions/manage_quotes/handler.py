"""Quotes of calls, made, listed, won and lost."""

from collections.abc import Sequence
from functools import cache
from typing import Annotated
from urllib.parse import quote as quoted
from urllib.parse import unquote

from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.event_handler.openapi.params import Body, Header, Path, Query
from aws_lambda_powertools.utilities.typing import LambdaContext
from pydantic import AfterValidator

from functions.manage_quotes.schema import LossRequest, QuoteList, QuoteView, WinRequest
from retorno import clock
from retorno import cursor as cursors
from retorno.customers.service import CustomerDirectory, customer_directory
from retorno.dialling.model import Key
from retorno.errors import InvalidInput
from retorno.http import (
    Api,
    Cursor,
    IfMatch,
    Limit,
    Since,
    Until,
    answer,
    created,
    expected_version,
)
from retorno.quotes.model import Quote, QuoteDraft, QuoteFilter, QuoteId, QuoteWish, Seller, State
from retorno.quotes.service import Quotes
from retorno.quotes.service import quotes as quotes_of
from retorno.settings import QuoteSettings
from retorno.telephony.ports import MAX_NAME_LENGTH
from retorno.times import Period
from retorno.users import LEADERS

app = Api()
settings = cache(QuoteSettings.from_environment)

QuoteInPath = Annotated[str, Path(max_length=500, description="Quoted"), AfterValidator(unquote)]


@cache
def quotes() -> Quotes:
    return quotes_of(settings())


@cache
def directory() -> CustomerDirectory:
    return customer_directory(settings())


@app.post(
    "/quotes",
    tags=["quotes"],
    summary="Makes a quote in a call; asked again with the same key, it is the same quote",
    status_code=201,
)
def make(
    wish: Annotated[QuoteWish, Body()],
    key: Annotated[Key, Header(alias="Idempotency-Key", description="One for each quote")],
) -> Response[QuoteView]:
    quote = quotes().make(wish, key, _seller(), clock.now())
    (view,) = shown([quote])
    location = f"/quotes/{quoted(str(quote.quote_id), safe='')}"
    return created(view, location, quote.version)


@app.get(
    "/quotes",
    tags=["quotes"],
    summary="Quotes, newest first: the open ones, if nothing is said. Go on until the cursor is "
    "null, even past a short page",
)
def page(
    state: Annotated[State | None, Query()] = None,
    agent: Annotated[str | None, Query(min_length=1, max_length=MAX_NAME_LENGTH)] = None,
    customer_id: Annotated[str | None, Query(min_length=1, max_length=64)] = None,
    number: Annotated[str | None, Query(max_length=256, description="In any written form")] = None,
    since: Since = None,
    until: Until = None,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> QuoteList:
    if state is agent is customer_id is number is None:
        state = State.OPEN
    period = Period.between(since, until)
    wanted = QuoteFilter(customer_id, agent, _key_of(number), state, period)
    list_name = f"quotes {wanted!r}"
    start = cursors.decode(list_name, cursor, "call_id", "name", "created_at")
    found = quotes().page(wanted, limit, start)
    return QuoteList(items=shown(found.quotes), cursor=cursors.encode(list_name, found.next_start))


@app.get("/quotes/<quote_id>", tags=["quotes"], summary="A quote, and what became of it")
def one(quote_id: QuoteInPath) -> Response[QuoteView]:
    return _shown(quotes().one(QuoteId.read(quote_id)))


@app.put("/quotes/<quote_id>", tags=["quotes"], summary="Writes an open quote anew")
def edit(
    quote_id: QuoteInPath, draft: Annotated[QuoteDraft, Body()], if_match: IfMatch = None
) -> Response[QuoteView]:
    expected = expected_version(if_match)
    return _shown(quotes().edit(QuoteId.read(quote_id), draft, expected, _seller()))


@app.post("/quotes/<quote_id>/win", tags=["quotes"], summary="The customer takes it")
def win(
    quote_id: QuoteInPath, request: Annotated[WinRequest | None, Body()] = None
) -> Response[QuoteView]:
    value = request.value if request else None
    return _shown(quotes().win(QuoteId.read(quote_id), value, _seller(), clock.now()))


@app.post("/quotes/<quote_id>/lose", tags=["quotes"], summary="The customer does not take it")
def lose(quote_id: QuoteInPath, request: Annotated[LossRequest, Body()]) -> Response[QuoteView]:
    reason = request.reason
    return _shown(quotes().lose(QuoteId.read(quote_id), reason, _seller(), clock.now()))


@app.post(
    "/quotes/<quote_id>/reopen",
    tags=["quotes"],
    summary="Takes back that it was won or lost; for supervisors",
)
def reopen(quote_id: QuoteInPath) -> Response[QuoteView]:
    return _shown(quotes().reopen(QuoteId.read(quote_id)))


def shown(of: Sequence[Quote]) -> list[QuoteView]:
    customers = directory().some(sorted({each.customer_id for each in of if each.customer_id}))
    return [QuoteView.of(each, customers.get(each.customer_id or "")) for each in of]


def _shown(quote: Quote) -> Response[QuoteView]:
    (view,) = shown([quote])
    return answer(view, version=quote.version)


def _seller() -> Seller:
    user = app.user
    return Seller(name=user.name, agent=user.agent, leads=bool(user.groups & LEADERS))


def _key_of(number: str | None) -> str | None:
    """Raises InvalidInput."""
    if number is None:
        return None
    parsed = settings().number_plan.parse(number)
    if parsed is None:
        raise InvalidInput("number", "is not a phone number")
    return parsed.match_key


def handler(event: dict[str, object], context: LambdaContext) -> dict[str, object]:
    return app.resolve(event, context)
