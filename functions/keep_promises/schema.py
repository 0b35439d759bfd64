"""What a promise's schedule says when it fires."""

from pydantic import BaseModel


class Firing(BaseModel):
    promise_id: str
    version: int
