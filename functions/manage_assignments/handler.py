"""Customers of campaigns: linked, scheduled, given to others, and what was done with them."""

from functools import cache
from typing import Annotated

from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.event_handler.openapi.params import Body
from aws_lambda_powertools.utilities.typing import LambdaContext

from functions.manage_assignments.schema import (
    AssignmentList,
    AssignmentView,
    EntryView,
    History,
    TransferRequest,
)
from retorno import clock
from retorno import cursor as cursors
from retorno.http import Api, CampaignInPath, Cursor, CustomerId, Limit, answer, created, no_content
from retorno.settings import AssignmentSettings
from retorno.telemarketing.assignments import service
from retorno.telemarketing.assignments.model import Assignment, LinkWish, TimeWish, Worker
from retorno.telemarketing.assignments.service import Done
from retorno.users import LEADERS

app = Api()
settings = cache(AssignmentSettings.from_environment)

OF_CAMPAIGN = "/telemarketing/campaigns/<campaign>/customers/<customer_id>"


@cache
def assignments() -> service.Assignments:
    return service.assignments(settings())


@cache
def linking() -> service.Linking:
    return service.linking(settings())


@cache
def planning() -> service.Planning:
    return service.planning(settings())


@cache
def workers() -> service.Workers:
    return service.workers(settings())


@app.put(
    OF_CAMPAIGN,
    tags=["telemarketing"],
    summary="Links a customer to a campaign, and to an agent; or gives them to another",
    responses={201: {"description": "Linked"}, 200: {"description": "Changed, or as it was"}},
)
def link(
    campaign: CampaignInPath, customer_id: CustomerId, wish: Annotated[LinkWish, Body()]
) -> Response[AssignmentView]:
    now = clock.now()
    linked = linking().link(campaign, customer_id, wish, app.user.agent, now)
    view = AssignmentView.of(linked.assignment, now)
    if linked.done is Done.CREATED:
        return created(view, f"/telemarketing/campaigns/{campaign}/customers/{customer_id}")
    return answer(view)


@app.get(OF_CAMPAIGN, tags=["telemarketing"], summary="A customer of a campaign")
def one(campaign: CampaignInPath, customer_id: CustomerId) -> AssignmentView:
    return _shown(assignments().one(campaign, customer_id))


@app.delete(
    OF_CAMPAIGN,
    tags=["telemarketing"],
    summary="Takes a customer out of a campaign; what was done stays",
    status_code=204,
)
def unlink(campaign: CampaignInPath, customer_id: CustomerId) -> Response[str]:
    linking().unlink(campaign, customer_id, app.user.agent, clock.now())
    return no_content()


@app.get(
    "/telemarketing/customers/<customer_id>",
    tags=["telemarketing"],
    summary="The campaigns that a customer is in, and how far it is with them",
)
def of_customer(customer_id: CustomerId) -> AssignmentList:
    now = clock.now()
    found = assignments().of_customer(customer_id)
    return AssignmentList(items=[AssignmentView.of(each, now) for each in found])


@app.get(
    f"{OF_CAMPAIGN}/history",
    tags=["telemarketing"],
    summary="All that was done with a customer in a campaign, by whom and when, the last first",
)
def history(
    campaign: CampaignInPath, customer_id: CustomerId, limit: Limit = 50, cursor: Cursor = None
) -> History:
    name = f"history {campaign} {customer_id}"
    start = cursors.decode(name, cursor, "number")
    page = assignments().history(campaign, customer_id, limit, start)
    return History(
        items=[EntryView.of(entry) for entry in page.entries],
        cursor=cursors.encode(name, page.next_start),
    )


@app.put(
    f"{OF_CAMPAIGN}/schedule",
    tags=["telemarketing"],
    summary="Has a customer contacted at a time, in place of any other",
)
def schedule(
    campaign: CampaignInPath, customer_id: CustomerId, wish: Annotated[TimeWish, Body()]
) -> AssignmentView:
    now = clock.now()
    time = planning().time_of(wish.at, wish, now)
    return _shown(planning().schedule(campaign, customer_id, time, _worker(), now))


@app.delete(
    f"{OF_CAMPAIGN}/schedule",
    tags=["telemarketing"],
    summary="Deletes a schedule: the customer waits without a time",
)
def delete_schedule(campaign: CampaignInPath, customer_id: CustomerId) -> AssignmentView:
    return _shown(planning().delete_schedule(campaign, customer_id, _worker(), clock.now()))


@app.post(
    f"{OF_CAMPAIGN}/transfer",
    tags=["telemarketing"],
    summary="Gives a customer to another agent, or to the team",
)
def transfer(
    campaign: CampaignInPath, customer_id: CustomerId, wish: Annotated[TransferRequest, Body()]
) -> AssignmentView:
    after = planning().transfer(campaign, customer_id, wish.agent, _worker(), clock.now())
    return _shown(after)


@app.post(
    f"{OF_CAMPAIGN}/reopen",
    tags=["telemarketing"],
    summary="Takes back that a customer is concluded",
)
def reopen(campaign: CampaignInPath, customer_id: CustomerId) -> AssignmentView:
    return _shown(planning().reopen(campaign, customer_id, _worker(), clock.now()))


def _worker() -> Worker:
    return workers().one(app.user.agent, leads=bool(app.user.groups & LEADERS))


def _shown(assignment: Assignment) -> AssignmentView:
    return AssignmentView.of(assignment, clock.now())


def handler(event: dict[str, object], context: LambdaContext) -> dict[str, object]:
    return app.resolve(event, context)
