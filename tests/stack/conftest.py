"""template.yaml deployed in an embedded cloud of its own, driven over HTTP as a client would."""

from collections.abc import Iterator

import pytest

from local import cloud
from local.stack import Stack
from tests.support.api import Api


@pytest.fixture(scope="session")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    with cloud.running(tmp_path_factory.mktemp("cloud")) as stack:
        yield stack


@pytest.fixture(scope="session")
def api(stack: Stack) -> Api:
    return Api(stack)
