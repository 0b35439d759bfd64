"""How results are shown."""

import statistics
from collections.abc import Iterable, Sequence


def spread(figures: Sequence[float], digits: int = 2) -> str:
    """The median, and between what the middle half of the figures lies."""
    if not figures:
        return "–"
    low, median, high = statistics.quantiles(figures, n=4)
    return f"{median:.{digits}f} ({low:.{digits}f}–{high:.{digits}f})"


def table(titles: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """In Markdown."""
    lines = [titles, ["---"] * len(titles), *rows]
    return "\n".join("| " + " | ".join(map(str, line)) + " |" for line in lines)
