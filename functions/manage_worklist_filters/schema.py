"""Saved filters as the API shows them."""

from pydantic import Field

from retorno.frozen import Frozen
from retorno.telemarketing.setup.model import Criteria, SavedFilter


class FilterView(Frozen):
    filter_id: str
    name: str
    owner: str = Field(description="The user who made it")
    shared: bool
    criteria: Criteria
    version: int

    @classmethod
    def of(cls, saved: SavedFilter) -> "FilterView":
        return cls(**saved.model_dump(exclude={"used"}))


class FilterList(Frozen):
    items: list[FilterView] = Field(description="By name")
