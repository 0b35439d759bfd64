"""What models of facts, wishes and settings have in common: nothing changes them."""

from typing import Any

from pydantic import BaseModel, ConfigDict


class Frozen(BaseModel):
    """Its validator is made when it is first used. A function imports many more models than it
    uses, and to make the validators of all was a quarter of its cold start.
    """

    model_config = ConfigDict(frozen=True, defer_build=True)

    @classmethod
    def model_rebuild(cls, **options: Any) -> bool | None:
        """Makes the validator, without a look at the frame of whoever uses the model first: the
        annotations name nothing of theirs, and before Python 3.13.2 such a look crashes in some
        comprehensions (python/cpython#128396).
        """
        return super().model_rebuild(**options | {"_parent_namespace_depth": 0})


# As for an adapter of any other type.
DEFERRED = ConfigDict(defer_build=True)


class Strict(Frozen):
    """Refuses what it has no field for."""

    model_config = ConfigDict(extra="forbid")
