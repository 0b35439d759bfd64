"""What the embedded cloud gets instead of the template; against template.yaml itself."""

import copy
import re
from typing import Any

import pytest

from local.deploy import TEMPLATE
from local.transform import CODE_PROPERTIES, expand, load, split

RUN = 7


@pytest.fixture(scope="module")
def template() -> dict[str, Any]:
    return load(TEMPLATE)


@pytest.fixture(scope="module")
def expanded(template: dict[str, Any]) -> dict[str, Any]:
    before = copy.deepcopy(template)
    expanded = expand(
        template,
        parameters={"Stage": "dev"},
        code={
            name: {"Bucket": "code", "Key": name}
            for name, resource in template["Resources"].items()
            if resource["Type"] in CODE_PROPERTIES
        },
        api_id="pinned",
        endpoint_url="http://127.0.0.1:4566",
        run=RUN,
    )
    assert template == before, "the template itself stays as it is"
    return expanded


@pytest.fixture(scope="module")
def resources(expanded: dict[str, Any]) -> dict[str, Any]:
    resources: dict[str, Any] = expanded["Resources"]
    return resources


def test_a_telephone_system_may_be_on_this_machine(
    template: dict[str, Any], expanded: dict[str, Any]
) -> None:
    address = "http://127.0.0.1:4000"
    patterns = [each["Parameters"]["DialUrl"]["AllowedPattern"] for each in (template, expanded)]
    assert [bool(re.match(pattern, address)) for pattern in patterns] == [False, True]


def of_type(resources: dict[str, Any], kind: str) -> dict[str, Any]:
    return {
        name: resource["Properties"]
        for name, resource in resources.items()
        if resource["Type"] == kind
    }


def test_every_http_event_has_a_route(template: dict[str, Any], resources: dict[str, Any]) -> None:
    events = [
        event["Properties"]
        for resource in template["Resources"].values()
        for event in resource.get("Properties", {}).get("Events", {}).values()
        if event["Type"] == "HttpApi"
    ]
    routes = of_type(resources, "AWS::ApiGatewayV2::Route").values()
    of_api = {route["RouteKey"] for route in routes if route["ApiId"] == {"Ref": "Api"}}
    assert of_api == {f"{event['Method']} {event['Path']}" for event in events}


def test_only_routes_that_say_so_need_no_token(resources: dict[str, Any]) -> None:
    routes = of_type(resources, "AWS::ApiGatewayV2::Route")
    by_key = {route["RouteKey"]: route for route in routes.values()}
    assert by_key["POST /webhooks/calls"]["AuthorizationType"] == "NONE"
    calls = by_key["GET /calls/{call_id}"]
    assert calls["AuthorizationType"] == "JWT"
    authorizer = resources[calls["AuthorizerId"]["Ref"]]["Properties"]
    assert authorizer["JwtConfiguration"]["Audience"] == [{"Ref": "UserPoolClient"}]


def test_each_route_leads_to_an_integration(resources: dict[str, Any]) -> None:
    routes = of_type(resources, "AWS::ApiGatewayV2::Route").values()
    by_key = {route["RouteKey"]: route["Target"]["Fn::Sub"] for route in routes}
    assert by_key["GET /calls/{call_id}"] == "integrations/${ApiReadCallsIntegration}"
    integrations = of_type(resources, "AWS::ApiGatewayV2::Integration")
    assert {f"integrations/${{{name}}}" for name in integrations} == set(by_key.values())


def test_routes_are_a_stack_of_their_own(expanded: dict[str, Any]) -> None:
    """A stack may have 500 resources, and a template 200 parameters."""
    template, routes = split(expanded)
    assert len(template["Resources"]) <= 500
    assert len(routes["Resources"]) <= 500
    assert len(routes["Parameters"]) <= 200
    parted = {**template["Resources"], **routes["Resources"]}
    assert parted == expanded["Resources"]
    assert {resource["Type"] for resource in routes["Resources"].values()} == {
        "AWS::ApiGatewayV2::Route"
    }
    assert {"Api", "ApiUsersAuthorizer", "ApiReadCallsIntegration"} <= routes["Parameters"].keys()
    assert routes["Parameters"].keys() <= template["Resources"].keys()


def test_the_api_has_the_pinned_id_and_no_body(resources: dict[str, Any]) -> None:
    api = resources["Api"]["Properties"]
    assert api["Tags"]["ms-custom-id"] == "pinned"
    assert "Body" not in api


def test_a_stream_consumer_stands_behind_the_bridge(resources: dict[str, Any]) -> None:
    functions = of_type(resources, "AWS::Lambda::Function")
    bridged = {
        name: function["Environment"]["Variables"]["STREAM_CONSUMER"]
        for name, function in functions.items()
        if function["Handler"] == "stream_bridge.handler"
    }
    assert bridged == {
        "AnnounceChanges": "functions.announce_changes.handler.handler",
        "CountOperations": "functions.count_operations.handler.handler",
        "FillCallList": "functions.fill_call_list.handler.handler",
        "FollowAgents": "functions.follow_agents.handler.handler",
        "FollowAssignments": "functions.follow_assignments.handler.handler",
        "FollowCalls": "functions.follow_calls.handler.handler",
        "FollowDoNotCall": "functions.follow_do_not_call.handler.handler",
        "IngestConnectContacts": "functions.ingest_connect_contacts.handler.handler",
        "MatchRecoveries": "functions.match_recoveries.handler.handler",
        "PushUpdates": "functions.push_updates.handler.handler",
    }
    # Its settings are also another function's, which must not get the bridge's variable.
    assert "STREAM_CONSUMER" not in functions["ExpireMissedCalls"]["Environment"]["Variables"]


def test_each_run_reads_the_stream_anew_but_not_the_queue(resources: dict[str, Any]) -> None:
    mappings = of_type(resources, "AWS::Lambda::EventSourceMapping")
    assert mappings["MatchRecoveriesCalls"]["StartingPositionTimestamp"] == RUN
    assert "StartingPositionTimestamp" not in mappings["StoreDeferredCallsDeferred"]


def test_secrets_are_known_by_their_arn_and_hold_letters_and_digits(
    resources: dict[str, Any],
) -> None:
    variables = resources["IngestCalls"]["Properties"]["Environment"]["Variables"]
    assert variables["WEBHOOK_SECRET"] == {"Fn::GetAtt": ["WebhookSecret", "Id"]}
    secret = resources["WebhookSecret"]["Properties"]["GenerateSecretString"]
    assert set(secret["ExcludeCharacters"]) >= set("\"'`$\\")


def test_schedules_are_of_the_default_group_to_policies(resources: dict[str, Any]) -> None:
    allowed = [
        statement["Resource"]["Fn::Sub"]
        for policy in resources["ScheduleCallbacksRole"]["Properties"]["Policies"]
        for statement in policy["PolicyDocument"]["Statement"]
        if "scheduler:CreateSchedule" in statement["Action"]
    ]
    assert [arn.partition(":schedule/")[2] for arn in allowed] == ["default/*"]


def test_the_websocket_api_is_the_emulators(resources: dict[str, Any]) -> None:
    assert resources["LiveApi"]["Properties"]["Tags"]["ms-custom-id"] == "pinned-live"
    variables = resources["PushUpdates"]["Properties"]["Environment"]["Variables"]
    address = "http://127.0.0.1:4566"
    assert variables["CONNECTIONS_URL"] == f"{address}/_aws/execute-api/pinned-live/live"
    keys_url = {"Fn::Sub": f"{address}/${{UserPool}}/.well-known/jwks.json"}
    assert variables["TOKEN_KEYS_URL"] == keys_url
    assert "TOKEN_KEYS_URL" not in resources["ReadCalls"]["Properties"]["Environment"]["Variables"]
    assert resources["LivePermission"]["Properties"]["FunctionName"] == {"Ref": "PushUpdates"}


def test_who_may_send_a_message_may_send_many(resources: dict[str, Any]) -> None:
    for policy in resources["AnnounceChangesRole"]["Properties"]["Policies"]:
        for statement in policy["PolicyDocument"]["Statement"]:
            assert statement["Action"] == ["sqs:SendMessage", "sqs:SendMessageBatch"]
