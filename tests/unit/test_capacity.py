"""The meter of capacity units, held against DynamoDB's published rules."""

import pytest

from tests.support.capacity import Definition, Item, size_of

TABLE = Definition(
    {
        "KeySchema": [{"AttributeName": "id", "KeyType": "HASH"}],
        "GlobalSecondaryIndexes": [
            {
                "IndexName": "by_state",
                "KeySchema": [{"AttributeName": "state", "KeyType": "HASH"}],
                "Projection": {"ProjectionType": "KEYS_ONLY"},
            }
        ],
        "LocalSecondaryIndexes": [
            {
                "IndexName": "by_time",
                "KeySchema": [
                    {"AttributeName": "id", "KeyType": "HASH"},
                    {"AttributeName": "at", "KeyType": "RANGE"},
                ],
                "Projection": {"ProjectionType": "ALL"},
            }
        ],
    }
)


def item(**texts: str) -> Item:
    return {"id": {"S": "1"}, **{name: {"S": text} for name, text in texts.items()}}


@pytest.mark.parametrize(
    ("value", "size"),
    [
        ({"S": "ação"}, 6),
        ({"N": "12345"}, 4),
        ({"N": "-1200"}, 3),
        ({"BOOL": True}, 1),
        ({"SS": ["ab", "c"]}, 3),
        ({"M": {"ab": {"S": "c"}}}, 7),
        ({"L": [{"S": "c"}, {"NULL": True}]}, 7),
    ],
)
def test_an_attribute_takes_its_name_and_its_value(value: dict[str, object], size: int) -> None:
    assert size_of({"name": value}) == 4 + size


@pytest.mark.parametrize(
    ("old", "new", "units"),
    [
        (None, item(), 1),
        (None, item(text="x" * 1100), 2),
        (item(text="x" * 1100), item(), 2),
        (item(), item(), 1),
        # An index is written where an item comes into it, leaves it, or both.
        (None, item(state="open"), 2),
        (item(state="open"), None, 2),
        (item(state="open"), item(state="done"), 3),
        # One that holds keys only does not know of the rest; one that holds all does.
        (item(state="open"), item(state="open", text="x"), 1),
        (item(at="1"), item(at="1", text="x"), 2),
        (item(at="1"), item(at="2"), 3),
    ],
)
def test_a_write_takes_the_larger_image_and_its_indexes(
    old: Item | None, new: Item | None, units: int
) -> None:
    assert TABLE.write_units(old, new, 1) == units


def test_a_transaction_takes_each_unit_twice_but_those_of_global_indexes() -> None:
    assert TABLE.write_units(None, item(at="1", state="open"), 2) == 2 + 2 + 1
