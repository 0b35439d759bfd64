"""Jobs at the same time, in every order that their requests may come in."""

from collections.abc import Callable, Iterator, Sequence
from threading import Semaphore, Thread, local

Job = Callable[[], object]
Turns = tuple[int, ...]

# What a request touches: a place in a table, None for all of it, and whether it is written to.
Touched = frozenset[tuple[str, object, bool]]


class Table:
    """Jobs take turns: each gives way before each of its requests, and one at a time goes on."""

    def __init__(self) -> None:
        self._mine = local()
        self._back = Semaphore(0)
        self.touched: list[Touched] = []

    def give_way(self, touches: Touched = frozenset()) -> None:
        """What a job does before a request; what is no job goes on."""
        mine: Semaphore | None = getattr(self._mine, "turn", None)
        if mine:
            self._back.release()
            mine.acquire()
            self.touched.append(touches)

    def run(self, jobs: Sequence[Job], first: Turns) -> tuple[Turns, list[frozenset[int]]]:
        """Runs them to their end: whose turns `first` says, and then the first that goes on.

        Says whose turns they were, and who else might have gone on at each.
        """
        turns = [Semaphore(0) for _ in jobs]
        going = set(range(len(jobs)))
        failures: list[BaseException] = []
        self.touched = []

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

        for number in range(len(jobs)):
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


def every_order_that_matters(table: Table, make: Callable[[], Sequence[Job]]) -> Iterator[Turns]:
    """The same, but of orders that differ in no two requests that touch the same, one alone
    (dynamic partial order reduction, Flanagan and Godefroid 2005).
    """
    open_ones: list[Turns] = [()]
    known: set[Turns] = set()
    while open_ones:
        taken, _ = table.run(make(), open_ones.pop())
        touched = table.touched
        yield taken
        known |= {taken[: place + 1] for place in range(len(taken))}
        for place, number in enumerate(taken):
            for before in range(place - 1, -1, -1):
                if taken[before] == number or not _meet(touched[before], touched[place]):
                    continue
                other = (*taken[:before], number)
                if other not in known:
                    known.add(other)
                    open_ones.append(other)
                break


def _meet(one: Touched, other: Touched) -> bool:
    return any(
        table == its_table and (writes or also) and (place is None or its in (None, place))
        for table, place, writes in one
        for its_table, its, also in other
    )
