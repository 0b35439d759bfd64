"""Says whether a number may be called, and keeps the do-not-call list."""

from functools import cache
from typing import Annotated

from aws_lambda_powertools.event_handler.openapi.params import Body, Query
from aws_lambda_powertools.utilities.typing import LambdaContext

from functions.manage_calling_rules.rows import read_rows
from functions.manage_calling_rules.schema import (
    IMPORT,
    CallingWindowView,
    EntryList,
    EntryView,
    ImportView,
    ListingRequest,
    NumberOnListView,
    ProfileList,
    ProfileView,
    Reason,
)
from retorno import clock
from retorno import cursor as cursors
from retorno.calling_rules.model import Facts, Origin, Purpose, Scope
from retorno.calling_rules.profiles import all_profiles
from retorno.calling_rules.service import (
    CallingRules,
    DoNotCallList,
    Wanted,
    calling_rules,
    do_not_call_list,
)
from retorno.http import Api, Cursor, Limit, Moment, NumberInPath, Since, Until
from retorno.settings import CallingSettings
from retorno.times import Period

app = Api()
settings = cache(CallingSettings.from_environment)


@cache
def rules() -> CallingRules:
    return calling_rules(settings())


@cache
def do_not_call() -> DoNotCallList:
    return do_not_call_list(settings())


@app.get(
    "/calling-windows",
    tags=["calling rules"],
    summary="Whether a number may be called, by which rules, and when next; no legal advice",
)
def calling_window(
    number: Annotated[str, Query(max_length=256, description="In any written form")],
    purpose: Annotated[Purpose, Query()],
    at: Annotated[Moment, Query(description="ISO 8601, in UTC where not said")] = None,
    calls_that_day: Annotated[int, Query(ge=0, description="Already made to the number")] = 0,
) -> CallingWindowView:
    moment = at or clock.now()
    check = rules().check(number, purpose, moment, Facts(calls_that_day=calls_that_day))
    return CallingWindowView.of(check, moment)


@app.get(
    "/calling-profiles",
    tags=["calling rules"],
    summary="The rules that can be switched on, each with its source and its standing",
)
def profiles() -> ProfileList:
    switched_on = {profile.id for profile in rules().profiles}
    return ProfileList(
        items=[
            ProfileView.of(profile, on=profile.id in switched_on)
            for profile in all_profiles().values()
        ]
    )


@app.get("/do-not-call", tags=["do not call"], summary="The numbers on the list, newest first")
def page(
    since: Since = None, until: Until = None, limit: Limit = 50, cursor: Cursor = None
) -> EntryList:
    period = Period.between(since, until)
    list_name = f"do not call {period!r}"
    position = cursors.decode(list_name, cursor, "order")
    found = do_not_call().page(period, limit, position["order"] if position else None)
    return EntryList(
        items=[EntryView.of(entry) for entry in found.entries],
        cursor=cursors.encode(list_name, {"order": found.next_order} if found.next_order else None),
    )


@app.post(
    "/do-not-call/import",
    tags=["do not call"],
    openapi_extensions=IMPORT,
    summary="Puts up to 10,000 numbers on the list, each judged by itself; for supervisors",
)
def import_numbers(
    origin: Annotated[Origin, Query()] = Origin.IMPORT,
    scope: Annotated[Scope, Query()] = Scope.TELEMARKETING,
) -> ImportView:
    rows = read_rows(app.raw_body, origin, scope)
    outcomes = do_not_call().put_many([row.wanted for row in rows], app.user.name, clock.now())
    return ImportView.of([row.line for row in rows], outcomes)


@app.get(
    "/do-not-call/<number>",
    tags=["do not call"],
    summary="What the list says of a number, and what was taken off it",
)
def one(number: NumberInPath) -> NumberOnListView:
    return NumberOnListView.of(do_not_call().of_number(number))


@app.put(
    "/do-not-call/<number>",
    tags=["do not call"],
    summary="Puts a number on the list; what stands already is kept, and may come to forbid more",
)
def put(number: NumberInPath, wanted: Annotated[ListingRequest, Body()]) -> EntryView:
    listing = Wanted(number, wanted.listing())
    return EntryView.of(do_not_call().put(listing, app.user.name, clock.now()))


@app.delete(
    "/do-not-call/<number>",
    tags=["do not call"],
    summary="Takes an origin's entry off the list, with a reason; for supervisors",
)
def remove(
    number: NumberInPath, origin: Annotated[Origin, Query()], reason: Annotated[Reason, Query()]
) -> NumberOnListView:
    do_not_call().remove(number, origin, reason, app.user.name, clock.now())
    return NumberOnListView.of(do_not_call().of_number(number))


def handler(event: dict[str, object], context: LambdaContext) -> dict[str, object]:
    return app.resolve(event, context)
