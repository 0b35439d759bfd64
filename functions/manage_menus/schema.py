"""Menus as the API shows them."""

from datetime import datetime

from pydantic import Field

from retorno.frozen import Frozen
from retorno.menus.model import Language, StoredMenu, Tree, Use


class MenuView(Frozen):
    menu: str
    tree: Tree
    version: int = Field(description="Of the ETag: grows with every change")
    changed_at: datetime
    changed_by: str

    @classmethod
    def of(cls, stored: StoredMenu) -> "MenuView":
        return cls(**stored.model_dump(exclude={"retired"}))


class MenuSummary(Frozen):
    menu: str
    name: str
    use: Use
    language: Language
    version: int
    changed_at: datetime
    changed_by: str

    @classmethod
    def of(cls, stored: StoredMenu) -> "MenuSummary":
        tree = stored.tree.model_dump(include={"name", "use", "language"})
        return cls(**tree, **stored.model_dump(exclude={"tree", "retired"}))


class MenuList(Frozen):
    items: list[MenuSummary]
    cursor: str | None = Field(description="Where the next page begins; null at the end")
