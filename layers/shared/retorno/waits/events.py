"""What is told of waits: docs/events.md."""

import hashlib
from datetime import datetime

from retorno.events import Event
from retorno.waits.model import DayType, Wait


class WaitBreached(Event):
    """A caller has waited for longer than the rule of their queue allows, and may wait still."""

    call_id: str
    queue: str | None
    last_queue: str | None
    waiting_since: datetime
    day_type: DayType
    rule: str
    limit_seconds: int
    still_waiting: bool


def breach_event(wait: Wait) -> WaitBreached | None:
    """None of a wait that is not too long."""
    if wait.breached_at is None or wait.limit_seconds is None:
        return None
    return WaitBreached(
        event_id=hashlib.sha256(f"wait {wait.call_id}".encode()).hexdigest()[:32],
        occurred_at=wait.breached_at,
        call_id=wait.call_id,
        queue=wait.queue,
        last_queue=wait.last_queue,
        waiting_since=wait.began_at,
        day_type=wait.day_type,
        rule=wait.rule,
        limit_seconds=wait.limit_seconds,
        still_waiting=wait.ended_at is None,
    )
