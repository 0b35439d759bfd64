"""Random histories through any trouble: the laws hold at rest, whatever the seed.

`make faults SEEDS=200-260` plays those seeds; a failure says its seed and the shortest history.
"""

import os
import re
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from datetime import timedelta
from itertools import groupby, islice
from typing import Any, NamedTuple
from unittest.mock import patch

import pytest

from retorno.callbacks.dialler import Dialler
from retorno.callbacks.store import ContactStore
from retorno.calls import store as calls
from retorno.calls.service import CallReader
from retorno.changes import Onlookers
from retorno.promises.store import PromiseStore
from retorno.telemarketing.assignments.store import AssignmentStore
from tests.faults.history import Act, World, acts_of, lived
from tests.faults.laws import broken
from tests.faults.shortest import shortest
from tests.support.simulated_cloud import Fault

# Without anybody's wish: those of CI.
FEW = "0-2"
# By then the acts are done of a history that takes long to play, or need not be long.
MORNING = 1_200
AN_HOUR = timedelta(hours=1)
LONG_ENOUGH = timedelta(hours=1.5)
# Of what breaks a law.
MOST_TOLD = 3
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
        f"seed {seed}: {len(acts)} acts, {cloud.requests} requests, {len(cloud.faults)} faults, "
        f"{cloud.killed} deaths; {len(world.told)} events, {len(world.placed)} dials, "
        f"{len(world.connected)} connected, {len(world.promised)} promises"
    )


class Played(NamedTuple):
    """A history that was played, and what is wrong at its end."""

    acts: Sequence[Act]
    wrongs: Sequence[str]
    faults: Sequence[Fault] = ()
    summary: str = ""

    @property
    def laws(self) -> set[str]:
        return {wrong.partition(":")[0] for wrong in self.wrongs}


def play(seed: int, acts: Sequence[Act], laws: Collection[str] | None = None, **how: Any) -> Played:
    try:
        with lived(seed, acts, **how) as world:
            line = summary(seed, acts, world)
            return Played(acts, broken(world, laws), world.cloud.faults, line)
    except AssertionError as error:
        return Played(acts, [f"it_comes_to_rest: {error}"], summary=f"seed {seed}")


def told(seed: int, whole: Played, **how: Any) -> str:
    """What is wrong, and the shortest history that breaks one of the same laws: first with as few
    acts as may be, and then with as few faults."""
    found = whole

    def breaks(acts: Sequence[Act], faults: Sequence[Fault] | None = None) -> bool:
        nonlocal found
        only = None if faults is None else frozenset(each.dice for each in faults)
        played = play(seed, acts, whole.laws, only=only, **how)
        if is_broken := not whole.laws.isdisjoint(played.laws):
            found = played
        return is_broken

    shortest(whole.acts, breaks)
    acts = found.acts
    if not breaks(acts, ()):
        shortest(found.faults, lambda faults: breaks(acts, faults))
    happened = [(each.begins_at, str(each)) for each in found.acts]
    happened += [(each.at, f"! {each.what}") for each in found.faults]
    return "\n".join(
        [
            f"Seed {seed} breaks {len(whole.laws)} of the laws in tests/faults/laws.py:",
            *_laws(whole.wrongs),
            f"The shortest history found has {len(found.acts)} of its {len(whole.acts)} acts and "
            f"{len(found.faults)} of its {len(whole.faults)} faults (!):",
            *(f"  {at:%H:%M:%S}  {what}" for at, what in sorted(happened)),
            "At its end:",
            *_laws(found.wrongs),
            f"To play it again: make faults SEEDS={seed}",
        ]
    )


def _laws(wrongs: Sequence[str]) -> Iterator[str]:
    """By law, the first of what breaks it."""
    for law, of_law in groupby(wrongs, lambda wrong: wrong.partition(":")[0]):
        yield f"  {law}"
        yield from (f"    {wrong.partition(': ')[2]}" for wrong in islice(of_law, MOST_TOLD))


@pytest.mark.parametrize("seed", seeds_of(SAID or FEW))
def test_the_laws_hold(seed: int, capsys: pytest.CaptureFixture[str]) -> None:
    def says(text: str) -> None:
        # What functions printed would hide the report.
        capsys.readouterr()
        with capsys.disabled() if SAID else nullcontext():
            if SAID:
                print(text)

    played = play(seed, acts_of(seed))
    if not played.wrongs:
        says(f"{played.summary}: all laws hold")
        return
    says(f"{played.summary}: BROKEN. Looking for the shortest such history…")
    report = told(seed, played)
    says(report)
    pytest.fail(report, pytrace=False)


def test_the_laws_hold_where_moto_keeps_the_tables() -> None:
    acts = [act for act in acts_of(0)[::2] if act.at < MORNING]
    assert play(0, acts, is_real=True, lasts=AN_HOUR).wrongs == []


def test_much_goes_wrong_and_much_is_done_for_all_that() -> None:
    """Or the histories would prove nothing."""
    with lived(0, acts_of(0), lasts=AN_HOUR) as world:
        cloud = world.cloud
        assert cloud.killed > 20
        assert len(cloud.faults) > 100
        assert len(world.placed) > 5
        assert world.connected
        assert world.promised
        assert cloud.events


def test_a_seed_repeats() -> None:
    acts = acts_of(1)[:12]
    tables = ("calls", "contacts", "agents", "offers", "promises", "assignments")

    def played() -> Any:
        with lived(1, acts, lasts=AN_HOUR) as world:
            found = [sorted(map(repr, world.cloud.items(table))) for table in tables]
            return found, world.cloud.faults

    assert played() == played()


tells = Onlookers.tell
the_last_that_is_told_counts = patch.object(calls, "merge", lambda known, told: {**known, **told})

# By the law that it breaks in one of the first histories: what is done wrong.
WRONG: dict[str, Callable[[], AbstractContextManager[object]]] = {
    "nobody_is_rung_against_the_rules": lambda: patch.object(
        Dialler, "_put_off", lambda dialler, contact, log, pace, now: None
    ),
    "a_call_is_the_fold_of_its_events": lambda: the_last_that_is_told_counts,
    "a_call_is_listed_as_what_it_is": lambda: patch.object(calls, "agent_of", lambda facts: None),
    "every_contact_ends_or_waits_for_a_time_to_come": lambda: patch.object(
        ContactStore, "leases_over", lambda store, now, limit: []
    ),
    "every_promise_comes_to_an_end_once": lambda: patch.object(
        PromiseStore, "to_check", lambda store, now, limit: []
    ),
    "a_history_has_no_gaps": lambda: patch.object(
        AssignmentStore, "changing", lambda store, change: [store.writing(change.after)]
    ),
    "the_counters_are_as_recounted": lambda: patch.object(
        Onlookers, "tell", lambda onlookers, changes, now: tells(onlookers, list(changes)[1:], now)
    ),
    "what_is_seen_live_is_what_is_there": lambda: patch.object(
        CallReader, "present", CallReader.some
    ),
    "to_bring_all_again_changes_nothing": lambda: the_last_that_is_told_counts,
}


@pytest.mark.parametrize("law", WRONG)
def test_a_law_is_seen_to_be_broken(law: str) -> None:
    """Or the laws would prove nothing."""
    with WRONG[law]():
        assert any(
            law in play(seed, acts_of(seed), lasts=LONG_ENOUGH).laws for seed in seeds_of(FEW)
        )


def test_a_failure_says_what_it_takes_to_see_it() -> None:
    """And nothing that it does not take."""
    acts = [act for act in acts_of(0) if act.name in ("links", "gives", "rests")]
    with WRONG["a_history_has_no_gaps"]():
        report = told(0, play(0, acts, lasts=AN_HOUR), lasts=AN_HOUR)
    lines = report.splitlines()
    assert lines[0] == "Seed 0 breaks 1 of the laws in tests/faults/laws.py:"
    assert lines[1] == "  a_history_has_no_gaps"
    (found,) = (number for number, line in enumerate(lines) if line.startswith("The shortest"))
    assert f"has 1 of its {len(acts)} acts and 0 of its " in lines[found]
    assert re.fullmatch(
        r"  \d\d:\d\d:\d\d  customer \d comes into the campaign, to .+", lines[found + 1]
    )
    assert lines[found + 2 : found + 4] == ["At its end:", "  a_history_has_no_gaps"]
    assert lines[-1] == "To play it again: make faults SEEDS=0"


def test_the_shortest_history_is_what_it_takes() -> None:
    assert shortest(range(40), lambda some: {3, 17} <= set(some)) == [3, 17]
