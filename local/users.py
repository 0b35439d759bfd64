"""A user of each group, so that the API can be used at once."""

import secrets
from collections.abc import Iterable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mypy_boto3_cognito_idp import CognitoIdentityProviderClient
    from mypy_boto3_cognito_idp.type_defs import AttributeTypeTypeDef

# By group; a user is called as the group is. Ana is an operator of the simulated call centre too.
USERS: dict[str, list["AttributeTypeTypeDef"]] = {
    "agent": [{"Name": "custom:agent", "Value": "ana"}],
    "supervisor": [],
    "admin": [],
}


def sign_in_all(
    cognito: "CognitoIdentityProviderClient", pool_id: str, client_id: str
) -> dict[str, str]:
    """A fresh ID token for each user, by group; users who are not there yet are made."""
    known = _names(cognito, pool_id)
    for name in USERS.keys() - known:
        _create(cognito, pool_id, name, name, USERS[name])
    return {name: _sign_in(cognito, pool_id, client_id, name) for name in USERS}


def sign_in_agents(
    cognito: "CognitoIdentityProviderClient", pool_id: str, client_id: str, agents: Iterable[str]
) -> dict[str, str]:
    """A fresh ID token for each agent; a user of theirs who is not there yet is made."""
    known = _names(cognito, pool_id)
    users = {agent: agent.replace(" ", "_") for agent in agents}
    for agent, name in users.items():
        if name not in known:
            _create(cognito, pool_id, name, "agent", [{"Name": "custom:agent", "Value": agent}])
    return {agent: _sign_in(cognito, pool_id, client_id, name) for agent, name in users.items()}


def _names(cognito: "CognitoIdentityProviderClient", pool_id: str) -> set[str]:
    pages = cognito.get_paginator("list_users").paginate(UserPoolId=pool_id)
    return {user["Username"] for page in pages for user in page["Users"]}


def _create(
    cognito: "CognitoIdentityProviderClient",
    pool_id: str,
    name: str,
    group: str,
    attributes: list["AttributeTypeTypeDef"],
) -> None:
    cognito.admin_create_user(
        UserPoolId=pool_id, Username=name, UserAttributes=attributes, MessageAction="SUPPRESS"
    )
    cognito.admin_add_user_to_group(UserPoolId=pool_id, Username=name, GroupName=group)


def _sign_in(
    cognito: "CognitoIdentityProviderClient", pool_id: str, client_id: str, name: str
) -> str:
    # Nobody types it: it is good for this one time. The suffix satisfies the pool's rules.
    password = f"{secrets.token_urlsafe(24)}aA1!"
    cognito.admin_set_user_password(
        UserPoolId=pool_id, Username=name, Password=password, Permanent=True
    )
    answer = cognito.admin_initiate_auth(
        UserPoolId=pool_id,
        ClientId=client_id,
        AuthFlow="ADMIN_USER_PASSWORD_AUTH",
        AuthParameters={"USERNAME": name, "PASSWORD": password},
    )
    return answer["AuthenticationResult"]["IdToken"]
