"""A queue_log of hundreds of lines, sent as a forwarder may, against a person's reading of it."""

from datetime import datetime
from random import Random
from typing import Any

import pytest

from tests.support import queue_log
from tests.support.api import Api, eventually
from tests.support.queue_log import Read

NEVER_ENDED = "no_end_event"
POST_LINES = 97


def in_order(lines: list[str], random: Random) -> list[str]:
    return lines


def shuffled(lines: list[str], random: Random) -> list[str]:
    return random.sample(lines, len(lines))


def three_times_over(lines: list[str], random: Random) -> list[str]:
    return shuffled(lines * 3, random)


def epoch(text: str) -> int:
    return int(datetime.fromisoformat(text).timestamp())


def shown(missed: dict[str, Any]) -> tuple[Any, ...]:
    return (
        epoch(missed["missed_at"]),
        missed["state"],
        missed["recovered_by"] or missed["returned_by"],
        missed["recovery_seconds"],
        missed["attempts"],
    )


def wanted(call: Read) -> tuple[Any, ...]:
    # The log is of years ago: whoever was not won back in the window has expired.
    state = "expired" if call.outcome == "open" else call.outcome
    return (call.ended, state, call.won_by, call.seconds, call.attempts)


WAYS_OF_SENDING = {11: in_order, 12: shuffled, 13: three_times_over}


@pytest.fixture(scope="module")
def logs(api: Api) -> dict[int, list[str]]:
    """By seed; all are sent first, so that the minute until the sweeper runs is waited for once."""
    logs = {seed: queue_log.write(seed) for seed in WAYS_OF_SENDING}
    for seed, lines in logs.items():
        posted = WAYS_OF_SENDING[seed](lines, Random(seed))
        for start in range(0, len(posted), POST_LINES):
            answer = api.queue_log(posted[start : start + POST_LINES])
            assert (answer.status, answer.body["unreadable"]) == (200, [])
    return logs


@pytest.mark.parametrize("seed", WAYS_OF_SENDING)
def test_each_miss_and_recovery_is_as_read(api: Api, logs: dict[int, list[str]], seed: int) -> None:
    lines = logs[seed]
    read = queue_log.read(lines)
    misses = {call_id: wanted(call) for call_id, call in read.items() if call.is_missed}
    unended = {call_id for call_id, call in read.items() if call.hangs}
    period = {"since": iso(lines[0]), "to": iso(lines[-1], plus=86_400)}

    def look() -> dict[str, dict[str, Any]]:
        return {each["call_id"]: each for each in api.missed(**period)}

    def ended(found: dict[str, dict[str, Any]]) -> dict[str, tuple[Any, ...]]:
        return {call_id: shown(each) for call_id, each in found.items() if call_id not in unended}

    found = eventually(
        look, lambda found: ended(found) == misses and set(found) == set(misses) | unended
    )
    assert ended(found) == misses
    assert {call_id for call_id, each in found.items() if each["reason"] == NEVER_ENDED} == unended


@pytest.mark.parametrize("seed", WAYS_OF_SENDING)
def test_each_entry_is_as_read(api: Api, logs: dict[int, list[str]], seed: int) -> None:
    read = queue_log.read(logs[seed])
    entries = {call_id: call for call_id, call in read.items() if call.entered is not None}
    for call_id, call in Random(seed).sample(sorted(entries.items()), 40):
        entry = api.get(f"/calls/{call_id}").body
        assert (entry["direction"], epoch(entry["queued_at"])) == ("inbound", call.entered)
        assert (entry["answered_at"] is not None) == (call.answered is not None)


def iso(line: str, plus: int = 0) -> str:
    moment = datetime.fromtimestamp(int(line.split("|", maxsplit=1)[0]) + plus)  # noqa: DTZ006 - made UTC next
    return moment.astimezone().isoformat()
