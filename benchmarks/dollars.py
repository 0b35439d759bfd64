"""Dollars for a million of each thing that happens, line by line, out of what was counted.

Counted are the invocations, requests and units of `budgets`; prices are those of prices.json, the
first price step, without free tiers. Every record of a stream and every message of a queue is taken
to come in an invocation of its own, which is dearer than it is under load. Two lines are estimates:
Lambda's seconds, and the bytes of logs.
"""

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from benchmarks.budgets import Spent, spent
from benchmarks.tables import table
from tests.support.capacity import Bill
from tests.support.functions import functions

PRICES: Mapping[str, float] = json.loads(
    Path(__file__).with_name("prices.json").read_text(encoding="utf-8")
)["dollars"]

# As `python -m benchmarks.ingestion` measures them: of a handler, and of each of its requests.
HANDLER_CPU_SECONDS = 0.001
REQUEST_CPU_SECONDS = 0.002
ROUND_TRIP_SECONDS = 0.003
# https://docs.aws.amazon.com/lambda/latest/dg/configuration-memory.html: so many are one CPU.
CPU_MEGABYTES = 1769
MEGABYTES = 512

# START, END and REPORT, each with the 26 bytes that CloudWatch adds; and a line of metrics.
INVOCATION_LOG_BYTES = 330
METRICS_LOG_BYTES = 290
GIGABYTE = 10**9
MILLION = 10**6

# One more request.
READ_GB_SECONDS = (
    (REQUEST_CPU_SECONDS * CPU_MEGABYTES / MEGABYTES + ROUND_TRIP_SECONDS) * MEGABYTES / 1024
)

Amounts = Mapping[str, float]

# Of the call that the day begins with.
EVENTS = 4
CALL_BACK = ("a missed call that is called back", "… and reached, all told")


def by_queue(function: str) -> bool:
    events = functions()[function].get("Events", {}).values()
    return any(event["Type"] == "SQS" for event in events)


def counted(bills: Mapping[str, Bill]) -> Amounts:
    """How much of what has a price."""
    amounts = dict.fromkeys(PRICES, 0.0)
    for function, bill in bills.items():
        requests = bill.requests.total()
        cpu = bill.invocations * HANDLER_CPU_SECONDS + requests * REQUEST_CPU_SECONDS
        seconds = cpu * CPU_MEGABYTES / MEGABYTES + requests * ROUND_TRIP_SECONDS
        is_webhook = function == "IngestCalls"
        log_bytes = INVOCATION_LOG_BYTES + (METRICS_LOG_BYTES if is_webhook else 0)
        amounts["HTTP API requests"] += bill.invocations if is_webhook else 0
        amounts["Lambda requests"] += bill.invocations
        amounts["Lambda GB seconds, arm64"] += seconds * MEGABYTES / 1024
        amounts["DynamoDB write units"] += bill.write_units
        amounts["DynamoDB read units"] += bill.read_units
        # Lambda takes each message from its queue, and deletes it.
        amounts["SQS requests"] += 2 * bill.invocations if by_queue(function) else 0
        amounts["SQS requests"] += bill.requests_to("sqs")
        amounts["GB of logs"] += bill.invocations * log_bytes / GIGABYTE
    return amounts


def things(all_spent: Sequence[Spent]) -> Iterator[tuple[str, Amounts]]:
    amounts = {each.name: counted(each.bills) for each in all_spent}
    event = of_each(list(amounts.values())[:EVENTS], EVENTS)
    yield "an event", event
    more = {"DynamoDB read units": 1, "Lambda GB seconds, arm64": READ_GB_SECONDS}
    yield "an event, if it were read, and then written", of_each([event, more])
    together = amounts["4 events of a call together"]
    yield "an event of 4 of a call that come together", of_each([together], EVENTS)
    for name in ("an answered call", "a missed call", "the call that recovers it"):
        yield name, amounts[f"{name}, all told"]
    yield "a call-back, from the missed call on", of_each([amounts[name] for name in CALL_BACK])


def of_each(many: Iterable[Amounts], among: int = 1) -> Amounts:
    """The sum, by `among`."""
    many = list(many)
    return {name: sum(amounts.get(name, 0) for amounts in many) / among for name in PRICES}


def report() -> str:
    all_spent = spent()
    return f"{by_line(all_spent)}\n\n{by_function(all_spent)}"


def by_line(all_spent: Sequence[Spent]) -> str:
    rows = []
    for name, amounts in things(all_spent):
        dollars = [amounts[line] * PRICES[line] * MILLION for line in PRICES]
        rows.append([name, *(f"{each:.2f}" for each in dollars), f"{sum(dollars):.2f}"])
    return table(["a million of", *PRICES, "dollars"], rows)


def by_function(all_spent: Sequence[Spent]) -> str:
    """What a million call-backs cost, the dearest first."""
    dollars: Counter[str] = Counter()
    for each in all_spent:
        for function, bill in each.bills.items() if each.name in CALL_BACK else ():
            amounts = counted({function: bill})
            dollars[function] += sum(amounts[line] * PRICES[line] * MILLION for line in PRICES)  # type: ignore[assignment]
    rows = [[function, f"{sum_:.2f}"] for function, sum_ in dollars.most_common()]
    return table(["of a million call-backs", "dollars"], rows)


if __name__ == "__main__":
    print(report())
