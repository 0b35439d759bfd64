"""Call-back campaigns, and the contacts on their lists."""

from functools import cache
from http import HTTPStatus
from typing import Annotated

from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.event_handler.openapi.params import Body, Path, Query
from aws_lambda_powertools.utilities.typing import LambdaContext

from functions.manage_callbacks.schema import (
    CampaignList,
    CampaignView,
    ContactList,
    ContactView,
    DismissRequest,
)
from retorno import clock
from retorno import cursor as cursors
from retorno.callback_campaigns.model import CAMPAIGN_ID, Campaign, CampaignDraft
from retorno.callback_campaigns.service import Campaigns, campaigns
from retorno.callbacks.model import State
from retorno.callbacks.service import CallList, call_list
from retorno.errors import InvalidInput
from retorno.http import Api, Cursor, IfMatch, Limit, answer, expected_version, no_content
from retorno.recovery.model import Dismissal
from retorno.settings import ManageCallbacksSettings

app = Api()
settings = cache(ManageCallbacksSettings.from_environment)

CampaignId = Annotated[str, Path(pattern=f"^{CAMPAIGN_ID}$")]
ContactId = Annotated[str, Path(max_length=64)]


@cache
def all_campaigns() -> Campaigns:
    return campaigns(settings())


@cache
def contacts() -> CallList:
    return call_list(settings())


@app.get("/callback-campaigns", tags=["call-backs"], summary="All campaigns, by id")
def campaign_list() -> CampaignList:
    return CampaignList(items=[CampaignView.of(each) for each in all_campaigns().all()])


@app.get("/callback-campaigns/<campaign>", tags=["call-backs"], summary="A campaign")
def one_campaign(campaign: CampaignId) -> Response[CampaignView]:
    return _shown(all_campaigns().one(campaign))


@app.put(
    "/callback-campaigns/<campaign>",
    tags=["call-backs"],
    summary="Begins a campaign, or with If-Match sets one up anew",
    responses={201: {"description": "Begun"}, 200: {"description": "Set up anew"}},
)
def put_campaign(
    campaign: CampaignId, draft: Annotated[CampaignDraft, Body()], if_match: IfMatch = None
) -> Response[CampaignView]:
    provider = settings().dial_provider
    if if_match is None:
        return _shown(all_campaigns().add(campaign, draft, provider), HTTPStatus.CREATED)
    expected = expected_version(if_match)
    return _shown(all_campaigns().change(campaign, draft, provider, expected))


@app.delete(
    "/callback-campaigns/<campaign>",
    tags=["call-backs"],
    summary="Ends a campaign: nobody on its list is called any more",
    status_code=204,
)
def remove_campaign(campaign: CampaignId, if_match: IfMatch = None) -> Response[str]:
    all_campaigns().remove(campaign, expected_version(if_match))
    contacts().clear(campaign, clock.now())
    return no_content()


@app.post(
    "/callback-campaigns/<campaign>/pause",
    tags=["call-backs"],
    summary="Calls nobody until it is resumed; who is missed meanwhile joins the list",
)
def pause(campaign: CampaignId) -> Response[CampaignView]:
    return _shown(all_campaigns().pause(campaign, paused=True))


@app.post("/callback-campaigns/<campaign>/resume", tags=["call-backs"], summary="Calls again")
def resume(campaign: CampaignId) -> Response[CampaignView]:
    resumed = all_campaigns().pause(campaign, paused=False)
    contacts().wake(resumed.campaign_id, clock.now())
    return _shown(resumed)


@app.get(
    "/callback-contacts",
    tags=["call-backs"],
    summary="Contacts of a list in a state, those who wait as they become due; or of a number",
)
def contact_list(
    list_name: Annotated[
        str | None, Query(max_length=200, description="A campaign, or queue:NAME")
    ] = None,
    state: Annotated[State, Query()] = State.WAITING,
    number: Annotated[
        str | None, Query(max_length=256, description="Instead of a list; in any written form")
    ] = None,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> ContactList:
    if number is not None:
        return ContactList.of(contacts().of_number(number), None)
    if list_name is None:
        raise InvalidInput("list_name", "is required where there is no number")
    name = f"contacts {list_name!r} {state}"
    start = cursors.decode(name, cursor, "contact_id", "state_order")
    found = contacts().in_state(list_name, state, limit, start)
    return ContactList.of(found.items, cursors.encode(name, found.next_start))


@app.get("/callback-contacts/<contact_id>", tags=["call-backs"], summary="A contact")
def one_contact(contact_id: ContactId) -> ContactView:
    return ContactView.of(contacts().one(contact_id))


@app.post(
    "/callback-contacts/<contact_id>/free",
    tags=["call-backs"],
    summary="Lets a blocked contact be called again, with all attempts",
)
def free(contact_id: ContactId) -> ContactView:
    return ContactView.of(contacts().free(contact_id, clock.now()))


@app.post(
    "/callback-contacts/<contact_id>/dismiss",
    tags=["call-backs"],
    summary="Ends a contact, and its missed calls, with a reason",
)
def dismiss(contact_id: ContactId, request: Annotated[DismissRequest, Body()]) -> ContactView:
    now = clock.now()
    dismissal = Dismissal(at=now, by=app.user.name, reason=request.reason)
    return ContactView.of(contacts().dismiss(contact_id, dismissal, now))


def _shown(campaign: Campaign, status: HTTPStatus = HTTPStatus.OK) -> Response[CampaignView]:
    return answer(CampaignView.of(campaign), status, version=campaign.version)


def handler(event: dict[str, object], context: LambdaContext) -> dict[str, object]:
    return app.resolve(event, context)
