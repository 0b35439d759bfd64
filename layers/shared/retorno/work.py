"""Work that one function leaves to another: a message that only says where to look.

Whoever takes it reads the truth for itself, so a message that comes twice, late or out of order
does no harm.
"""

import json
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from functools import cached_property
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from retorno import aws
from retorno.errors import Unavailable
from retorno.times import read_stamp, stamp

# SQS delays no message longer.
MAX_DELAY = timedelta(minutes=15)

# SQS takes no more at once.
MAX_AT_ONCE = 10

AT = "at"


class WorkQueue:
    def __init__(self, url: str) -> None:
        self._url = url

    @cached_property
    def _sqs(self) -> Any:
        return aws.client("sqs")

    def send(self, message: Mapping[str, str], now: datetime, at: datetime | None = None) -> None:
        """Has it delivered at a moment, or at once, and no sooner. Raises Unavailable."""
        due = max(now, at or now)
        body = {**message, AT: stamp(due)}
        # To the next full second: SQS knows no parts of one.
        delay = -(-min(due - now, MAX_DELAY) // timedelta(seconds=1))
        try:
            self._sqs.send_message(
                QueueUrl=self._url, MessageBody=json.dumps(body), DelaySeconds=delay
            )
        except (ClientError, BotoCoreError) as error:
            raise Unavailable("the queue does not answer") from error

    def send_all(self, messages: Sequence[Mapping[str, str]], now: datetime) -> None:
        """Has them delivered at once. Raises Unavailable, where some may have been sent."""
        for first in range(0, len(messages), MAX_AT_ONCE):
            entries = [
                {"Id": str(index), "MessageBody": json.dumps({**message, AT: stamp(now)})}
                for index, message in enumerate(messages[first : first + MAX_AT_ONCE])
            ]
            try:
                sent = self._sqs.send_message_batch(QueueUrl=self._url, Entries=entries)
            except (ClientError, BotoCoreError) as error:
                raise Unavailable("the queue does not answer") from error
            if sent.get("Failed"):
                raise Unavailable("the queue did not take all messages")

    def read(self, body: str, now: datetime) -> Mapping[str, str] | None:
        """A message; None where it is not yet due, and was sent on. Raises Unavailable."""
        message: dict[str, str] = json.loads(body)
        due = read_stamp(message.pop(AT))
        if now < due:
            self.send(message, now, due)
            return None
        return message
