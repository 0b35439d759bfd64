"""What all who have calls ask of customers; they need not load what a customer is."""

from datetime import datetime

from retorno.frozen import Frozen


class Lookup(Frozen):
    """A call whose customer is asked for. `at` is when it began.

    `chosen` is the customer that a person chose for this very call; "" says that it is nobody.
    """

    number_key: str | None
    at: datetime
    chosen: str | None = None
