"""The simulated campaign without a stack: its stories, its book, its agents, and what it shows."""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from threading import Event as Signal
from typing import Any, cast

import pytest
from rich.console import Console as Terminal

from local.client import Client
from local.errors import CloudError
from local.simulate.campaign import (
    ABSENT,
    AT_WORK,
    BUYS,
    DECLINES,
    HIGHEST_PRIORITY,
    IS_AWAY,
    IS_GIVEN_AWAY,
    IS_UNSCHEDULED,
    RARE_STORIES,
    SOON,
    STATES,
    STORIES_OF_THE_ABSENT,
    TEAM,
    Act,
    Book,
    Case,
    history_differences,
    plan,
)
from local.simulate.telemarketing import Desk
from local.simulate.telemarketing_view import CampaignScene
from local.words import money

CODES = [f"sim-{number}" for number in range(60)]
BEATRIZ, CAIO = AT_WORK[:2]


# --- What is written beforehand -------------------------------------------------------------------


def told(cases: Iterable[Case]) -> list[tuple[Any, ...]]:
    return [(each.code, each.agent, each.priority, each.acts, each.price) for each in cases]


def test_the_same_seed_repeats_and_another_does_not() -> None:
    assert told(plan(CODES, 1)) == told(plan(CODES, 1)) != told(plan(CODES, 2))


def test_there_is_one_whom_all_want_and_all_that_happens_to_few() -> None:
    cases = plan(CODES, 1)
    assert (cases[0].agent, cases[0].priority) == (None, HIGHEST_PRIORITY)
    assert all(case.priority < HIGHEST_PRIORITY for case in cases[1:])
    assert {case.agent for case in cases} == {*TEAM, None}
    stories = {tuple(case.acts): case.agent for case in cases}
    assert {stories[story] for story in RARE_STORIES} <= set(AT_WORK)
    assert {stories[story] for story in STORIES_OF_THE_ABSENT} == {ABSENT}


@pytest.mark.parametrize("seed", range(5))
def test_every_story_can_be_lived_to_its_end(seed: int) -> None:
    for case in plan(CODES, seed):
        book = Book([case])
        while case.acts:
            act = case.acts[0]
            is_at_hand = case.waits or case.state == "not_acted"
            assert is_at_hand if act.code else case.state != "concluded"
            assert case.state == "scheduled" or act != IS_UNSCHEDULED
            if act == IS_GIVEN_AWAY:
                # Or the other might be handed them before that is in the book.
                assert case.agent == ABSENT or not is_at_hand
            book.done(case, "somebody")
        assert not case.waits
        assert book.is_closed


# --- The book -------------------------------------------------------------------------------------


def case_of(code: str, agent: str | None, *acts: Act, price: str = "129.90") -> Case:
    return Case(code, agent, 5, list(acts), Decimal(price))


def row_of(code: str, *, due: bool = False) -> dict[str, Any]:
    return {
        "customer": {"code": code, "name": f"Carla {code}"},
        "customer_id": f"id of {code}",
        "due": due,
    }


def contact(book: Book, code: str, agent: str, *, due: bool = False) -> None:
    """One that the agent is handed, and ends."""
    case = book.handed(row_of(code, due=due), agent)
    assert case
    book.opened(case, f"{code}.{len(case.operations) + 1}", agent)
    book.edited(case, agent)
    book.done(case, agent)


def written() -> Book:
    """Of four customers: one of the team's bought, one of Caio's was away and then declined, one is
    still to be called, and one waits."""
    book = Book(
        [
            case_of("a", None, BUYS),
            case_of("b", CAIO, IS_AWAY, DECLINES),
            case_of("c", BEATRIZ, Act("postponed", "ligar_depois", timedelta(days=1))),
            case_of("d", ABSENT),
        ]
    )
    book.linked(row_of(code) for code in "abcd")
    contact(book, "a", BEATRIZ)
    contact(book, "b", CAIO)
    contact(book, "b", CAIO, due=True)
    contact(book, "c", BEATRIZ)
    return book


LISTS = {
    BEATRIZ: {"not_acted": [], "scheduled": ["c"], "concluded": ["a"]},
    CAIO: {"not_acted": [], "scheduled": [], "concluded": ["a", "b"]},
    ABSENT: {"not_acted": ["d"], "scheduled": [], "concluded": ["a"]},
}


def page_of(*codes: str, **counts: int) -> dict[str, Any]:
    return {"items": [row_of(code) for code in codes], "counts": counts}


def row_in_statistics(group: str | None, now: tuple[int, ...], *figures: Any) -> dict[str, Any]:
    gauges = ("linked", *STATES, "acted", "overdue", "to_team")
    names = ("attempts", "concluded", "scheduled", "contacts", "no_contacts", "sales")
    row = dict(zip((*names, "sales_value", "not_interested"), figures, strict=True))
    return {"group": group, "now": dict(zip(gauges, now, strict=True)), **row}


def statistics() -> dict[str, Any]:
    """As the API tells what is written."""
    return {
        "total": row_in_statistics("", (4, 1, 1, 2, 3, 0, 0), 4, 2, 2, 3, 1, 1, "129.90", 1),
        "items": [
            row_in_statistics(None, (1, 0, 0, 1, 1, 0, 0), 0, 0, 0, 0, 0, 0, "0.00", 0),
            row_in_statistics(BEATRIZ, (1, 0, 1, 0, 1, 0, 0), 2, 1, 1, 2, 0, 1, "129.90", 0),
            row_in_statistics(CAIO, (1, 0, 0, 1, 1, 0, 0), 2, 1, 1, 1, 1, 0, "0.00", 1),
            row_in_statistics(ABSENT, (1, 1, 0, 0, 0, 0, 0), 0, 0, 0, 0, 0, 0, "0.00", 0),
        ],
    }


def test_the_book_sums_up_what_happened() -> None:
    book = written()
    assert book.is_closed
    assert book.complaints == set()
    assert book.summary() == (
        "5 agents, 4 operations, 4 customers: 1 sold for R$ 129,90, 1 not interested, 1 scheduled, "
        "1 not acted on; 0 refused while another had them"
    )


@pytest.mark.parametrize("agent", LISTS)
def test_lists_as_they_are_to_be(agent: str) -> None:
    for state, codes in LISTS[agent].items():
        page = page_of(*codes, **{state: len(codes)})
        assert list(written().list_differences(agent, state, page)) == []


def test_each_customer_on_a_wrong_list_is_told() -> None:
    assert list(written().list_differences(CAIO, "concluded", page_of("a", "c", concluded=3))) == [
        "b is concluded, but is not in Caio's list",
        "c is scheduled, but is in Caio's list of concluded",
        "Caio has 2 concluded, but the API counts 3",
    ]


def test_a_history_has_all_that_was_done_in_its_order() -> None:
    case = written().cases["b"]
    opened = [("opened", CAIO), ("edited", CAIO)]
    expected = [
        ("linked", "supervisor"),
        *[*opened, ("no_contact", CAIO)],
        *[("due", None), *opened, ("concluded", CAIO)],
    ]
    items = [{"what": what, "by": by} for what, by in reversed(expected)]
    assert list(history_differences(case, items)) == []
    assert list(history_differences(case, [items[0], *items[2:]])) == [
        "b: entry 7 is edited by Caio, but the API says concluded by Caio"
    ]
    assert list(history_differences(case, items[4:])) == [
        "b: entry 5 is due, but the API says none"
    ]
    assert list(history_differences(case, [*items, *items[-1:]])) == [
        "b: entry 2 is opened by Caio, but the API says linked by supervisor"
    ]


def test_statistics_as_they_are_to_be() -> None:
    assert list(written().statistics_differences(statistics())) == []


def test_who_did_nothing_may_be_missing_from_the_statistics() -> None:
    found = statistics()
    del found["items"][1]
    told = list(written().statistics_differences(found))
    assert told
    assert all(line.startswith(f"{BEATRIZ}: ") for line in told)


def test_each_wrong_number_is_told() -> None:
    found = statistics()
    found["total"]["now"]["overdue"] = 1
    found["items"][1]["sales_value"] = "129.91"
    found["items"].append({**found["items"][0], "group": "somebody"})
    assert list(written().statistics_differences(found)) == [
        "all: overdue is 0 now, but the statistics say 1",
        "Beatriz: sales_value is 129.90, but the statistics say 129.91",
        "the statistics know somebody, who did nothing",
    ]


def test_a_story_without_its_end_is_told() -> None:
    book = Book([case_of("a", None, IS_AWAY, BUYS), case_of("b", BEATRIZ, BUYS)])
    contact(book, "a", BEATRIZ)
    assert not book.is_closed
    assert list(book.left_over()) == [
        "a was not handed to anybody at the time that was set",
        "b was not handed to anybody at all",
    ]


def test_an_operation_that_is_shown_again_is_one() -> None:
    book = Book([case_of("a", None, BUYS)])
    for _ in range(2):
        book.opened(book.cases["a"], "a.1", BEATRIZ)
    assert book.cases["a"].history == [("opened", BEATRIZ)]


def test_a_customer_is_in_one_agents_hands() -> None:
    book = Book([case_of("a", None, BUYS)])
    book.opened(book.cases["a"], "a.1", BEATRIZ)
    book.refuse(book.cases["a"], CAIO, BEATRIZ)
    assert (book.refused, book.complaints) == (1, set())
    book.refuse(book.cases["a"], CAIO, "Heitor")
    book.handed(row_of("a"), CAIO)
    assert book.complaints == {
        "Caio was refused a for Heitor, who has them not",
        "a was handed to Caio while Beatriz had them",
    }


def test_an_agent_is_handed_who_is_theirs_and_waits() -> None:
    book = written()
    book.cases["d"].acts.append(BUYS)
    assert book.handed(row_of("a"), BEATRIZ) is None
    book.handed(row_of("d", due=True), BEATRIZ)
    assert book.complaints == {
        "a was handed to Beatriz, and is concluded",
        "d was handed out as due, and was not",
        "d was handed to Beatriz, but is Regina's",
    }


def test_whose_agent_is_absent_at_their_time_is_anybodys() -> None:
    book = Book([case_of("a", ABSENT, Act("scheduled", wait=SOON), BUYS)])
    book.done(book.cases["a"], "supervisor")
    contact(book, "a", CAIO, due=True)
    assert book.complaints == set()
    assert book.cases["a"].agent == ABSENT


# --- Agents ---------------------------------------------------------------------------------------


class Api:
    """Hands out these customers in turn, and keeps what an agent says. It closes after them."""

    def __init__(self, closing: Signal, *rows: dict[str, Any], script: str = "Olá, Carla!") -> None:
        self._closing = closing
        self._rows = list(rows)
        self._script = script
        self.said: list[Any] = []

    def say(self, state: str) -> None:
        self.said.append(state)

    def next_customer(self, campaign: str) -> dict[str, Any] | None:
        row = self._rows.pop(0) if self._rows else None
        if not self._rows:
            self._closing.set()
        return row

    def open_operation(self, campaign: str, customer_id: str) -> dict[str, Any]:
        self.said.append(f"open {customer_id} of {campaign}")
        if customer_id == "id of taken":
            return {"detail": "Caio has them", "held_by": CAIO}
        return {"operation": {"operation_id": "1", "version": 1}}

    def save_operation(self, operation: dict[str, Any], changes: dict[str, Any]) -> dict[str, Any]:
        self.said.append(changes)
        return {**operation, **changes, "version": operation["version"] + 1, "script": self._script}

    def copy_script(self, operation: dict[str, Any]) -> dict[str, Any]:
        return {**operation, "version": 3, "conversation": self._script}

    def end_operation(self, operation: dict[str, Any], how: str, result: dict[str, Any]) -> None:
        self.said.append((how, operation["version"], result))

    def schedule(self, campaign: str, customer_id: str, at: datetime) -> None:
        self.said.append(("schedule", at))

    def delete_schedule(self, campaign: str, customer_id: str) -> None:
        self.said.append("delete the schedule")

    def transfer(self, campaign: str, customer_id: str, agent: str) -> None:
        self.said.append(f"transfer to {agent}")


def worked(*cases: Case, **script: str) -> tuple[list[Any], Book]:
    closing = Signal()
    book = Book(cases)
    book.linked(row_of(each.code) for each in cases)
    api = Api(closing, *(row_of(each.code) for each in cases), **script)
    Desk(BEATRIZ, cast(Client, api), "verao", book, seed=1).work(closing)
    assert (api.said[0], api.said[-1]) == ("available", "offline")
    return api.said[1:-1], book


def test_an_agent_reads_the_script_notes_what_was_said_and_sells() -> None:
    said, book = worked(case_of("a", BEATRIZ, BUYS))
    noted = "Olá, Carla!\n\nConversamos. Ficou tudo anotado."
    assert said == [
        "open id of a of verao",
        {"action_type": "oferta"},
        {"conversation": noted},
        ("conclude", 4, {"outcome": "venda", "value": "129.90"}),
    ]
    history = ["linked", "opened", "edited", "edited", "edited", "concluded"]
    assert [what for what, _ in book.cases["a"].history] == history


def test_who_is_away_is_scheduled_and_what_needs_no_operation_follows() -> None:
    said, book = worked(case_of("a", BEATRIZ, IS_AWAY, IS_UNSCHEDULED, IS_GIVEN_AWAY))
    how, _, result = said[3]
    assert (how, result["reason"]) == ("no-contact", "nao_atendeu")
    assert timedelta() < datetime.fromisoformat(result["at"]) - datetime.now(UTC) <= SOON
    assert said[4:] == ["delete the schedule", f"transfer to {CAIO}"]
    assert (book.cases["a"].agent, book.cases["a"].state) == (CAIO, "not_acted")


def test_another_customers_script_is_told() -> None:
    _, book = worked(case_of("a", BEATRIZ, BUYS), script="Olá, Joana!")
    assert book.complaints == {"the script for a greets somebody else"}


def test_an_agent_who_cannot_open_whom_they_were_handed_says_so() -> None:
    with pytest.raises(CloudError, match="Beatriz was handed taken, but Caio has them"):
        worked(case_of("taken", BEATRIZ, BUYS))


# --- What there is to see -------------------------------------------------------------------------


def test_the_screen_shows_agents_lists_and_what_came_of_it() -> None:
    desk = Desk(BEATRIZ, cast(Client, None), "verao", Book([]), 1)
    book = written()
    desk.case = book.cases["c"]
    scene = CampaignScene(book, [desk])
    terminal = Terminal(width=120, height=20, record=True)
    terminal.print(scene.screen())
    shown = terminal.export_text()
    for words in ("Beatriz", "Carla c", "não atendeu", "venda", "R$ 129,90", "not acted 1"):
        assert words in shown
    assert "operations 4  sales 1  sold R$ 129,90" in scene.line()


def test_money_as_it_is_written_in_brazil() -> None:
    assert money(Decimal("1234567.8")) == "R$ 1.234.567,80"
