"""What agents do in telemarketing: operations, from their opening to their end."""

from collections.abc import Mapping
from functools import cache
from typing import Annotated

from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.event_handler.openapi.params import Body, Path, Query
from aws_lambda_powertools.utilities.typing import LambdaContext

from functions.run_operations.schema import (
    ConcludeRequest,
    NoContactRequest,
    OpenRequest,
    OperationList,
    OperationScreen,
    OperationView,
    PostponeRequest,
)
from retorno import clock
from retorno import cursor as cursors
from retorno.customers.model import Customer
from retorno.errors import InvalidInput, NotAllowed
from retorno.http import Api, Cursor, IfMatch, Limit, answer, created, expected_version
from retorno.settings import OperationSettings
from retorno.telemarketing.assignments import service as assignments
from retorno.telemarketing.assignments.model import Worker
from retorno.telemarketing.operations import service as operations
from retorno.telemarketing.operations.model import Edit, Operation, Shelf
from retorno.users import LEADERS

app = Api()
settings = cache(OperationSettings.from_environment)

OperationInPath = Annotated[str, Path(max_length=200)]
Text = Annotated[str | None, Query(min_length=1, max_length=200)]

EARLIER = 10


@cache
def doing() -> operations.Operations:
    return operations.operations(settings())


@cache
def planning() -> assignments.Planning:
    return assignments.planning(settings())


@cache
def workers() -> assignments.Workers:
    return assignments.workers(settings())


@app.post(
    "/telemarketing/operations",
    tags=["telemarketing"],
    summary="Begins an operation with a customer, or shows the one that the agent has open",
    status_code=201,
    responses={200: {"description": "The one that is open"}},
)
def begin(request: Annotated[OpenRequest, Body()]) -> Response[OperationScreen]:
    opened = doing().open(request.campaign, request.customer_id, _worker(), clock.now())
    screen = _screen(opened.operation, opened.customer)
    version = opened.operation.version
    if opened.is_new:
        location = f"/telemarketing/operations/{screen.operation.operation_id}"
        return created(screen, location, version)
    return answer(screen, version=version)


@app.get(
    "/telemarketing/operations",
    tags=["telemarketing"],
    summary="Operations of a campaign, of a customer, or of an agent, the last begun first",
)
def operation_list(
    campaign: Text = None,
    customer_id: Text = None,
    agent: Text = None,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> OperationList:
    shelf, of = _shelf({Shelf.CAMPAIGN: campaign, Shelf.CUSTOMER: customer_id, Shelf.AGENT: agent})
    name = f"operations {shelf} {of!r}"
    start = cursors.decode(name, cursor, "contact", "entry", "started_at")
    page = doing().page(shelf, of, limit, start)
    return OperationList.of(page.operations, cursors.encode(name, page.next_start))


@app.get(
    "/telemarketing/operations/<operation>",
    tags=["telemarketing"],
    summary="An operation, its customer, and what was done with them before",
)
def one(operation: OperationInPath) -> Response[OperationScreen]:
    found = doing().one(operation)
    return answer(_screen(found, doing().customer_of(found)), version=found.version)


@app.patch(
    "/telemarketing/operations/<operation>",
    tags=["telemarketing"],
    summary="Saves the conversation; chooses the action type, which brings its script",
)
def save(
    operation: OperationInPath, edit: Annotated[Edit, Body()], if_match: IfMatch = None
) -> Response[OperationView]:
    expected = expected_version(if_match)
    return _shown(doing().edit(operation, edit, expected, _worker(), clock.now()))


@app.post(
    "/telemarketing/operations/<operation>/copy-script",
    tags=["telemarketing"],
    summary="Copies the script to the end of the conversation, to be worked on there",
)
def copy_script(operation: OperationInPath) -> Response[OperationView]:
    return _shown(doing().copy_script(operation, _worker(), clock.now()))


@app.post(
    "/telemarketing/operations/<operation>/conclude",
    tags=["telemarketing"],
    summary="Ends an operation for good, with a sale or without",
)
def conclude(
    operation: OperationInPath, request: Annotated[ConcludeRequest, Body()]
) -> Response[OperationView]:
    outcome, value = request.outcome, request.value
    return _shown(doing().conclude(operation, outcome, value, _worker(), clock.now()))


@app.post(
    "/telemarketing/operations/<operation>/postpone",
    tags=["telemarketing"],
    summary="Ends an operation with another time at which the customer wants to be contacted",
)
def postpone(
    operation: OperationInPath, request: Annotated[PostponeRequest, Body()]
) -> Response[OperationView]:
    now = clock.now()
    time = planning().time_of(request.at, request, now)
    return _shown(doing().postpone(operation, request.outcome, time, _worker(), now))


@app.post(
    "/telemarketing/operations/<operation>/no-contact",
    tags=["telemarketing"],
    summary="Ends an operation without contact, for a reason; it is tried again at a time",
)
def no_contact(
    operation: OperationInPath, request: Annotated[NoContactRequest, Body()]
) -> Response[OperationView]:
    now = clock.now()
    time = planning().time_of(request.at, request, now) if request.at else None
    return _shown(doing().no_contact(operation, request.reason, time, _worker(), now))


@app.post(
    "/telemarketing/operations/<operation>/release",
    tags=["telemarketing"],
    summary="Closes an operation that was opened by mistake: it counts for nothing",
)
def release(operation: OperationInPath) -> Response[OperationView]:
    return _shown(doing().release(operation, _worker(), clock.now()))


def _worker() -> Worker:
    return workers().one(app.user.agent, leads=bool(app.user.groups & LEADERS))


def _shelf(asked: Mapping[Shelf, str | None]) -> tuple[Shelf, str]:
    """What operations are asked for by. An agent sees their own, and those of a customer."""
    said = [(shelf, of) for shelf, of in asked.items() if of is not None]
    if len(said) != 1:
        raise InvalidInput("campaign", "or customer_id, or agent: just one of them is required")
    shelf, of = said[0]
    own = shelf is Shelf.CUSTOMER or (shelf is Shelf.AGENT and of == app.user.agent)
    if not own and not app.user.groups & LEADERS:
        raise NotAllowed("others' operations are for supervisors to list")
    return shelf, of


def _screen(operation: Operation, customer: Customer | None) -> OperationScreen:
    earlier = doing().page(Shelf.CUSTOMER, operation.customer_id, EARLIER + 1, None).operations
    others = [each for each in earlier if each.operation_id != operation.operation_id]
    return OperationScreen(
        operation=OperationView.of(operation),
        customer=customer,
        earlier=[OperationView.of(each) for each in others[:EARLIER]],
    )


def _shown(operation: Operation) -> Response[OperationView]:
    return answer(OperationView.of(operation), version=operation.version)


def handler(event: dict[str, object], context: LambdaContext) -> dict[str, object]:
    return app.resolve(event, context)
