"""Dollars for a million of each thing that happens, line by line, out of what was counted.

It is counted twice: where nothing else happens, and where it happens once a second, for a while.
Prices are those of prices.json, the first price step, without free tiers. One line is an estimate:
Lambda's seconds. budgets_of_dollars.json has what each may cost, and a test holds it to that.
"""

import json
import sys
from collections.abc import Collection, Iterable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from benchmarks.happenings import Happened, happened
from benchmarks.tables import table
from tests.support.capacity import Bill

LISTED = json.loads(Path(__file__).with_name("prices.json").read_text(encoding="utf-8"))
PRICES: Mapping[str, float] = LISTED["dollars"]["us-east-1"]
PRICES_IN_BRAZIL: Mapping[str, float] = LISTED["dollars"]["sa-east-1"]
PRICES_OF_OTHERS: Mapping[str, float] = PRICES | LISTED["dollars_of_others"]

# As `python -m benchmarks.ingestion` measures them on a slow machine: of an event or a message that
# a handler takes, and of each of its requests.
HANDLER_CPU_SECONDS = 0.001
REQUEST_CPU_SECONDS = 0.002
ROUND_TRIP_SECONDS = 0.003
# https://docs.aws.amazon.com/lambda/latest/dg/configuration-memory.html: so many are one CPU.
CPU_MEGABYTES = 1769
MEGABYTES = 512

# What Lambda itself writes of an invocation: nothing, by the template's SystemLogLevel in `prod`.
INVOCATION_LOG_BYTES = 0
# What CloudWatch adds to each line.
LINE_LOG_BYTES = 26
GIGABYTE = 10**9
MILLION = 10**6

# So many, one a second; the first and the last of them have less company than they would have.
BUSY = 30
ONE_AT_A_TIME = "one at a time"
ONE_A_SECOND = "one a second"
BUDGETS: Mapping[str, Mapping[str, float]] = json.loads(
    Path(__file__).with_name("budgets_of_dollars.json").read_text(encoding="utf-8")
)

EVENTS = 4

# What a dialler is asked for: docs/performance.md says why these, and why all that they do.
DIALLING = frozenset({"DialCallbacks", "FollowAgents", "FollowCalls"})

DIAL = "a dial: reserved, placed, settled"

Amounts = Mapping[str, float]


class Costed(NamedTuple):
    """How much of what has a price one of it takes."""

    name: str
    amounts: Amounts

    def dollars(self, prices: Mapping[str, float] = PRICES) -> float:
        """Of a million."""
        return sum(amount * prices[line] * MILLION for line, amount in self.amounts.items())


def counted(function: str, bill: Bill) -> Amounts:
    """How much of what has a price."""
    # A process asks for its secrets once.
    requests = bill.requests.total() - bill.requests_to("secretsmanager")
    return {
        "HTTP API requests": bill.invocations if function == "IngestCalls" else 0,
        "Lambda requests": bill.invocations,
        "Lambda GB seconds, arm64": gb_seconds(bill.records, requests),
        "DynamoDB write units": bill.write_units,
        "DynamoDB read units": bill.read_units,
        "SQS requests": bill.polls + bill.requests_to("sqs"),
        "GB of logs": (
            bill.invocations * INVOCATION_LOG_BYTES + bill.logged * LINE_LOG_BYTES + bill.log_bytes
        )
        / GIGABYTE,
    }


def gb_seconds(records: int, requests: int) -> float:
    cpu = records * HANDLER_CPU_SECONDS + requests * REQUEST_CPU_SECONDS
    seconds = cpu * CPU_MEGABYTES / MEGABYTES + requests * ROUND_TRIP_SECONDS
    return seconds * MEGABYTES / 1024


def of_one(each: Happened, functions: Collection[str] | None = None, parts: int = 1) -> Amounts:
    """Of one of its parts, by all functions or some."""
    return summed(
        {line: many / parts / each.times for line, many in counted(name, bill).items()}
        for name, bill in each.bills.items()
        if functions is None or name in functions
    )


def summed(many: Iterable[Amounts]) -> Amounts:
    many = list(many)
    return {line: sum(amounts.get(line, 0) for amounts in many) for line in PRICES}


def costed(all_happened: Iterable[Happened]) -> list[Costed]:
    things = {each.name: each for each in all_happened}
    ingestion = {"IngestCalls"}
    event = of_one(things["an answered call"], ingestion, EVENTS)
    read_first = {"DynamoDB read units": 1, "Lambda GB seconds, arm64": gb_seconds(0, 1)}
    together = things["4 events of a call together"]
    whole = ("an answered call", "a missed call", "the call that recovers it")
    call_back = things["a call-back, from the missed call on"]
    return [
        Costed("an event", event),
        Costed("an event, if it were read, and then written", summed([event, read_first])),
        Costed("an event of 4 of a call that come together", of_one(together, ingestion, EVENTS)),
        *(Costed(name, of_one(things[name])) for name in whole),
        Costed(DIAL, of_one(call_back, DIALLING)),
        Costed(call_back.name, of_one(call_back)),
    ]


# What is told of others for each contact that they dial; the rest of what they ask for has no price
# without more being told.
ANCHORS = (
    Costed(
        "a power dialler of 5 workflow transitions, 4 invocations and 59 ms of CPU",
        {
            "Step Functions transitions": 5,
            "Lambda requests": 4,
            "Lambda GB seconds, arm64": 0.059 * CPU_MEGABYTES / 1024,
        },
    ),
    Costed(
        "two leases of an item each and a schedule, without whoever asks for them",
        {"DynamoDB write units": 8, "EventBridge schedules": 1},
    ),
)


def happenings(busy: int = BUSY) -> Mapping[str, list[Happened]]:
    return {ONE_AT_A_TIME: list(happened(1)), ONE_A_SECOND: list(happened(busy))}


def by_line(all_costed: Iterable[Costed]) -> str:
    rows = []
    for each in all_costed:
        lines = [each.amounts[line] * PRICES[line] * MILLION for line in PRICES]
        totals = [each.dollars(), each.dollars(PRICES_IN_BRAZIL)]
        rows.append([each.name, *(f"{dollars:.2f}" for dollars in [*lines, *totals])])
    return table(["a million of", *PRICES, "us-east-1", "sa-east-1"], rows)


def by_function(all_happened: Mapping[str, Sequence[Happened]]) -> str:
    """What a million call-backs cost, the dearest first."""
    call_backs = [each[-1] for each in all_happened.values()]
    found = {
        function: [Costed(function, of_one(each, {function})).dollars() for each in call_backs]
        for function in call_backs[-1].bills
    }
    rows = sorted(found.items(), key=lambda row: row[1][-1], reverse=True)
    shown = [[function, *(f"{each:.2f}" for each in dollars)] for function, dollars in rows]
    return table(["of a million call-backs", *all_happened], shown)


def beside_others(all_costed: Iterable[Costed]) -> str:
    dials = [each for each in all_costed if each.name == DIAL]
    rows = [[each.name, f"{each.dollars(PRICES_OF_OTHERS):.2f}"] for each in (*dials, *ANCHORS)]
    return table(["a million of", "us-east-1"], rows)


def report(busy: int) -> str:
    all_happened = happenings(busy)
    parts = {name: by_line(costed(each)) for name, each in all_happened.items()}
    parts["by function"] = by_function(all_happened)
    parts["a dial, and what others ask for"] = beside_others(costed(all_happened[ONE_A_SECOND]))
    return "\n\n".join(f"{title}:\n\n{shown}" for title, shown in parts.items())


if __name__ == "__main__":
    print(report(int(sys.argv[1]) if sys.argv[1:] else BUSY))
