"""What lies in the folders that go to Lambda."""

import os
import subprocess
from pathlib import Path

import pytest

from tests.artefact.lambda_runtime import BUILD, LAYER, PYTHON, ROOT
from tests.support.functions import functions

# The flags of bytecode that is taken as it is, its source not even looked at (PEP 552).
UNCHECKED_HASH = (1).to_bytes(4, "little")


def files(folder: Path) -> set[Path]:
    return {file for file in folder.rglob("*") if file.is_file()}


def sources(folder: Path, below: Path) -> set[Path]:
    return {file.relative_to(below) for file in files(folder) if file.suffix != ".pyc"}


@pytest.mark.parametrize("logical_id", functions())
def test_a_function_has_its_own_folder_alone(logical_id: str) -> None:
    built = {file.relative_to(BUILD / logical_id) for file in files(BUILD / logical_id)}
    assert built == sources(ROOT / functions()[logical_id]["CodeUri"], ROOT)


def test_the_layer_has_all_of_the_package() -> None:
    shared = ROOT / "layers/shared"
    assert sources(LAYER / "retorno", LAYER) == sources(shared / "retorno", shared)


def test_the_layer_leaves_boto_to_lambda() -> None:
    assert not list(LAYER.glob("boto*"))


def test_each_library_finds_what_it_requires() -> None:
    """The pins are installed as they are, so nothing else would notice one that is missing."""
    done = subprocess.run(
        [PYTHON, "-m", "pip", "check"],
        env=os.environ | {"PYTHONPATH": str(LAYER)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout


def test_nothing_in_the_layer_is_compiled_again() -> None:
    for source in LAYER.rglob("*.py"):
        bytecode = source.parent / "__pycache__" / f"{source.stem}.cpython-313.pyc"
        assert bytecode.read_bytes()[4:8] == UNCHECKED_HASH, source


def test_bytecode_names_the_place_on_lambda() -> None:
    """And not the folder of whoever built it: a layer of the same files is the same layer."""
    model = LAYER / "retorno/calls/__pycache__/model.cpython-313.pyc"
    assert b"/opt/python/retorno/calls/model.py" in model.read_bytes()
