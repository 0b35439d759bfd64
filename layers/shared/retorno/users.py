"""Who asks: what a token says of them, and the groups that rights are given to."""

from dataclasses import dataclass

ANYONE = frozenset({"agent", "supervisor", "admin"})
LEADERS = frozenset({"supervisor", "admin"})
ADMINS = frozenset({"admin"})


@dataclass(frozen=True, slots=True)
class User:
    """Who asks. `agent` is the name that the telephone system knows an operator by."""

    name: str
    agent: str
    groups: frozenset[str]
