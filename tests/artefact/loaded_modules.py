"""What each handler loads, asked in the Python of what was built: `FOLDER MODULE FOLDER MODULE …`
in, {MODULE: ["module", …]} out.

Each is loaded in a fork of a process that has loaded what all of them load: that spares a minute.
"""

import json
import sys
from collections.abc import Sequence
from importlib import import_module
from multiprocessing import get_context

import boto3  # noqa: F401
import pydantic  # noqa: F401
import pynamodb.models  # noqa: F401


def loaded_with(folder: str, module: str) -> Sequence[str]:
    sys.path.append(folder)
    import_module(module)
    return sorted(sys.modules)


if __name__ == "__main__":
    modules = sys.argv[2::2]
    with get_context("fork").Pool(1, maxtasksperchild=1) as pool:
        found = pool.starmap(loaded_with, zip(sys.argv[1::2], modules, strict=True), chunksize=1)
    json.dump(dict(zip(modules, found, strict=True)), sys.stdout)
