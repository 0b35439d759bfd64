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


def bytecode_of(source: Path) -> bytes:
    return (source.parent / "__pycache__" / f"{source.stem}.cpython-313.pyc").read_bytes()


@pytest.mark.parametrize("logical_id", functions())
def test_a_function_has_its_own_folder_alone(logical_id: str) -> None:
    built = sources(BUILD / logical_id, BUILD / logical_id)
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


@pytest.mark.parametrize("folder", [LAYER, *(BUILD / logical_id for logical_id in functions())])
def test_nothing_is_compiled_again(folder: Path) -> None:
    for source in folder.rglob("*.py"):
        assert bytecode_of(source)[4:8] == UNCHECKED_HASH, source


def test_bytecode_names_the_place_on_lambda() -> None:
    """And not the folder of whoever built it: equal files make an equal layer."""
    assert b"/opt/python/retorno/calls/model.py" in bytecode_of(LAYER / "retorno/calls/model.py")
    handler = "functions/ingest_calls/handler.py"
    assert f"/var/task/{handler}".encode() in bytecode_of(BUILD / "IngestCalls" / handler)
