"""What has happened, told to whoever wants to know: events on the stack's bus of EventBridge."""

from datetime import datetime
from functools import cached_property
from typing import Any

from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from retorno import aws
from retorno.errors import Unavailable
from retorno.frozen import Frozen

CONFIG = Config(connect_timeout=1, read_timeout=3, retries={"total_max_attempts": 2})

SOURCE = "retorno"


class Event(Frozen):
    """Each kind is a class, and its name the detail type; its fields are the detail.

    `version` is that of the kind's fields: those that are there keep their meaning, and others may
    be added to a version. `event_id` is the same where an event is told again.
    """

    version: int = 1
    event_id: str
    occurred_at: datetime


class EventBus:
    def __init__(self, name: str) -> None:
        self._name = name

    @cached_property
    def _client(self) -> Any:
        return aws.client("events", config=CONFIG)

    def publish(self, event: Event) -> None:
        """Raises Unavailable where it may not have been told."""
        entry = {
            "EventBusName": self._name,
            "Source": SOURCE,
            "DetailType": type(event).__name__,
            "Detail": event.model_dump_json(),
            "Time": event.occurred_at,
        }
        try:
            failed = self._client.put_events(Entries=[entry])["FailedEntryCount"]
        except (ClientError, BotoCoreError) as error:
            raise Unavailable("the event bus does not answer") from error
        if failed:
            raise Unavailable("the event bus did not take the event")
