"""`python -m tools.copy_back TABLE RESTORED`: puts back into a table of the stack what it lost.

That is, the items of a restored table that it has no more. What it has stands, and is only counted
where it is different. The table's stream tells of what is put back as of anything that is written.
Without `--stack` it is the embedded cloud's.
"""

import argparse
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from local.errors import CloudError
from tools.deployed import Deployed

Item = Mapping[str, Any]

# BatchGetItem takes no more.
AT_ONCE = 100


@dataclass(slots=True)
class Found:
    """How many items of the restored table the other has just so, otherwise, and not at all."""

    same: int = 0
    different: int = 0
    missing: int = 0


class Copying:
    def __init__(self, deployed: Deployed, table: str, restored: str) -> None:
        """`table` is a logical id, `restored` a name. Raises LookupError and what botocore does."""
        self._dynamodb = deployed.client("dynamodb")
        self._table, self._restored = deployed.name(table), restored
        schema = self._dynamodb.describe_table(TableName=self._table)["Table"]["KeySchema"]
        self._keys = [key["AttributeName"] for key in schema]

    def compare(self, *, copy: bool) -> Found:
        """To `copy` puts back what is missing. Raises what botocore does; begun anew it goes on."""
        found = Found()
        for items in self._pages():
            known = self._known(items)
            missing = [item for item in items if self._key(item) not in known]
            same = sum(known.get(self._key(item)) == item for item in items)
            found.missing += len(missing)
            found.same += same
            found.different += len(items) - len(missing) - same
            for item in missing if copy else ():
                self._put_new(item)
        return found

    def _pages(self) -> Iterator[Sequence[Item]]:
        for page in self._dynamodb.get_paginator("scan").paginate(TableName=self._restored):
            items = page["Items"]
            yield from (items[first : first + AT_ONCE] for first in range(0, len(items), AT_ONCE))

    def _known(self, items: Sequence[Item]) -> dict[str, Item]:
        asked: Any = {
            self._table: {
                "Keys": [{key: item[key] for key in self._keys} for item in items],
                "ConsistentRead": True,
            }
        }
        found: dict[str, Item] = {}
        while asked:
            answer = self._dynamodb.batch_get_item(RequestItems=asked)
            found |= {self._key(item): item for item in answer["Responses"].get(self._table, ())}
            asked = answer["UnprocessedKeys"]
        return found

    def _key(self, item: Item) -> str:
        return repr([item[key] for key in self._keys])

    def _put_new(self, item: Item) -> None:
        """Unless somebody wrote it meanwhile."""
        with suppress(self._dynamodb.exceptions.ConditionalCheckFailedException):
            self._dynamodb.put_item(
                TableName=self._table,
                Item=item,
                ConditionExpression="attribute_not_exists(#key)",
                ExpressionAttributeNames={"#key": self._keys[0]},
            )


def main() -> int:
    options = _options()
    try:
        copying = Copying(Deployed.find(options.stack), options.table, options.restored)
        found = copying.compare(copy=not options.dry)
    except (CloudError, LookupError, BotoCoreError, ClientError) as error:
        print(error, file=sys.stderr)
        return 1
    print(f"The same: {found.same}. Different: {found.different}. Missing: {found.missing}.")
    return 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tools.copy_back", description=__doc__)
    parser.add_argument("table", help="by logical id, such as CallsTable")
    parser.add_argument("restored", help="the name of the table that was restored")
    parser.add_argument("--dry", action="store_true", help="only counts")
    parser.add_argument("--stack", help="the name of a stack in AWS, in your region there")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
