"""Dispositions as the API shows and takes them."""

from pydantic import Field

from retorno.dispositions.model import Disposition
from retorno.frozen import Frozen


class DispositionList(Frozen):
    items: list[Disposition] = Field(description="By label")
