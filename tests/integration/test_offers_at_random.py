"""Callers, agents, workers that die and a telephone system in trouble, in any order at all."""

from collections.abc import Callable
from contextlib import ExitStack
from datetime import datetime, timedelta

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
)

from retorno.agents.model import State as Presence
from retorno.agents.model import Wish
from retorno.errors import Conflict
from retorno.offers.model import STANDING, Mode, State, Waiting
from retorno.telephony.ports import DialFailed, DialRefused, DialUncertain, Stage
from tests.conftest import moto
from tests.support.line import AVAILABLE, QUEUE, Centre, Died, dying

AGENTS = ("ana", "bia")
TROUBLE = (DialRefused("no"), DialFailed("busy"), DialUncertain("who knows"))

# By then what a dead worker left is over: its hold, or the message that it had taken.
RECOVERED_AFTER = timedelta(seconds=90)

agents = st.sampled_from(AGENTS)
died_at = st.tuples(st.integers(1, 12), st.booleans())


class CallCentre(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.aws = ExitStack()
        self.aws.enter_context(moto())
        self.centre = Centre()
        self.call_ids: list[str] = []
        self.died: datetime | None = None

    @initialize(mode=st.sampled_from([Mode.ASK, Mode.ASK, Mode.AUTO]))
    def open(self, mode: Mode) -> None:
        self.centre.set_up(mode)
        self.centre.hire(*AGENTS)

    def standing(self) -> list[Waiting]:
        found = (self.centre.store.get(each) for each in self.call_ids)
        return [each for each in found if each]

    @property
    def is_calm(self) -> bool:
        return self.died is None or self.centre.now > self.died + RECOVERED_AFTER

    @rule()
    def somebody_calls(self) -> None:
        self.call_ids.append(f"c{len(self.call_ids):02}")
        self.centre.queue(self.call_ids[-1])

    @rule(at=died_at)
    def somebody_calls_and_a_worker_dies_of_it(self, at: tuple[int, bool]) -> None:
        self.call_ids.append(f"c{len(self.call_ids):02}")
        self.centre.tell(self.call_ids[-1], Stage.QUEUED)
        message = {"call_id": self.call_ids[-1]}
        self.dies(at, lambda: self.centre.offers.look(message, self.centre.now))
        self.centre.work.send(message, self.centre.now, self.centre.now + timedelta(seconds=30))
        self.centre.pass_time(1)

    def dies(self, at: tuple[int, bool], work: Callable[[], object]) -> None:
        try:
            with dying(at[0], before=at[1]):
                work()
        except Died:
            self.died = self.centre.now
        except Conflict:
            pass

    @rule(agent=agents, how=st.sampled_from(["accept", "reject"]), at=st.none() | died_at)
    def an_agent_answers(self, agent: str, how: str, at: tuple[int, bool] | None) -> None:
        for waiting in self.standing():
            if waiting.offer and waiting.offer.agent == agent:
                offer_id = waiting.offer.offer_id

                def answer(offer_id: str = offer_id) -> None:
                    if how == "accept":
                        self.centre.offers.accept(offer_id, agent, self.centre.now)
                    else:
                        self.centre.offers.reject(offer_id, agent, None, self.centre.now)

                self.dies(at or (1000, True), answer)
        self.centre.flow()

    @rule(agent=agents, wish=st.sampled_from([AVAILABLE, Wish(state=Presence.OFFLINE)]))
    def an_agent_says(self, agent: str, wish: Wish) -> None:
        self.centre.says(agent, wish)
        self.centre.flow()

    @rule(trouble=st.sampled_from(TROUBLE))
    def the_telephone_system_is_in_trouble(self, trouble: Exception) -> None:
        self.centre.switch.trouble = [trouble]

    @precondition(lambda self: self.call_ids)
    @rule(
        data=st.data(),
        stage=st.sampled_from([Stage.CANCELLED, Stage.ANSWERED, Stage.COMPLETED, Stage.QUEUED]),
    )
    def a_call_tells(self, data: st.DataObject, stage: Stage) -> None:
        call_id = data.draw(st.sampled_from(self.call_ids))
        waiting = self.centre.store.get(call_id)
        offer = waiting.offer if waiting else None
        if stage is Stage.QUEUED and (offer is None or offer.state is State.OFFERED):
            return
        agent = offer.agent if offer and offer.state is not State.OFFERED else "somebody"
        self.centre.tell(call_id, stage, agent=agent if stage is Stage.ANSWERED else None)
        self.centre.pass_time(1)

    @precondition(lambda self: self.call_ids)
    @rule(data=st.data())
    def a_worker_is_told_again(self, data: st.DataObject) -> None:
        call_id = data.draw(st.sampled_from(self.call_ids))
        for message in ({"call_id": call_id}, {"queue": QUEUE}):
            self.centre.offers.look(message, self.centre.now)
        self.centre.flow()

    @rule(seconds=st.sampled_from([3, 21, 45, 100]))
    def time_passes(self, seconds: int) -> None:
        self.centre.pass_time(seconds)

    @invariant()
    def an_agent_has_one_offer_and_is_held_for_it(self) -> None:
        # What the telephone system says it is connecting is its own: its events tell the rest.
        offers = [each.offer for each in self.standing() if each.offer and each.offer.until]
        assert len({offer.agent for offer in offers}) == len(offers) or not self.is_calm
        asked = {offer.agent: offer.offer_id for offer in offers if offer.state is State.OFFERED}
        for agent in AGENTS:
            hold = self.centre.presence(agent).hold
            holds = hold.hold_id if hold and self.centre.now < hold.until else None
            if agent in asked:
                assert holds == asked[agent]
            elif holds and self.is_calm:
                assert self.centre.records.one(holds, agent).state in STANDING

    @invariant()
    def nobody_waits_while_somebody_is_free_who_was_not_asked(self) -> None:
        if not self.is_calm:
            return
        idle = self.centre.reservations.idle(QUEUE, self.centre.now, 10)
        for waiting in self.standing():
            if waiting.may_be_offered(self.centre.now):
                assert waiting.next_agent(idle, lambda agent, since: False) is None

    @invariant()
    def who_came_first_is_asked_first(self) -> None:
        if not self.is_calm:
            return
        standing = self.standing()
        passed_by = [each for each in standing if not each.offer and not each.offers]
        for waiting in standing:
            if waiting.offer and waiting.offers == 1:
                assert all(each.since > waiting.since for each in passed_by)

    def teardown(self) -> None:
        centre = self.centre
        try:
            for call_id in self.call_ids:
                centre.tell(call_id, Stage.CANCELLED)
            centre.pass_time(200)
            assert self.standing() == []
            assert centre.line.waiting(QUEUE, centre.now) == 0
            for agent in AGENTS:
                assert centre.state(agent) is not Presence.ON_OFFER
        finally:
            self.aws.close()


TestCallCentre = CallCentre.TestCase
TestCallCentre.settings = settings(max_examples=12, stateful_step_count=15, deadline=None)
