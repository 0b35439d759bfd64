"""The emulator's virtual environment, which is also the one that the Lambdas run in."""

import fcntl
import subprocess
import sys
from pathlib import Path

from local.errors import CloudError
from local.stack import HOME, ROOT

ENVIRONMENT = HOME / "cloud"
REQUIREMENTS = [ROOT / "local/requirements.txt", ROOT / "layers/shared/requirements.txt"]


def ensure_python() -> Path:
    """The interpreter of an environment that fits the requirements; building one takes a minute."""
    HOME.mkdir(exist_ok=True)
    with (HOME / "cloud.building").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not _is_current():
            _build()
    return _python()


def _python() -> Path:
    return ENVIRONMENT / "bin/python"


def _is_current() -> bool:
    record = _record()
    return record.is_file() and record.read_text() == _recipe()


def _record() -> Path:
    return ENVIRONMENT / "built-from.txt"


def _recipe() -> str:
    return "\n".join([sys.version, sys.base_prefix, *(file.read_text() for file in REQUIREMENTS)])


def _build() -> None:
    print("Installing the embedded cloud, once…", file=sys.stderr)
    _run("making its environment", sys.executable, "-m", "venv", "--clear", str(ENVIRONMENT))
    requirements = [f"--requirement={file}" for file in REQUIREMENTS]
    _run("pip install", str(_python()), "-m", "pip", "install", "--quiet", *requirements)
    # Last, so that a build that was cut short is done again.
    _record().write_text(_recipe())


def _run(what: str, *command: str) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        lines = (done.stderr or done.stdout).strip().splitlines() or ["it does not say why"]
        reason = next((line for line in lines if line.startswith("ERROR")), lines[-1])
        raise CloudError(f"The embedded cloud could not be installed, {what} failed: {reason}")
