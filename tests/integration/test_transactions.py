"""Writes that are made together, or not at all."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from unittest.mock import patch

import pytest
from botocore.client import BaseClient
from botocore.exceptions import ClientError
from pynamodb.models import Model

from retorno.customers.store import CustomerItem
from retorno.dynamodb import (
    TRANSACTION_ATTEMPTS,
    RefusedTogether,
    Write,
    bind,
    write_together,
)
from retorno.errors import Unavailable
from tests.support.tables import create_table


@pytest.fixture
def model(aws: None, monkeypatch: pytest.MonkeyPatch) -> type[CustomerItem]:
    monkeypatch.setattr("retorno.dynamodb.FIRST_PAUSE_SECONDS", 0)
    return bind(CustomerItem, create_table("CustomersTable", "customers"))


def stored(model: type[CustomerItem]) -> dict[str, str | None]:
    return {item.pk: item.name for item in model.scan()}


@contextmanager
def cancelled(times: int, *codes: str) -> Iterator[list[str]]:
    """Cancels so many transactions before the next goes through; yields those that were tried."""
    attempts: list[str] = []
    make_api_call = BaseClient._make_api_call  # type: ignore[attr-defined]

    def cancelling(client: BaseClient, operation: str, parameters: Any) -> Any:
        if operation == "TransactWriteItems":
            attempts.append(operation)
            if len(attempts) <= times:
                error: Any = {
                    "Error": {"Code": "TransactionCanceledException", "Message": "cancelled"},
                    "CancellationReasons": [{"Code": code} for code in codes],
                }
                raise ClientError(error, operation)
        return make_api_call(client, operation, parameters)

    with patch.object(BaseClient, "_make_api_call", cancelling):
        yield attempts


@pytest.fixture
def writes(model: type[CustomerItem]) -> list[Write[Model]]:
    model("old", "x", name="old").save()
    model("changed", "x", name="before").save()
    return [
        Write(model("changed", "x"), actions=[model.name.set("after")]),
        Write(model("new", "x", name="new"), model.pk.does_not_exist()),
        Write(model("old", "x"), delete=True),
    ]


def test_are_made_together(model: type[CustomerItem], writes: list[Write[Model]]) -> None:
    write_together(writes)
    assert stored(model) == {"changed": "after", "new": "new"}


@pytest.mark.parametrize("refused", ["changed", "new", "old"])
def test_are_refused_together_and_say_which_it_was(
    model: type[CustomerItem], writes: list[Write[Model]], refused: str
) -> None:
    before = stored(model)
    never = model.name == "never"
    conditions = [
        Write(each.item, never, each.actions, each.delete)
        if getattr(each.item, "pk", None) == refused
        else each
        for each in writes
    ]
    with pytest.raises(RefusedTogether) as error:
        write_together(conditions)
    assert [item.pk for item in error.value.items] == [refused]
    assert stored(model) == before


@pytest.mark.parametrize("code", ["TransactionConflict", "ThrottlingError"])
def test_are_tried_again_where_others_write_the_same_items(
    model: type[CustomerItem], writes: list[Write[Model]], code: str
) -> None:
    with cancelled(TRANSACTION_ATTEMPTS - 1, "None", code, "None"):
        write_together(writes)
    assert stored(model) == {"changed": "after", "new": "new"}


@pytest.mark.parametrize(
    ("code", "tried"), [("TransactionConflict", TRANSACTION_ATTEMPTS), ("ValidationError", 1)]
)
def test_are_given_up_in_the_end(
    model: type[CustomerItem], writes: list[Write[Model]], code: str, tried: int
) -> None:
    before = stored(model)
    with cancelled(100, "None", code, "None") as attempts, pytest.raises(Unavailable):
        write_together(writes)
    assert len(attempts) == tried
    assert stored(model) == before
