"""Shows calls by id, by number, and the last ones of an operator."""

from collections.abc import Sequence
from functools import cache
from typing import Annotated

from aws_lambda_powertools.event_handler.openapi.params import Query
from aws_lambda_powertools.utilities.typing import LambdaContext

from functions.read_calls.schema import CallList, CallView
from retorno import cursor as cursors
from retorno.calls.model import Call
from retorno.calls.service import CallReader, call_reader
from retorno.customers.service import CustomerDirectory, customer_directory
from retorno.http import Api, CallId, Cursor, Limit, Since, Until
from retorno.quotes.service import QuoteReader, quote_reader
from retorno.settings import QuoteSettings
from retorno.times import Period

app = Api()
settings = cache(QuoteSettings.from_environment)


@cache
def calls() -> CallReader:
    return call_reader(settings())


@cache
def directory() -> CustomerDirectory:
    return customer_directory(settings())


@cache
def quotes() -> QuoteReader:
    return quote_reader(settings())


@app.get("/calls", tags=["calls"], summary="The calls of a number, newest first")
def of_number(
    number: Annotated[str, Query(max_length=256, description="In any written form")],
    since: Since = None,
    until: Until = None,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> CallList:
    list_name = f"calls of {number} {since} {until}"
    start = cursors.decode(list_name, cursor, "call_id", "started_at")
    page = calls().of_number(number, Period.between(since, until), limit, start)
    return CallList(
        items=shown(page.calls),
        cursor=cursors.encode(list_name, page.next_start),
    )


@app.get("/calls/recent", tags=["calls"], summary="The last five calls of your own")
def recent() -> CallList:
    return CallList(items=shown(calls().recent(app.user.agent)), cursor=None)


@app.get("/calls/<call_id>", tags=["calls"], summary="A call")
def one(call_id: CallId) -> CallView:
    (view,) = shown([calls().one(call_id)])
    return view


def shown(of: Sequence[Call]) -> list[CallView]:
    links = directory().links([call.lookup for call in of])
    made = quotes().of_calls([call.call_id for call in of])
    return [
        CallView.of(call, link, made[call.call_id]) for call, link in zip(of, links, strict=True)
    ]


def handler(event: dict[str, object], context: LambdaContext) -> dict[str, object]:
    return app.resolve(event, context)
