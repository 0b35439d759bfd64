"""CPU time of cold starts, beside that of the least that a function with a DynamoDB client takes.

Each function is started as it was built, in a process of Lambda's own runtime client, and asked
once, in the embedded cloud. Its time is the whole process's, from the interpreter's first step:
until it asks for an event, and until it has answered. The bare function takes turns with each, so
that whatever else the machine does hits both, and a ratio is one of the same turn.
"""

import sys
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext, suppress
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks.tables import spread, table
from local import cloud
from local.stack import Stack
from tests.artefact.lambda_runtime import ROOT, BuiltFunction, FunctionFailed, running, starting
from tests.artefact.test_functions import EVENTS, REQUESTS, variables
from tests.support.functions import functions

RUNS = 5

BARE = "benchmarks.bare_start.handler"
NO_LAYER = Path()

# The reports that it reads are not in the embedded cloud.
WITHOUT_REPORTS = "ReconcileZenvia"

TITLES = (
    "function",
    "start, ms",
    "first event, ms",
    "both, ms",
    "start, of the bare one",
    "both, of the bare one",
)


@dataclass(frozen=True)
class ColdStart:
    """CPU milliseconds."""

    start: float
    first: float

    @property
    def both(self) -> float:
        return self.start + self.first


@dataclass(frozen=True)
class Turn:
    own: ColdStart
    bare: ColdStart


def cold_start(
    process: AbstractContextManager[BuiltFunction], event: Mapping[str, Any], fails: bool = False
) -> ColdStart:
    with process as function:
        function.start()
        started = function.cpu_seconds() * 1000
        with suppress(FunctionFailed) if fails else nullcontext():
            function.ask(event)
        return ColdStart(started, function.cpu_seconds() * 1000 - started)


def first_event(logical_id: str) -> Mapping[str, Any]:
    """What the tests of what was built ask first."""
    if logical_id in EVENTS:
        return EVENTS[logical_id][0]
    return REQUESTS[logical_id][0] if logical_id in REQUESTS else {}


def variables_of(logical_id: str, stack: Stack) -> Mapping[str, str]:
    return {**variables(logical_id, stack), "ZENVIA_API_URL": stack.endpoint_url}


def measure(logical_id: str, stack: Stack) -> Sequence[Turn]:
    environment = variables_of(logical_id, stack)
    return [
        Turn(
            bare=cold_start(starting(BARE, ROOT, NO_LAYER, environment), {}),
            own=cold_start(
                running(logical_id, environment),
                first_event(logical_id),
                fails=logical_id == WITHOUT_REPORTS,
            ),
        )
        for _ in range(RUNS)
    ]


def ratios(turns: Sequence[Turn]) -> Sequence[float]:
    """Of start and first event together."""
    return [turn.own.both / turn.bare.both for turn in turns]


def row(name: str, starts: Sequence[ColdStart], turns: Sequence[Turn] = ()) -> Sequence[str]:
    return (
        name,
        spread([each.start for each in starts], 0),
        spread([each.first for each in starts], 0),
        spread([each.both for each in starts], 0),
        spread([turn.own.start / turn.bare.start for turn in turns]),
        spread(ratios(turns)),
    )


def main(logical_ids: Sequence[str]) -> None:
    """Of all functions where none is named; those that are nearest to the bare one first."""
    with tempfile.TemporaryDirectory() as home, cloud.running(Path(home)) as stack:
        turns = {each: measure(each, stack) for each in logical_ids or sorted(functions())}
    rows = [row("the bare one", [turn.bare for each in turns.values() for turn in each])]
    for name, each in sorted(turns.items(), key=lambda item: median(ratios(item[1]))):
        rows.append(row(name, [turn.own for turn in each], each))
    print(table(TITLES, rows))
    print(f"The median of functions: {median(median(ratios(each)) for each in turns.values()):.2f}")


if __name__ == "__main__":
    main(sys.argv[1:])
