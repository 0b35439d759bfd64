"""What clients say on a connection, and what makes no sense: the gateway reads it no further."""

import pytest

from functions.push_updates.schema import read
from retorno.errors import InvalidInput


@pytest.mark.parametrize(
    "text",
    [
        "",
        "null",
        "[" * 10_000,
        '{"action": "subscribe", "after": ' + "9" * 5_000 + "}",
        '{"action": "ping", "' + "x" * 100_000 + '": 1}',
        '{"action": "' + "x" * 100_000 + '"}',
    ],
    ids=["nothing", "null", "deep", "5,000 digits", "a long name", "a long action"],
)
def test_a_refusal_is_short_enough_to_be_sent(text: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        read(text)
    assert len(str(refused.value)) < 1_000
