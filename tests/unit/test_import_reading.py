"""Files as spreadsheets write them: what is read is what was written, in messages that fit."""

import csv
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from retorno.imports.model import Row, Vocabulary
from retorno.imports.reading import (
    CHUNK_BYTES,
    CHUNK_ROWS,
    MAX_CELL_LENGTH,
    UnreadableFile,
    chunks_of,
    examine,
    rows_of,
    write,
)

VOCABULARY = Vocabulary(
    {"name": ["nome", "razão social"], "phone": ["telefone da filial"]}, [["name"]]
)

# Text as a record holds it: stripped, and without what no text has.
texts = st.text(st.characters(exclude_categories=["Cc", "Cs"]), max_size=40).map(str.strip)
openings = st.sampled_from(["", "=", "+", "-", "@", "'", "''", "'=", '"', ";", ","])
cells = st.builds(str.__add__, openings, texts).map(str.strip)
rows = st.lists(st.tuples(cells, cells).filter(any).map(list), min_size=1, max_size=20)


def read(content: bytes) -> list[Row]:
    file = io.BytesIO(content)
    return list(rows_of(file, examine(file, VOCABULARY)))


@given(rows)
def test_what_was_written_is_read_and_no_cell_is_a_formula(written: list[list[str]]) -> None:
    file = io.BytesIO()
    assert write(file, [["Nome", "Telefone da Filial"], *written]) == len(written)
    found = [
        [row.cells.get(field, "") for field in ("name", "phone")] for row in read(file.getvalue())
    ]
    assert found == written
    raw = csv.reader(io.StringIO(file.getvalue().decode("utf-8-sig"), newline=""), delimiter=";")
    assert not [cell for record in raw for cell in record if cell.startswith(tuple("=+-@\t\r"))]


@given(st.binary(max_size=300))
def test_any_bytes_are_read_or_refused(content: bytes) -> None:
    for file in (content, b"nome\n" + content, b'nome;"telefone da filial"\r\n' + content):
        try:
            found = read(file)
        except UnreadableFile:
            continue
        assert found
        assert all(row.number > 1 for row in found)


@given(st.lists(st.integers(0, 12).map(lambda size: "x" * 2**size), max_size=60))
def test_chunks_hold_all_rows_in_order_and_fit_into_messages(texts: list[str]) -> None:
    rows = [
        Row(number=number, cells={field: "é" * len(text) for field in "abcdefgh"})
        for number, text in enumerate(texts)
    ]
    chunks = list(chunks_of(rows))
    assert [row for chunk in chunks for row in chunk] == rows
    for chunk in chunks:
        assert len(chunk) <= CHUNK_ROWS
        size = sum(len(row.model_dump_json().encode()) for row in chunk)
        assert size <= CHUNK_BYTES or len(chunk) == 1


def test_the_longest_row_fits_into_a_message() -> None:
    cells = {str(field): "𝔘" * MAX_CELL_LENGTH for field in range(14)}
    assert len(Row(number=1, cells=cells).model_dump_json().encode()) < CHUNK_BYTES


@pytest.mark.parametrize(
    "name", ["RAZÃO SOCIAL", "Razao  Social", '"Nome"', " nome ", "Nome*", "﻿nome"]
)
def test_a_column_is_known_by_any_written_form(name: str) -> None:
    assert read(f"{name};Fone\nAna;1\n".encode())[0].cells == {"name": "Ana"}


def test_columns_of_one_field_give_the_first_filled_cell() -> None:
    (row,) = read("Nome,Razão Social,Telefone (da Filial)\n,Ana,1\n".encode())
    assert (row.cells, row.problems) == ({"name": "Ana", "phone": "1"}, ())


def test_rows_are_numbered_as_in_the_file() -> None:
    content = b'\nnome;x\n\n"Ana\nMaria";\n\n;\nBia;\n'
    assert [(row.number, row.cells["name"]) for row in read(content)] == [
        (4, "Ana\nMaria"),
        (7, "Bia"),
    ]
