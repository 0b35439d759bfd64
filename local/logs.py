"""What the functions write."""

import time
from collections.abc import Iterator

from local.aws import Clients
from local.stack import Stack

SHOWN_SECONDS = 600
POLL_SECONDS = 0.5
# The runtime's own lines about each invocation.
_RUNTIME = ("START RequestId", "END RequestId", "REPORT RequestId")


def read(stack: Stack, *, follow: bool) -> Iterator[str]:
    """The lines of the last ten minutes; to follow, also all new ones, for ever."""
    logs = Clients(stack.endpoint_url).logs
    since = int((time.time() - SHOWN_SECONDS) * 1000)
    # Two invocations can end in one millisecond; each has a log stream of its own.
    seen: set[str] = set()
    while True:
        found = logs.filter_log_events(
            logGroupName=stack.resources["FunctionLogs"], startTime=since
        )["events"]
        events = [event for event in found if event["logStreamName"] not in seen]
        for event in events:
            if not event["message"].startswith(_RUNTIME):
                yield event["message"]
        if events:
            since = events[-1]["timestamp"]
            seen = {event["logStreamName"] for event in found}
        elif follow:
            time.sleep(POLL_SECONDS)
        else:
            return
