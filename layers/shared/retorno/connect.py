"""Amazon Connect, asked for one contact."""

import functools
from collections.abc import Mapping
from typing import Any

from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from retorno import aws
from retorno.errors import NotFound, Unavailable

# A queue asks again: what Connect does not answer soon waits there, and not here. It takes few
# requests a second, so that the pause between two tries is left to botocore.
CONFIG = Config(
    connect_timeout=1,
    read_timeout=2,
    retries={"mode": "standard", "total_max_attempts": 2},
)

# Connect has no such contact, or says that nothing could have this id.
NO_SUCH_CONTACT = frozenset({"ResourceNotFoundException", "InvalidParameterException"})


class ConnectContacts:
    """The contacts of one instance."""

    def __init__(self, instance_arn: str) -> None:
        self._instance_id = instance_arn.rpartition("/")[2]

    @functools.cached_property
    def _client(self) -> Any:
        return aws.client("connect", config=CONFIG)

    def contact(self, contact_id: str) -> Mapping[str, Any]:
        """DescribeContact's `Contact`. Raises NotFound, Unavailable."""
        try:
            answer = self._client.describe_contact(
                InstanceId=self._instance_id, ContactId=contact_id
            )
        except ClientError as error:
            if error.response["Error"]["Code"] in NO_SUCH_CONTACT:
                raise NotFound("Amazon Connect has no such contact") from error
            raise Unavailable("Amazon Connect does not answer") from error
        except BotoCoreError as error:
            raise Unavailable("Amazon Connect does not answer") from error
        contact: Mapping[str, Any] = answer["Contact"]
        return contact
