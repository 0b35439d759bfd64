"""Callers who wait, offered to agents, with all that can come in between."""

import pytest

from retorno.agents.model import AgentDraft, Wish
from retorno.agents.model import State as Presence
from retorno.errors import Conflict, NotFound
from retorno.offers.model import Mode, State
from retorno.telephony.ports import ConnectOrder, DialFailed, DialRefused, DialUncertain, Stage
from tests.support.line import AVAILABLE, QUEUE, Centre, Died, dying

LUNCH = Wish(state=Presence.PAUSED, reason="almoço")


@pytest.fixture
def centre(aws: None) -> Centre:
    centre = Centre()
    centre.set_up()
    return centre


class TestOrder:
    def test_the_longest_idle_agent_is_asked_first(self, centre: Centre) -> None:
        centre.hire("ana", "bia")
        centre.queue("c1", "c2")
        assert (centre.offered_to("c1"), centre.offered_to("c2")) == ("ana", "bia")
        assert centre.state("ana") is Presence.ON_OFFER

    def test_the_longest_waiting_caller_is_served_first(self, centre: Centre) -> None:
        centre.queue("c1", "c2")
        assert centre.line.waiting(QUEUE, centre.now) == 2
        centre.hire("ana")
        assert (centre.offered_to("c1"), centre.offered_to("c2")) == ("ana", None)
        assert centre.line.waiting(QUEUE, centre.now) == 1

    def test_a_caller_who_comes_back_to_the_line_stands_at_the_old_place(
        self, centre: Centre
    ) -> None:
        centre.hire("ana")
        centre.queue("c1", "c2", "c3")
        centre.reject("c1")
        assert centre.offered_to("c2") == "ana"
        centre.hire("bia")
        assert (centre.offered_to("c1"), centre.offered_to("c3")) == ("bia", None)

    def test_who_lacks_a_skill_is_not_asked(self, centre: Centre) -> None:
        centre.set_up(Mode.ASK, "inglês")
        centre.hire("ana")
        centre.hire("bia", skills=("inglês", "francês"))
        centre.queue("c1")
        assert centre.offered_to("c1") == "bia"

    def test_a_queue_that_nobody_set_up_is_left_to_the_telephone_system(
        self, centre: Centre
    ) -> None:
        centre.hire("ana")
        centre.tell("c1", Stage.QUEUED, queue="suporte")
        centre.flow()
        assert centre.offered_to("c1") is None
        assert centre.line.waiting("suporte", centre.now) == 1

    def test_who_waits_when_a_queue_is_set_up_is_served(self, centre: Centre) -> None:
        centre.hire("ana")
        centre.tell("c1", Stage.QUEUED, queue="suporte")
        centre.flow()
        centre.set_up(queue="suporte")
        centre.offers.look({"queue": "suporte"}, centre.now)
        assert centre.offered_to("c1") == "ana"


class TestRefusal:
    def test_moves_the_call_to_the_next_agent(self, centre: Centre) -> None:
        centre.hire("ana", "bia")
        centre.queue("c1")
        rejected = centre.reject("c1")
        assert (rejected.state, rejected.ordinal) == (State.REJECTED, 1)
        assert (centre.offered_to("c1"), centre.offer("c1").ordinal) == ("bia", 2)
        assert centre.state("ana") is Presence.AVAILABLE

    def test_by_all_leaves_the_call_waiting_and_goes_round_no_more(self, centre: Centre) -> None:
        centre.hire("ana", "bia")
        centre.queue("c1")
        centre.reject("c1")
        centre.reject("c1")
        centre.pass_time(600)
        assert (centre.offered_to("c1"), centre.waiting("c1").offers) == (None, 2)

    def test_of_two_calls_in_turn_goes_round_no_more(self, centre: Centre) -> None:
        centre.hire("ana")
        centre.queue("c1", "c2")
        centre.reject("c1")
        centre.reject("c2")
        centre.pass_time(600)
        assert (centre.offered_to("c1"), centre.offered_to("c2")) == (None, None)

    def test_is_asked_again_only_of_who_was_something_else_meanwhile(self, centre: Centre) -> None:
        centre.hire("ana", "bia")
        centre.queue("c1")
        centre.reject("c1")
        centre.reject("c1")
        centre.says("bia", LUNCH)
        centre.pass_time(60)
        centre.says("bia", AVAILABLE)
        centre.flow()
        assert centre.offered_to("c1") == "bia"

    def test_goes_to_whoever_was_not_asked_before_whoever_came_back(self, centre: Centre) -> None:
        centre.hire("ana")
        centre.queue("c1")
        centre.reject("c1")
        centre.says("ana", LUNCH)
        centre.pass_time(5)
        centre.says("ana", AVAILABLE)
        centre.people.register("bia", AgentDraft(name="Bia", queues=(QUEUE,)), centre.now)
        centre.says("bia", AVAILABLE)
        centre.flow()
        assert centre.offered_to("c1") == "bia"

    def test_told_twice_is_the_same_answer(self, centre: Centre) -> None:
        centre.hire("ana", "bia")
        centre.queue("c1")
        offer = centre.offer("c1")
        first = centre.reject("c1")
        again = centre.offers.reject(offer.offer_id, "ana", "mudei de ideia", centre.now)
        assert (again, centre.offered_to("c1")) == (first, "bia")

    def test_of_somebody_elses_offer_is_not_found(self, centre: Centre) -> None:
        centre.hire("ana", "bia")
        centre.queue("c1")
        offer = centre.offer("c1")
        with pytest.raises(NotFound):
            centre.offers.reject(offer.offer_id, "bia", None, centre.now)
        for offer_id in (offer.offer_id, "nothing"):
            with pytest.raises(NotFound):
                centre.offers.accept(offer_id, "bia", centre.now)


class TestSilence:
    def test_moves_the_call_on_and_pauses_the_agent(self, centre: Centre) -> None:
        centre.hire("ana", "bia")
        centre.queue("c1")
        first = centre.offer("c1")
        centre.pass_time(18)
        assert centre.offer("c1") == first
        centre.pass_time(2)
        assert centre.offered_to("c1") == "bia"
        assert centre.presence("ana").wish == Wish(
            state=Presence.PAUSED, reason="Não respondeu a uma chamada"
        )
        assert centre.state("ana") is Presence.PAUSED

    def test_takes_the_seconds_of_one_caller_alone(self, centre: Centre) -> None:
        centre.hire("ana")
        centre.queue("c1", "c2")
        centre.pass_time(120)
        assert (centre.offered_to("c1"), centre.offered_to("c2")) == (None, None)
        assert centre.waiting("c2").offers == 0

    def test_is_over_when_the_agent_comes_back(self, centre: Centre) -> None:
        centre.hire("ana")
        centre.queue("c1")
        centre.pass_time(60)
        centre.says("ana", AVAILABLE)
        centre.flow()
        assert centre.offered_to("c1") == "ana"

    def test_leaves_alone_who_wants_to_go_home(self, centre: Centre) -> None:
        centre.hire("ana")
        centre.queue("c1")
        centre.says("ana", Wish(state=Presence.OFFLINE))
        centre.pass_time(30)
        assert centre.state("ana") is Presence.OFFLINE

    def test_answered_too_late_says_so(self, centre: Centre) -> None:
        centre.hire("ana", "bia")
        centre.queue("c1")
        offer = centre.offer("c1")
        centre.pass_time(21)
        too_late = "o tempo para responder acabou"
        with pytest.raises(Conflict, match=too_late):
            centre.offers.accept(offer.offer_id, "ana", centre.now)
        with pytest.raises(Conflict, match=too_late):
            centre.offers.reject(offer.offer_id, "ana", None, centre.now)
        assert centre.switch.orders == []


class TestAcceptance:
    def test_connects_the_call_to_the_agents_telephone(self, centre: Centre) -> None:
        centre.hire("ana")
        centre.queue("c1")
        offer = centre.offer("c1")
        assert centre.accept("c1").state is State.CONNECTED
        (order,) = centre.switch.orders
        assert (order.call_id, order.telephone, order.queue) == ("c1", "client:ana", QUEUE)
        assert order.offer_id == offer.offer_id
        centre.pass_time(3)
        centre.tell("c1", Stage.ANSWERED, agent="ana")
        centre.flow()
        assert centre.state("ana") is Presence.BUSY
        assert centre.store.get("c1") is None
        assert centre.records.one(offer.offer_id, None).state is State.CONNECTED

    def test_told_twice_is_one_order_and_the_same_answer(self, centre: Centre) -> None:
        centre.hire("ana")
        centre.queue("c1")
        offer = centre.offer("c1")
        first = centre.accept("c1")
        assert centre.offers.accept(offer.offer_id, "ana", centre.now) == first
        assert len(centre.switch.orders) == 1
        centre.tell("c1", Stage.ANSWERED, agent="ana")
        centre.flow()
        again = centre.offers.accept(offer.offer_id, "ana", centre.now)
        assert again.state is State.CONNECTED
        with pytest.raises(Conflict, match="já aceitou"):
            centre.offers.reject(offer.offer_id, "ana", None, centre.now)

    def test_says_who_answered_where_the_telephone_system_does_not(self, centre: Centre) -> None:
        centre.hire("ana")
        centre.queue("c1")
        centre.accept("c1")
        centre.pass_time(3)
        centre.tell("c1", Stage.ANSWERED)
        centre.flow()
        assert (centre.state("ana"), centre.presence("ana").calls) == (Presence.BUSY, ("c1",))

    @pytest.mark.parametrize(
        "trouble", [DialRefused("answered 404"), DialFailed("answered 503"), Conflict("not set up")]
    )
    def test_that_fails_puts_the_call_back_and_says_so(
        self, centre: Centre, trouble: Exception
    ) -> None:
        centre.hire("ana")
        centre.queue("c1")
        offer = centre.offer("c1")
        centre.switch.trouble = [trouble]
        with pytest.raises(Conflict, match="não foi conectada e voltou ao seu lugar na fila"):
            centre.accept("c1")
        assert centre.records.one(offer.offer_id, None).reason == str(trouble)
        centre.flow()
        assert (centre.offered_to("c1"), centre.state("ana")) == (None, Presence.AVAILABLE)
        with pytest.raises(Conflict, match="não foi conectada"):
            centre.offers.accept(offer.offer_id, "ana", centre.now)
        centre.pass_time(16)
        assert centre.offered_to("c1") == "ana"
        assert centre.accept("c1").state is State.CONNECTED

    def test_is_not_tried_again_before_the_telephone_system_says(self, centre: Centre) -> None:
        centre.hire("ana")
        centre.queue("c1")
        centre.switch.trouble = [DialFailed("answered 429", 60)]
        with pytest.raises(Conflict):
            centre.accept("c1")
        centre.pass_time(59)
        assert centre.offered_to("c1") is None
        centre.pass_time(2)
        assert centre.offered_to("c1") == "ana"

    def test_of_which_nobody_knows_is_looked_up(self, centre: Centre) -> None:
        centre.hire("ana", "bia")
        centre.queue("c1")
        centre.switch.trouble = [DialUncertain("no answer in time")]
        centre.switch.answers = [DialUncertain("not yet"), True]
        assert centre.accept("c1").state is State.ACCEPTED
        centre.pass_time(39)
        assert centre.switch.looked == []
        centre.pass_time(20)
        assert len(centre.switch.looked) == 2
        assert centre.offer("c1").state is State.CONNECTED
        assert len(centre.switch.orders) == 1

    def test_of_an_order_that_was_not_taken_gives_the_call_to_somebody(
        self, centre: Centre
    ) -> None:
        centre.hire("ana", "bia")
        centre.queue("c1")
        centre.switch.trouble = [DialUncertain("no answer in time")]
        centre.accept("c1")
        centre.pass_time(41)
        assert centre.offered_to("c1") == "bia"
        assert centre.state("ana") is Presence.AVAILABLE

    @pytest.mark.parametrize("tells", [True, False])
    def test_whose_telephone_is_not_picked_up_pauses_the_agent(
        self, centre: Centre, tells: bool
    ) -> None:
        centre.hire("ana", "bia")
        centre.queue("c1")
        place = centre.waiting("c1").since
        centre.accept("c1")
        centre.switch.known.clear()
        centre.pass_time(25)
        if tells:
            centre.tell("c1", Stage.QUEUED)
        centre.pass_time(16)
        assert (centre.offered_to("c1"), centre.waiting("c1").since) == ("bia", place)
        assert centre.presence("ana").wish.reason == "Não atendeu o telefone"
        assert centre.state("ana") is Presence.PAUSED

    def test_of_a_call_queued_by_a_clock_ahead_of_ours_stands(self, centre: Centre) -> None:
        centre.hire("ana")
        ahead = centre.now.replace(minute=centre.now.minute + 1)
        centre.tell("c1", Stage.QUEUED, occurred_at=ahead)
        centre.flow()
        centre.accept("c1")
        centre.offers.look({"call_id": "c1"}, centre.now)
        assert centre.offer("c1").state is State.CONNECTED

    def test_after_the_hold_was_ended_by_a_leader_is_too_late(self, centre: Centre) -> None:
        centre.hire("ana", "bia")
        centre.queue("c1")
        offer = centre.offer("c1")
        centre.people.ask("ana", Wish(state=Presence.OFFLINE), centre.now, at_once=True)
        with pytest.raises(Conflict):
            centre.offers.accept(offer.offer_id, "ana", centre.now)
        centre.pass_time(21)
        assert (centre.offered_to("c1"), centre.state("ana")) == ("bia", Presence.OFFLINE)


class TestWithdrawal:
    @pytest.mark.parametrize(
        ("stage", "facts"),
        [
            (Stage.CANCELLED, {}),
            (Stage.ANSWERED, {"agent": "somebody"}),
            (Stage.QUEUED, {"queue": "suporte"}),
        ],
    )
    def test_releases_the_agent(self, centre: Centre, stage: Stage, facts: dict[str, str]) -> None:
        centre.hire("ana")
        centre.queue("c1")
        offer = centre.offer("c1")
        centre.pass_time(3)
        centre.tell("c1", stage, **facts)
        centre.flow()
        assert centre.state("ana") is Presence.AVAILABLE
        assert centre.line.waiting(QUEUE, centre.now) == 0
        assert centre.records.one(offer.offer_id, "ana").state is State.WITHDRAWN
        with pytest.raises(Conflict, match="não espera mais"):
            centre.offers.accept(offer.offer_id, "ana", centre.now)

    def test_is_seen_by_who_accepts_before_it_was_told(self, centre: Centre) -> None:
        centre.hire("ana")
        centre.queue("c1")
        offer = centre.offer("c1")
        centre.tell("c1", Stage.CANCELLED)
        with pytest.raises(Conflict, match="não espera mais"):
            centre.offers.accept(offer.offer_id, "ana", centre.now)
        assert centre.switch.orders == []

    def test_while_it_is_being_connected_is_what_it_came_to(self, centre: Centre) -> None:
        """The caller hangs up between the acceptance and the order's answer."""
        centre.hire("ana")
        centre.queue("c1")
        connect = centre.switch.connect

        def hangs_up(order: ConnectOrder) -> None:
            connect(order)
            centre.tell("c1", Stage.CANCELLED)
            centre.flow()

        centre.switch.connect = hangs_up  # type: ignore[method-assign]
        with pytest.raises(Conflict, match="não espera mais"):
            centre.accept("c1")
        assert (centre.state("ana"), centre.store.get("c1")) == (Presence.AVAILABLE, None)

    def test_a_call_told_late_is_served_as_it_is_by_then(self, centre: Centre) -> None:
        centre.hire("ana")
        began = centre.now
        centre.pass_time(30)
        centre.tell("c1", Stage.CANCELLED)
        centre.tell("c1", Stage.QUEUED, occurred_at=began)
        centre.flow()
        assert (centre.store.get("c1"), centre.state("ana")) == (None, Presence.AVAILABLE)

    def test_a_call_that_goes_to_another_queue_is_served_there(self, centre: Centre) -> None:
        centre.set_up(queue="suporte")
        centre.queue("c1")
        centre.tell("c1", Stage.QUEUED, queue="suporte")
        centre.hire("ana")
        assert centre.waiting("c1").queue == "suporte"
        assert centre.offered_to("c1") == "ana"


class TestAuto:
    def test_connects_each_caller_at_once(self, centre: Centre) -> None:
        centre.set_up(Mode.AUTO)
        centre.queue("c1", "c2", "c3")
        centre.hire("ana", "bia")
        assert [order.call_id for order in centre.switch.orders] == ["c1", "c2"]
        assert (centre.state("ana"), centre.state("bia")) == (Presence.ON_OFFER,) * 2

    def test_tries_again_after_a_while_and_not_at_once(self, centre: Centre) -> None:
        centre.set_up(Mode.AUTO)
        centre.hire("ana")
        centre.switch.trouble = [DialRefused("no") for _ in range(3)]
        centre.queue("c1")
        assert len(centre.switch.orders) == 1
        centre.pass_time(50)
        assert len(centre.switch.orders) == 4
        assert centre.offer("c1").state is State.CONNECTED


@pytest.mark.parametrize("mode", [Mode.ASK, Mode.AUTO])
@pytest.mark.parametrize("before", [True, False], ids=["before", "after"])
@pytest.mark.parametrize("at", range(1, 13))
def test_a_worker_that_dies_leaves_nobody_held_and_no_caller_lost(
    aws: None, mode: Mode, before: bool, at: int
) -> None:
    """At each request in turn. What died comes again when the queue of work gives it again."""
    centre = Centre()
    centre.set_up(mode)
    centre.hire("ana")
    centre.tell("c1", Stage.QUEUED)
    centre._follow()
    message = centre.work.take(centre.now)
    assert message == {"call_id": "c1"}
    try:
        with dying(at, before=before):
            centre.offers.look(message, centre.now)
    except Died:
        centre.work.send(message, centre.now, centre.now.replace(second=centre.now.second + 30))
    centre.flow()
    if mode is Mode.ASK and centre.offered_to("c1"):
        try:
            with dying(at, before=before):
                centre.offers.accept(centre.offer("c1").offer_id, "ana", centre.now)
        except Died:
            pass
    centre.pass_time(120)
    standing = centre.store.get("c1")
    assert standing is not None
    if standing.offer is None:
        # Ana was silent, for she died, and nobody else is there.
        assert centre.state("ana") is Presence.PAUSED
        centre.says("ana", AVAILABLE)
        centre.flow()
    assert centre.offered_to("c1") == "ana"
    if centre.offer("c1").state is State.OFFERED:
        centre.accept("c1")
    centre.tell("c1", Stage.ANSWERED, agent="ana")
    centre.flow()
    centre.pass_time(5)
    centre.tell("c1", Stage.COMPLETED)
    centre.pass_time(60)
    assert (centre.state("ana"), centre.store.get("c1")) == (Presence.AVAILABLE, None)
    assert centre.presence("ana").hold is None
