"""The rows of an import: a number a line, or a header and columns, as spreadsheets save them."""

import csv
import io
from dataclasses import dataclass

from pydantic import ValidationError

from functions.manage_calling_rules.schema import ListingRequest
from retorno.calling_rules.model import Origin, Scope
from retorno.calling_rules.service import Wanted
from retorno.errors import InvalidInput

COLUMNS = ("number", "effective_from", "note")


@dataclass(frozen=True, slots=True)
class Row:
    """A line of the body, from 1, and what it wants or why it can't be read."""

    line: int
    wanted: Wanted | InvalidInput


def read_rows(body: bytes, origin: Origin, scope: Scope) -> list[Row]:
    """Empty lines are left out. Raises InvalidInput where the body is no table of text."""
    try:
        text = body.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise InvalidInput("body", "is not UTF-8") from None
    first_line = text.partition("\n")[0]
    table = csv.reader(io.StringIO(text, newline=""), delimiter=";" if ";" in first_line else ",")
    columns: tuple[str, ...] = COLUMNS
    rows: list[Row] = []
    try:
        for cells in table:
            values = [cell.strip() for cell in cells]
            if not rows and "number" in (names := [value.lower() for value in values]):
                columns = _known(names)
            elif any(values):
                said = dict(zip(columns, values, strict=False))
                rows.append(Row(table.line_num, _wanted(said, origin, scope)))
    except csv.Error:
        raise InvalidInput("body", "is not CSV") from None
    return rows


def _known(names: list[str]) -> tuple[str, ...]:
    unknown = [name for name in names if name not in COLUMNS]
    if unknown or len(set(names)) < len(names):
        raise InvalidInput("body", f"its columns are not of {', '.join(COLUMNS)}")
    return tuple(names)


def _wanted(said: dict[str, str], origin: Origin, scope: Scope) -> Wanted | InvalidInput:
    optional = {name: said[name] for name in ("effective_from", "note") if said.get(name)}
    try:
        request = ListingRequest.model_validate({"origin": origin, "scope": scope, **optional})
    except ValidationError as error:
        (first, *_) = error.errors()
        return InvalidInput(str(first["loc"][0]), first["msg"])
    return Wanted(said.get("number", ""), request.listing())
