"""What becomes of missed calls, once more and plainly, from the rules as they are written.

It knows all calls at once and looks at each pair of them, in no hurry.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from retorno.calls.model import Call

WINDOW = timedelta(days=7)


@dataclass(frozen=True)
class Verdict:
    state: str
    attempts: int
    first_attempt_seconds: float | None
    recovered_by: str | None
    recovery_seconds: float | None
    returned_by: str | None


def verdicts(calls: Iterable[Call], now: datetime) -> dict[str, Verdict]:
    """By call id, for each missed call."""
    calls = list(calls)
    return {missed.call_id: _verdict(missed, calls, now) for missed in calls if missed.missed}


def _verdict(missed: Call, calls: list[Call], now: datetime) -> Verdict:
    assert missed.ended_at is not None
    same_person = [
        each
        for each in calls
        if each.number is not None
        and each.number_key == missed.number_key
        and not each.internal
        and each.started_at is not None
        and each.started_at >= missed.ended_at
    ]
    won_back = sorted(
        (moment, each.call_id, each)
        for each in same_person
        if (moment := _reached(each)) is not None and moment <= missed.ended_at + WINDOW
    )
    over_at = won_back[0][0] if won_back else missed.ended_at + WINDOW
    tries = sorted(
        each.started_at
        for each in same_person
        if each.direction in ("outbound_manual", "outbound_auto")
        and each.ended_at is not None
        and _reached(each) is None
        and each.started_at is not None
        and each.started_at <= over_at
    )
    tried = (len(tries), (tries[0] - missed.ended_at).total_seconds() if tries else None)
    if not won_back:
        expired = now > missed.ended_at + WINDOW
        return Verdict("expired" if expired else "open", *tried, None, None, None)
    moment, call_id, winner = won_back[0]
    if winner.direction == "inbound":
        return Verdict("returned", *tried, None, None, call_id)
    seconds = (moment - missed.ended_at).total_seconds()
    return Verdict("recovered", *tried, call_id, seconds, None)


def _reached(call: Call) -> datetime | None:
    """When a person of ours and a person of theirs came to talk."""
    by_machine = call.answered_by == "voicemail"
    if call.direction == "inbound":
        if by_machine or call.missed:
            return None
        return call.answered_at or (call.ended_at if call.status == "completed" else None)
    if call.direction is None or call.answered_by != "human":
        return None
    return call.answered_at or (call.ended_at if call.status == "completed" else None)
