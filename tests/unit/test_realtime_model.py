"""What feeds say of things, to whom, and for how long."""

import json
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from retorno.realtime.model import (
    GONE_KEPT,
    MAX_MESSAGE_BYTES,
    Entry,
    Head,
    Sight,
    agents_entries,
    messages,
    news,
)

NOON = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)


def sight(*queues: str, agent: str = "ana", present: bool = True, **view: object) -> Sight:
    return Sight(
        kind="call",
        thing_id="c1",
        present=present,
        view={"state": "queued", **view},
        agents=frozenset([agent]),
        queues=frozenset(queues),
    )


def said(*sights: Sight) -> Entry:
    """What the feed says after each of them."""
    entry: Entry | None = None
    for each in sights:
        entry = news(entry, each) or entry
    assert entry
    return entry


def test_what_is_seen_again_is_no_news() -> None:
    assert news(said(sight("vendas")), sight("vendas")) is None


@pytest.mark.parametrize("before", [None, said(sight(), sight(present=False))])
def test_what_was_not_there_does_not_go(before: Entry | None) -> None:
    assert news(before, sight(present=False, state="ended")) is None


def test_what_is_over_is_told_once_as_it_was_in_the_end() -> None:
    gone = said(sight("vendas"), sight("vendas", present=False, state="ended"))
    change = gone.change(frozenset())
    assert change == {
        "kind": "call",
        "id": "c1",
        "seq": 0,
        "gone": True,
        "view": {"state": "ended"},
    }


def test_what_is_deleted_is_gone_from_the_queues_that_it_was_of() -> None:
    nothing = Sight(kind="call", thing_id="c1", present=False)
    gone = said(sight("vendas"), nothing)
    assert gone.change(frozenset({"suporte"})) is None
    told = gone.change(frozenset({"vendas"}))
    assert told
    assert told["gone"]


def test_what_goes_to_another_queue_is_gone_for_those_who_watch_the_first() -> None:
    moved = said(sight("vendas"), sight("suporte", state="moved"))

    def told(*queues: str) -> object:
        change = moved.change(frozenset(queues))
        return change and (change["gone"], change["view"])

    assert told("vendas") == (True, None)
    assert told("suporte") == told() == told("suporte", "vendas") == (False, {"state": "moved"})
    assert told("financeiro") is None
    # And it is there again for them as it comes back.
    assert not said(sight("vendas"), sight("suporte"), sight("vendas")).change(
        frozenset({"vendas"})
    )["gone"]  # type: ignore[index]


def test_what_is_of_no_queue_is_everybodys() -> None:
    change = said(sight()).change(frozenset({"vendas"}))
    assert change
    assert not change["gone"]


def test_an_agent_sees_what_is_their_own_and_that_it_no_longer_is() -> None:
    first, second = sight(agent="ana"), sight(agent="bia", number="+5511987654321")
    before = said(first)
    after = news(before, second)
    assert after
    entries = agents_entries(before, after, second)
    assert {agent: entry.present for agent, entry in entries.items()} == {"ana": False, "bia": True}
    # Whose it no longer is does not learn what became of it.
    assert entries["ana"].view is None
    assert entries["bia"].view == second.view


def test_an_agent_sees_how_their_own_ended() -> None:
    over = sight(present=False, state="ended")
    before = said(sight())
    after = news(before, over)
    assert after
    assert agents_entries(before, after, over)["ana"].view == {"state": "ended"}
    # And nothing of it after that.
    assert after.agents == frozenset()


# --- How long a feed knows what is gone ---------------------------------------------------------


def grown(gaps: Sequence[tuple[timedelta, int]]) -> Iterator[tuple[datetime, Head]]:
    """The moments of writes, and the head after each."""
    head, now = Head(), NOON
    for gap, changes in gaps:
        now += gap
        head = head.after(changes, now)
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
            assert all(now < at + GONE_KEPT for at in after)
        else:
            assert min(after).date() < now.date() - timedelta(days=1)
    assert not head.knows_since(head.seq + 1, now)


def test_midnight_may_come_to_one_before_the_other() -> None:
    midnight = NOON.replace(hour=0)
    head = Head().after(5, midnight).after(1, midnight - timedelta(seconds=1))
    assert (head.seq, head.day) == (6, midnight.date())
    assert head.knows_since(0, midnight)


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
