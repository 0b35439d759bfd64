"""What is asked for about one person, how far that is, and what forbids it."""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Annotated, Self

from pydantic import Field, StringConstraints, model_validator

from retorno.frozen import Frozen, Strict
from retorno.persons import Person
from retorno.phone import match_key

# What is on its way when a person is erased is there by then: streams, indexes, late events.
LOOKS_AGAIN_AFTER = timedelta(minutes=10)

# Whoever still held something, as the hold was not yet lifted, has ended by then: a function has a
# quarter of an hour.
RELEASED_AFTER = timedelta(minutes=15)

# How much of a number is left for people to know it by.
SHOWN_DIGITS = 4

Key = Annotated[str, StringConstraints(pattern=r"^[\x21-\x7e]{1,200}$")]
Reason = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=500)]


class Kind(StrEnum):
    ERASURE = "erasure"
    EXPORT = "export"
    HOLD = "hold"


class State(StrEnum):
    ACCEPTED = "accepted"
    RUNNING = "running"
    """Looked at once or more; it is done once a later look finds nothing that is left."""
    DONE = "done"
    HELD = "held"
    """A hold came before it was done. What was erased by then is; the rest stays."""


OVER = frozenset({State.DONE, State.HELD})


class PersonWish(Strict):
    """Who is meant: by a number, or as a customer with all their numbers."""

    number: Annotated[str, StringConstraints(min_length=1, max_length=256)] | None = Field(
        default=None, description="In any written form"
    )
    customer_id: Annotated[str, StringConstraints(min_length=1, max_length=64)] | None = None
    reason: Reason = Field(description="Why, such as the request that came in; no one's data")

    @model_validator(mode="after")
    def _one_of_both(self) -> Self:
        if (self.number is None) == (self.customer_id is None):
            raise ValueError("say number or customer_id")
        return self


class ErasureWish(PersonWish):
    also_do_not_call: bool = Field(
        default=False, description="Puts their numbers on the do-not-call list, where they stay"
    )


class Request(Frozen):
    """`person` is who is meant, until the request is over: then nothing here leads to them.

    `known_as` is what people know the request by: the end of a number, or a customer's id. `items`
    counts what was rewritten or deleted, and `waits_for` names what somebody worked with at the
    last of so many `looks`. `revision` counts the writes; one that is not yet written has 0.
    """

    request_id: str
    kind: Kind
    known_as: str
    reason: str
    asked_at: datetime
    asked_by: str
    state: State = State.ACCEPTED
    person: Person | None
    items: Mapping[str, int] = {}
    waits_for: tuple[str, ...] = ()
    looks: int = 0
    looked_at: datetime | None = None
    finished_at: datetime | None = None
    revision: int = 0

    @property
    def is_over(self) -> bool:
        return self.state in OVER

    def looked(
        self, items: Mapping[str, int], waits_for: Sequence[str], now: datetime, *, whole: bool
    ) -> Self:
        """After a look that rewrote `items`, and came to the end of all or not.

        It is done where a whole look found nothing, and a whole one had come before it, so long ago
        that nothing is on its way any more.
        """
        counted = {
            name: self.items.get(name, 0) + items.get(name, 0) for name in {**self.items, **items}
        }
        begun = self.looked_at or (now if whole else None)
        news: dict[str, object] = {
            "items": counted,
            "waits_for": tuple(waits_for),
            "looks": self.looks + 1,
            "looked_at": begun,
            "state": State.RUNNING,
        }
        settled = self.looked_at is not None and now >= self.looked_at + LOOKS_AGAIN_AFTER
        looked = self.model_copy(update=news)
        if whole and settled and not (items or waits_for):
            return looked.ended(State.DONE, now)
        return looked

    def ended(self, state: State, now: datetime) -> Self:
        return self.model_copy(
            update={"state": state, "person": None, "finished_at": now, "waits_for": ()}
        )


class Hold(Frozen):
    """Forbids that a number's owner is erased, and keeps what is theirs from expiring, as a law or
    a lawsuit may ask.

    `customers` are the ids of all who had the number as their own when somebody looked, the last of
    which was at `looked_at`. Once it is lifted it stays until all that it held is released.
    `revision` counts the writes; one that is not yet written has 0.
    """

    number: str
    reason: str
    placed_at: datetime
    placed_by: str
    customers: tuple[str, ...] = ()
    looked_at: datetime | None = None
    lifted_at: datetime | None = None
    revision: int = 0

    @property
    def number_key(self) -> str:
        return match_key(self.number)

    @property
    def person(self) -> Person:
        return Person(pseudonyms={self.number: self.number}, customers=self.customers)

    def of(self, customers: Iterable[str]) -> Self:
        """With those who have the number now. Who had it before stays held, and is found again."""
        found = tuple(sorted({*self.customers, *customers}))
        return self.model_copy(update={"customers": found})

    def is_released(self, look_began: datetime) -> bool:
        """After a look at all of it that found nothing held."""
        return self.lifted_at is not None and look_began >= self.lifted_at + RELEASED_AFTER


class HoldWish(Strict):
    reason: Reason = Field(description="Which law or proceeding asks for it")


def request_id_of(kind: Kind, user: str, key: str) -> str:
    """The same for the same person and key alone."""
    return hashlib.sha256(f"{kind}\n{user}\n{key}".encode()).hexdigest()[:32]


def masked(number: str) -> str:
    return f"…{number[-SHOWN_DIGITS:]}"
