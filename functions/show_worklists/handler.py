"""What agents are to do in telemarketing: their lists, and the next customer."""

from functools import cache
from typing import Annotated, Any

from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.event_handler.openapi.params import Body, Query
from aws_lambda_powertools.utilities.typing import LambdaContext

from functions.show_worklists.schema import Counts, NextRequest, Worklist, WorklistRow
from retorno import clock
from retorno import cursor as cursors
from retorno.http import Api, Cursor, Limit, answer, no_content
from retorno.settings import WorklistSettings
from retorno.telemarketing.assignments.model import State, Worker
from retorno.telemarketing.assignments.service import Workers
from retorno.telemarketing.assignments.service import workers as workers_of
from retorno.telemarketing.assignments.worklist import Wanted, Worklists, worklists
from retorno.telemarketing.statistics.service import Statistics, statistics
from retorno.users import LEADERS

app = Api()
settings = cache(WorklistSettings.from_environment)


@cache
def lists() -> Worklists:
    return worklists(settings())


@cache
def workers() -> Workers:
    return workers_of(settings())


@cache
def numbers() -> Statistics:
    return statistics(settings())


@app.get(
    "/telemarketing/worklist",
    tags=["telemarketing"],
    summary="A list of customers of a campaign: an agent's own and the team's; all for leaders. Go "
    "on until the cursor is null, even past a short page",
)
def worklist(
    campaign: Annotated[str, Query(min_length=1, max_length=60)],
    state: Annotated[State, Query()] = State.NOT_ACTED,
    agent: Annotated[
        str | None, Query(min_length=1, max_length=128, description="Of leaders: whose customers")
    ] = None,
    saved_filter: Annotated[
        str | None, Query(alias="filter", max_length=64, description="The id of a saved filter")
    ] = None,
    search: Annotated[
        str | None,
        Query(
            min_length=1,
            max_length=200,
            description="A number, code or document, or how the name begins",
        ),
    ] = None,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> Worklist:
    now, worker = clock.now(), _worker()
    wanted = lists().wanted(campaign, state, agent, saved_filter, app.user.name, worker, now)
    name = f"worklist {campaign} {state} {agent!r} {wanted.criteria!r} {worker.agent!r}"
    if search is not None:
        page = lists().search(wanted, search, worker, now, limit)
    else:
        page = lists().page(wanted, worker, now, limit, cursors.decode(name, cursor, "place"))
    return Worklist(
        items=[WorklistRow.of(each, now) for each in page.items],
        counts=_counts(wanted, worker),
        cursor=cursors.encode(name, page.next_start),
    )


@app.post(
    "/telemarketing/worklist/next",
    tags=["telemarketing"],
    summary="Hands out the next customer, to nobody else for five minutes; 204 where nobody waits",
    responses={200: {"description": "The customer"}, 204: {"description": "Nobody waits"}},
)
def next_customer(request: Annotated[NextRequest, Body()]) -> Response[Any]:
    now = clock.now()
    listed = lists().next(request.campaign, _worker(), now)
    if listed is None:
        return no_content()
    return answer(WorklistRow.of(listed, now))


def _worker() -> Worker:
    return workers().one(app.user.agent, leads=bool(app.user.groups & LEADERS))


def _counts(wanted: Wanted, worker: Worker) -> Counts:
    """Of those whom the worker may see."""
    campaign = wanted.campaign
    if worker.leads:
        return Counts.model_validate(numbers().gauges(campaign.campaign_id, wanted.agent))
    in_team = campaign.queue in worker.queues
    lists = numbers().worklist(campaign.campaign_id, worker.agent, in_team=in_team)
    return Counts.model_validate(lists)


def handler(event: dict[str, object], context: LambdaContext) -> dict[str, object]:
    return app.resolve(event, context)
