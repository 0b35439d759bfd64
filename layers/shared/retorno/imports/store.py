"""The jobs table, the bucket of files, and the queues that jobs go through."""

import functools
import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, fields
from datetime import datetime, timedelta
from tempfile import TemporaryFile
from typing import Any, BinaryIO

from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError
from pydantic import TypeAdapter
from pynamodb.attributes import JSONAttribute, ListAttribute, NumberAttribute, UnicodeAttribute
from pynamodb.expressions.condition import Condition
from pynamodb.models import Model

from retorno import aws
from retorno.dynamodb import (
    Refused,
    RefusedTogether,
    Write,
    bind,
    unavailable_on_trouble,
    update,
    write_together,
)
from retorno.errors import Unavailable
from retorno.frozen import DEFERRED
from retorno.imports.model import (
    Chunk,
    Counts,
    Export,
    Import,
    Page,
    RowReport,
    Shown,
    State,
    Task,
)
from retorno.imports.reading import Layout
from retorno.times import read_stamp, stamp

JOB = "job"
CHUNK = "chunk#"

# As long as the bucket keeps the files.
KEPT = timedelta(days=30)
URL_LIFETIME = timedelta(hours=1)

COUNTS = tuple(field.name for field in fields(Counts))
REPORTS = TypeAdapter(list[RowReport], config=DEFERRED)


class JobItem(Model):
    """An import, an export or a task as `part` "job", and each chunk of rows that an import is
    done with, or page of a task, as "chunk#000017", with its part of the counts."""

    job_id = UnicodeAttribute(hash_key=True)
    part = UnicodeAttribute(range_key=True)

    kind = UnicodeAttribute(null=True)
    state = UnicodeAttribute(null=True)
    created_at = UnicodeAttribute(null=True)
    created_by = UnicodeAttribute(null=True)
    started_at = UnicodeAttribute(null=True)
    finished_at = UnicodeAttribute(null=True)
    reason = UnicodeAttribute(null=True)
    # Which of the files that were put at one address it is: the first one.
    file_etag = UnicodeAttribute(null=True)
    ignored_columns: ListAttribute[Any] = ListAttribute(of=UnicodeAttribute, null=True)
    rows = NumberAttribute(null=True)
    parameters = JSONAttribute(null=True)
    # Of a task: how many pages are done, and where the next one begins.
    pages = NumberAttribute(null=True)
    position = JSONAttribute(null=True)
    # When the table drops the item, in seconds since 1970.
    expires_at = NumberAttribute()

    done = NumberAttribute(null=True)
    created = NumberAttribute(null=True)
    updated = NumberAttribute(null=True)
    unchanged = NumberAttribute(null=True)
    refused = NumberAttribute(null=True)
    with_problems = NumberAttribute(null=True)


class JobStore:
    def __init__(self, table_name: str) -> None:
        self._item = bind(JobItem, table_name)

    def add(
        self,
        job_id: str,
        kind: str,
        user: str,
        now: datetime,
        parameters: Mapping[str, Any] | None = None,
    ) -> None:
        """Raises Unavailable."""
        item = self._item(
            job_id,
            JOB,
            kind=kind,
            state=State.WAITING.value,
            created_at=stamp(now),
            created_by=user,
            parameters=parameters,
            expires_at=_expiry(now),
        )
        with unavailable_on_trouble():
            item.save()

    def get_import(self, job_id: str) -> Import | None:
        """Raises Unavailable."""
        item = self._get(job_id)
        if item is None:
            return None
        counts = _counts(item)
        rows = None if item.rows is None else int(item.rows)
        is_done = State(item.state) is State.RUNNING and rows == counts.done
        return Import(
            import_id=item.job_id,
            state=State.DONE if is_done else State(item.state),
            started_at=_moment(item.started_at),
            # While it runs, this is when the last chunk was done.
            finished_at=_moment(item.finished_at) if is_done or item.reason else None,
            reason=item.reason,
            ignored_columns=tuple(item.ignored_columns or ()),
            rows=rows,
            counts=counts,
            **_origin(item),
        )

    def get_export(self, job_id: str) -> Export | None:
        """Raises Unavailable."""
        item = self._get(job_id)
        if item is None:
            return None
        return Export(
            export_id=item.job_id,
            state=State(item.state),
            finished_at=_moment(item.finished_at),
            rows=None if item.rows is None else int(item.rows),
            **_origin(item),
        )

    def get_task(self, job_id: str) -> Task | None:
        """Raises Unavailable."""
        item = self._get(job_id)
        if item is None:
            return None
        return Task(
            task_id=item.job_id,
            state=State(item.state),
            finished_at=_moment(item.finished_at),
            reason=item.reason,
            pages=int(item.pages or 0),
            position=item.position,
            counts=_counts(item),
            **_origin(item),
        )

    def _get(self, job_id: str) -> JobItem | None:
        with unavailable_on_trouble():
            try:
                return self._item.get(job_id, JOB, consistent_read=True)
            except self._item.DoesNotExist:
                return None

    def begin(self, import_id: str, etag: str, now: datetime) -> bool:
        """Whether the import is to take this file: it has none yet, or began with this one.

        Raises Unavailable.
        """
        item = self._item
        waits = (item.state == State.WAITING.value) & item.file_etag.does_not_exist()
        again = (item.state == State.RUNNING.value) & (item.file_etag == etag)
        actions = [
            item.state.set(State.RUNNING.value),
            item.file_etag.set(etag),
            item.started_at.set(item.started_at | stamp(now)),
        ]
        return self._update(import_id, actions, waits | again)

    def look_through(self, import_id: str, layout: Layout) -> None:
        """Says what the file holds. Raises Unavailable."""
        item = self._item
        actions = [item.rows.set(layout.rows), item.ignored_columns.set(list(layout.ignored))]
        self._update(import_id, actions, item.state == State.RUNNING.value)

    def fail(self, job_id: str, reason: str, now: datetime) -> None:
        """Raises Unavailable."""
        item = self._item
        actions = [
            item.state.set(State.FAILED.value),
            item.reason.set(reason),
            item.finished_at.set(stamp(now)),
        ]
        self._update(job_id, actions, item.state == State.RUNNING.value)

    def start_task(self, task_id: str) -> None:
        """Nothing happens to one that began before. Raises Unavailable."""
        item = self._item
        actions = [item.state.set(State.RUNNING.value)]
        self._update(task_id, actions, item.state == State.WAITING.value)

    def finish_page(self, task: Task, page: Page, now: datetime) -> bool:
        """Counts a page and goes on to the next, once. Raises Unavailable."""
        item = self._item
        values = asdict(Counts.of(page.reports))
        done = item(task.task_id, _part(task.pages), expires_at=_expiry(now), **values)
        actions = [getattr(item, name).add(value) for name, value in values.items()]
        actions.append(item.pages.set(task.pages + 1))
        if page.next_position is None:
            actions += [item.state.set(State.DONE.value), item.finished_at.set(stamp(now))]
        else:
            actions.append(item.position.set(dict(page.next_position)))
        try:
            write_together([Write(done), Write(item(task.task_id, JOB), self._at(task), actions)])
        except RefusedTogether:
            return False
        return True

    def _at(self, task: Task) -> Condition:
        """Its next page is still the one that it was."""
        item = self._item
        page = item.pages == task.pages if task.pages else item.pages.does_not_exist()
        condition: Condition = (item.state == State.RUNNING.value) & page
        return condition

    def finish_export(self, export_id: str, rows: int, now: datetime) -> None:
        """Raises Unavailable."""
        item = self._item
        actions = [
            item.state.set(State.DONE.value),
            item.rows.set(rows),
            item.finished_at.set(stamp(now)),
        ]
        self._update(export_id, actions, item.state.exists())

    def start_export(self, export_id: str) -> bool:
        """Whether it is still to be made. Raises Unavailable."""
        item = self._item
        actions = [item.state.set(State.RUNNING.value)]
        return self._update(export_id, actions, item.state != State.DONE.value)

    def _update(self, job_id: str, actions: Any, condition: Any) -> bool:
        try:
            update(self._item(job_id, JOB), actions, self._item.job_id.exists() & condition)
        except Refused:
            return False
        return True

    def is_done(self, chunk: Chunk) -> bool:
        """Raises Unavailable."""
        with unavailable_on_trouble():
            try:
                self._item.get(chunk.import_id, _part(chunk.number), consistent_read=True)
            except self._item.DoesNotExist:
                return False
        return True

    def finish(self, chunk: Chunk, counts: Counts, now: datetime) -> None:
        """Counts a chunk, once. Raises Unavailable."""
        item = self._item
        values = asdict(counts)
        done = item(chunk.import_id, _part(chunk.number), expires_at=_expiry(now), **values)
        actions = [getattr(item, name).add(value) for name, value in values.items()]
        actions.append(item.finished_at.set(stamp(now)))
        job = item(chunk.import_id, JOB)
        try:
            write_together(
                [
                    Write(done, item.job_id.does_not_exist()),
                    Write(job, item.job_id.exists(), actions),
                ]
            )
        except RefusedTogether:
            return

    def chunks(self, job_id: str, first: int, shown: Shown | None) -> Iterator[int]:
        """The numbers of the chunks or pages that are done, from one on; those that have rows to
        show. Raises Unavailable.
        """
        with unavailable_on_trouble():
            for item in self._item.query(
                job_id, self._item.part.between(_part(first), f"{CHUNK}~")
            ):
                if shown is None or getattr(item, shown.value):
                    yield int(item.part.removeprefix(CHUNK))


class FileStore:
    """The bucket: what came as `imports/<kind>/<id>.csv`, what became of its rows as
    `reports/<id>/<chunk>.json`, what goes out as `exports/<kind>/<id>.csv`."""

    def __init__(self, bucket: str) -> None:
        self._bucket = bucket

    @functools.cached_property
    def _client(self) -> Any:
        # The signature that a bucket's own region asks for.
        return aws.client("s3", config=Config(signature_version="s3v4"))

    def upload_url(self, kind: str, import_id: str, size: int) -> str:
        """Where a file of just that many bytes may be put, for an hour."""
        place = {"Bucket": self._bucket, "Key": f"imports/{kind}/{import_id}.csv"}
        return self._url("put_object", {**place, "ContentLength": size})

    def download_url(self, kind: str, export_id: str) -> str:
        """Where a file may be had from, for an hour."""
        name = f'attachment; filename="{kind}.csv"'
        place = {"Bucket": self._bucket, "Key": _export_key(kind, export_id)}
        return self._url("get_object", {**place, "ResponseContentDisposition": name})

    def _url(self, operation: str, parameters: Mapping[str, Any]) -> str:
        lifetime = int(URL_LIFETIME.total_seconds())
        url: str = self._client.generate_presigned_url(
            operation, Params=parameters, ExpiresIn=lifetime
        )
        return url

    @contextmanager
    def uploaded(self, key: str, etag: str) -> Iterator[BinaryIO | None]:
        """A file on this machine's disk, None where it is no longer the one of that ETag.

        Raises Unavailable.
        """
        with TemporaryFile() as file:
            with _unavailable_on_trouble():
                try:
                    found = self._client.get_object(
                        Bucket=self._bucket, Key=key, IfMatch=f'"{etag}"'
                    )
                except ClientError as error:
                    if error.response["Error"]["Code"] not in {"PreconditionFailed", "NoSuchKey"}:
                        raise
                    yield None
                    return
                for block in found["Body"].iter_chunks(1024 * 1024):
                    file.write(block)
            yield file

    def keep_export(self, kind: str, export_id: str, file: BinaryIO) -> None:
        """Raises Unavailable."""
        file.seek(0)
        with _unavailable_on_trouble():
            # In parts where it is large.
            self._client.upload_fileobj(
                file,
                self._bucket,
                _export_key(kind, export_id),
                ExtraArgs={"ContentType": "text/csv; charset=utf-8"},
            )

    def keep_report(self, job_id: str, number: int, reports: Sequence[RowReport]) -> None:
        """Of a chunk or a page. Raises Unavailable."""
        body = REPORTS.dump_json(list(reports))
        key = _report_key(job_id, number)
        with _unavailable_on_trouble():
            self._client.put_object(Bucket=self._bucket, Key=key, Body=body)

    def report(self, job_id: str, number: int) -> list[RowReport]:
        """Raises Unavailable."""
        key = _report_key(job_id, number)
        with _unavailable_on_trouble():
            body = self._client.get_object(Bucket=self._bucket, Key=key)["Body"].read()
        return REPORTS.validate_json(body)


class Queue:
    """Messages to the function that does a kind of job."""

    def __init__(self, url: str) -> None:
        self._url = url

    @functools.cached_property
    def _client(self) -> Any:
        return aws.client("sqs")

    def send_chunk(self, chunk: Chunk) -> None:
        """Raises Unavailable."""
        self._send(chunk.model_dump_json(exclude_defaults=True))

    def send_export(self, export_id: str) -> None:
        """Raises Unavailable."""
        self._send(json.dumps({"export_id": export_id}))

    def send_task(self, task_id: str) -> None:
        """Raises Unavailable."""
        self._send(json.dumps({"task_id": task_id}))

    def _send(self, body: str) -> None:
        try:
            self._client.send_message(QueueUrl=self._url, MessageBody=body)
        except (ClientError, BotoCoreError) as error:
            raise Unavailable("the queue does not answer") from error


def read_chunk(body: str) -> Chunk:
    return Chunk.model_validate_json(body)


def read_export(body: str) -> str:
    export_id: str = json.loads(body)["export_id"]
    return export_id


def read_task(body: str) -> str:
    task_id: str = json.loads(body)["task_id"]
    return task_id


def read_key(key: str) -> tuple[str, str]:
    """The kind and the id of an import, of the key of its file."""
    _, kind, name = key.split("/")
    return kind, name.removesuffix(".csv")


def _counts(item: JobItem) -> Counts:
    return Counts(**{name: int(getattr(item, name) or 0) for name in COUNTS})


def _part(number: int) -> str:
    return f"{CHUNK}{number:06}"


def _report_key(job_id: str, number: int) -> str:
    return f"reports/{job_id}/{number:06}.json"


def _export_key(kind: str, export_id: str) -> str:
    return f"exports/{kind}/{export_id}.csv"


def _expiry(now: datetime) -> int:
    return int((now + KEPT).timestamp())


def _moment(text: str | None) -> datetime | None:
    return read_stamp(text) if text else None


def _origin(item: JobItem) -> dict[str, Any]:
    return {
        "kind": item.kind,
        "created_at": read_stamp(item.created_at),
        "created_by": item.created_by,
        "parameters": item.parameters or {},
    }


@contextmanager
def _unavailable_on_trouble() -> Iterator[None]:
    try:
        yield
    except (ClientError, BotoCoreError) as error:
        raise Unavailable("the bucket does not answer") from error
