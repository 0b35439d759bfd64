"""CSV as spreadsheets and other systems write it, read into rows; and written for them.

Reads UTF-8 and Windows-1252, commas, semicolons and tabs, and the names that columns have in
Brazil, in Portugal and in English.
"""

import codecs
import csv
import io
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import BinaryIO

from retorno.imports.model import MAX_ROWS, Problem, Row, Vocabulary
from retorno.text import fold

BLOCK_BYTES = 1024 * 1024
DELIMITERS = ",;\t"

# Of more a message would be too large, and few fields hold so much.
MAX_CELL_LENGTH = 2_000
# How many columns that nobody knows are named, and how far.
MAX_IGNORED = 50
MAX_NAME_LENGTH = 100
CHUNK_ROWS = 200
CHUNK_BYTES = 200 * 1024

# A byte that no text has: a spreadsheet's own format, an archive, UTF-16.
_NOT_TEXT = re.compile(rb"[\x00-\x08\x0e-\x19\x1c-\x1f]")
_QUOTED = re.compile(r'"[^"]*"')
_SMALL_WORDS = frozenset({"a", "da", "de", "do", "of", "the"})

# A spreadsheet takes a cell that begins so for a formula. One that begins with the apostrophe that
# guards it is guarded, too, so that what is read is what was written.
_FORMULA = re.compile(r"^(?=[=+\-@\t\r'])")
_GUARDED = re.compile(r"^'(?=[=+\-@\t\r'])")


class UnreadableFile(Exception):
    """Its text says why, for the person who sent the file."""


@dataclass(frozen=True, slots=True)
class Layout:
    """How a file is written. `fields` are those of its columns, None where nobody knows them."""

    encoding: str
    delimiter: str
    fields: Sequence[str | None]
    limits: Mapping[str, int]
    ignored: Sequence[str]
    rows: int


def examine(file: BinaryIO, vocabulary: Vocabulary) -> Layout:
    """Looks through a whole file, so that nothing is taken of one that breaks off.

    Raises UnreadableFile.
    """
    encoding = _encoding(file)
    delimiter = _delimiter(file, encoding)
    with _records(file, encoding, delimiter) as records:
        _, header = next(records, (0, []))
        fields = [_field(name, vocabulary) for name in header]
        if not header:
            raise UnreadableFile("the file is empty")
        for group in vocabulary.required:
            if not set(group) & set(fields):
                known = ", ".join(name for field in group for name in vocabulary.names[field])
                wanted = " or ".join(group)
                raise UnreadableFile(f"the first row names no column that is the {wanted}: {known}")
        rows = 0
        for rows, _ in enumerate(records, 1):
            if rows > MAX_ROWS:
                raise UnreadableFile(f"more than {MAX_ROWS} rows: send it in parts")
        if not rows:
            raise UnreadableFile("there is no row below the header")
    ignored = [name.strip() for name, field in zip(header, fields, strict=True) if not field]
    named = [name[:MAX_NAME_LENGTH] for name in ignored if name][:MAX_IGNORED]
    return Layout(encoding, delimiter, fields, vocabulary.limits, named, rows)


def rows_of(file: BinaryIO, layout: Layout) -> Iterator[Row]:
    """The rows of a file that was examined. Blank ones are counted, as spreadsheets do, and left
    out."""
    with _records(file, layout.encoding, layout.delimiter) as records:
        next(records)
        for number, record in records:
            yield _row(number, record, layout)


def chunks_of(rows: Iterable[Row]) -> Iterator[tuple[Row, ...]]:
    """The same chunks of the same rows, each of which is small enough for a message."""
    chunk: list[Row] = []
    size = 0
    for row in rows:
        length = len(row.model_dump_json().encode())
        if chunk and (len(chunk) == CHUNK_ROWS or size + length > CHUNK_BYTES):
            yield tuple(chunk)
            chunk, size = [], 0
        chunk.append(row)
        size += length
    if chunk:
        yield tuple(chunk)


def write(file: BinaryIO, rows: Iterable[Sequence[str]]) -> int:
    """Writes rows, the header first, as spreadsheets in Brazil and Portugal open them. Says how
    many there are below the header."""
    text = io.TextIOWrapper(file, encoding="utf-8-sig", newline="")
    writer = csv.writer(text, delimiter=";")
    count = -1
    for count, row in enumerate(rows):  # noqa: B007
        writer.writerow([_FORMULA.sub("'", cell) for cell in row])
    text.flush()
    text.detach()
    return count


def _encoding(file: BinaryIO) -> str:
    file.seek(0)
    decoder = codecs.getincrementaldecoder("utf-8")()
    encoding = "utf-8-sig"
    while block := file.read(BLOCK_BYTES):
        if _NOT_TEXT.search(block):
            raise UnreadableFile("it is not text: save it as CSV, in UTF-8")
        try:
            decoder.decode(block)
        except UnicodeDecodeError:
            encoding = "cp1252"
    try:
        decoder.decode(b"", final=True)
    except UnicodeDecodeError:
        encoding = "cp1252"
    return encoding


def _delimiter(file: BinaryIO, encoding: str) -> str:
    """What the first row has most of."""
    file.seek(0)
    head = file.read(BLOCK_BYTES).decode(encoding, errors="replace").lstrip()
    unquoted = _QUOTED.sub("", head).partition("\n")[0].partition("\r")[0]
    return max(DELIMITERS, key=unquoted.count)


@contextmanager
def _records(
    file: BinaryIO, encoding: str, delimiter: str
) -> Iterator[Iterator[tuple[int, list[str]]]]:
    """The records that are not blank, with their numbers from 1."""
    file.seek(0)
    text = io.TextIOWrapper(file, encoding=encoding, newline="")
    try:
        yield _numbered(text, delimiter)
    finally:
        text.detach()


def _numbered(text: io.TextIOWrapper, delimiter: str) -> Iterator[tuple[int, list[str]]]:
    number = 0
    try:
        for number, record in enumerate(csv.reader(text, delimiter=delimiter, strict=True), 1):
            if any(cell.strip() for cell in record):
                yield number, record
    except csv.Error as error:
        raise UnreadableFile(
            f"row {number + 1}: a quote is not closed, or a cell is far too long"
        ) from error
    except UnicodeDecodeError as error:
        raise UnreadableFile("it is neither UTF-8 nor Windows-1252") from error


def _field(name: str, vocabulary: Vocabulary) -> str | None:
    wanted = _words(name)
    for field, names in vocabulary.names.items():
        if any(_words(each) == wanted for each in names):
            return field
    return None


def _words(name: str) -> list[str]:
    """What ways to write the name of a column have in common."""
    return [word for word in re.findall(r"\w+", fold(name)) if word not in _SMALL_WORDS]


def _row(number: int, record: Sequence[str], layout: Layout) -> Row:
    fields = layout.fields
    surplus = [cell for cell in record[len(fields) :] if cell.strip()]
    if surplus:
        reason = f"has {len(record)} cells where the header has {len(fields)}"
        return Row(number=number, problems=(Problem(field="row", reason=reason),), unfit=True)
    cells: dict[str, str] = {}
    problems: list[Problem] = []
    if len(record) < len(fields):
        reason = f"has {len(record)} cells where the header has {len(fields)}; taken as blank"
        problems.append(Problem(field="row", reason=reason))
    for field, cell in zip(fields, record, strict=False):
        text = _GUARDED.sub("", cell.strip()).strip()
        if not field or not text:
            continue
        limit = layout.limits.get(field, MAX_CELL_LENGTH)
        if len(text) > limit:
            reason = f"is longer than {limit} characters"
            problems.append(Problem(field=field, reason=reason))
        elif cells.setdefault(field, text) != text:
            problems.append(Problem(field=field, reason="is told twice; the first counts"))
    return Row(number=number, cells=cells, problems=tuple(problems))
