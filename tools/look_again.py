"""`python -m tools.look_again FUNCTION`: has a function look again at all that it follows.

For what it was never told, or made something wrong of: it is told of each item of its tables as
though that had been written just now. To be told twice does no harm, so it may be broken off and
begun anew. Without `--stack` it is the embedded cloud's.
"""

import argparse
import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import chain, islice
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from local.errors import CloudError
from retorno.changes import table_of
from tools.deployed import PATIENT, Deployed
from tools.stack_function import InvocationFailed, answer_of

Record = Mapping[str, Any]

# As many as one of the mappings lets run beside each other.
INVOCATIONS_AT_ONCE = 10

# A function that fails at so many, and at such a share of all, is not mended: it is asked no more.
# It has nothing to do for some, and so does not fail at all of them.
MANY, MUCH = 10, 0.1


@dataclass(frozen=True, slots=True)
class Looked:
    """How many items of a table, by its logical id, a function looked at, and at how many it could
    not."""

    table: str
    items: int
    failed: int


def look_again(deployed: Deployed, function: str, stream: str | None = None) -> Iterator[Looked]:
    """What each table that a function follows came to, or the one of a stream. `function` is a name
    or an ARN, `stream` an ARN. Raises LookupError for one that follows no table, and what botocore
    raises.
    """
    client = deployed.client("lambda", PATIENT)
    pages = client.get_paginator("list_event_source_mappings").paginate(FunctionName=function)
    mappings = [
        mapping
        for page in pages
        for mapping in page["EventSourceMappings"]
        if stream == mapping["EventSourceArn"]
        or (stream is None and ":dynamodb:" in mapping["EventSourceArn"])
    ]
    if not mappings:
        raise LookupError(f"{deployed.logical_id(function)} follows no such table.")
    for mapping in mappings:
        counts = _look(deployed, client, mapping)
        yield Looked(deployed.logical_id(_table(mapping)), *counts)


def _look(deployed: Deployed, client: Any, mapping: Record) -> tuple[int, int]:
    items = failed = 0
    with ThreadPoolExecutor(INVOCATIONS_AT_ONCE) as pool:
        for batches in _at_once(_records(deployed, mapping), mapping["BatchSize"]):
            items += sum(map(len, batches))
            failed += sum(pool.map(lambda batch: _failures(client, mapping, batch), batches))
            if failed >= MANY and failed > items * MUCH:
                break
    return items, failed


def _at_once(records: Iterator[Record], largest: int) -> Iterator[Sequence[Sequence[Record]]]:
    """In batches, as many as are looked at together. They begin with one record each, and grow:
    each may take all the time that a function has, where it is not mended."""
    size = 1
    while some := list(islice(records, INVOCATIONS_AT_ONCE * size)):
        yield [some[first : first + size] for first in range(0, len(some), size)]
        size = min(2 * size, largest)


def _records(deployed: Deployed, mapping: Record) -> Iterator[Record]:
    """All items of a table as its stream would tell of them, but for those that the mapping's
    filters leave out."""
    dynamodb, table = deployed.client("dynamodb"), _table(mapping)
    keys = [
        key["AttributeName"]
        for key in dynamodb.describe_table(TableName=table)["Table"]["KeySchema"]
    ]
    patterns = [
        json.loads(each["Pattern"]) for each in mapping.get("FilterCriteria", {}).get("Filters", ())
    ]
    pages = dynamodb.get_paginator("scan").paginate(TableName=table, ConsistentRead=True)
    for number, item in enumerate(chain.from_iterable(page["Items"] for page in pages)):
        record = _record(item, keys, number, mapping["EventSourceArn"])
        if not patterns or any(suits(record, each) for each in patterns):
            yield record


def _record(item: Record, keys: Sequence[str], number: int, stream: str) -> Record:
    return {
        "eventID": str(number),
        "eventName": "INSERT",
        "eventSource": "aws:dynamodb",
        "eventSourceARN": stream,
        "dynamodb": {
            "Keys": {key: item[key] for key in keys},
            "NewImage": item,
            "SequenceNumber": str(number),
            "StreamViewType": "NEW_AND_OLD_IMAGES",
        },
    }


def suits(value: Any, pattern: Any) -> bool:
    """Whether a filter of a mapping lets something through. Raises LookupError for a rule that is
    not known here."""
    if isinstance(pattern, Mapping):
        told = value if isinstance(value, Mapping) else {}
        return all(suits(told.get(name), part) for name, part in pattern.items())
    return any(_holds(value, rule) for rule in pattern)


def _holds(value: Any, rule: Any) -> bool:
    match rule:
        case {"prefix": prefix}:
            return isinstance(value, str) and value.startswith(prefix)
        case {"exists": bool(exists)}:
            return (value is not None) == exists
        case {"anything-but": others}:
            return value not in others
        case dict():
            raise LookupError(f"The filter {rule} is not known here.")
    return bool(value == rule)


def _failures(client: Any, mapping: Record, batch: Sequence[Record]) -> int:
    """How many it could not look at. A batch that breaks off comes again in halves, as Lambda does:
    there may be too many, or one that spoils it for the others."""
    try:
        answer = answer_of(client, mapping["FunctionArn"], {"Records": batch})
    except InvocationFailed:
        if len(batch) == 1:
            return 1
        half = len(batch) // 2
        return sum(_failures(client, mapping, part) for part in (batch[:half], batch[half:]))
    return len((answer or {}).get("batchItemFailures", ()))


def _table(mapping: Record) -> str:
    return table_of({"eventSourceARN": mapping["EventSourceArn"]})


def main() -> int:
    options = _options()
    failed = 0
    try:
        deployed = Deployed.find(options.stack)
        for looked in look_again(deployed, deployed.name(options.function)):
            print(f"{looked.table}: looked at {looked.items} items, {looked.failed} failed.")
            failed += looked.failed
    except (CloudError, LookupError, BotoCoreError, ClientError) as error:
        print(error, file=sys.stderr)
        return 1
    return 1 if failed else 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tools.look_again", description=__doc__)
    parser.add_argument("function", help="by logical id, such as MatchRecoveries")
    parser.add_argument("--stack", help="the name of a stack in AWS, in your region there")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
