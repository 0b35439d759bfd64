"""Files of many rows: taken in chunks that may come twice or fail, and given out. And work on
many records that no file tells of, in pages."""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from tempfile import TemporaryFile
from typing import Any
from uuid import uuid4

from retorno.errors import InputTooLarge, InvalidInput, NotFound, RetornoError, Unavailable
from retorno.imports import reading
from retorno.imports.model import (
    MAX_FILE_BYTES,
    Chunk,
    Counts,
    Export,
    Import,
    PageTaker,
    RowReport,
    RowTaker,
    Shown,
    State,
    Task,
    Vocabulary,
)
from retorno.imports.reading import UnreadableFile
from retorno.imports.store import (
    FileStore,
    JobStore,
    Queue,
    read_chunk,
    read_export,
    read_key,
    read_task,
)
from retorno.settings import ImportSettings

# After so long a task is left to the next run of its function, which has seconds more than this.
RUN = timedelta(seconds=20)


def new_id() -> str:
    return str(uuid4())


@dataclass(frozen=True, slots=True)
class ReportPage:
    """Rows in the order of the file, and where the next page begins; None at the end."""

    rows: Sequence[RowReport]
    next_start: Mapping[str, str] | None


class Imports:
    """Imports of one kind, as a person sees them."""

    def __init__(self, kind: str, jobs: JobStore, files: FileStore) -> None:
        self._kind = kind
        self._jobs = jobs
        self._files = files

    def begin(
        self, size: int, user: str, now: datetime, parameters: Mapping[str, Any] | None = None
    ) -> tuple[Import, str]:
        """A new import, and the address to put its file at, of `size` bytes.

        Raises InputTooLarge, Unavailable.
        """
        if size > MAX_FILE_BYTES:
            raise InputTooLarge("bytes", f"at most {MAX_FILE_BYTES}: send it in parts")
        import_id = new_id()
        self._jobs.add(import_id, self._kind, user, now, parameters)
        return self.one(import_id), self._files.upload_url(self._kind, import_id, size)

    def one(self, import_id: str) -> Import:
        """Raises NotFound, Unavailable."""
        found = self._jobs.get_import(import_id)
        if found is None or found.kind != self._kind:
            raise NotFound("there is no such import")
        return found

    def report(
        self,
        import_id: str,
        shown: Shown | None,
        limit: int,
        start: Mapping[str, str] | None,
    ) -> ReportPage:
        """What became of the rows that are done, all or some of them.

        Raises NotFound, InvalidInput for a `start` that is none, Unavailable.
        """
        self.one(import_id)
        return _report(self._jobs, self._files, import_id, shown, limit, start)


def _report(
    jobs: JobStore,
    files: FileStore,
    job_id: str,
    shown: Shown | None,
    limit: int,
    start: Mapping[str, str] | None,
) -> ReportPage:
    first, after = _position(start) if start else (0, 0)
    rows: list[RowReport] = []
    for number in jobs.chunks(job_id, first, shown):
        for row in files.report(job_id, number):
            if row.number <= after or (shown and not shown.includes(row)):
                continue
            if len(rows) == limit:
                return ReportPage(rows, {"chunk": str(number), "row": str(rows[-1].number)})
            rows.append(row)
    return ReportPage(rows, None)


def _position(start: Mapping[str, str]) -> tuple[int, int]:
    """A chunk, and a row that was shown."""
    try:
        return int(start["chunk"]), int(start["row"])
    except ValueError:
        raise InvalidInput("cursor", "is none that this API gave") from None


class Splitting:
    """Turns a file into messages of a few rows each."""

    def __init__(
        self,
        jobs: JobStore,
        files: FileStore,
        queues: Mapping[str, Queue],
        vocabularies: Mapping[str, Vocabulary],
    ) -> None:
        self._jobs = jobs
        self._files = files
        self._queues = queues
        self._vocabularies = vocabularies

    def split(self, key: str, etag: str, now: datetime) -> None:
        """A file that cannot be read fails its import; nothing of it is taken. Told twice, it
        sends the same chunks. Raises Unavailable.
        """
        kind, import_id = read_key(key)
        if not self._jobs.begin(import_id, etag, now):
            return
        try:
            self._send(kind, import_id, key, etag)
        except UnreadableFile as error:
            self._jobs.fail(import_id, str(error), now)

    def _send(self, kind: str, import_id: str, key: str, etag: str) -> None:
        with self._files.uploaded(key, etag) as file:
            if file is None:
                raise UnreadableFile("another file was put in its place")
            layout = reading.examine(file, self._vocabularies[kind])
            self._jobs.look_through(import_id, layout)
            chunks = reading.chunks_of(reading.rows_of(file, layout))
            for number, rows in enumerate(chunks):
                self._queues[kind].send_chunk(Chunk(import_id=import_id, number=number, rows=rows))


class ChunkTaking:
    """Has the rows of each message taken, reports them, and counts them once.

    `takers` are by the kinds of their imports.
    """

    def __init__(self, jobs: JobStore, files: FileStore, takers: Mapping[str, RowTaker]) -> None:
        self._jobs = jobs
        self._files = files
        self._takers = takers

    def take(self, message: str, now: datetime) -> Counts:
        """Says what was counted: nothing for a chunk that was done before. Raises Unavailable."""
        chunk = read_chunk(message)
        source = self._jobs.get_import(chunk.import_id)
        if source is None or self._jobs.is_done(chunk):
            return Counts()
        reports = self._takers[source.kind].take(chunk, source, now)
        self._files.keep_report(chunk.import_id, chunk.number, reports)
        counts = Counts.of(reports)
        self._jobs.finish(chunk, counts, now)
        return counts


class Exports:
    """Exports of some kinds."""

    def __init__(self, kinds: Collection[str], jobs: JobStore, files: FileStore) -> None:
        self._kinds = kinds
        self._jobs = jobs
        self._files = files

    def begin(
        self,
        kind: str,
        queue_url: str,
        user: str,
        now: datetime,
        parameters: Mapping[str, Any] | None = None,
    ) -> Export:
        """The queue is that of the function that calls `make`. Raises Unavailable."""
        export_id = new_id()
        self._jobs.add(export_id, kind, user, now, parameters)
        Queue(queue_url).send_export(export_id)
        return self.one(export_id)

    def one(self, export_id: str) -> Export:
        """Raises NotFound, Unavailable."""
        found = self._jobs.get_export(export_id)
        if found is None or found.kind not in self._kinds:
            raise NotFound("there is no such export")
        return found

    def download_url(self, export: Export) -> str | None:
        """Where its file is to be had from; None until it is done."""
        if export.state is not State.DONE:
            return None
        return self._files.download_url(export.kind, export.export_id)

    def make(
        self,
        message: str,
        rows: Callable[[Export], Iterable[Sequence[str]]],
        clock: Callable[[], datetime],
    ) -> None:
        """Writes the file of a message; its first row is the header. Raises Unavailable."""
        export_id = read_export(message)
        if not self._jobs.start_export(export_id):
            return
        export = self.one(export_id)
        with TemporaryFile() as file:
            count = reading.write(file, rows(export))
            self._files.keep_export(export.kind, export_id, file)
        self._jobs.finish_export(export_id, count, clock())


class Tasks:
    """Tasks of one kind, as a person sees them."""

    def __init__(self, kind: str, jobs: JobStore, files: FileStore) -> None:
        self._kind = kind
        self._jobs = jobs
        self._files = files

    def begin(
        self, queue_url: str, user: str, now: datetime, parameters: Mapping[str, Any]
    ) -> Task:
        """The queue is that of the function that runs it. Raises Unavailable."""
        task_id = new_id()
        self._jobs.add(task_id, self._kind, user, now, parameters)
        Queue(queue_url).send_task(task_id)
        return self.one(task_id)

    def one(self, task_id: str) -> Task:
        """Raises NotFound, Unavailable."""
        found = self._jobs.get_task(task_id)
        if found is None or found.kind != self._kind:
            raise NotFound("there is no such job")
        return found

    def report(
        self, task_id: str, shown: Shown | None, limit: int, start: Mapping[str, str] | None
    ) -> ReportPage:
        """What became of the records that are done, all or some of them.

        Raises NotFound, InvalidInput for a `start` that is none, Unavailable.
        """
        self.one(task_id)
        return _report(self._jobs, self._files, task_id, shown, limit, start)


class TaskRunning:
    """Does the pages of tasks, each of them once. `takers` are by the kinds of their tasks."""

    def __init__(
        self, jobs: JobStore, files: FileStore, takers: Mapping[str, PageTaker], queue: Queue
    ) -> None:
        self._jobs = jobs
        self._files = files
        self._takers = takers
        self._queue = queue

    def run(self, message: str, clock: Callable[[], datetime]) -> None:
        """Goes on with a task, for a while, and leaves the rest to the next message. Whoever finds
        that another does the same pages leaves them to it. Raises Unavailable.
        """
        task_id = read_task(message)
        until = clock() + RUN
        self._jobs.start_task(task_id)
        while (task := self._jobs.get_task(task_id)) and task.state is State.RUNNING:
            if clock() >= until:
                return self._queue.send_task(task_id)
            if not self._is_page_done(task, clock()):
                return None
        return None

    def _is_page_done(self, task: Task, now: datetime) -> bool:
        try:
            page = self._takers[task.kind].take(task, now)
        except Unavailable:
            raise
        except RetornoError as error:
            self._jobs.fail(task.task_id, str(error), now)
            return False
        self._files.keep_report(task.task_id, task.pages, page.reports)
        return self._jobs.finish_page(task, page, now)


def imports(kind: str, settings: ImportSettings) -> Imports:
    return Imports(kind, JobStore(settings.jobs_table), FileStore(settings.files_bucket))


def exports(kinds: Collection[str], settings: ImportSettings) -> Exports:
    return Exports(kinds, JobStore(settings.jobs_table), FileStore(settings.files_bucket))


def splitting(
    queue_urls: Mapping[str, str], vocabularies: Mapping[str, Vocabulary], settings: ImportSettings
) -> Splitting:
    """For each kind of file its queue and its vocabulary."""
    return Splitting(
        JobStore(settings.jobs_table),
        FileStore(settings.files_bucket),
        {kind: Queue(url) for kind, url in queue_urls.items()},
        vocabularies,
    )


def chunk_taking(takers: Mapping[str, RowTaker], settings: ImportSettings) -> ChunkTaking:
    return ChunkTaking(JobStore(settings.jobs_table), FileStore(settings.files_bucket), takers)


def tasks(kind: str, settings: ImportSettings) -> Tasks:
    return Tasks(kind, JobStore(settings.jobs_table), FileStore(settings.files_bucket))


def task_running(
    takers: Mapping[str, PageTaker], queue_url: str, settings: ImportSettings
) -> TaskRunning:
    """The queue is that of the function that calls `run`."""
    return TaskRunning(
        JobStore(settings.jobs_table), FileStore(settings.files_bucket), takers, Queue(queue_url)
    )
