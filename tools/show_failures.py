"""`python -m tools.show_failures STACK`: the errors that alarm FunctionsFailing counts, each once.

Of a stack in AWS, in the last hour or in more.
"""

import argparse
import json
import re
import sys
import time
from collections import Counter
from collections.abc import Iterator
from datetime import datetime

from botocore.exceptions import BotoCoreError, ClientError

from tools.deployed import Deployed

METRIC = "FailuresLogged"
SHOWN_CHARACTERS = 200


def failures(deployed: Deployed, hours: float) -> Iterator[tuple[datetime, str, str]]:
    """When, in which function, and what; oldest first. Raises what botocore raises."""
    logs, group = deployed.client("logs"), deployed.name("FunctionLogs")
    filters = logs.describe_metric_filters(logGroupName=group)["metricFilters"]
    (pattern,) = (
        each["filterPattern"]
        for each in filters
        if each["metricTransformations"][0]["metricName"] == METRIC
    )
    since = int((time.time() - hours * 3600) * 1000)
    pages = logs.get_paginator("filter_log_events")
    for page in pages.paginate(logGroupName=group, filterPattern=pattern, startTime=since):
        for event in page["events"]:
            at = datetime.fromtimestamp(event["timestamp"] / 1000).astimezone()
            yield at, _function(deployed, event["logStreamName"]), headline(event["message"])


def _function(deployed: Deployed, log_stream: str) -> str:
    """Of "2026/03/02/retorno-prod-ReadCalls-1A2B[$LATEST]3c4d"."""
    found = re.search(r"/([^/]+)\[", log_stream)
    return deployed.logical_id(found[1] if found else log_stream)


def headline(message: str) -> str:
    """What a line of the log is about: of a trace, where it ends.

    A function tells a `message`, and perhaps an `exception`; its runtime, of what the function let
    pass, `errorType` and `errorMessage`; and Lambda a `record` of what it ended itself.
    """
    told = json.loads(message)
    if "record" in told:
        return f"ended by Lambda: {told['record']['status']}"
    trace = told.get("exception", "").strip().splitlines()
    words = [told.get("message"), *trace[-1:], told.get("errorType"), told.get("errorMessage")]
    return ": ".join(filter(None, words))[:SHOWN_CHARACTERS]


def main() -> int:
    options = _options()
    times: Counter[tuple[str, str]] = Counter()
    last: dict[tuple[str, str], datetime] = {}
    try:
        for at, function, words in failures(Deployed.find(options.stack), options.hours):
            times[function, words] += 1
            last[function, words] = at
    except (LookupError, BotoCoreError, ClientError) as error:
        print(error, file=sys.stderr)
        return 1
    for (function, words), count in times.most_common():
        print(f"{count}x {function}, last {last[function, words]:%Y-%m-%d %H:%M:%S}: {words}")
    print(f"{times.total()} failures in {options.hours:g} hours.")
    return 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tools.show_failures", description=__doc__)
    parser.add_argument("stack", help="its name, in your region of AWS")
    parser.add_argument("--hours", type=float, default=1)
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
