"""CPU time of taking call events, beside the least that any handler must spend on them.

Two handlers take the same API Gateway events, each in a process of its own, so that the CPU time is
theirs alone; what they write to is a third process, which answers after 3 ms. They take turns, so
that whatever else the machine does hits both, and a ratio is one of the same round.
"""

import json
import os
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, redirect_stdout
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from importlib import import_module
from itertools import count, islice
from multiprocessing import get_context
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any
from unittest.mock import patch

from botocore.client import BaseClient

from benchmarks import stub
from benchmarks.tables import spread, table
from retorno.telephony import signature
from tests.support.events import http
from tests.support.functions import environment_of, functions
from tests.support.tables import template

FUNCTION = "IngestCalls"
HANDLERS = {"retorno": functions()[FUNCTION]["Handler"], "bare": "benchmarks.bare.handler"}

CANONICAL = "POST /webhooks/calls"
QUEUE_LOG = "POST /webhooks/asterisk/queue-log"

# The first round finds the handlers cold, and is not counted.
ROUNDS = 1 + 15
EVENTS_A_ROUND = 200


@dataclass(frozen=True)
class Case:
    """Requests of so many events, or lines, to the handlers of those names."""

    name: str
    size: int
    route: str
    handlers: Sequence[str]


CASES = (
    Case("an event", 1, CANONICAL, ("retorno", "bare")),
    Case("an event of 10 in a request", 10, CANONICAL, ("retorno",)),
    Case("an event of 100 in a request", 100, CANONICAL, ("retorno",)),
    Case("a line of 100 of a queue log", 100, QUEUE_LOG, ("retorno",)),
)


def events_of(call_id: str, began: datetime) -> Iterator[dict[str, str]]:
    """What a telephone system tells of a call that is answered."""
    facts = {
        "queued": {"direction": "inbound", "from": "+5511987654321", "to": "+551130001000"},
        "ringing": {"agent": "ana"},
        "answered": {"agent": "ana"},
        "completed": {"reason": "caller"},
    }
    for index, (stage, told) in enumerate(facts.items()):
        at = began + timedelta(seconds=10 * index)
        yield {
            "event_id": f"{call_id}-{stage}",
            "call_id": call_id,
            "stage": stage,
            "occurred_at": at.isoformat(),
            "queue": "vendas",
            **told,
        }


def lines_of(call_id: str, began: datetime) -> Iterator[str]:
    at = int(began.timestamp())
    yield f"{at}|{call_id}|vendas|NONE|DID|551130001000"
    yield f"{at}|{call_id}|vendas|NONE|ENTERQUEUE||11987654321|1"
    yield f"{at + 20}|{call_id}|vendas|ana|CONNECT|20|{call_id}|10"
    yield f"{at + 30}|{call_id}|vendas|ana|COMPLETECALLER|20|10|1"


def requests(case: Case, numbers: Iterator[int], now: datetime) -> Iterator[dict[str, Any]]:
    """Of calls that nobody told of before, signed at this moment."""
    tell = events_of if case.route == CANONICAL else lines_of
    told = (
        entry
        for number in numbers
        for entry in tell(f"{int(now.timestamp())}.{number}", now - timedelta(minutes=1))
    )
    while entries := list(islice(told, case.size)):
        if case.route == CANONICAL:
            body = json.dumps({"events": entries}).encode()
        else:
            body = "".join(f"{line}\n" for line in entries).encode()
        timestamp = int(now.timestamp())
        headers = {
            "x-retorno-timestamp": str(timestamp),
            "x-retorno-signature": signature.sign(stub.SECRET, timestamp, body),
        }
        yield http(case.route, headers=headers, body=body)


# --- The processes ------------------------------------------------------------------------------


def work(handler: str, variables: Mapping[str, str], told: Connection) -> None:
    """Takes the events of a case whenever it is told to, and says the CPU milliseconds of each."""
    os.environ.update(variables)
    module, _, name = handler.rpartition(".")
    handle = getattr(import_module(module), name)
    numbers = count()
    # What the handler prints costs it as much as on Lambda, where it goes to a pipe.
    with Path(os.devnull).open("w") as nowhere, redirect_stdout(nowhere):
        while case := told.recv():
            made = requests(case, numbers, datetime.now(UTC))
            events = list(islice(made, EVENTS_A_ROUND // case.size))
            began = time.process_time()
            answers = [handle(event, None) for event in events]
            seconds = time.process_time() - began
            assert {answer["statusCode"] for answer in answers} == {200}, answers
            told.send(seconds / EVENTS_A_ROUND * 1000)


@contextmanager
def process(target: Any, *arguments: Any) -> Iterator[Connection]:
    ours, theirs = (context := get_context("spawn")).Pipe()
    child = context.Process(target=target, args=(*arguments, theirs), daemon=True)
    child.start()
    try:
        yield ours
    finally:
        child.kill()
        child.join()


def recorded(variables: Mapping[str, str]) -> dict[str, Any]:
    """The request that Retorno sends for each stage of a call."""
    sent: dict[str, Any] = {}

    def requested(client: BaseClient, operation: str, parameters: Any) -> Any:
        if operation == "UpdateItem":
            sent[stage] = parameters
            return {}
        return {"SecretString": json.dumps({"current": stub.SECRET})}

    with (
        patch.dict(os.environ, variables),
        patch.object(BaseClient, "_make_api_call", requested),
        Path(os.devnull).open("w") as nowhere,
        redirect_stdout(nowhere),
    ):
        handle = import_module("functions.ingest_calls.handler").handler
        for event in islice(requests(CASES[0], count(), datetime.now(UTC)), 4):
            stage = json.loads(event["body"])["events"][0]["stage"]
            handle(event, None)
    return sent


# --- What it shows ------------------------------------------------------------------------------


def measured() -> Iterator[tuple[Case, dict[str, list[float]]]]:
    """CPU milliseconds an event of each handler, round by round."""
    with ExitStack() as stack:
        url = stack.enter_context(process(stub.serve)).recv()
        variables = {
            **environment_of(FUNCTION, {name: name for name in template()["Resources"]}),
            "AWS_ENDPOINT_URL": url,
            "AWS_ACCESS_KEY_ID": "testing",
            "AWS_SECRET_ACCESS_KEY": "testing",
            "AWS_DEFAULT_REGION": "sa-east-1",
        }
        variables["RECORDED_REQUESTS"] = json.dumps(recorded(variables))
        workers = {
            name: stack.enter_context(process(work, handler, variables))
            for name, handler in HANDLERS.items()
        }
        for case in CASES:
            rounds: dict[str, list[float]] = {name: [] for name in case.handlers}
            for _ in range(ROUNDS):
                for name in case.handlers:
                    workers[name].send(case)
                    rounds[name].append(workers[name].recv())
            yield case, {name: figures[1:] for name, figures in rounds.items()}


def report() -> str:
    rows = []
    for case, rounds in measured():
        bare = rounds.get("bare", [])
        ratios = [one / floor for one, floor in zip(rounds["retorno"], bare, strict=False)]
        rows.append([case.name, *map(spread, (rounds["retorno"], bare, ratios))])
    return table(["CPU of", "Retorno, ms", "bare client, ms", "ratio"], rows)


if __name__ == "__main__":
    print(report())
