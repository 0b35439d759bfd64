"""Cursors: opaque, good for one list alone, and never trusted."""

import base64
import json
import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from retorno.cursor import decode, encode
from retorno.errors import InvalidInput

LIST = "calls of +5511987654321"
POSITION = {"call_id": "c1", "started_at": "2026-03-02T12:00:00.000000Z"}


def decode_calls(cursor: str | None, list_name: str = LIST) -> object:
    return decode(list_name, cursor, "call_id", "started_at")


def written(*parts: object) -> str:
    """A cursor that somebody else wrote, in the form of ours."""
    return base64.urlsafe_b64encode(json.dumps(parts).encode()).decode().rstrip("=")


def opened(cursor: str) -> list[object]:
    parts: list[object] = json.loads(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
    return parts


def cursor_at(position: object) -> str:
    """A cursor of the right list, with a position of somebody else's making."""
    good = encode(LIST, POSITION)
    assert good
    return written(opened(good)[0], position)


def refused(cursor: str) -> bool:
    with pytest.raises(InvalidInput) as refusal:
        decode_calls(cursor)
    return refusal.value.field == "cursor"


@given(
    st.text(),
    st.dictionaries(
        st.sampled_from(["call_id", "started_at", "order"]),
        st.text(min_size=1, max_size=100),
        min_size=1,
    ),
)
def test_leads_back_to_its_position(list_name: str, position: dict[str, str]) -> None:
    assert decode(list_name, encode(list_name, position), *position) == position


def test_the_end_of_a_list_has_no_cursor_and_no_cursor_is_its_beginning() -> None:
    assert encode(LIST, None) is None
    assert decode_calls(None) is None


def test_needs_no_escaping_in_an_address() -> None:
    cursor = encode(LIST, {"call_id": "¿?~\xff>" * 20, "started_at": "+/="})
    assert cursor
    assert set(cursor) <= {*string.ascii_letters, *string.digits, "-", "_"}


@pytest.mark.parametrize("other", ["", "calls of +5511987654322", f"{LIST} ", LIST.upper()])
def test_of_one_list_is_refused_by_another(other: str) -> None:
    cursor = encode(LIST, POSITION)
    with pytest.raises(InvalidInput, match="another list"):
        decode_calls(cursor, other)


@pytest.mark.parametrize(
    "position",
    [
        None,
        7,
        "c1",
        [],
        {},
        {"call_id": "c1"},
        POSITION | {"number_key": "+5521999990001"},
        {"call_id": "c1", "order": "1"},
        POSITION | {"call_id": 7},
        POSITION | {"call_id": None},
        POSITION | {"call_id": ["c1"]},
        POSITION | {"call_id": ""},
        POSITION | {"call_id": "c" * 10_000},
    ],
)
def test_with_another_position_than_the_list_has_is_refused(position: object) -> None:
    assert refused(cursor_at(position))


@pytest.mark.parametrize(
    "cursor",
    [
        "",
        "=",
        "a",
        "not a cursor",
        "ação",
        "📞",
        "////",
        "\x00",
        "\ud800",
        written(),
        written("digest"),
        written("digest", POSITION),
        written("digest", POSITION, "more"),
        written(None, POSITION),
        base64.urlsafe_b64encode(b"\xff\xfe").decode(),
        base64.urlsafe_b64encode(b'"ab"').decode(),
        base64.urlsafe_b64encode(b'{"a": 1, "b": 2}').decode(),
        base64.urlsafe_b64encode(b"7").decode(),
    ],
    ids=repr,
)
def test_that_this_api_never_gave_is_refused(cursor: str) -> None:
    assert refused(cursor)


@given(st.text())
def test_any_other_text_is_refused(text: str) -> None:
    assert refused(text)


def test_cut_short_is_refused() -> None:
    cursor = encode(LIST, POSITION)
    assert cursor
    for length in range(len(cursor)):
        assert refused(cursor[:length])
