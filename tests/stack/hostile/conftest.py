"""A stack in a cloud of its own: whatever is written into it, no other test meets it."""

from collections.abc import Iterator

import pytest

from local import cloud
from local.stack import Stack


@pytest.fixture(scope="package")
def besieged(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    with cloud.running(tmp_path_factory.mktemp("besieged")) as stack:
        yield stack


@pytest.fixture(scope="package")
def app_secret(besieged: Stack) -> str:
    """What WhatsApp signs its webhooks with."""
    names = ["access_token", "app_secret", "verify_token"]
    return cloud.credentials(besieged, "WhatsAppSecret", names)["app_secret"]
