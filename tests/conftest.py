"""What all tests share: no way to a real account, a stack in moto, a clock that stands still."""

import os
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import cache
from typing import TYPE_CHECKING, Any, Final

import boto3
import pytest
from hypothesis import settings
from moto import mock_aws
from moto.core.config import DefaultConfig

from tests.support.clock import StoppedClock
from tests.support.deployment import REGION, Deployment, deployed, forget
from tests.support.tables import template

if TYPE_CHECKING:
    from xdist.scheduler import LoadScopeScheduling

os.environ.pop("AWS_PROFILE", None)
os.environ.update(
    AWS_ACCESS_KEY_ID="testing",
    AWS_SECRET_ACCESS_KEY="testing",
    AWS_SESSION_TOKEN="testing",
    AWS_DEFAULT_REGION=REGION,
    AWS_CONFIG_FILE=os.devnull,
    AWS_SHARED_CREDENTIALS_FILE=os.devnull,
    AWS_EC2_METADATA_DISABLED="true",
)
# Powertools reads its settings when `retorno.observability` is imported.
os.environ.update(
    (name, value)
    for name, value in template()["Globals"]["Function"]["Environment"]["Variables"].items()
    if name.startswith("POWERTOOLS_")
)

# A slow example is a busy machine, and no wrong answer.
settings.register_profile("retorno", deadline=None)
settings.load_profile("retorno")


@pytest.hookimpl(wrapper=True, optionalhook=True)
def pytest_xdist_auto_num_workers() -> Generator[None, int, int]:
    """One more than there are cores: who runs the stack's tests waits most of the time."""
    return 1 + (yield)


# Each has a cloud of its own, which all of its tests share.
CLOUDS: Final = ("tests/stack/hostile/", "tests/stack/")


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> "LoadScopeScheduling":
    """One worker runs all tests of a cloud, and begins with them: they wait long."""
    # Workers know nothing of it, and pytest may run without.
    from xdist.scheduler import LoadScopeScheduling  # noqa: PLC0415

    class CloudsTogether(LoadScopeScheduling):  # type: ignore[misc]
        def _split_scope(self, nodeid: str) -> str:
            return next((cloud for cloud in CLOUDS if nodeid.startswith(cloud)), nodeid)

    return CloudsTogether(config, log)


@pytest.fixture(autouse=True)
def nothing_is_counted_twice() -> Iterator[None]:
    """What a test counts, and no function sends, is no other test's."""
    yield
    from retorno.observability import metrics  # noqa: PLC0415 - see above

    metrics.clear_metrics()


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> StoppedClock:
    """The wall clock of the functions, which stands at noon of 2 March 2026 until it is set."""
    stopped = StoppedClock(datetime(2026, 3, 2, 12, 0, tzinfo=UTC))
    monkeypatch.setattr("retorno.clock.now", stopped)
    return stopped


# boto3 would read botocore's megabytes of JSON again in every test, and put each client together
# from them.
MOTO: Final[DefaultConfig] = {"core": {"reset_boto3_session": False}}
new_client = boto3.client


@cache
def client_at(endpoint_url: str | None, service: str, **options: Any) -> Any:
    return new_client(service, endpoint_url=endpoint_url, **options)  # type: ignore[call-overload]


def one_client(service: str, **options: Any) -> Any:
    """One for all tests, or, where a test plays the service itself, for this address of it."""
    return client_at(os.environ.get(f"AWS_ENDPOINT_URL_{service.upper()}"), service, **options)


@contextmanager
def moto() -> Iterator[None]:
    """AWS in this process, with nothing in it."""
    with pytest.MonkeyPatch.context() as patch, mock_aws(config=MOTO):
        patch.setattr(boto3, "client", one_client)
        yield


@pytest.fixture
def deployment(clock: StoppedClock) -> Iterator[Deployment]:
    """The whole stack, with cold functions."""
    with moto():
        forget()
        yield deployed()
        forget()
