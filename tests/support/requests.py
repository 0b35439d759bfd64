"""Counts what goes to AWS, so that costs are tested and not believed."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from unittest.mock import patch

from botocore.client import BaseClient

# The names of the operations, in the order of their calls.
Requests = list[str]


@contextmanager
def counted() -> Iterator[Requests]:
    requests: Requests = []
    make_api_call = BaseClient._make_api_call  # type: ignore[attr-defined]

    def counting(client: BaseClient, operation: str, parameters: Any) -> Any:
        requests.append(operation)
        return make_api_call(client, operation, parameters)

    with patch.object(BaseClient, "_make_api_call", counting):
        yield requests
