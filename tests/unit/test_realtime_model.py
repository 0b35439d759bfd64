"""What feeds say of things, to whom, and for how long."""

import json
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from retorno.realtime.model import (
    LOG_KEPT,
    MAX_MESSAGE_BYTES,
    Audience,
    Entry,
    Head,
    Sight,
    Watch,
    changes,
    messages,
    news,
)

NOON = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
NOTHING = Sight(kind="call", thing_id="c1", present=False)


def sight(*queues: str, agent: str = "ana", present: bool = True, **view: object) -> Sight:
    return Sight(
        kind="call",
        thing_id="c1",
        present=present,
        view={"state": "queued", **view},
        audience=Audience(agents=frozenset([agent]), queues=frozenset(queues)),
    )


def log_of(*sights: Sight) -> list[Entry]:
    """What is new after each of them, numbered from 1."""
    log: list[Entry] = []
    for each in sights:
        known = log[-1] if log and log[-1].present else None
        entry = news(known, each, len(log) + 1)
        log += [entry] if entry else []
    return log


def told(
    *sights: Sight, queues: tuple[str, ...] = (), agent: str | None = None, after: int = 0
) -> Any:
    """What is told of the thing to who comes and knows it up to a number."""
    log = log_of(*sights)
    there = {each.key: each for each in log[-1:] if each.present}
    watch = Watch(connection_id="w", agent=agent, until=NOON, queues=frozenset(queues))
    found = list(changes(log[after:], there, watch))
    assert len(found) < 2
    return found[0] if found else None


def test_what_is_seen_again_is_no_news() -> None:
    assert len(log_of(sight("vendas"), sight("vendas"))) == 1


def test_what_was_not_there_does_not_go() -> None:
    over = sight(present=False, state="ended")
    assert log_of(over) == []
    assert len(log_of(sight(), over, over)) == 2


def test_what_is_over_is_told_once_as_it_was_in_the_end() -> None:
    assert told(sight("vendas"), sight("vendas", present=False, state="ended")) == {
        "kind": "call",
        "id": "c1",
        "seq": 2,
        "gone": True,
        "view": {"state": "ended"},
    }


def test_what_went_since_the_log_was_read_is_gone() -> None:
    log = log_of(sight("vendas"))
    watch = Watch(connection_id="w", agent=None, until=NOON)
    (change,) = changes(log, {}, watch)
    assert change["gone"]


def test_what_is_deleted_is_gone_from_the_queues_that_it_was_of() -> None:
    history = (sight("vendas"), NOTHING)
    assert told(*history, queues=("suporte",)) is None
    assert told(*history, queues=("vendas",))["gone"]


def test_what_goes_to_another_queue_is_gone_for_those_who_watch_the_first() -> None:
    history = (sight("vendas"), sight("suporte", state="moved"))
    gone, there = (True, None), (False, {"state": "moved"})
    for queues, expected in (
        (["vendas"], gone),
        (["suporte"], there),
        ([], there),
        (["suporte", "vendas"], there),
    ):
        change = told(*history, queues=tuple(queues))
        assert (change["gone"], change["view"]) == expected
    assert told(*history, queues=("financeiro",)) is None
    # And it is there again for them as it comes back.
    assert not told(*history, sight("vendas"), queues=("vendas",))["gone"]


def test_what_moved_on_and_on_is_gone_for_who_saw_it_at_any_time() -> None:
    history = [sight(queue, agent=queue) for queue in ("one", "two", "three")]
    for queue in ("one", "two"):
        assert told(*history, queues=(queue,))["gone"]
        assert told(*history, agent=queue)["gone"]
    # Who comes back knows that it is theirs no more, or never knew that it was.
    assert told(*history, queues=("one",), after=2) is None


def test_what_is_of_no_queue_is_everybodys() -> None:
    assert not told(sight(), queues=("vendas",))["gone"]
    # Until it is of one.
    assert told(sight(), sight("suporte"), queues=("vendas",), after=1)["gone"]


def test_an_agent_sees_what_is_their_own_and_that_it_no_longer_is() -> None:
    history = (sight(agent="ana"), sight(agent="bia", number="+5511987654321"))
    lost, own = told(*history, agent="ana"), told(*history, agent="bia")
    # Whose it no longer is does not learn what became of it.
    assert (lost["gone"], lost["view"]) == (True, None)
    assert (own["gone"], own["view"]) == (False, history[1].view)
    assert told(*history, agent="caio") is None


def test_an_agent_sees_how_their_own_ended() -> None:
    history = (sight(), sight(present=False, state="ended"))
    assert told(*history, agent="ana")["view"] == {"state": "ended"}
    assert told(*history, agent="bia") is None


def test_an_agent_who_watches_a_queue_sees_their_own_of_that() -> None:
    assert told(sight("vendas"), agent="ana", queues=("suporte",)) is None
    assert told(sight("vendas"), agent="ana", queues=("vendas",))


# --- How long it is known what changed ----------------------------------------------------------


def grown(gaps: Sequence[tuple[timedelta, int]]) -> Iterator[tuple[datetime, Head]]:
    """The moments of writes, and the head after each."""
    head, now = Head(), NOON
    for gap, number in gaps:
        now += gap
        head = head.after(number, now)
        yield now, head


hours = st.integers(0, 100).map(lambda number: timedelta(hours=number))
writes = st.lists(st.tuples(hours, st.integers(1, 20)), max_size=20)


@given(writes, hours)
def test_who_was_told_yesterday_or_today_is_told_the_rest(
    gaps: list[tuple[timedelta, int]], later: timedelta
) -> None:
    """And of nobody it is believed whom something was to be told that is kept no more."""
    history = list(grown(gaps))
    last, head = history[-1] if history else (NOON, Head())
    now = last + later
    for seq in range(head.seq + 1):
        after = [at for at, each in history if each.seq > seq]
        if head.knows_since(seq, now):
            assert all(now < at + LOG_KEPT for at in after)
        else:
            assert min(after).date() < now.date() - timedelta(days=1)
    assert not head.knows_since(head.seq + 1, now)


def test_midnight_may_come_to_one_before_the_other() -> None:
    midnight = NOON.replace(hour=0)
    head = Head().after(5, midnight).after(1, midnight - timedelta(seconds=1))
    assert (head.seq, head.day) == (6, midnight.date())
    assert head.knows_since(0, midnight)


def test_who_knows_a_feed_that_was_before_begins_anew() -> None:
    old = Head.first(NOON).after(500_000, NOON)
    head = Head.first(NOON + timedelta(hours=1)).after(3, NOON + timedelta(hours=1))
    for seq in (0, 41, old.seq):
        assert not head.knows_since(seq, NOON + timedelta(hours=2))
    assert head.knows_since(head.seq - 3, NOON + timedelta(hours=2))


# --- Messages -----------------------------------------------------------------------------------


@given(st.lists(st.integers(1, 50_000), max_size=12), st.none() | st.just(7))
def test_messages_hold_all_in_its_order_and_none_too_much(
    sizes: list[int], seq: int | None
) -> None:
    changes = [{"id": str(number), "view": "x" * size} for number, size in enumerate(sizes)]
    written = list(messages(changes, seq))
    assert all(len(text.encode()) < MAX_MESSAGE_BYTES + 100 for text in written)
    parts = [json.loads(text) for text in written]
    assert [change for part in parts for change in part["changes"]] == changes
    # Only who has the last of them has it all.
    assert [part.get("seq") for part in parts[:-1]] == [None] * (len(parts) - 1)
    assert not parts or parts[-1].get("seq") == seq
