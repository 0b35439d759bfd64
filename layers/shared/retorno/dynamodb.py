"""What every store needs of DynamoDB beyond what PynamoDB gives."""

import random
import time
import types
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from typing import Any, Generic, TypeVar

from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError
from pynamodb.exceptions import PynamoDBException, TransactWriteError
from pynamodb.expressions.condition import Condition
from pynamodb.expressions.update import Action
from pynamodb.models import Model
from pynamodb.transactions import TransactWrite

from retorno import aws
from retorno.errors import Unavailable
from retorno.times import stamp

ModelT = TypeVar("ModelT", bound=Model)

# A webhook has seconds, not minutes: what the table does not take soon goes another way.
CONNECT_TIMEOUT_SECONDS = 1
READ_TIMEOUT_SECONDS = 2
MAX_RETRIES = 2

CONDITION_FAILED = "ConditionalCheckFailedException"

# Why a transaction was cancelled, item by item: others write it just now, or there is no capacity.
REFUSED = "ConditionalCheckFailed"
CONTENTION = frozenset({"TransactionConflict", "ThrottlingError", "ProvisionedThroughputExceeded"})
MAX_ITEMS_AT_ONCE = 100
TRANSACTION_ATTEMPTS = 6
FIRST_PAUSE_SECONDS = 0.02


def bind(
    model: type[ModelT], table_name: str, read_timeout_seconds: float = READ_TIMEOUT_SECONDS
) -> type[ModelT]:
    """The model, for one table: table names are settings, so they are not known at import."""
    namespace = {"Meta": type("Meta", (), {"table_name": table_name})}
    bound: type[ModelT] = types.new_class(
        model.__name__, (model,), exec_body=lambda body: body.update(namespace)
    )
    bound._get_connection().connection._client = shared_client(read_timeout_seconds)
    return bound


@cache
def shared_client(read_timeout_seconds: float) -> Any:
    """One for all tables. PynamoDB would make each model one of its own, and a session with it:
    for eight tables that was as long as the rest of a cold start.
    """
    return aws.client(
        "dynamodb",
        config=Config(
            # PynamoDB made the requests: they are valid.
            parameter_validation=False,
            connect_timeout=CONNECT_TIMEOUT_SECONDS,
            read_timeout=read_timeout_seconds,
            retries={"total_max_attempts": 1 + MAX_RETRIES, "mode": "standard"},
        ),
    )


@contextmanager
def unavailable_on_trouble() -> Iterator[None]:
    """Whatever goes wrong between here and the table becomes Unavailable."""
    try:
        yield
    except (PynamoDBException, ClientError, BotoCoreError) as error:
        raise Unavailable("the table does not answer") from error


class Refused(Exception):
    """A condition did not hold. `item` is what the table has, or None where it has nothing."""

    def __init__(self, item: Model | None) -> None:
        super().__init__("the condition did not hold")
        self.item = item


def update(item: ModelT, actions: Sequence[Action], condition: Condition) -> None:
    """One conditional UpdateItem of the item that has `item`'s key.

    PynamoDB's own `Model.update` cannot hand back what stands in the way of a condition; the
    request that it prepares can, and so no second read is needed. Raises Refused, Unavailable.
    """
    request = item.get_update_kwargs_from_instance(
        actions=list(actions),
        condition=condition,
        return_values_on_condition_failure="ALL_OLD",
    )
    _send(type(item), request)


class PreparedUpdate:
    """One conditional UpdateItem that is sent often, of which only the key and the values differ.

    To put its expressions together takes longer than all else that is done for an event. So that is
    done once, with the names of the values in their places; a text that is no such name stays.
    """

    def __init__(self, model: type[Model], actions: Sequence[Action], condition: Condition) -> None:
        self._model = model
        self._request = model("").get_update_kwargs_from_instance(
            actions=list(actions),
            condition=condition,
            return_values_on_condition_failure="ALL_OLD",
        )
        # What stands for a number is quoted.
        self._blanks = [
            (place, kind, name.strip('"'))
            for place, blank in self._request["ExpressionAttributeValues"].items()
            for kind, name in blank.items()
        ]
        (self._hash_name,) = self._request["Key"]

    def send(self, key: str, values: Mapping[str, str]) -> None:
        """Raises Refused, Unavailable."""
        request = {
            **self._request,
            "Key": {self._hash_name: {"S": key}},
            "ExpressionAttributeValues": {
                place: {kind: values.get(name, name)} for place, kind, name in self._blanks
            },
        }
        _send(self._model, request)


def _send(model: type[Model], request: Mapping[str, Any]) -> None:
    with unavailable_on_trouble(), _refused_on_condition(model):
        client_of(model).update_item(**request)


def assign(model: type[Model], values: Mapping[str, Any]) -> list[Action]:
    """Sets attributes by name, or removes those whose value is None. Times are stamped."""
    return [
        getattr(model, name).remove()
        if value is None
        else getattr(model, name).set(stamp(value) if isinstance(value, datetime) else value)
        for name, value in values.items()
    ]


def delete(item: Model, condition: Condition) -> None:
    """One conditional DeleteItem. Raises Refused, Unavailable."""
    request = item.get_delete_kwargs_from_instance(condition=condition)
    with unavailable_on_trouble(), _refused_on_condition(type(item)):
        client_of(type(item)).delete_item(**request)


@dataclass(frozen=True, slots=True)
class Write(Generic[ModelT]):
    """A part of a transaction, and what must hold for it: an item to put; to update, where there
    are `actions`; or to delete."""

    item: ModelT
    condition: Condition | None = None
    actions: Sequence[Action] = ()
    delete: bool = False


class RefusedTogether(Exception):
    """Conditions of a transaction did not hold: those of `items`. Nothing was written."""

    def __init__(self, items: Sequence[Any]) -> None:
        super().__init__("the conditions did not hold")
        self.items = items


def write_together(writes: Sequence[Write[Any]]) -> None:
    """All of at most 100 writes to one account's tables, or none.

    Where others write the same items at the same moment it is tried again, a few times. Raises
    RefusedTogether, Unavailable.
    """
    for attempt in range(TRANSACTION_ATTEMPTS):
        if attempt:
            time.sleep(random.uniform(0, FIRST_PAUSE_SECONDS * 2**attempt))  # noqa: S311
        # As PynamoDB does: deletions, then puts, then updates.
        ordered = sorted(writes, key=lambda write: (not write.delete, bool(write.actions)))
        codes = _cancellation(ordered)
        if not codes:
            return
        refused = [
            write.item for write, code in zip(ordered, codes, strict=True) if code == REFUSED
        ]
        if refused:
            raise RefusedTogether(refused)
    raise Unavailable("the items are being written by too many at once")


def _cancellation(writes: Sequence[Write[Any]]) -> list[str | None]:
    """For each write why it cancelled the transaction, None where it did not; empty when all are
    written. Raises Unavailable."""
    connection = type(writes[0].item)._get_connection().connection
    with unavailable_on_trouble():
        try:
            with TransactWrite(connection=connection) as transaction:
                for write in writes:
                    if write.delete:
                        transaction.delete(write.item, write.condition)
                    elif write.actions:
                        transaction.update(write.item, list(write.actions), write.condition)
                    else:
                        transaction.save(write.item, write.condition)
        except TransactWriteError as error:
            codes = [reason.code if reason else None for reason in error.cancellation_reasons]
            if not {REFUSED, *CONTENTION}.isdisjoint(codes):
                return codes
            raise
    return []


@contextmanager
def _refused_on_condition(model: type[Model]) -> Iterator[None]:
    try:
        yield
    except ClientError as error:
        if error.response["Error"]["Code"] != CONDITION_FAILED:
            raise
        old: dict[str, Any] | None = error.response.get("Item")  # type: ignore[assignment]
        raise Refused(model.from_raw_data(old) if old else None) from None


def client_of(model: type[Model]) -> Any:
    """The model's own boto client."""
    return model._get_connection().connection.client
