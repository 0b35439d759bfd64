"""The table of requests about persons, and of holds."""

from collections.abc import Iterator
from typing import Any, TypeVar

from pydantic import BaseModel
from pynamodb.attributes import NumberAttribute, UnicodeAttribute
from pynamodb.indexes import GlobalSecondaryIndex, KeysOnlyProjection
from pynamodb.models import Model

from retorno.dynamodb import Refused, assign, bind, unavailable_on_trouble, update
from retorno.personal_data.model import Hold, Kind, Request
from retorno.times import stamp

OPEN = "request"

ModelT = TypeVar("ModelT", bound=BaseModel)


class ByOpen(GlobalSecondaryIndex["PersonalDataItem"]):
    class Meta:
        index_name = "by_open"
        projection = KeysOnlyProjection()

    is_open = UnicodeAttribute(hash_key=True)
    asked_at = UnicodeAttribute(range_key=True)


class PersonalDataItem(Model):
    """`item` is `erasure#5feceb66ffc86f38d952786c6d696c79`, `export#…`, or `hold#+551187654321`;
    and all of it as JSON.
    """

    item = UnicodeAttribute(hash_key=True)
    revision = NumberAttribute(null=True)
    body = UnicodeAttribute()

    # For the index alone, while a request is not over.
    is_open = UnicodeAttribute(null=True)
    asked_at = UnicodeAttribute(null=True)

    by_open = ByOpen()


class PersonalDataStore:
    def __init__(self, table_name: str) -> None:
        self._item = bind(PersonalDataItem, table_name)

    def request(self, kind: Kind, request_id: str) -> Request | None:
        """As it is at this moment. Raises Unavailable."""
        return self._get(Request, f"{kind}#{request_id}")

    def save(self, request: Request) -> Request:
        """As it is written then. Raises Refused where somebody wrote it since it was read;
        Unavailable.
        """
        item = self._item
        written = request.model_copy(update={"revision": request.revision + 1})
        unchanged = (
            item.revision == request.revision if request.revision else item.item.does_not_exist()
        )
        values = {
            "revision": written.revision,
            "body": written.model_dump_json(),
            "is_open": None if written.is_over else OPEN,
            "asked_at": stamp(written.asked_at),
        }
        key = item(f"{request.kind}#{request.request_id}")
        try:
            update(key, assign(item, values), unchanged)
        except Refused as refusal:
            # A write whose answer was lost is sent again, and finds itself in its way.
            if (
                not isinstance(refusal.item, PersonalDataItem)
                or refusal.item.body != values["body"]
            ):
                raise
        return written

    def open(self) -> Iterator[tuple[Kind, str]]:
        """The requests that are not over, the oldest first. Raises Unavailable."""
        with unavailable_on_trouble():
            for found in self._item.by_open.query(OPEN):
                kind, _, request_id = found.item.partition("#")
                yield Kind(kind), request_id

    def hold(self, number_key: str) -> Hold | None:
        """As it is at this moment. Raises Unavailable."""
        return self._get(Hold, _hold_key(number_key))

    def place(self, number_key: str, hold: Hold) -> None:
        """Raises Unavailable."""
        with unavailable_on_trouble():
            self._item(_hold_key(number_key), body=hold.model_dump_json()).save()

    def lift(self, number_key: str) -> None:
        """Raises Unavailable."""
        with unavailable_on_trouble():
            self._item(_hold_key(number_key)).delete()

    def _get(self, kind: type[ModelT], key: str) -> ModelT | None:
        with unavailable_on_trouble():
            try:
                found: Any = self._item.get(key, consistent_read=True)
            except self._item.DoesNotExist:
                return None
        return kind.model_validate_json(found.body)


def _hold_key(number_key: str) -> str:
    return f"hold#{number_key}"
