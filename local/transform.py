"""Turns the SAM template into what MiniStack can deploy: a dict goes in, a dict comes out.

Where MiniStack falls short of AWS, the difference is made up for here and not in the template.
"""

import json
import re
import string
from collections.abc import Collection, Mapping
from copy import deepcopy
from pathlib import Path
from typing import Any

from samtranslator.parser.parser import Parser
from samtranslator.translator.translator import Translator
from samtranslator.yaml_helper import yaml_parse

from local import aws

Json = dict[str, Any]

CODE_PROPERTIES = {
    "AWS::Serverless::Function": "CodeUri",
    "AWS::Serverless::LayerVersion": "ContentUri",
}


def load(file: Path) -> Json:
    template: Json = yaml_parse(file.read_text())
    return template


def expand(
    template: Json,
    *,
    parameters: Mapping[str, str],
    code: Mapping[str, Json],
    api_id: str,
    endpoint_url: str,
    run: int,
) -> Json:
    """The template in plain CloudFormation.

    `code` says for each layer and function where in S3 it lies. The HTTP API gets the id `api_id`,
    and the WebSocket API `live_id(api_id)`. `endpoint_url` is where the emulator answers, and `run`
    a number that changes with each of its starts.
    """
    sam = deepcopy(template)  # the translator works in place
    for name, place in code.items():
        resource = sam["Resources"][name]
        resource["Properties"][CODE_PROPERTIES[resource["Type"]]] = place
    # No managed policy is looked up by name, so no map of them is needed.
    translator = Translator({}, Parser(), boto_session=aws.session())
    expanded: Json = translator.translate(sam, dict(parameters))
    translator.metrics.publish()  # nowhere; else it says on the terminal that nobody did
    _bridge_addresses(expanded["Parameters"])
    _bridge_streams(expanded["Resources"], run)
    _bridge_secrets(expanded["Resources"])
    _bridge_schedules(expanded["Resources"])
    _bridge_batches(expanded["Resources"])
    _bridge_alarms(expanded["Resources"])
    _bridge_http_apis(expanded["Resources"], api_id)
    _bridge_websocket_apis(expanded["Resources"], live_id(api_id), endpoint_url)
    return expanded


def live_id(api_id: str) -> str:
    return f"{api_id}-live"


def split(template: Json) -> tuple[Json, Json]:
    """An expanded template without the HTTP APIs' routes, and a template of these.

    Each route is a resource here, and all together would be more than the 500 that a stack may
    have. What routes refer to are parameters of the same names.
    """
    resources: Json = template["Resources"]
    apis = _properties(resources, "AWS::ApiGatewayV2::Api")
    routes = {
        name: resources[name]
        for name, route in _properties(resources, "AWS::ApiGatewayV2::Route").items()
        if apis[route["ApiId"]["Ref"]]["ProtocolType"] == "HTTP"
    }
    others = {name: resources[name] for name in resources.keys() - routes.keys()}
    named = re.findall(r'"Ref": "(\w+)"|\$\{(\w+)\}', json.dumps(routes))
    parameters = {one or other: {"Type": "String"} for one, other in named}
    return {**template, "Resources": others}, {"Parameters": parameters, "Resources": routes}


def _bridge_addresses(parameters: Json) -> None:
    """On one machine there is no certificate, and nobody in between to hide anything from."""
    for parameter in parameters.values():
        if pattern := parameter.get("AllowedPattern"):
            parameter["AllowedPattern"] = pattern.replace("https://", "https?://")


def _bridge_streams(resources: Json, run: int) -> None:
    """MiniStack loses the records of a partly failed batch (local/stream_bridge.py). And it saves
    how far a stream was read but not the stream, which begins anew with each start: reading must
    too, or the first changes would be skipped. So the mappings get a property that makes
    CloudFormation replace them; MiniStack itself makes no use of it."""
    mappings = [
        mapping
        for mapping in _properties(resources, "AWS::Lambda::EventSourceMapping").values()
        if "StartingPosition" in mapping
    ]
    for mapping in mappings:
        mapping["StartingPositionTimestamp"] = run
    for name in {mapping["FunctionName"]["Ref"] for mapping in mappings}:
        function = resources[name]["Properties"]
        variables = function["Environment"]["Variables"]
        function["Environment"] = {
            "Variables": {**variables, "STREAM_CONSUMER": function["Handler"]}
        }
        function["Handler"] = "stream_bridge.handler"


def _bridge_secrets(resources: Json) -> None:
    """To MiniStack a reference to a secret is its name and not its ARN, which no policy allows; and
    it knows only one way to say which characters a secret must not have."""
    secrets = _properties(resources, "AWS::SecretsManager::Secret")
    for secret in secrets.values():
        if secret["GenerateSecretString"].pop("ExcludePunctuation", False):
            secret["GenerateSecretString"]["ExcludeCharacters"] = string.punctuation
    for resource in resources.values():
        resource["Properties"] = _with_arns(resource.get("Properties", {}), secrets.keys())


def _with_arns(node: Any, secrets: Collection[str]) -> Any:
    match node:
        case {"Ref": name} if name in secrets:
            return {"Fn::GetAtt": [name, "Id"]}
        case dict():
            return {key: _with_arns(value, secrets) for key, value in node.items()}
        case list():
            return [_with_arns(value, secrets) for value in node]
    return node


def _bridge_schedules(resources: Json) -> None:
    """To MiniStack's policies all schedules are of the default group, whichever they are of."""
    for group in _properties(resources, "AWS::Scheduler::ScheduleGroup"):
        for role in _properties(resources, "AWS::IAM::Role").values():
            policies = json.dumps(role.get("Policies", []))
            of_default = policies.replace(f"schedule/${{{group}}}/", "schedule/default/")
            role["Policies"] = json.loads(of_default)


def _bridge_batches(resources: Json) -> None:
    """To MiniStack it is an action of its own to send many messages at once."""
    for role in _properties(resources, "AWS::IAM::Role").values():
        role["Policies"] = _with_batches(role.get("Policies", []))


def _with_batches(node: Any) -> Any:
    match node:
        case {"Action": "sqs:SendMessage", **rest}:
            return {"Action": ["sqs:SendMessage", "sqs:SendMessageBatch"], **rest}
        case dict():
            return {key: _with_batches(value) for key, value in node.items()}
        case list():
            return [_with_batches(value) for value in node]
    return node


def _bridge_alarms(resources: Json) -> None:
    """MiniStack knows no metric math: there an alarm on several metrics watches the first of them,
    and one on a query of all that there are is not made."""
    for name, alarm in _properties(resources, "AWS::CloudWatch::Alarm").items():
        watched = [each["MetricStat"] for each in alarm.pop("Metrics", ()) if "MetricStat" in each]
        if watched:
            first = watched[0]
            alarm |= {**first["Metric"], "Statistic": first["Stat"], "Period": first["Period"]}
        elif "MetricName" not in alarm:
            del resources[name]


def _bridge_http_apis(resources: Json, api_id: str) -> None:
    """MiniStack ignores the OpenAPI body of an HTTP API, which would be left without routes.

    These are resources of their own, and with an integration and a permission for each there would
    be more than a stack may have: each function gets one.
    """
    for name, api in _properties(resources, "AWS::ApiGatewayV2::Api").items():
        if "Body" not in api:
            continue
        body = api.pop("Body")
        api |= {
            "Name": {"Ref": "AWS::StackName"},
            "ProtocolType": "HTTP",
            "Tags": {**api.get("Tags", {}), "ms-custom-id": api_id},
        }
        resources |= _authorizers(name, body) | _routes(name, body)
    for name, permission in _properties(resources, "AWS::Lambda::Permission").items():
        if "__ApiId__" in str(permission.get("SourceArn")):
            del resources[name]
            function = permission["FunctionName"]["Ref"]
            resources[f"{function}ApiPermission"] = _permission(permission)


def _bridge_websocket_apis(resources: Json, api_id: str, endpoint_url: str) -> None:
    """Addresses of services, which AWS makes of its own domain names, are the emulator's."""
    for api in _properties(resources, "AWS::ApiGatewayV2::Api").values():
        if api["ProtocolType"] == "WEBSOCKET":
            api["Tags"] = {**api.get("Tags", {}), "ms-custom-id": api_id}
    addresses = {
        "CONNECTIONS_URL": f"{endpoint_url}/_aws/execute-api/{api_id}/live",
        "TOKEN_KEYS_URL": {"Fn::Sub": f"{endpoint_url}/${{UserPool}}/.well-known/jwks.json"},
    }
    for function in _properties(resources, "AWS::Lambda::Function").values():
        variables = function["Environment"]["Variables"]
        variables |= {name: url for name, url in addresses.items() if name in variables}


def _permission(of_one_route: Json) -> Json:
    """For all routes of the function's API."""
    arn, parts = of_one_route["SourceArn"]["Fn::Sub"]
    api = arn.partition("${__Stage__}")[0]
    source = {"Fn::Sub": [f"{api}*", {"__ApiId__": parts["__ApiId__"]}]}
    return {"Type": "AWS::Lambda::Permission", "Properties": {**of_one_route, "SourceArn": source}}


def _authorizers(api: str, body: Json) -> Json:
    return {
        _authorizer(api, scheme): _authorizer_resource(api, scheme, definition)
        for scheme, definition in body["components"]["securitySchemes"].items()
    }


def _authorizer(api: str, scheme: str) -> str:
    return f"{api}{scheme}Authorizer"


def _authorizer_resource(api: str, scheme: str, definition: Json) -> Json:
    authorizer = definition["x-amazon-apigateway-authorizer"]
    token = authorizer["jwtConfiguration"]
    return {
        "Type": "AWS::ApiGatewayV2::Authorizer",
        "Properties": {
            "ApiId": {"Ref": api},
            "Name": scheme,
            "AuthorizerType": "JWT",
            "IdentitySource": [authorizer["identitySource"]],
            "JwtConfiguration": {"Issuer": token["issuer"], "Audience": token["audience"]},
        },
    }


def _routes(api: str, body: Json) -> Json:
    resources: Json = {}
    for path, operations in body["paths"].items():
        for method, operation in operations.items():
            name = api + re.sub(r"\W|_", " ", f"{method}{path}").title().replace(" ", "")
            integration = operation["x-amazon-apigateway-integration"]
            target = f"{api}{_function(integration)}Integration"
            resources[target] = _integration(api, integration)
            resources[f"{name}Route"] = _route(api, f"{method.upper()} {path}", operation, target)
    return resources


def _function(integration: Json) -> str:
    """The logical id of the function that answers."""
    (name,) = re.findall(r"\$\{(\w+)\.Arn\}", integration["uri"]["Fn::Sub"])
    return str(name)


def _integration(api: str, integration: Json) -> Json:
    return {
        "Type": "AWS::ApiGatewayV2::Integration",
        "Properties": {
            "ApiId": {"Ref": api},
            "IntegrationType": "AWS_PROXY",
            "IntegrationUri": integration["uri"],
            "PayloadFormatVersion": integration["payloadFormatVersion"],
        },
    }


def _route(api: str, key: str, operation: Json, target: str) -> Json:
    (scheme,) = operation["security"][0]
    authorization: Json = (
        {"AuthorizationType": "NONE"}
        if scheme == "NONE"
        else {"AuthorizationType": "JWT", "AuthorizerId": {"Ref": _authorizer(api, scheme)}}
    )
    return {
        "Type": "AWS::ApiGatewayV2::Route",
        "Properties": {
            "ApiId": {"Ref": api},
            "RouteKey": key,
            "Target": {"Fn::Sub": f"integrations/${{{target}}}"},
            **authorization,
        },
    }


def _properties(resources: Json, kind: str) -> Json:
    """The properties of all resources of a type, by logical id."""
    return {
        name: resource["Properties"]
        for name, resource in resources.items()
        if resource["Type"] == kind
    }
