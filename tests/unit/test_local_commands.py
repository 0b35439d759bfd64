"""The commands of the embedded cloud, as whoever types them sees them."""

import os
import sys
from types import SimpleNamespace

import pytest

from local import emulator, logs
from local.__main__ import main
from local.stack import Stack


def test_who_reads_no_further_is_told_no_trace(monkeypatch: pytest.MonkeyPatch) -> None:
    """As `python -m local logs | head` does."""
    reading, writing = os.pipe()
    os.close(reading)
    with os.fdopen(writing, "w") as nobody_reads:
        monkeypatch.setattr(sys, "stdout", nobody_reads)
        monkeypatch.setattr(sys, "argv", ["local", "logs"])
        monkeypatch.setattr(emulator, "require", lambda _: None)
        monkeypatch.setattr(Stack, "read", lambda _: SimpleNamespace())
        monkeypatch.setattr(logs, "read", lambda *_, **__: ["a line", "and more"])
        assert main() == 1
