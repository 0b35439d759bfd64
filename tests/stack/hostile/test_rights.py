"""Every route of the deployed API, asked by everyone there may be: the table of rights decides.

Who has no token that holds is refused by API Gateway, with a message of its own; who has one, but
no right, by Retorno, with a problem document.
"""

import base64
import json
import re
import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from local import aws
from local.aws import Clients
from local.stack import Stack
from retorno.http import OPEN_ROUTES, RIGHTS
from tests.support.api import Answer, Api
from tests.support.functions import function_of

PASSWORD = "Nao-e-um-segredo-1"
SECOND = {"IdTokenValidity": 1, "TokenValidityUnits": {"IdToken": "seconds"}}
THREADS = 6

# Who holds what a leader holds, and yet no token of the stack's own.
IMPOSTORS = ["nobody", "expired", "of another pool", "unsigned", "signed for less", "no token"]


def signed_in(
    cognito: Any, pool: str, client: str, name: str, group: str | None = None
) -> Mapping[str, str]:
    """The tokens of a new user."""
    user = {"UserPoolId": pool, "Username": name}
    cognito.admin_create_user(**user, MessageAction="SUPPRESS")
    cognito.admin_set_user_password(**user, Password=PASSWORD, Permanent=True)
    if group:
        cognito.admin_add_user_to_group(**user, GroupName=group)
    told: Mapping[str, str] = cognito.admin_initiate_auth(
        UserPoolId=pool,
        ClientId=client,
        AuthFlow="ADMIN_USER_PASSWORD_AUTH",
        AuthParameters={"USERNAME": name, "PASSWORD": PASSWORD},
    )["AuthenticationResult"]
    return told


def of_another_pool(cognito: Any) -> str:
    pool = cognito.create_user_pool(PoolName="another")["UserPool"]["Id"]
    flows = ["ALLOW_ADMIN_USER_PASSWORD_AUTH"]
    made = cognito.create_user_pool_client(
        UserPoolId=pool, ClientName="another", ExplicitAuthFlows=flows
    )
    cognito.create_group(UserPoolId=pool, GroupName="admin")
    client = made["UserPoolClient"]["ClientId"]
    return signed_in(cognito, pool, client, "admin", "admin")["IdToken"]


def expired(cognito: Any, pool: str, client: str) -> str:
    ids = {"UserPoolId": pool, "ClientId": client}
    before = cognito.describe_user_pool_client(**ids)["UserPoolClient"]
    lasting = {name: before[name] for name in SECOND}
    flows = {"ExplicitAuthFlows": before["ExplicitAuthFlows"]}
    cognito.update_user_pool_client(**ids, **flows, **SECOND)
    token = signed_in(cognito, pool, client, "late", "admin")["IdToken"]
    cognito.update_user_pool_client(**ids, **flows, **lasting)
    while time.time() <= claims(token)["exp"]:
        time.sleep(0.1)
    return token


def claims(token: str) -> dict[str, Any]:
    told: dict[str, Any] = json.loads(base64.urlsafe_b64decode(f"{token.split('.')[1]}=="))
    return told


def encoded(part: Mapping[str, Any]) -> str:
    return base64.urlsafe_b64encode(json.dumps(part).encode()).decode().rstrip("=")


@pytest.fixture(scope="module")
def tokens(besieged: Stack) -> Mapping[str, str]:
    cognito: Any = Clients(besieged.endpoint_url).cognito
    pool, client = besieged.resources["UserPool"], besieged.resources["UserPoolClient"]
    header, _, signature = besieged.tokens["agent"].split(".")
    _, of_admin, _ = besieged.tokens["admin"].split(".")
    nones = encoded({"alg": "none", "typ": "JWT"})
    leader = signed_in(cognito, pool, client, "chefe", "admin")
    return {
        **besieged.tokens,
        "expired": expired(cognito, pool, client),
        "of another pool": of_another_pool(cognito),
        "unsigned": f"{nones}.{of_admin}.",
        "signed for less": f"{header}.{of_admin}.{signature}",
        "no token": "x" * 5000,
        "an access token": leader["AccessToken"],
        "without a group": signed_in(cognito, pool, client, "ninguem")["IdToken"],
    }


def asked(stack: Stack, token: str | None, routes: frozenset[str]) -> Mapping[str, Answer]:
    """The answers to requests that say nothing, of things that are not there."""
    headers = {"Content-Type": "application/json"}
    if token:
        headers["Authorization"] = f"Bearer {token}"
    by_function: dict[str, list[str]] = {}
    for route in routes:
        by_function.setdefault(function_of(route), []).append(route)

    def ask(routes: list[str]) -> dict[str, Answer]:
        api = Api(stack)
        split = {route: re.sub("{.*?}", "nada", route).split() for route in routes}
        return {
            route: api.request(method, path, headers, b"" if method == "GET" else b"{}")
            for route, (method, path) in split.items()
        }

    with ThreadPoolExecutor(THREADS) as pool:
        found = pool.map(ask, by_function.values())
        return {route: answer for each in found for route, answer in each.items()}


def test_the_deployed_routes_are_those_of_the_table(besieged: Stack) -> None:
    gateway: Any = aws.session().client("apigatewayv2", endpoint_url=besieged.endpoint_url)
    pages = gateway.get_paginator("get_routes").paginate(ApiId=besieged.name)
    routes = [route for page in pages for route in page["Items"]]
    assert {each["RouteKey"] for each in routes} == OPEN_ROUTES | set(RIGHTS)
    unguarded = [each["RouteKey"] for each in routes if each["AuthorizationType"] == "NONE"]
    assert set(unguarded) == OPEN_ROUTES


@pytest.mark.parametrize("who", IMPOSTORS)
def test_impostors_come_nowhere(besieged: Stack, tokens: Mapping[str, str], who: str) -> None:
    for route, answer in asked(besieged, tokens.get(who), frozenset(RIGHTS)).items():
        assert (answer.status, answer.body) == (401, {"message": "Unauthorized"}), route


@pytest.mark.parametrize(("who", "status"), [("an access token", 401), ("without a group", 403)])
def test_whom_the_gateway_lets_pass_may_do_nothing(
    besieged: Stack, tokens: Mapping[str, str], who: str, status: int
) -> None:
    for route, answer in asked(besieged, tokens[who], frozenset(RIGHTS)).items():
        refusal = (answer.status, answer.content_type, answer.body.get("errors"))
        assert refusal == (status, "application/problem+json", None), route


@pytest.mark.parametrize("group", ["agent", "supervisor", "admin"])
def test_each_group_may_do_what_the_table_says(
    besieged: Stack, tokens: Mapping[str, str], group: str
) -> None:
    answers = asked(besieged, tokens[group], frozenset(RIGHTS))
    refused = {route for route, answer in answers.items() if answer.status in (401, 403)}
    assert refused == {route for route, groups in RIGHTS.items() if group not in groups}
    assert max(answer.status for answer in answers.values()) < 500


def test_webhooks_ask_for_signatures_and_no_tokens(besieged: Stack) -> None:
    webhooks = frozenset(route for route in OPEN_ROUTES if route.startswith("POST"))
    for route, answer in asked(besieged, besieged.tokens["admin"], webhooks).items():
        assert (answer.status, answer.content_type) == (401, "application/problem+json"), route
