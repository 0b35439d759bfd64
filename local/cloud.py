"""The embedded cloud with the stack in it: what the commands and the tests use."""

import json
import secrets
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from botocore.exceptions import BotoCoreError, ClientError

from local import emulator, users
from local.aws import Clients
from local.deploy import deploy as _deploy
from local.errors import CloudError
from local.stack import HOME, Stack

DEFAULT_STAGE = "dev"


def start(
    home: Path = HOME,
    port: int | None = None,
    stage: str = DEFAULT_STAGE,
    settings: Mapping[str, str] | None = None,
) -> Stack:
    """Starts the cloud if it does not run, deploys, and signs the users in anew.

    Without a port or settings they are those that this home had before; port 0 means a free one.
    Raises `CloudError`.
    """
    process = emulator.find(home)
    if process and port not in {None, 0, process.port}:
        raise CloudError(f"It runs on port {process.port} already: stop it with `down` first.")
    if not process:
        process = emulator.start(home, _usual_port(home) if port is None else port)
    chosen = _usual_settings(home) if settings is None else settings
    return _deploy_and_record(process, stage, chosen)


def deploy(home: Path = HOME) -> Stack:
    """Brings the code and the template of a running cloud up to date. Raises `CloudError`."""
    process, before = emulator.require(home), Stack.read(home)
    return _deploy_and_record(process, before.stage, before.settings)


@contextmanager
def set_to(settings: Mapping[str, str], home: Path = HOME) -> Iterator[Stack]:
    """A running stack whose parameters are others for as long as the block lasts.

    Raises `CloudError`.
    """
    process, before = emulator.require(home), Stack.read(home)
    try:
        yield _deploy_and_record(process, before.stage, {**before.settings, **settings})
    finally:
        _deploy_and_record(process, before.stage, before.settings)


def sign_in_agents(stack: Stack, agents: Iterable[str]) -> Mapping[str, str]:
    """An ID token for each agent, who is a user then. Raises `CloudError`."""
    cognito = Clients(stack.endpoint_url).cognito
    pool_id, client_id = stack.resources["UserPool"], stack.resources["UserPoolClient"]
    try:
        return users.sign_in_agents(cognito, pool_id, client_id, agents)
    except (BotoCoreError, ClientError) as error:
        raise CloudError(f"The agents could not sign in: {error}") from error


def credentials(stack: Stack, secret: str, names: Iterable[str]) -> Mapping[str, str]:
    """What a secret of the stack holds; what of these names it lacks is made up first.

    Raises `CloudError`.
    """
    client, secret_id = Clients(stack.endpoint_url).secrets, stack.resources[secret]
    try:
        text = client.get_secret_value(SecretId=secret_id)["SecretString"]
        held: dict[str, str] = {name: secrets.token_urlsafe() for name in names} | json.loads(text)
        client.put_secret_value(SecretId=secret_id, SecretString=json.dumps(held))
    except (BotoCoreError, ClientError) as error:
        raise CloudError(f"The secret could not be set: {error}") from error
    return held


def stop(home: Path = HOME) -> None:
    """Stops the cloud; its state is kept for the next start. Raises `CloudError`."""
    emulator.stop(home)


@contextmanager
def running(home: Path, port: int = 0) -> Iterator[Stack]:
    """A cloud for as long as the block lasts, as a fixture needs it."""
    try:
        yield start(home, port)
    finally:
        if emulator.find(home):
            emulator.stop(home)


def _usual_port(home: Path) -> int:
    try:
        return Stack.read(home).port
    except CloudError:
        return emulator.DEFAULT_PORT


def _usual_settings(home: Path) -> Mapping[str, str]:
    try:
        return Stack.read(home).settings
    except CloudError:
        return {}


def _deploy_and_record(
    process: emulator.Emulator, stage: str, settings: Mapping[str, str]
) -> Stack:
    stack = _deploy(process, stage, settings)
    stack.write(process.home)
    return stack
