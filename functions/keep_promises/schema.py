"""What a promise's schedule says when it fires."""

from retorno.frozen import Frozen


class Firing(Frozen):
    promise_id: str
    version: int
