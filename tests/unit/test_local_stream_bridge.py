"""The bridge in front of a stream's consumer, inside the emulator."""

import importlib
import sys
from collections.abc import Callable, Iterator
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

Bridge = Callable[[object], ModuleType]


@pytest.fixture
def bridge(monkeypatch: pytest.MonkeyPatch) -> Iterator[Bridge]:
    """Imports the bridge before a consumer that gives a certain answer."""

    def before(answer: object) -> ModuleType:
        consumer: Any = SimpleNamespace(handler=lambda _event, _context: answer)
        monkeypatch.setitem(sys.modules, "consumer", consumer)
        monkeypatch.setenv("STREAM_CONSUMER", "consumer.handler")
        return importlib.import_module("local.stream_bridge")

    yield before
    sys.modules.pop("local.stream_bridge")


@pytest.mark.parametrize("answer", [None, {}, {"batchItemFailures": []}])
def test_success_passes(bridge: Bridge, answer: object) -> None:
    assert bridge(answer).handler({"Records": []}, None) == answer


def test_failed_records_fail_the_batch(bridge: Bridge) -> None:
    answer = {"batchItemFailures": [{"itemIdentifier": "7"}]}
    with pytest.raises(RuntimeError, match=r"1 records failed.*'7'"):
        bridge(answer).handler({"Records": []}, None)
