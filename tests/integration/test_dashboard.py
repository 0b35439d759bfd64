"""The dashboard, from what happens to what is shown of it."""

import csv
import io
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import boto3
import pytest

from retorno.agents.model import State as Presence
from retorno.callbacks.model import Contact, NumberLog
from retorno.callbacks.model import State as ContactState
from retorno.callbacks.store import ContactStore
from retorno.calling_rules.model import Purpose
from retorno.calls.model import CallRules
from retorno.calls.service import CallReview
from retorno.dashboard import reader
from retorno.dashboard.reader import dashboard_reader
from retorno.errors import Unavailable
from retorno.offers.model import Offer, Waiting
from retorno.offers.model import State as OfferState
from retorno.offers.store import OfferStore
from retorno.promises.model import Promise
from retorno.promises.model import State as PromiseState
from retorno.promises.store import PromiseStore
from retorno.quotes.model import Quote
from retorno.quotes.model import State as QuoteState
from retorno.quotes.store import QuoteStore
from retorno.settings import DashboardSettings
from retorno.telephony.ports import AnsweredBy, Direction, Stage
from tests.support.clock import StoppedClock
from tests.support.dashboard import SUPERVISOR, Wallboard
from tests.support.deployment import Deployment
from tests.support.events import http, user
from tests.support.histories import BEGINNING, History, history

SAO_PAULO = ZoneInfo("America/Sao_Paulo")
ANA = user("[agent]", "ana")
MARIA, JOAO = "+5511987654321", "+5511976543210"


@pytest.fixture
def board(deployment: Deployment, clock: StoppedClock) -> Wallboard:
    return Wallboard(deployment, clock)


def inbound(call_id: str, number: str | None = MARIA, **facts: Any) -> History:
    return history(call_id, direction=Direction.INBOUND, number=number, **facts)


def outbound(call_id: str, number: str = MARIA, **facts: Any) -> History:
    return history(call_id, direction=Direction.OUTBOUND_MANUAL, number=number, **facts)


def test_nothing_is_counted_yet(board: Wallboard) -> None:
    answer = board.ask()
    assert answer.status == 200
    assert (answer.body["from"], answer.body["to"]) == ("2026-03-02", "2026-03-02")
    assert answer.body["service_level"] == {"seconds": 20, "of": "offered"}
    assert answer.body["items"] == []
    assert answer.body["total"]["all_calls"] == 0
    assert answer.body["total"]["inbound"]["service_level"] is None
    assert answer.body["now"]["missed_open"] == 0


def a_morning(board: Wallboard) -> None:
    """Maria gives up after 40 s and is won back by Ana; João is answered by Bia after 10 s."""
    for told in (
        inbound("1", queue="vendas").at(0, Stage.QUEUED).at(40, Stage.CANCELLED),
        inbound("2", JOAO, queue="suporte", agent="bia")
        .at(0, Stage.QUEUED)
        .at(10, Stage.ANSWERED)
        .at(70, Stage.COMPLETED),
        outbound("3", agent="ana")
        .at(100, Stage.RINGING)
        .at(110, Stage.ANSWERED)
        .at(170, Stage.COMPLETED),
    ):
        board.tell(told.events)


def test_a_morning(board: Wallboard) -> None:
    a_morning(board)
    total = board.total()
    assert (total["all_calls"], total["answered_calls"], total["talk_seconds"]) == (3, 2, 120)
    inbound = total["inbound"]
    assert (inbound["calls"], inbound["answered"], inbound["abandoned"]) == (2, 1, 1)
    assert (inbound["service_level"], inbound["abandonment_rate"]) == (0.5, 0.5)
    assert inbound["average_speed_of_answer_seconds"] == 10
    assert inbound["longest_wait_seconds"] == pytest.approx(40, rel=0.05)
    missed = total["missed"]
    assert (missed["calls"], missed["recovered"], missed["recovery_rate"]) == (1, 1, 1)
    assert missed["recovery_seconds_median"] == pytest.approx(70, rel=0.05)

    by_queue = board.groups(group_by="queue")
    assert {name: item["inbound"]["calls"] for name, item in by_queue.items()} == {
        "suporte": 1,
        "vendas": 1,
    }
    assert by_queue["vendas"]["operators"] is None
    by_agent = board.groups(group_by="agent")
    assert {name: item["talk_seconds"] for name, item in by_agent.items()} == {
        "ana": 60,
        "bia": 60,
    }
    assert by_agent["ana"]["missed"]["won_back"] == 1
    by_direction = board.groups(group_by="direction")
    assert {name: item["all_calls"] for name, item in by_direction.items()} == {
        "inbound": 2,
        "outbound_manual": 1,
    }
    assert by_direction["inbound"]["missed"] is None
    by_hour = board.groups(group_by="hour", time_zone="Europe/Lisbon")
    assert list(by_hour) == ["2026-03-02T12:00:00+00:00"]
    assert list(board.groups(group_by="hour")) == ["2026-03-02T09:00:00-03:00"]
    assert list(board.groups(group_by="agent", agent="ana")) == ["ana"]
    for year in ({"from": "2025-03-02"}, {"to": "2027-03-02"}):
        assert list(board.groups(group_by="day", agent="ana", **year)) == ["2026-03-02"]
        assert list(board.groups(group_by="day", queue="vendas", **year)) == ["2026-03-02"]
    assert board.total(queue="vendas")["operators"] is None


def test_the_service_level_is_as_the_company_defines_it(board: Wallboard) -> None:
    board.deployment.configure(SERVICE_LEVEL_OF="answered", SERVICE_LEVEL_SECONDS="9.5")
    a_morning(board)
    assert board.total()["inbound"]["service_level"] == 0
    assert board.ask().body["service_level"] == {"seconds": 9.5, "of": "answered"}


# --- What is corrected later ---------------------------------------------------------------------


def test_a_verdict_moves_a_call_and_the_missed_call_that_it_answered(board: Wallboard) -> None:
    board.tell(inbound("1").at(0, Stage.QUEUED).at(40, Stage.CANCELLED).events)
    heard = AnsweredBy.VOICEMAIL
    answered = outbound("2", agent="ana").at(60, Stage.RINGING)
    board.tell(answered.at(70, Stage.ANSWERED, answered_by=heard).at(75, Stage.COMPLETED).events)
    before = board.total()
    assert before["outbound_manual"]["by_voicemail"] == before["missed"]["open"] == 1
    assert (before["voicemail_share"], before["missed"]["attempts"]) == (1, 1)
    assert board.ask().body["now"]["missed_open"] == 1

    CallReview(board.calls, CallRules())("2", AnsweredBy.HUMAN, "rita", BEGINNING)
    after = board.total()
    assert (after["outbound_manual"]["by_voicemail"], after["outbound_manual"]["by_person"]) == (
        0,
        1,
    )
    assert (after["missed"]["open"], after["missed"]["recovered"]) == (0, 1)
    assert (after["missed"]["attempts"], after["missed"]["won_back"]) == (0, 1)
    assert board.ask().body["now"]["missed_open"] == 0


def test_a_miss_is_withdrawn_and_comes_back(board: Wallboard) -> None:
    told = inbound("1", queue="vendas").at(0, Stage.QUEUED)
    told.at(60, Stage.NO_ANSWER, leaves_queue=True)
    board.tell(told.events)
    assert board.total()["missed"]["calls"] == 1
    # The next queue takes the caller up.
    board.tell(inbound("1").at(61, Stage.QUEUED, queue="suporte").events)
    total = board.total()
    assert total["missed"]["calls"] == total["inbound"]["calls"] == 0
    assert board.ask().body["now"]["missed_open"] == 0
    board.tell(inbound("1").at(90, Stage.CANCELLED).events)
    total = board.total()
    assert (total["missed"]["calls"], total["missed"]["open"]) == (1, 1)
    assert (total["inbound"]["abandoned"], total["inbound"]["no_answer"]) == (1, 0)
    # It counts in the queue that the caller entered first.
    assert list(board.groups(group_by="queue")) == ["vendas"]


def test_what_is_told_late_moves_a_call_from_cell_to_cell(board: Wallboard) -> None:
    answered = inbound("1", None).at(5, Stage.ANSWERED).at(65, Stage.COMPLETED)
    board.tell(answered.events)
    assert board.groups(group_by="queue") == board.groups(group_by="agent") == {}
    # It was queued before, and rang at Ana's; but Bia answered, and it began an hour earlier.
    board.tell(inbound("1", JOAO, queue="vendas", agent="ana").at(0, Stage.QUEUED).events)
    assert list(board.groups(group_by="agent")) == ["ana"]
    board.tell(inbound("1", JOAO, agent="bia").at(5, Stage.ANSWERED).events)
    board.tell(inbound("1", JOAO).at(-3600, Stage.QUEUED, queue="suporte").events)
    assert list(board.groups(group_by="agent")) == ["bia"]
    assert list(board.groups(group_by="queue")) == ["suporte"]
    assert list(board.groups(group_by="hour")) == ["2026-03-02T08:00:00-03:00"]
    assert board.total()["inbound"]["average_speed_of_answer_seconds"] == 3605


def test_a_number_that_is_told_late_makes_no_second_miss(board: Wallboard) -> None:
    board.tell(inbound("1", None).at(0, Stage.QUEUED).at(9, Stage.CANCELLED).events)
    assert board.total()["missed"]["calls"] == 1
    board.tell(inbound("1", MARIA).at(0, Stage.RINGING).events)
    assert board.total()["missed"]["calls"] == 1
    assert board.ask().body["now"]["missed_open"] == 1


def test_a_look_that_comes_again_late_or_for_nothing_does_no_harm(board: Wallboard) -> None:
    a_morning(board)
    before = board.total()
    looks = [{"kind": "call", "call_id": each} for each in ("3", "1", "2", "1", "nobodys")]
    nobodys = {"kind": "offer", "pk": "offer#nobodys", "sk": "record"}
    for batch in (looks, looks[::-1], [*looks[:2], nobodys]):
        assert board.look(*batch) == {"batchItemFailures": []}
    assert board.total() == before


# --- Operators, offers, promises, the call list --------------------------------------------------


def test_the_time_of_operators(board: Wallboard) -> None:
    board.register("ana")
    board.says("ana", Presence.AVAILABLE)
    board.clock.advance(minutes=90)
    board.says("ana", Presence.PAUSED, "almoço")
    board.clock.advance(minutes=60)
    board.says("ana", Presence.AVAILABLE)
    spent = board.total()["operators"]
    assert (spent["available_seconds"], spent["paused_seconds"]) == (5400, 3600)
    assert spent["occupancy"] == 0
    by_hour = board.groups(group_by="hour", agent="ana")
    assert [item["operators"]["available_seconds"] for item in by_hour.values()] == [3600, 1800, 0]
    board.clock.advance(minutes=5)
    call = outbound("1", agent="ana").at(9300, Stage.RINGING).at(9310, Stage.ANSWERED)
    board.tell(call.events)
    board.deployment.work()
    board.clock.advance(minutes=10)
    board.tell(outbound("1").at(9900, Stage.COMPLETED).events)
    spent = board.total(agent="ana")["operators"]
    assert spent["busy_seconds"] == 600
    assert spent["available_seconds"] == 5700
    assert spent["occupancy"] == round(600 / 6300, 4)


def offer(number: int, state: OfferState) -> Offer:
    return Offer(
        offer_id=f"{number}",
        call_id=f"c{number}",
        queue="vendas",
        agent="ana",
        telephone="4001",
        ordinal=1,
        waiting_since=BEGINNING,
        offered_at=BEGINNING,
        state=state,
        until=None,
    )


def test_offers_by_what_became_of_them(board: Wallboard) -> None:
    store = OfferStore("offers")
    for number, state in enumerate(OfferState):
        waiting = Waiting(call_id=f"c{number}", queue="vendas", since=BEGINNING)
        store.save(None, waiting, ended=offer(number, state))
    offers = board.total(agent="ana")["offers"]
    assert offers == {
        "offers": 5,
        **dict.fromkeys(("accepted", "refused", "ignored", "failed", "withdrawn"), 1),
        "acceptance_rate": 0.3333,
    }
    # Those that expire were made all the same.
    boto3.client("dynamodb").delete_item(
        TableName="offers", Key={"pk": {"S": "offer#2"}, "sk": {"S": "record"}}
    )
    assert board.total(queue="vendas")["offers"] == offers


def promise(state: PromiseState) -> Promise:
    return Promise(
        promise_id=state.value,
        wish_digest="",
        number=MARIA,
        queue="vendas",
        agent="ana",
        purpose=Purpose.REQUESTED_CALLBACK,
        note=None,
        call_id=None,
        at=BEGINNING,
        moved_from=None,
        time_zone="America/Sao_Paulo",
        tolerance_minutes=15,
        asked_at=BEGINNING - timedelta(hours=1),
        asked_by="ana",
        state=state,
        check_at=None,
    )


def test_promises_by_what_became_of_them(board: Wallboard) -> None:
    store = PromiseStore("promises", SAO_PAULO)
    for state in PromiseState:
        store.save(promise(state))
    promises = board.total()["promises"]
    assert promises == {"kept": 1, "late": 1, "missed": 1, "forbidden": 1, "kept_rate": 0.25}
    # Whoever gets another time is owed that one.
    found = store.get(PromiseState.MISSED)
    assert found is not None
    store.save(found.model_copy(update={"state": PromiseState.PROMISED, "version": 2}))
    assert board.total(agent="ana")["promises"]["missed"] == 0


def quote(name: str, **values: Any) -> Quote:
    return Quote(
        name=name,
        call_id="2",
        wish_digest="",
        number=JOAO,
        customer_id=None,
        queue="suporte",
        agent="bia",
        description=None,
        value=Decimal("250"),
        created_at=BEGINNING,
        created_by="bia",
        **values,
    )


def test_the_quotes_of_a_call_count_together(board: Wallboard) -> None:
    a_morning(board)
    store = QuoteStore("quotes")
    for name in "ab":
        store.save(quote(name))
    quotes = board.total()["quotes"]
    assert (quotes["calls"], quotes["quotes"], quotes["open"], quotes["won"]) == (1, 2, 2, 0)
    store.save(quote("a", state=QuoteState.WON, won_value=Decimal("199.90"), version=2))
    store.save(quote("b", state=QuoteState.LOST, reason="preço", version=2))
    total = board.total(agent="bia")
    assert total["quotes"] == {
        **{"calls": 1, "calls_won": 1, "quotes": 2, "open": 0, "won": 1, "lost": 1},
        "won_value": "199.90",
        "conversion_of_calls_with_a_quote": 1,
    }
    assert total["conversion_of_answered_calls"] == 1
    assert board.total(queue="suporte")["quotes"] == total["quotes"]
    assert board.total()["conversion_of_answered_calls"] == 0.5


def test_waits_are_counted_where_they_are_judged(board: Wallboard) -> None:
    a_morning(board)
    board.deployment.count()
    day = {"from": "2026-03-02", "to": "2026-03-02"}
    event = http("GET /wait-compliance", query=day, claims=SUPERVISOR)
    answer = board.deployment.ask("ManageWaits", event)
    assert (answer.status, answer.body["total"]["waits"]) == (200, 2)


def test_how_the_call_list_stands(board: Wallboard) -> None:
    store = ContactStore("contacts")
    contact = Contact(
        contact_id="k1",
        list_name="vendas",
        number=MARIA,
        queue="vendas",
        purpose=Purpose.ABANDONED_CALLBACK,
        reason="missed",
        asked_at=BEGINNING,
        due_at=BEGINNING,
        changed_at=BEGINNING,
    )
    store.save_log(NumberLog(number_key="+551187654321"))
    gauges = []
    for state in (ContactState.WAITING, ContactState.DIALLING, ContactState.BLOCKED, "reached"):
        contact = store.save(contact.changed(BEGINNING, state=state))
        board.deployment.count()
        now = board.ask(queue="vendas").body["now"]
        gauges.append([name for name, amount in now.items() if amount])
    assert gauges == [["contacts_waiting"], ["contacts_dialling"], ["contacts_blocked"], []]
    assert board.ask(agent="ana").body["now"] is None


# --- As a table ----------------------------------------------------------------------------------


def table(board: Wallboard, accept: str = "", **query: str) -> list[dict[str, str]]:
    event = http("GET /dashboard", query=query, headers={"accept": accept}, claims=SUPERVISOR)
    answer = board.deployment.call("ReadDashboard", event)
    assert (answer["statusCode"], answer["headers"]["Content-Type"]) == (
        200,
        "text/csv; charset=utf-8",
    )
    return list(csv.DictReader(io.StringIO(answer["body"].lstrip("\ufeff")), delimiter=";"))


def test_groups_as_a_table(board: Wallboard) -> None:
    a_morning(board)
    board.tell(outbound("9", agent="=1+1").at(0, Stage.RINGING).at(9, Stage.NO_ANSWER).events)
    board.deployment.count()
    rows = table(board, format="csv", group_by="agent")
    assert [(row["group"], row["talk_seconds"]) for row in rows] == [
        ("'=1+1", "0,0"),
        ("ana", "60,0"),
        ("bia", "60,0"),
    ]
    assert rows[1]["inbound.service_level"] == ""
    assert (rows[1]["missed.won_back"], rows[1]["quotes.won_value"]) == ("1", "0,00")
    (total,) = table(board, accept="text/csv", queue="vendas")
    assert (total["group"], total["inbound.calls"], total["operators.occupancy"]) == ("", "1", "")
    by_direction = table(board, format="csv", group_by="direction")
    assert list(by_direction[0]) == list(total)
    assert by_direction[0]["inbound.calls"] == "2"
    assert by_direction[0]["missed.calls"] == ""
    assert (
        table(board, format="csv", group_by="day", **{"from": "2026-03-01", "to": "2026-03-01"})
        == []
    )
    assert board.ask(accept="text/csv", format="json").content_type == "application/json"


# --- Who may ask, and for what -------------------------------------------------------------------


def test_agents_see_their_own_figures(board: Wallboard) -> None:
    a_morning(board)
    board.deployment.count()
    for query in ({}, {"agent": "ana"}):
        body = board.ask(ANA, **query).body
        assert (body["agent"], body["total"]["all_calls"], body["now"]) == ("ana", 1, None)
    assert board.ask(ANA, agent="bia").status == 403
    assert board.ask(ANA, queue="vendas").status == 403
    assert board.ask(user("[]")).status == 403
    assert board.ask(None).status == 401


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ({"since": "2026-03-03"}, "to"),
        ({"since": "yesterday"}, "from"),
        ({"to": "9999-12-31", "since": "9999-12-31"}, "from"),
        ({"time_zone": "Sao Paulo"}, "time_zone"),
        ({"time_zone": "Asia/Kolkata"}, "time_zone"),
        ({"group_by": "weather"}, "group_by"),
        ({"format": "xlsx"}, "format"),
        ({"queue": ""}, "queue"),
        ({"agent": "a" * 200}, "agent"),
    ],
)
def test_what_cannot_be_asked_is_refused(
    board: Wallboard, query: dict[str, str], field: str
) -> None:
    refused = board.ask(**query)
    assert refused.status == 422
    assert [error["field"] for error in refused.body["errors"]] == [field]


def test_too_many_groups_are_refused_and_not_cut_off(
    board: Wallboard, monkeypatch: pytest.MonkeyPatch
) -> None:
    a_morning(board)
    monkeypatch.setattr(reader, "MAX_ROWS", 2)
    assert len(board.groups(group_by="agent")) == 2
    monkeypatch.setattr(reader, "MAX_ROWS", 1)
    assert board.ask(group_by="agent").status == 422


def test_the_day_at_a_glance(board: Wallboard) -> None:
    a_morning(board)
    board.deployment.count()
    settings = DashboardSettings.of(
        {
            "counters_table": "counters",
            "time_zone": "America/Sao_Paulo",
            "service_level_seconds": 20,
            "service_level_of": "offered",
        }
    )
    today = dashboard_reader(settings).today(board.clock.now)
    assert (today.day.isoformat(), today.figures.all_calls) == ("2026-03-02", 3)
    assert today.now.missed_open == 0
    tomorrow = dashboard_reader(settings).today(datetime(2026, 3, 3, 3, tzinfo=UTC))
    assert tomorrow.figures.all_calls == 0


# --- Trouble -------------------------------------------------------------------------------------


def test_while_the_table_is_away_nothing_is_lost(board: Wallboard) -> None:
    a_morning(board)
    board.deployment.lose_table("counters")
    with pytest.raises(Unavailable):
        board.look({"kind": "call", "call_id": "1"})
    assert board.ask().status == 503


def test_one_that_cannot_be_counted_keeps_no_other_from_it(board: Wallboard) -> None:
    a_morning(board)
    unknown = {"kind": "weather", "call_id": "2"}
    keyless = {"kind": "call"}
    answer = board.look({"kind": "call", "call_id": "1"}, unknown, keyless)
    assert answer == {"batchItemFailures": [{"itemIdentifier": "1"}, {"itemIdentifier": "2"}]}
    assert board.ask().body["total"]["all_calls"] == 1
