"""The shortest history that still breaks a law, as far as so many runs find it."""

from collections.abc import Callable, Sequence
from typing import TypeVar

ActT = TypeVar("ActT")

MOST_RUNS = 40


def shortest(
    acts: Sequence[ActT], breaks: Callable[[Sequence[ActT]], bool], runs: int = MOST_RUNS
) -> list[ActT]:
    """Leaves out halves, then quarters and so on of what is left (Zeller's ddmin)."""
    left, parts = list(acts), 2
    while len(left) > 1:
        size = -(-len(left) // parts)
        for first in range(0, len(left), size):
            without = left[:first] + left[first + size :]
            runs -= 1
            if runs < 0:
                return left
            if without and breaks(without):
                left, parts = without, max(parts - 1, 2)
                break
        else:
            if size == 1:
                break
            parts = min(2 * parts, len(left))
    return left
