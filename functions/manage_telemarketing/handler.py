"""Sets telemarketing up: campaigns, and action types with their scripts."""

from functools import cache
from http import HTTPStatus
from typing import Annotated

from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.event_handler.openapi.params import Body, Path, Query
from aws_lambda_powertools.utilities.typing import LambdaContext

from functions.manage_telemarketing.schema import ActionTypeList, CampaignList, ScriptList
from retorno import clock
from retorno import cursor as cursors
from retorno.callback_campaigns.model import CAMPAIGN_ID
from retorno.dispositions.model import Code
from retorno.http import Api, Cursor, IfMatch, Limit, answer, expected_version, no_content
from retorno.settings import ManageTelemarketingSettings
from retorno.telemarketing.assignments.service import Workers
from retorno.telemarketing.assignments.service import workers as workers_of
from retorno.telemarketing.setup.model import (
    ActionType,
    ActionTypeDraft,
    Campaign,
    CampaignDraft,
    LastingT,
)
from retorno.telemarketing.setup.service import SettingUp, Setup
from retorno.telemarketing.setup.service import setting_up as setting_up_of
from retorno.telemarketing.setup.service import setup as setup_of
from retorno.telemarketing.statistics.service import Statistics
from retorno.telemarketing.statistics.service import statistics as statistics_of
from retorno.users import LEADERS

app = Api()
settings = cache(ManageTelemarketingSettings.from_environment)

TAGS = ["telemarketing"]

CampaignId = Annotated[str, Path(pattern=f"^{CAMPAIGN_ID}$")]
CodeInPath = Annotated[Code, Path()]


@cache
def setup() -> Setup:
    return setup_of(settings())


@cache
def setting_up() -> SettingUp:
    return setting_up_of(settings())


@cache
def statistics() -> Statistics:
    return statistics_of(settings())


@cache
def workers() -> Workers:
    return workers_of(settings())


@app.get(
    "/telemarketing/campaigns",
    tags=TAGS,
    summary="Campaigns by id, or those that run today by their last day; to agents those of the "
    "latter in which they or their team have customers. Go on until the cursor is null, even past "
    "a short page",
)
def campaigns(
    running: Annotated[bool, Query(description="Only those that run today")] = False,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> CampaignList:
    leads = bool(app.user.groups & LEADERS)
    today = clock.now().astimezone(settings().time_zone).date()
    running = running or not leads
    list_name = f"telemarketing campaigns running {today}" if running else "telemarketing campaigns"
    start = cursors.decode(list_name, cursor, "code", *(["order"] if running else []))
    if not running:
        page = setup().campaign_page(limit, start)
    elif leads:
        page = setup().running(today, limit, start)
    else:
        who = workers().one(app.user.agent, leads=False)
        has_customers = statistics().has_customers
        page = setup().running_for(who.agent, who.queues, has_customers, today, limit, start)
    following = cursors.encode(list_name, page.next_start)
    return CampaignList(items=list(page.campaigns), cursor=following)


@app.get("/telemarketing/campaigns/<campaign>", tags=TAGS, summary="A campaign")
def campaign(campaign: CampaignId) -> Response[Campaign]:
    return _shown(setup().campaign(campaign))


@app.put(
    "/telemarketing/campaigns/<campaign>",
    tags=TAGS,
    summary="Begins a campaign, or with If-Match sets one up anew",
    responses={201: {"description": "New"}, 200: {"description": "Changed"}},
)
def put_campaign(
    campaign: CampaignId, draft: Annotated[CampaignDraft, Body()], if_match: IfMatch = None
) -> Response[Campaign]:
    if if_match is None:
        return _shown(setting_up().add_campaign(campaign, draft), HTTPStatus.CREATED)
    return _shown(setting_up().change_campaign(campaign, draft, expected_version(if_match)))


@app.delete(
    "/telemarketing/campaigns/<campaign>",
    tags=TAGS,
    summary="Deletes a campaign that never had customers, and retires another",
    status_code=204,
)
def remove_campaign(campaign: CampaignId, if_match: IfMatch = None) -> Response[str]:
    return _removed(Campaign, campaign, if_match)


@app.get("/telemarketing/action-types", tags=TAGS, summary="All action types, with their scripts")
def action_types() -> ActionTypeList:
    return ActionTypeList(items=list(setup().action_types()))


@app.get("/telemarketing/action-types/<code>", tags=TAGS, summary="An action type")
def action_type(code: CodeInPath) -> Response[ActionType]:
    return _shown(setup().action_type(code))


@app.put(
    "/telemarketing/action-types/<code>",
    tags=TAGS,
    summary="Adds an action type, or with If-Match changes one; another script is a new version",
    responses={201: {"description": "New"}, 200: {"description": "Changed"}},
)
def put_action_type(
    code: CodeInPath, draft: Annotated[ActionTypeDraft, Body()], if_match: IfMatch = None
) -> Response[ActionType]:
    by, now = app.user.name, clock.now()
    if if_match is None:
        return _shown(setting_up().add_action_type(code, draft, by, now), HTTPStatus.CREATED)
    expected = expected_version(if_match)
    return _shown(setting_up().change_action_type(code, draft, expected, by, now))


@app.delete(
    "/telemarketing/action-types/<code>",
    tags=TAGS,
    summary="Deletes an action type that was never used, and retires another",
    status_code=204,
)
def remove_action_type(code: CodeInPath, if_match: IfMatch = None) -> Response[str]:
    return _removed(ActionType, code, if_match)


@app.get(
    "/telemarketing/action-types/<code>/scripts",
    tags=TAGS,
    summary="The scripts that an action type has had",
)
def scripts(
    code: CodeInPath, limit: Annotated[int, Query(ge=1, le=50)] = 10, cursor: Cursor = None
) -> ScriptList:
    list_name = f"telemarketing scripts {code}"
    start = cursors.decode(list_name, cursor, "start")
    page = setup().scripts(code, limit, start["start"] if start else None)
    following = {"start": page.next_start} if page.next_start else None
    return ScriptList(items=list(page.scripts), cursor=cursors.encode(list_name, following))


def _removed(kind: type[LastingT], key: str, if_match: str | None) -> Response[str]:
    setting_up().remove(kind, key, expected_version(if_match))
    return no_content()


def _shown(entry: LastingT, status: HTTPStatus = HTTPStatus.OK) -> Response[LastingT]:
    return answer(entry, status, version=entry.version)


def handler(event: dict[str, object], context: LambdaContext) -> dict[str, object]:
    return app.resolve(event, context)
