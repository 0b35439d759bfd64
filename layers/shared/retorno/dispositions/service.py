"""The list of dispositions: reading, changing and retiring."""

from collections.abc import Sequence

from retorno.dispositions.model import Disposition, listed, usual
from retorno.dispositions.store import MAX_LISTED, DispositionStore
from retorno.errors import Conflict, InvalidInput, NotFound
from retorno.settings import DispositionSettings


class Dispositions:
    def __init__(self, store: DispositionStore) -> None:
        self._store = store

    def all(self) -> Sequence[Disposition]:
        """By label, the retired ones included. Raises Unavailable."""
        return listed(self._store.all())

    def change(self, disposition: Disposition) -> None:
        """Changes one, or adds it. Calls keep what it meant when it was given to them.

        Raises Conflict where the list is full, Unavailable.
        """
        changed = self._store.all()
        is_new = disposition.code not in {each.code for each in (*changed, *usual())}
        if is_new and len(listed(changed)) >= MAX_LISTED:
            raise Conflict(f"there are {MAX_LISTED} dispositions: change one of them")
        self._store.put(disposition)

    def retire(self, code: str) -> None:
        """Calls that were given it keep it. Raises NotFound, Unavailable."""
        self._store.put(self._find(code).model_copy(update={"retired": True}))

    def to_give(self, code: str) -> Disposition:
        """Raises InvalidInput for one that does not exist or is retired, Unavailable."""
        try:
            found = self._find(code)
        except NotFound:
            raise InvalidInput("code", "is no disposition of the list") from None
        if found.retired:
            raise InvalidInput("code", "is a disposition that was retired")
        return found

    def _find(self, code: str) -> Disposition:
        known = next((each for each in usual() if each.code == code), None)
        found = self._store.get(code) or known
        if found is None:
            raise NotFound("there is no such disposition")
        return found


def dispositions(settings: DispositionSettings) -> Dispositions:
    return Dispositions(DispositionStore(settings.dispositions_table))
