"""Stands before each consumer of a stream, inside the emulator (local/transform.py).

AWS reads `batchItemFailures` in such a consumer's answer; MiniStack takes any answer for success,
and the failed records would be lost. It does deliver a batch again when its consumer raises.
"""

import os
from importlib import import_module
from typing import Any

_module, _, _function = os.environ["STREAM_CONSUMER"].rpartition(".")
_consume = getattr(import_module(_module), _function)


def handler(event: dict[str, Any], context: object) -> object:
    """The consumer's own answer; raises RuntimeError when it says that records failed."""
    answer = _consume(event, context)
    failures = (answer or {}).get("batchItemFailures")
    if failures:
        raise RuntimeError(f"{len(failures)} records failed, so the batch comes again: {failures}")
    return answer
