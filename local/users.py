"""A user of each group, so that the API can be used at once."""

import secrets
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
    known = {user["Username"] for user in cognito.list_users(UserPoolId=pool_id)["Users"]}
    for name in USERS.keys() - known:
        _create(cognito, pool_id, name)
    return {name: _sign_in(cognito, pool_id, client_id, name) for name in USERS}


def _create(cognito: "CognitoIdentityProviderClient", pool_id: str, name: str) -> None:
    cognito.admin_create_user(
        UserPoolId=pool_id, Username=name, UserAttributes=USERS[name], MessageAction="SUPPRESS"
    )
    cognito.admin_add_user_to_group(UserPoolId=pool_id, Username=name, GroupName=name)


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
