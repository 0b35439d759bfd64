"""The table of the dispositions that a deployment changed or added."""

from collections.abc import Sequence

from pynamodb.attributes import BooleanAttribute, UnicodeAttribute, UnicodeSetAttribute
from pynamodb.models import Model

from retorno.dispositions.model import Disposition, Flag
from retorno.dynamodb import bind, unavailable_on_trouble

LIST = "dispositions"

# More than anyone can choose from.
MAX_LISTED = 500


class DispositionItem(Model):
    """`list_name` "dispositions", `code` "caixa_postal"."""

    list_name = UnicodeAttribute(hash_key=True, default=LIST)
    code = UnicodeAttribute(range_key=True)
    label = UnicodeAttribute()
    flags = UnicodeSetAttribute(null=True)
    retired = BooleanAttribute(default=False)


class DispositionStore:
    def __init__(self, table_name: str) -> None:
        self._item = bind(DispositionItem, table_name)

    def all(self) -> Sequence[Disposition]:
        """Raises Unavailable."""
        with unavailable_on_trouble():
            found = self._item.query(LIST, consistent_read=True, limit=MAX_LISTED)
            return [_read(item) for item in found]

    def get(self, code: str) -> Disposition | None:
        """Raises Unavailable."""
        with unavailable_on_trouble():
            try:
                return _read(self._item.get(LIST, code, consistent_read=True))
            except self._item.DoesNotExist:
                return None

    def put(self, disposition: Disposition) -> None:
        """Raises Unavailable."""
        item = self._item(
            code=disposition.code,
            label=disposition.label,
            flags={flag.value for flag in disposition.flags} or None,
            retired=disposition.retired,
        )
        with unavailable_on_trouble():
            item.save()


def _read(item: DispositionItem) -> Disposition:
    flags = frozenset(Flag(flag) for flag in item.flags or ())
    return Disposition(code=item.code, label=item.label, flags=flags, retired=item.retired)
