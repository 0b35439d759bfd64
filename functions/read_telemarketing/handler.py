"""Shows telemarketing in numbers."""

from functools import cache
from typing import Annotated

from aws_lambda_powertools.event_handler.openapi.params import Query
from aws_lambda_powertools.utilities.typing import LambdaContext

from functions.read_telemarketing.schema import StatisticsView
from retorno import clock
from retorno.callback_campaigns.model import CAMPAIGN_ID
from retorno.errors import NotAllowed
from retorno.http import Api, Day
from retorno.settings import CounterSettings
from retorno.telemarketing.statistics.model import Grouping, Wanted
from retorno.telemarketing.statistics.service import Statistics
from retorno.telemarketing.statistics.service import statistics as statistics_of
from retorno.telephony.ports import MAX_NAME_LENGTH
from retorno.users import LEADERS

app = Api()
settings = cache(CounterSettings.from_environment)

Campaign = Annotated[str | None, Query(pattern=f"^{CAMPAIGN_ID}$")]
Agent = Annotated[
    str | None,
    Query(
        min_length=1,
        max_length=MAX_NAME_LENGTH,
        description="Agents are shown their own statistics alone",
    ),
]
Since = Annotated[
    Day,
    Query(alias="from", description="In the company's own time zone; today if not said"),
]
Until = Annotated[Day, Query(alias="to", description="Itself included; today if not said")]


@cache
def statistics() -> Statistics:
    return statistics_of(settings())


@app.get(
    "/telemarketing/statistics",
    tags=["telemarketing"],
    summary="What came of the operations of a period, and how customers stand now",
)
def report(
    campaign: Campaign = None,
    agent: Agent = None,
    since: Since = None,
    until: Until = None,
    group_by: Annotated[Grouping | None, Query()] = None,
) -> StatisticsView:
    today = clock.now().astimezone(settings().time_zone).date()
    wanted = Wanted.asked(campaign, _allowed(agent), since, until, group_by, today)
    return StatisticsView.of(wanted, statistics().report(wanted))


def _allowed(agent: str | None) -> str | None:
    """Raises NotAllowed."""
    if app.user.groups & LEADERS:
        return agent
    if agent not in (None, app.user.agent):
        raise NotAllowed("agents see their own statistics alone")
    return app.user.agent


def handler(event: dict[str, object], context: LambdaContext) -> dict[str, object]:
    return app.resolve(event, context)
