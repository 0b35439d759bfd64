"""What each of these begins with, in a deployment of its own."""

import logging
from collections.abc import Iterator
from typing import Any

import pytest

from tests.faults.crossing import crossing
from tests.faults.steps import Desk, opened


@pytest.fixture(scope="module")
def desk() -> Iterator[Desk]:
    with crossing() as made, opened(made) as desk:
        yield desk


@pytest.fixture(scope="module")
def start(desk: Desk) -> Any:
    return desk.crossing.snapshot()


@pytest.fixture(autouse=True)
def only_the_report_is_read() -> Iterator[None]:
    """What functions log of so many troubles would hide it."""
    logging.disable(logging.CRITICAL)
    yield
    logging.disable(logging.NOTSET)
