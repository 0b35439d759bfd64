"""Sets how long callers may wait, and shows whether they were answered in time."""

from functools import cache
from http import HTTPStatus
from typing import Annotated

from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.event_handler.openapi.params import Body, Query
from aws_lambda_powertools.utilities.typing import LambdaContext

from functions.manage_waits.schema import (
    BreachList,
    ComplianceView,
    PolicyList,
    PolicyView,
    ProfileList,
    ProfileView,
)
from retorno import clock
from retorno import cursor as cursors
from retorno.http import (
    Api,
    Cursor,
    Day,
    IfMatch,
    Limit,
    QueueInPath,
    Since,
    Until,
    answer,
    expected_version,
    no_content,
)
from retorno.settings import ManageWaitsSettings
from retorno.telephony.ports import MAX_NAME_LENGTH
from retorno.times import Period
from retorno.waits.compliance import Wanted
from retorno.waits.model import InForce, Policy
from retorno.waits.profiles import all_profiles, all_rules
from retorno.waits.service import WaitPolicies, WaitReports, wait_policies, wait_reports

app = Api()
settings = cache(ManageWaitsSettings.from_environment)

Queue = Annotated[
    str | None,
    Query(
        min_length=1,
        max_length=MAX_NAME_LENGTH,
        description="Where callers came in first; all queues if not said",
    ),
]
FirstDay = Annotated[
    Day,
    Query(alias="from", description="In the company's own time zone; that of `to` if not said"),
]
LastDay = Annotated[Day, Query(alias="to", description="Itself included; today if not said")]


@cache
def policies() -> WaitPolicies:
    return wait_policies(settings())


@cache
def reports() -> WaitReports:
    return wait_reports(settings())


@app.get(
    "/wait-profiles",
    tags=["waiting times"],
    summary="The rules that a queue can go by, each with its source and its standing",
)
def profiles() -> ProfileList:
    items = [ProfileView.of(profile) for profile in all_profiles().values()]
    return ProfileList(own_rule=policies().own_rule, items=items)


@app.get("/wait-policies", tags=["waiting times"], summary="The queues' policies, by queue")
def policy_page(limit: Limit = 50, cursor: Cursor = None) -> PolicyList:
    position = cursors.decode("wait policies", cursor, "start")
    found = policies().page(limit, position["start"] if position else None)
    following = {"start": found.next_start} if found.next_start else None
    in_force = [each.in_force for each in found.policies]
    return PolicyList(
        items=[PolicyView.of(each) for each in in_force if each],
        cursor=cursors.encode("wait policies", following),
    )


@app.get("/wait-policies/<queue>", tags=["waiting times"], summary="How long callers may wait")
def one_policy(queue: QueueInPath) -> Response[PolicyView]:
    return _shown(policies().one(queue))


@app.put(
    "/wait-policies/<queue>",
    tags=["waiting times"],
    summary="Sets how long callers may wait who come from now on, or with If-Match sets it anew",
    responses={201: {"description": "Set"}, 200: {"description": "Set anew"}},
)
def put_policy(
    queue: QueueInPath, policy: Annotated[Policy, Body()], if_match: IfMatch = None
) -> Response[PolicyView]:
    by, now = app.user.name, clock.now()
    if if_match is None:
        return _shown(policies().register(queue, policy, by, now), HTTPStatus.CREATED)
    return _shown(policies().change(queue, policy, expected_version(if_match), by, now))


@app.delete(
    "/wait-policies/<queue>",
    tags=["waiting times"],
    summary="Has the queue go by the stack's own rule, for callers who come from now on",
    status_code=204,
)
def remove_policy(queue: QueueInPath, if_match: IfMatch = None) -> Response[str]:
    policies().remove(queue, expected_version(if_match), app.user.name, clock.now())
    return no_content()


@app.get(
    "/wait-compliance",
    tags=["waiting times"],
    summary="How many callers were answered in time, by queue, type of day and rule",
)
def compliance(
    queue: Queue = None, since: FirstDay = None, until: LastDay = None
) -> ComplianceView:
    today = clock.now().astimezone(settings().time_zone).date()
    wanted = Wanted.asked(queue, since, until, today)
    report = reports().report(wanted)
    used = {group.rule for group, _ in report.groups}
    return ComplianceView.of(
        wanted, report, [rule for rule_id, rule in all_rules().items() if rule_id in used]
    )


@app.get(
    "/wait-breaches",
    tags=["waiting times"],
    summary="Callers who waited too long, or do so now, the latest first",
)
def breaches(
    queue: Queue = None,
    since: Since = None,
    until: Until = None,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> BreachList:
    period = Period.between(since, until)
    list_name = f"wait breaches {queue!r} {period!r}"
    position = cursors.decode(list_name, cursor, "order")
    found = reports().breaches(queue, period, limit, position["order"] if position else None)
    following = {"order": found.next_order} if found.next_order else None
    return BreachList.of(found.waits, cursors.encode(list_name, following))


def _shown(found: InForce, status: HTTPStatus = HTTPStatus.OK) -> Response[PolicyView]:
    return answer(PolicyView.of(found), status, version=found.version)


def handler(event: dict[str, object], context: LambdaContext) -> dict[str, object]:
    return app.resolve(event, context)
