"""The code of the layer and the functions, zipped as the emulator runs it.

The layer holds this project's package alone: its libraries are in the emulator's environment.
"""

import hashlib
import io
import zipfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from local.errors import CloudError
from local.stack import ROOT

STREAM_BRIDGE = ROOT / "local/stream_bridge.py"
# The earliest moment that a zip file can name. One moment for all makes equal code equal bytes.
_MOMENT = (1980, 1, 1, 0, 0, 0)


@dataclass(frozen=True)
class Archive:
    key: str
    """A new one for new content: that is how CloudFormation sees that code changed."""
    content: bytes


def archives(template: dict[str, Any]) -> dict[str, Archive]:
    """One for each layer and function of a SAM template, by logical id."""
    return {
        name: _archive(name, files)
        for name, resource in template["Resources"].items()
        if (files := _files(resource)) is not None
    }


def _files(resource: dict[str, Any]) -> Iterable[tuple[Path, Path]] | None:
    """Each file with its place in the archive."""
    match resource:
        case {"Type": "AWS::Serverless::Function", "Properties": {"CodeUri": str(folder)}}:
            return _function_files(ROOT / folder)
        case {"Type": "AWS::Serverless::LayerVersion", "Properties": {"ContentUri": str(folder)}}:
            return _layer_files(ROOT / folder)
    return None


def _function_files(folder: Path) -> Iterator[tuple[Path, Path]]:
    for file in [folder.parent / "__init__.py", *_sources(folder)]:
        yield file, file.relative_to(ROOT)


def _layer_files(folder: Path) -> Iterator[tuple[Path, Path]]:
    for file in _sources(folder / "retorno"):
        yield file, "python" / file.relative_to(folder)
    yield STREAM_BRIDGE, Path("python", STREAM_BRIDGE.name)


def _sources(folder: Path) -> list[Path]:
    if not folder.is_dir():
        raise CloudError(f"The template speaks of {folder.relative_to(ROOT)}, which is not there.")
    return sorted(
        file for file in folder.rglob("*") if file.is_file() and file.parent.name != "__pycache__"
    )


def _archive(name: str, files: Iterable[tuple[Path, Path]]) -> Archive:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as zipped:
        for file, place in files:
            zipped.writestr(zipfile.ZipInfo(str(place), _MOMENT), file.read_bytes())
    content = buffer.getvalue()
    return Archive(f"{name}/{hashlib.sha256(content).hexdigest()}.zip", content)
