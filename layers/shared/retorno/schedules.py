"""One-time schedules of EventBridge Scheduler: a message that is put into a queue at a moment."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from typing import Any

from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from retorno import aws
from retorno.errors import Unavailable

# Somebody waits for the answer; and what is not made now is made by whoever looks after it.
CONFIG = Config(connect_timeout=1, read_timeout=3, retries={"total_max_attempts": 2})

# What cannot be delivered for so long waits as a dead letter.
MAX_AGE_SECONDS = 600


@dataclass(frozen=True)
class Schedules:
    """Those of one group, into one queue. A name is used for one moment and message alone."""

    group: str
    queue_arn: str
    role_arn: str
    dead_letters_arn: str

    @cached_property
    def _client(self) -> Any:
        return aws.client("scheduler", config=CONFIG)

    def put(self, name: str, at: datetime, message: Mapping[str, str]) -> None:
        """Has a message sent within the minute after `at`; made again, it stays as it is.

        It is gone once it has fired. Raises Unavailable, also where `at` is past.
        """
        try:
            self._client.create_schedule(
                Name=name,
                GroupName=self.group,
                ScheduleExpression=f"at({at.astimezone(UTC):%Y-%m-%dT%H:%M:%S})",
                FlexibleTimeWindow={"Mode": "OFF"},
                ActionAfterCompletion="DELETE",
                Target={
                    "Arn": self.queue_arn,
                    "RoleArn": self.role_arn,
                    "Input": json.dumps(message),
                    "DeadLetterConfig": {"Arn": self.dead_letters_arn},
                    "RetryPolicy": {"MaximumEventAgeInSeconds": MAX_AGE_SECONDS},
                },
            )
        except ClientError as error:
            if error.response["Error"]["Code"] != "ConflictException":
                raise Unavailable("the schedule could not be made") from error
        except BotoCoreError as error:
            raise Unavailable("the schedule could not be made") from error

    def drop(self, name: str) -> None:
        """Nothing happens where there is none. Raises Unavailable."""
        try:
            self._client.delete_schedule(Name=name, GroupName=self.group)
        except ClientError as error:
            if error.response["Error"]["Code"] != "ResourceNotFoundException":
                raise Unavailable("the schedule could not be removed") from error
        except BotoCoreError as error:
            raise Unavailable("the schedule could not be removed") from error
