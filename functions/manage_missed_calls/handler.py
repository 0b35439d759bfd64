"""Lists missed calls, shows what became of them, and lets a person dismiss one."""

from collections.abc import Sequence
from functools import cache
from typing import Annotated

from aws_lambda_powertools.event_handler.openapi.params import Body, Query
from aws_lambda_powertools.utilities.typing import LambdaContext

from functions.manage_missed_calls.schema import (
    DismissalRequest,
    MissedCallDetailView,
    MissedCallList,
    MissedCallView,
)
from retorno import clock
from retorno import cursor as cursors
from retorno.customers.service import CustomerDirectory, customer_directory
from retorno.http import Api, CallId, Cursor, Limit, Since, Until
from retorno.quotes.service import QuoteReader, quote_reader
from retorno.recovery.model import Dismissal, MissedCall, MissedFilter, State, Summary
from retorno.recovery.service import MissedCalls, missed_calls
from retorno.settings import ManageMissedCallsSettings
from retorno.telephony.ports import MAX_NAME_LENGTH
from retorno.times import Period

Name = Annotated[str | None, Query(min_length=1, max_length=MAX_NAME_LENGTH)]

app = Api()
settings = cache(ManageMissedCallsSettings.from_environment)


@cache
def missed() -> MissedCalls:
    return missed_calls(settings())


@cache
def directory() -> CustomerDirectory:
    return customer_directory(settings())


@cache
def quotes() -> QuoteReader:
    return quote_reader(settings())


@app.get(
    "/missed-calls",
    tags=["missed calls"],
    summary="Missed calls, newest first; go on until the cursor is null, even past a short page",
)
def page(
    state: Annotated[State | None, Query()] = None,
    queue: Name = None,
    agent: Name = None,
    since: Since = None,
    until: Until = None,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> MissedCallList:
    wanted = MissedFilter(
        state=state, queue=queue, agent=agent, period=Period.between(since, until)
    )
    list_name = f"missed {wanted!r}"
    position = cursors.decode(list_name, cursor, "order")
    found = missed().page(wanted, limit, position["order"] if position else None)
    return MissedCallList(
        items=shown(found.items),
        cursor=cursors.encode(list_name, {"order": found.next_order} if found.next_order else None),
    )


@app.get(
    "/missed-calls/summary",
    tags=["missed calls"],
    summary="What became of the calls missed in a period",
)
def summary(since: Since = None, until: Until = None) -> Summary:
    return missed().summary(Period.between(since, until))


@app.get(
    "/missed-calls/<call_id>",
    tags=["missed calls"],
    summary="A missed call with the attempts on it, and the call that recovered it",
)
def one(call_id: CallId) -> MissedCallDetailView:
    detail = missed().detail(call_id)
    (view,) = shown([detail.missed_call])
    return MissedCallDetailView.of_detail(view, detail.attempts)


@app.post(
    "/missed-calls/<call_id>/dismiss",
    tags=["missed calls"],
    summary="Ends the wait for a customer, with a reason; for supervisors",
)
def dismiss(call_id: CallId, decision: Annotated[DismissalRequest, Body()]) -> MissedCallView:
    now = clock.now()
    dismissal = Dismissal(at=now, by=app.user.name, reason=decision.reason)
    (view,) = shown([missed().dismiss(call_id, dismissal, now)])
    return view


def shown(of: Sequence[MissedCall]) -> list[MissedCallView]:
    lookups = [each.part.lookup for each in of]
    links = directory().links(lookups)
    made = quotes().of_numbers({lookup.number_key for lookup in lookups if lookup.number_key})
    return [
        MissedCallView.of(each, link, made.get(lookup.number_key or "", []))
        for each, lookup, link in zip(of, lookups, links, strict=True)
    ]


def handler(event: dict[str, object], context: LambdaContext) -> dict[str, object]:
    return app.resolve(event, context)
