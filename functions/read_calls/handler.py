"""Shows calls by id, by number, and the last ones of an operator."""

from functools import cache
from typing import Annotated

from aws_lambda_powertools.event_handler.openapi.params import Query
from aws_lambda_powertools.utilities.typing import LambdaContext

from functions.read_calls.schema import CallList, CallView
from retorno import cursor as cursors
from retorno.calls.service import CallReader, call_reader
from retorno.http import Api, CallId, Cursor, Limit, Since, Until
from retorno.settings import CallSettings
from retorno.times import Period

app = Api()


@cache
def calls() -> CallReader:
    return call_reader(CallSettings.from_environment())


@app.get("/calls", tags=["calls"], summary="The calls of a number, newest first")
def of_number(
    number: Annotated[str, Query(description="In any written form")],
    since: Since = None,
    until: Until = None,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> CallList:
    list_name = f"calls of {number} {since} {until}"
    start = cursors.decode(list_name, cursor, "call_id", "started_at")
    page = calls().of_number(number, Period.between(since, until), limit, start)
    return CallList(
        items=[CallView.of(call) for call in page.calls],
        cursor=cursors.encode(list_name, page.next_start),
    )


@app.get("/calls/recent", tags=["calls"], summary="The last five calls of your own")
def recent() -> CallList:
    items = [CallView.of(call) for call in calls().recent(app.user.agent)]
    return CallList(items=items, cursor=None)


@app.get("/calls/<call_id>", tags=["calls"], summary="A call")
def one(call_id: CallId) -> CallView:
    return CallView.of(calls().one(call_id))


def handler(event: dict[str, object], context: LambdaContext) -> dict[str, object]:
    return app.resolve(event, context)
