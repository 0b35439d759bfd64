"""Files of rows that come in and go out, and what became of each row.

What a row means is no matter of this context: it is told by whoever takes the rows.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Protocol

from pydantic import BaseModel, ConfigDict, Field

MAX_FILE_BYTES = 200 * 1024 * 1024
MAX_ROWS = 500_000


class Frozen(BaseModel):
    model_config = ConfigDict(frozen=True)


class State(StrEnum):
    """An import waits for its file, an export for its turn."""

    WAITING = "waiting"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"


class Outcome(StrEnum):
    CREATED = "created"
    UPDATED = "updated"
    UNCHANGED = "unchanged"
    REFUSED = "refused"


class Problem(Frozen):
    """What of a row was not taken, and why. It never repeats what the cell holds."""

    field: str
    reason: str


class Row(Frozen):
    """One row of a file: its number there (the header is row 1), and its filled cells by field.

    A row that does not fit its header is `unfit`: its cells may stand in the wrong places.
    """

    number: int
    cells: Mapping[str, str] = Field(default_factory=dict)
    problems: tuple[Problem, ...] = ()
    unfit: bool = False


class RowReport(Frozen):
    """What became of a row, and of which record."""

    number: int
    outcome: Outcome
    record_id: str | None = None
    problems: tuple[Problem, ...] = ()


class Shown(StrEnum):
    """Which rows of a report are shown; each is a count, too."""

    CREATED = "created"
    UPDATED = "updated"
    UNCHANGED = "unchanged"
    REFUSED = "refused"
    WITH_PROBLEMS = "with_problems"

    def includes(self, report: RowReport) -> bool:
        if self is Shown.WITH_PROBLEMS:
            return bool(report.problems)
        return report.outcome.value == self.value


class Chunk(Frozen):
    """Some rows of an import, as one message of the queue."""

    import_id: str
    number: int
    rows: tuple[Row, ...]

    @property
    def name(self) -> str:
        """What these very rows are known by, however often they come."""
        return f"{self.import_id}/{self.number}"


@dataclass(frozen=True, slots=True)
class Counts:
    """Of rows, by what became of them."""

    done: int = 0
    created: int = 0
    updated: int = 0
    unchanged: int = 0
    refused: int = 0
    with_problems: int = 0

    @classmethod
    def of(cls, reports: Sequence[RowReport]) -> "Counts":
        outcomes = Counter(report.outcome.value for report in reports)
        with_problems = sum(bool(report.problems) for report in reports)
        return cls(done=len(reports), with_problems=with_problems, **outcomes)


class Import(Frozen):
    """`rows` is None until the file was looked through; `reason` says why it failed."""

    import_id: str
    kind: str
    state: State
    created_at: datetime
    created_by: str
    started_at: datetime | None = None
    finished_at: datetime | None = None
    reason: str | None = None
    ignored_columns: tuple[str, ...] = ()
    rows: int | None = None
    counts: Counts = Counts()


class Export(Frozen):
    export_id: str
    kind: str
    state: State
    created_at: datetime
    created_by: str
    finished_at: datetime | None = None
    rows: int | None = None


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """The fields of a kind of file, each with the names that its column may have, and the field
    without which no row means anything."""

    names: Mapping[str, Sequence[str]]
    required: str


class RowTaker(Protocol):
    """Whoever knows what a kind of rows means."""

    def take(self, chunk: Chunk, now: datetime) -> Sequence[RowReport]:
        """One report a row, in their order. Taken again, it changes and reports the same.

        Raises Unavailable.
        """
