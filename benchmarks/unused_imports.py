"""What functions load for longer than 5 ms before their first event, and then run nothing of.

Milliseconds of one load each, by `-X importtime`, with all that was loaded because of it: they are
of the clock, and want a quiet machine. Models are used without a line of their own module run: look
before something is cut.
"""

import json
import re
import subprocess
import sys
import tempfile
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median

from benchmarks.cold_start import first_event, variables_of
from benchmarks.first_event import LOADED
from benchmarks.tables import table
from local import cloud
from local.stack import Stack
from tests.artefact.lambda_runtime import BUILD, LAYER, PYTHON
from tests.support.functions import functions

SCRIPT = Path(__file__).with_name("first_event.py")
LONG_MS = 5.0
OURS = {"functions", "retorno"}
LINE = re.compile(r"import time: +(?P<own>\d+) \| +(?P<all>\d+) \| (?P<depth> *)(?P<name>\S+)")
MAX_NAMED = 4

TITLES = ("module", "ms", "functions", "which")


@dataclass(frozen=True)
class Load:
    """A module, and those that were loaded because of it."""

    name: str
    milliseconds: float
    because: Sequence["Load"] = field(default_factory=list)

    def unused(self, used: frozenset[str]) -> Iterator["Load"]:
        """What took long and is not used; but what libraries load is theirs to choose."""
        if self.milliseconds < LONG_MS:
            return
        if used.isdisjoint(self._names()):
            yield self
        elif self.name.partition(".")[0] in OURS:
            for each in self.because:
                yield from each.unused(used)

    def _names(self) -> Iterator[str]:
        yield self.name
        for each in self.because:
            yield from each._names()


def loads(told: str) -> Sequence[Load]:
    """Python tells of a module after all that it loaded, which stands further in."""
    open_at: dict[int, list[Load]] = defaultdict(list)
    for line in LINE.finditer(told.partition(LOADED)[0]):
        depth = len(line["depth"])
        because = open_at.pop(depth + 2, [])
        open_at[depth].append(Load(line["name"], int(line["all"]) / 1000, because))
    return open_at[0]


def unused(logical_id: str, stack: Stack) -> Iterator[Load]:
    done = subprocess.run(  # noqa: S603
        [PYTHON, "-X", "importtime", SCRIPT, functions()[logical_id]["Handler"]],
        input=json.dumps(first_event(logical_id)),
        env={
            **variables_of(logical_id, stack),
            "PYTHONPATH": f"{LAYER}:{BUILD / logical_id}",
            "PYTHONDONTWRITEBYTECODE": "1",
        },
        capture_output=True,
        text=True,
        check=True,
    )
    used = frozenset(json.loads(done.stdout.splitlines()[-1]))
    for load in loads(done.stderr):
        yield from load.unused(used)


def main(logical_ids: Sequence[str]) -> None:
    """Of all functions where none is named."""
    found: dict[str, dict[str, float]] = defaultdict(dict)
    with tempfile.TemporaryDirectory() as home, cloud.running(Path(home)) as stack:
        for logical_id in logical_ids or sorted(functions()):
            for load in unused(logical_id, stack):
                found[load.name][logical_id] = load.milliseconds
    rows = [
        (name, f"{median(by.values()):.0f}", len(by), ", ".join(by) if len(by) <= MAX_NAMED else "")
        for name, by in sorted(found.items(), key=lambda item: -sum(item[1].values()))
    ]
    print(table(TITLES, rows))


if __name__ == "__main__":
    main(sys.argv[1:])
