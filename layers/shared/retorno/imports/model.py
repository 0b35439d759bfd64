"""Files of rows that come in and go out, work on many records, and what became of each.

What a row or the work means is no matter of this context: it is told by whoever takes it.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any, Protocol

from pydantic import Field

from retorno.frozen import Frozen

MAX_FILE_BYTES = 200 * 1024 * 1024
MAX_ROWS = 500_000


class State(StrEnum):
    """An import waits for its file, an export or a task for its turn."""

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


class Job(Frozen):
    """`parameters` are what it was asked for with, as JSON has it."""

    kind: str
    state: State
    created_at: datetime
    created_by: str
    parameters: Mapping[str, Any] = Field(default_factory=dict)


class Import(Job):
    """`rows` is None until the file was looked through; `reason` says why it failed."""

    import_id: str
    started_at: datetime | None = None
    finished_at: datetime | None = None
    reason: str | None = None
    ignored_columns: tuple[str, ...] = ()
    rows: int | None = None
    counts: Counts = Counts()


class Export(Job):
    export_id: str
    finished_at: datetime | None = None
    rows: int | None = None


class Task(Job):
    """Work on many records, page by page. `pages` are done, and at `position` the next begins,
    None at the start.
    """

    task_id: str
    finished_at: datetime | None = None
    reason: str | None = None
    pages: int = 0
    position: Mapping[str, Any] | None = None
    counts: Counts = Counts()


class Page(Frozen):
    """What became of some records, whose numbers go on from page to page; and where the next page
    begins, None at the end."""

    reports: tuple[RowReport, ...]
    next_position: Mapping[str, Any] | None


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """The fields of a kind of file, each with the names that its column may have, and those
    without which no row means anything: one of each group. `limits` are of fields whose cells may
    be longer than others.
    """

    names: Mapping[str, Sequence[str]]
    required: Sequence[Sequence[str]]
    limits: Mapping[str, int] = field(default_factory=dict)


class RowTaker(Protocol):
    """Whoever knows what a kind of rows means."""

    def take(self, chunk: Chunk, source: Import, now: datetime) -> Sequence[RowReport]:
        """One report a row, in their order. Taken again, it changes and reports the same.

        Raises Unavailable.
        """


class PageTaker(Protocol):
    """Whoever knows what a kind of task means."""

    def take(self, task: Task, now: datetime) -> Page:
        """Does the next page. Taken again, it changes and reports the same.

        Raises Unavailable; any other RetornoError fails the task.
        """
