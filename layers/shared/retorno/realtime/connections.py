"""The connections that API Gateway holds, and what is posted to them."""

from functools import cached_property
from typing import Any, Protocol

from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from retorno import aws
from retorno.errors import Unavailable

# As many posts at once as threads of whoever posts.
POSTS_AT_ONCE = 32

CONFIG = Config(
    connect_timeout=1,
    read_timeout=3,
    retries={"total_max_attempts": 2},
    max_pool_connections=POSTS_AT_ONCE,
)
GONE = "GoneException"


class Gone(Exception):
    """There is no such connection any more."""


class Connections(Protocol):
    def post(self, connection_id: str, message: str) -> None:
        """Raises Gone, Unavailable."""

    def cut(self, connection_id: str) -> None:
        """Ends a connection; one that is gone is as good. Raises Unavailable."""


class ApiGatewayConnections:
    def __init__(self, url: str) -> None:
        self._url = url

    @cached_property
    def _api(self) -> Any:
        return aws.client("apigatewaymanagementapi", endpoint_url=self._url, config=CONFIG)

    def post(self, connection_id: str, message: str) -> None:
        try:
            self._api.post_to_connection(ConnectionId=connection_id, Data=message.encode())
        except (ClientError, BotoCoreError) as error:
            if _is_gone(error):
                raise Gone from None
            raise Unavailable("the connection could not be posted to") from error

    def cut(self, connection_id: str) -> None:
        try:
            self._api.delete_connection(ConnectionId=connection_id)
        except (ClientError, BotoCoreError) as error:
            if not _is_gone(error):
                raise Unavailable("the connection could not be ended") from error


def _is_gone(error: Exception) -> bool:
    return isinstance(error, ClientError) and error.response["Error"]["Code"] == GONE
