"""`python -m local.replay FILE`: an Asterisk queue_log, sent as a forwarder would, and its outcome.

Prints what the stack made of the lines, and then the missed calls of the time that they cover.
"""

import argparse
import re
import sys
import time
from datetime import UTC, datetime, timedelta
from itertools import islice
from pathlib import Path
from typing import Any

from local.client import Client
from local.errors import CloudError
from local.stack import HOME
from local.words import figures, mask

LINE_TIME = re.compile(rb"^(\d{10})\|", re.MULTILINE)
# A call whose end never came counts as ended so long after it began.
LATEST_END = timedelta(hours=4)
# Calls without an end are closed once a minute.
SETTLED_SECONDS = 65
SHOWN_UNREADABLE = 10
SHOWN_CALLS = 5

Period = tuple[datetime, datetime]


def main() -> int:
    options = _options()
    try:
        log = _read(options.file)
        with Client.of_stack(options.home) as client:
            _send(client, log, options.chunk)
            _show_outcome(client, _period(log))
    except CloudError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


def _read(file: Path) -> bytes:
    try:
        log = file.read_bytes()
    except OSError as error:
        raise CloudError(f"{file}: {error.strerror}") from None
    if b"\0" in log:
        raise CloudError(f"{file}: is not a text file")
    if not LINE_TIME.search(log):
        raise CloudError(f"{file}: holds no line of a queue_log")
    return log


def _send(client: Client, log: bytes, chunk: int) -> None:
    lines = log.rstrip(b"\n").split(b"\n")
    taken = ignored = 0
    unreadable: list[tuple[int, str]] = []
    for first in range(0, len(lines), chunk):
        body = b"".join(line + b"\n" for line in lines[first : first + chunk])
        answer = client.send_queue_log(body)
        taken += answer["taken"]
        ignored += answer["ignored"]
        unreadable += [(first + each["line"], each["reason"]) for each in answer["unreadable"]]
    print(f"{len(lines)} lines: {taken} taken, {ignored} ignored, {len(unreadable)} unreadable")
    for number, reason in unreadable[:SHOWN_UNREADABLE]:
        print(f"  line {number}: {reason}")


def _period(log: bytes) -> Period:
    """From the first call to the last moment at which one of them can count as missed."""
    times = [int(epoch) for epoch in LINE_TIME.findall(log)]
    first, last = (datetime.fromtimestamp(epoch, UTC) for epoch in (min(times), max(times)))
    return first, last + LATEST_END + timedelta(seconds=1)


def _show_outcome(client: Client, period: Period) -> None:
    print("\nMissed calls of that time, until the figures settle:")
    _follow_summary(client, period)
    for item in islice(client.missed_calls(*period), SHOWN_CALLS):
        number = mask(item["number"]) if item["number"] else "withheld"
        print(f"  {item['missed_at']}  {number}  queue {item['queue']}: {item['state']}")


def _follow_summary(client: Client, period: Period) -> None:
    """Prints the summary whenever it changes, until it has not for a while."""
    shown: dict[str, Any] = {}
    settled_at = time.monotonic() + SETTLED_SECONDS
    while time.monotonic() < settled_at:
        summary = client.summary(*period)
        if summary != shown:
            print("  ".join(f"{name} {value}" for name, value in figures(summary)), flush=True)
            shown, settled_at = summary, time.monotonic() + SETTLED_SECONDS
        time.sleep(1)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m local.replay", description=__doc__)
    parser.add_argument("file", type=Path, help="a queue_log of Asterisk")
    parser.add_argument("--chunk", type=int, default=500, help="lines a request")
    parser.add_argument("--home", type=Path, default=HOME, help="where the cloud keeps its files")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
