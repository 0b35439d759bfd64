"""The commands that the documents and the Makefile name are there, and do something."""

import re
from importlib.util import find_spec
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
NAMED = re.compile(r"python -m ((?:benchmarks|tools|local)[\w.]*\w)")
WHERE = [*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), ROOT / "Makefile"]
# One command for several parts.
PARTS = re.compile(r"for part in ([\w ]+);")


def commands() -> list[str]:
    named = {name for each in WHERE for name in NAMED.findall(each.read_text())}
    (parts,) = PARTS.findall((ROOT / "Makefile").read_text())
    return sorted(named | {f"benchmarks.{part}" for part in parts.split()})


@pytest.mark.parametrize("name", commands())
def test_a_command_runs_as_one(name: str) -> None:
    spec = find_spec(name)
    assert spec is not None
    if spec.submodule_search_locations:
        spec = find_spec(f"{name}.__main__")
    assert spec is not None
    assert spec.origin is not None
    assert 'if __name__ == "__main__":' in Path(spec.origin).read_text()
