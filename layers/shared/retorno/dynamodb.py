"""What every store needs of DynamoDB beyond what PynamoDB gives."""

import types
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import Any, TypeVar

from botocore.exceptions import BotoCoreError, ClientError
from pynamodb.exceptions import PynamoDBException
from pynamodb.expressions.condition import Condition
from pynamodb.expressions.update import Action
from pynamodb.models import Model

from retorno.errors import Unavailable
from retorno.times import stamp

ModelT = TypeVar("ModelT", bound=Model)

# A webhook has seconds, not minutes: what the table does not take soon goes another way.
CONNECT_TIMEOUT_SECONDS = 1
READ_TIMEOUT_SECONDS = 2
MAX_RETRIES = 2

CONDITION_FAILED = "ConditionalCheckFailedException"


def bind(model: type[ModelT], table_name: str) -> type[ModelT]:
    """The model, for one table: table names are settings, so they are not known at import."""
    meta = {
        "table_name": table_name,
        "connect_timeout_seconds": CONNECT_TIMEOUT_SECONDS,
        "read_timeout_seconds": READ_TIMEOUT_SECONDS,
        "max_retry_attempts": MAX_RETRIES,
    }
    namespace = {"Meta": type("Meta", (), meta)}
    bound: type[ModelT] = types.new_class(
        model.__name__, (model,), exec_body=lambda body: body.update(namespace)
    )
    return bound


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
    with unavailable_on_trouble(), _refused_on_condition(type(item)):
        client_of(type(item)).update_item(**request)


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
