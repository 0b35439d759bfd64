"""One person's data, as each context is asked to show it and to let go of it.

What is shown of somebody, and what is erased, is decided by the contexts that keep it: each knows
its own items, and who else reads them.
"""

from collections.abc import Iterator, Mapping
from datetime import datetime
from enum import StrEnum
from typing import Any, Protocol

from retorno.frozen import Frozen
from retorno.phone import match_key
from retorno.retention import KeptItem


class Person(Frozen):
    """`pseudonyms` says, by number in E.164, what takes its place; `customers` are the ids of the
    records that are this person's. `words` are what else a file may name them by.
    """

    pseudonyms: Mapping[str, str]
    customers: tuple[str, ...] = ()
    words: tuple[str, ...] = ()

    @property
    def number_keys(self) -> Mapping[str, str]:
        """The pseudonyms by match key."""
        return {match_key(number): each for number, each in self.pseudonyms.items()}

    def instead_of(self, number: str | None) -> str | None:
        """What stands in the place of a number: of another person's, the number itself."""
        return self.number_keys.get(match_key(number), number) if number else number


class Erased(StrEnum):
    """What became of one item."""

    DONE = "done"
    LATER = "later"
    """Somebody is working with it: it is to be looked at again."""


class PersonalData(Protocol):
    """The data of persons in one context."""

    name: str
    """What its items are called in an answer."""

    def show(self, person: Person) -> Iterator[Mapping[str, Any]]:
        """All that there is, as a person may read it. Raises Unavailable."""

    def erase(self, person: Person, now: datetime) -> Iterator[Erased]:
        """Takes the person out of all items that there are, one at each step; those that are done
        already are none. Broken off anywhere, and begun again, it comes to the same end.

        Raises Unavailable.
        """


class KeptData(Protocol):
    """What is kept of persons in one context for some days."""

    def kept(self, person: Person) -> Iterator[KeptItem]:
        """All items that expire once they are over, each bound to its table, and as it is at this
        moment. Raises Unavailable.
        """
