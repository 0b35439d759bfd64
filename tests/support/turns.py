"""Jobs at the same time, in every order that their requests may come in."""

from collections.abc import Callable, Iterator, Sequence
from threading import Semaphore, Thread, local

Job = Callable[[], object]
Turns = tuple[int, ...]


class Table:
    """Jobs take turns: each gives way before each of its requests, and one at a time goes on."""

    def __init__(self) -> None:
        self._mine = local()
        self._back = Semaphore(0)

    def give_way(self) -> None:
        """What a job does before a request; what is no job goes on."""
        mine: Semaphore | None = getattr(self._mine, "turn", None)
        if mine:
            self._back.release()
            mine.acquire()

    def run(self, jobs: Sequence[Job], first: Turns) -> tuple[Turns, list[frozenset[int]]]:
        """Runs them to their end: whose turns `first` says, and then the first that goes on.

        Says whose turns they were, and who else might have gone on at each.
        """
        turns = [Semaphore(0) for _ in jobs]
        going = set(range(len(jobs)))
        failures: list[BaseException] = []

        def work(number: int) -> None:
            self._mine.turn = turns[number]
            turns[number].acquire()
            try:
                jobs[number]()
            except BaseException as error:  # noqa: BLE001 - it is raised where the test sees it
                failures.append(error)
            going.discard(number)
            self._back.release()

        def goes_on(number: int) -> None:
            turns[number].release()
            self._back.acquire()

        for number in sorted(going):
            Thread(target=work, args=(number,)).start()
            # To its first request: what comes before that is nobody else's matter.
            goes_on(number)
        taken: list[int] = []
        others: list[frozenset[int]] = []
        while going:
            place = len(taken)
            number = first[place] if place < len(first) else min(going)
            others.append(frozenset(going - {number}))
            taken.append(number)
            goes_on(number)
        if failures:
            raise failures[0]
        return tuple(taken), others


def every_order(table: Table, make: Callable[[], Sequence[Job]]) -> Iterator[Turns]:
    """Runs jobs that are made anew each time, until each order was run."""
    open_ones: list[Turns] = [()]
    while open_ones:
        first = open_ones.pop()
        taken, others = table.run(make(), first)
        yield taken
        for place in range(len(first), len(taken)):
            open_ones += [(*taken[:place], other) for other in others[place]]
