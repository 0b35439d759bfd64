"""The table of requests about persons, and of holds."""

from collections.abc import Iterator
from datetime import datetime
from typing import Any, TypeVar

from pydantic import BaseModel
from pynamodb.attributes import NumberAttribute, UnicodeAttribute
from pynamodb.indexes import GlobalSecondaryIndex, KeysOnlyProjection
from pynamodb.models import Model

from retorno.dynamodb import Refused, assign, bind, delete, unavailable_on_trouble, update
from retorno.personal_data.model import Hold, Kind, Request
from retorno.times import stamp

OPEN = "request"

ModelT = TypeVar("ModelT", bound=BaseModel)
SavedT = TypeVar("SavedT", Request, Hold)


class ByOpen(GlobalSecondaryIndex["PersonalDataItem"]):
    class Meta:
        index_name = "by_open"
        projection = KeysOnlyProjection()

    is_open = UnicodeAttribute(hash_key=True)
    asked_at = UnicodeAttribute(range_key=True)


class PersonalDataItem(Model):
    """`item` is `erasure#5feceb66ffc86f38d952786c6d696c79`, `export#…`, or `hold#+551187654321`;
    and all of it as JSON. `revision` counts its writes.
    """

    item = UnicodeAttribute(hash_key=True)
    revision = NumberAttribute()
    body = UnicodeAttribute()

    # For the index alone, while a request is not over, or a hold not released.
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
        key = f"{request.kind}#{request.request_id}"
        return self._save(key, request, request.asked_at, is_open=not request.is_over)

    def save_hold(self, hold: Hold) -> Hold:
        """The same."""
        return self._save(_hold_key(hold.number_key), hold, hold.placed_at, is_open=True)

    def _save(self, key: str, body: SavedT, asked_at: datetime, *, is_open: bool) -> SavedT:
        item = self._item
        written = body.model_copy(update={"revision": body.revision + 1})
        unchanged = item.revision == body.revision if body.revision else item.item.does_not_exist()
        values = {
            "revision": written.revision,
            "body": written.model_dump_json(),
            "is_open": OPEN if is_open else None,
            "asked_at": stamp(asked_at),
        }
        try:
            update(item(key), assign(item, values), unchanged)
        except Refused as refusal:
            # A write whose answer was lost is sent again, and finds itself in its way.
            if (
                not isinstance(refusal.item, PersonalDataItem)
                or refusal.item.body != values["body"]
            ):
                raise
        return written

    def open(self) -> Iterator[tuple[Kind, str]]:
        """The requests that are not over by their ids, and the holds by their numbers' keys, the
        oldest first. Raises Unavailable.
        """
        with unavailable_on_trouble():
            for found in self._item.by_open.query(OPEN):
                kind, _, request_id = found.item.partition("#")
                yield Kind(kind), request_id

    def hold(self, number_key: str) -> Hold | None:
        """As it is at this moment. Raises Unavailable."""
        return self._get(Hold, _hold_key(number_key))

    def forget_hold(self, hold: Hold) -> None:
        """Raises Refused where somebody wrote it since it was read; Unavailable."""
        delete(self._item(_hold_key(hold.number_key)), self._item.revision == hold.revision)

    def _get(self, kind: type[ModelT], key: str) -> ModelT | None:
        with unavailable_on_trouble():
            try:
                found: Any = self._item.get(key, consistent_read=True)
            except self._item.DoesNotExist:
                return None
        return kind.model_validate_json(found.body)


def _hold_key(number_key: str) -> str:
    return f"hold#{number_key}"
