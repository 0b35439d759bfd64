"""A way to AWS's API that ends at the embedded cloud."""

import os
from functools import cached_property
from typing import TYPE_CHECKING, Final

import boto3
import botocore.session
from botocore.config import Config

if TYPE_CHECKING:
    from mypy_boto3_cloudformation import CloudFormationClient
    from mypy_boto3_cognito_idp import CognitoIdentityProviderClient
    from mypy_boto3_logs import CloudWatchLogsClient
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_secretsmanager import SecretsManagerClient

REGION: Final = "sa-east-1"
# A developer's profile, keys, settings and proxies have no place here.
_NOTHING_OF_THE_CALLER = {
    "profile": (None, None, None, None),
    "config_file": (None, None, os.devnull, None),
    "credentials_file": (None, None, os.devnull, None),
}


def session() -> boto3.Session:
    """Acts as the account's owner, who may do everything: MiniStack takes the key `test` for it.

    Clients of it must be given the cloud's own `endpoint_url`.
    """
    core = botocore.session.Session(session_vars=_NOTHING_OF_THE_CALLER)
    core.set_default_client_config(Config(proxies={}, retries={"total_max_attempts": 1}))
    return boto3.Session("test", "test", region_name=REGION, botocore_session=core)


class Clients:
    """One for each service that a deployment needs, made when first used."""

    def __init__(self, endpoint_url: str) -> None:
        self._session = session()
        self._endpoint_url = endpoint_url

    @cached_property
    def cloudformation(self) -> "CloudFormationClient":
        return self._session.client("cloudformation", endpoint_url=self._endpoint_url)

    @cached_property
    def cognito(self) -> "CognitoIdentityProviderClient":
        return self._session.client("cognito-idp", endpoint_url=self._endpoint_url)

    @cached_property
    def logs(self) -> "CloudWatchLogsClient":
        return self._session.client("logs", endpoint_url=self._endpoint_url)

    @cached_property
    def s3(self) -> "S3Client":
        return self._session.client("s3", endpoint_url=self._endpoint_url)

    @cached_property
    def secrets(self) -> "SecretsManagerClient":
        return self._session.client("secretsmanager", endpoint_url=self._endpoint_url)
