"""Dispositions as the API shows and takes them."""

from pydantic import BaseModel, Field

from retorno.dispositions.model import Disposition


class DispositionList(BaseModel):
    items: list[Disposition] = Field(description="By label")
