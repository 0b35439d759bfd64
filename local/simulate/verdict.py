"""What truly happened, held against what the API tells of it."""

import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol

BETWEEN_LOOKS = 1


class Book(Protocol):
    """A record of what happened: `name` says of what."""

    name: str

    def summary(self) -> str: ...

    def differences(self) -> Iterable[str]:
        """A line for whatever the API tells otherwise, as of now. Raises CloudError."""


@dataclass(frozen=True)
class Verdict:
    name: str
    happened: str
    differences: Sequence[str]


def verdict_on(book: Book, seconds: float) -> Verdict:
    """Once the API agrees, or has had so many seconds to catch up. Raises CloudError."""
    deadline = time.monotonic() + seconds
    while (differences := list(book.differences())) and time.monotonic() < deadline:
        time.sleep(BETWEEN_LOOKS)
    return Verdict(book.name, book.summary(), differences)
