"""Random histories through any trouble: the laws hold at rest, whatever the seed.

`make faults SEEDS=200-260` plays those seeds; a failure says its seed and the shortest history.
"""

import os
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from datetime import timedelta
from typing import Any
from unittest.mock import patch

import pytest

from retorno.agents.service import Reservations
from retorno.callbacks.store import ContactStore
from retorno.calls import store as calls
from retorno.promises.store import PromiseStore
from retorno.telemarketing.assignments.store import AssignmentStore
from tests.faults.history import Act, World, acts_of, lived
from tests.faults.laws import broken
from tests.faults.shortest import shortest

# Without anybody's wish: those of CI.
FEW = "0-7"
# By then the acts are done of a history that takes long to play.
MORNING = 1_200
SAID = os.environ.get("FAULT_SEEDS", "")


def seeds_of(said: str) -> list[int]:
    """ "3", "200-260" or "3,200-260"."""
    found: list[int] = []
    for part in said.split(","):
        first, _, last = part.partition("-")
        found += range(int(first), int(last or first) + 1)
    return found


def summary(seed: int, acts: Sequence[Act], world: World) -> str:
    cloud = world.cloud
    return (
        f"seed {seed}: {len(acts)} acts, {cloud.requests} requests, {cloud.killed} deaths, "
        f"{cloud.troubled} failures; {len(world.told)} events, {len(world.placed)} dials, "
        f"{len(world.connected)} connected, {len(world.promised)} promises"
    )


def wrongs_of(seed: int, acts: Sequence[Act], **how: Any) -> tuple[list[str], str]:
    try:
        with lived(seed, acts, **how) as world:
            return broken(world), summary(seed, acts, world)
    except AssertionError as error:
        return [f"it_goes_on_and_on: {error}"], f"seed {seed}"


def told(seed: int, acts: Sequence[Act], wrongs: Sequence[str]) -> str:
    """The seed, what is wrong, and the shortest history that breaks one of the same laws."""
    laws = {wrong.partition(":")[0] for wrong in wrongs}

    def breaks(some: Sequence[Act]) -> bool:
        return not laws.isdisjoint(each.partition(":")[0] for each in wrongs_of(seed, some)[0])

    fewest = shortest(acts, breaks)
    lines = [
        f"Seed {seed} breaks {len(laws)} of the laws in tests/faults/laws.py:",
        *(f"  {wrong}" for wrong in wrongs[:10]),
        f"The shortest history found, {len(fewest)} of {len(acts)} acts:",
        *(f"  {act}" for act in fewest),
        f"Again: make faults SEEDS={seed}",
    ]
    return "\n".join(lines)


@pytest.mark.parametrize("seed", seeds_of(SAID or FEW))
def test_the_laws_hold(seed: int, capsys: pytest.CaptureFixture[str]) -> None:
    acts = acts_of(seed)
    wrongs, line = wrongs_of(seed, acts)
    with capsys.disabled() if SAID else nullcontext():
        if SAID:
            print(f"{line}: {'BROKEN' if wrongs else 'all laws hold'}")
    if wrongs:
        pytest.fail(told(seed, acts, wrongs), pytrace=False)


def test_the_laws_hold_where_moto_keeps_the_tables() -> None:
    acts = [act for act in acts_of(0)[::2] if act.at < MORNING]
    wrongs, _ = wrongs_of(0, acts, is_real=True, lasts=timedelta(hours=1))
    assert wrongs == []


def test_much_goes_wrong_and_much_is_done_for_all_that() -> None:
    """Or the histories would prove nothing."""
    with lived(0, acts_of(0)) as world:
        cloud = world.cloud
        assert min(cloud.killed, cloud.troubled) > 20
        assert len(world.placed) > 5
        assert world.connected
        assert world.promised
        assert cloud.events


def test_a_seed_repeats() -> None:
    acts = acts_of(1)[:12]
    tables = ("calls", "contacts", "agents", "offers", "promises", "assignments")

    def played() -> Any:
        with lived(1, acts) as world:
            return [sorted(map(repr, world.cloud.items(table))) for table in tables]

    assert played() == played()


# What is done wrong, and the law that it breaks in the first of the histories.
WRONG: dict[str, tuple[Any, str, Callable[..., Any]]] = {
    "nobody_is_rung_against_the_rules": (
        Reservations,
        "holding",
        lambda reservations, stored, hold, now: [],
    ),
    "a_call_is_the_fold_of_its_events": (
        calls,
        "merge",
        lambda known, told: {**known, **told},
    ),
    "every_contact_ends_or_waits_for_a_time_to_come": (
        ContactStore,
        "leases_over",
        lambda store, now, limit: [],
    ),
    "every_promise_comes_to_an_end_once": (
        PromiseStore,
        "to_check",
        lambda store, now, limit: [],
    ),
    "a_history_has_no_gaps": (
        AssignmentStore,
        "changing",
        lambda store, change: [store.writing(change.after)],
    ),
}


@pytest.mark.parametrize("law", WRONG)
def test_a_law_is_seen_to_be_broken(law: str) -> None:
    """Or the laws would prove nothing."""
    with patch.object(*WRONG[law]):
        wrongs, _ = wrongs_of(0, acts_of(0))
    assert law in {each.partition(":")[0] for each in wrongs}


def test_the_shortest_history_is_what_it_takes() -> None:
    assert shortest(range(40), lambda some: {3, 17} <= set(some)) == [3, 17]
