"""Random histories of calls, as events that a provider may send."""

from datetime import UTC, datetime, timedelta
from random import Random

from hypothesis import strategies as st

from retorno.telephony.ports import AnsweredBy, CallEvent, Direction, Stage

BEGINNING = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)

# The same two people, each as the plan writes them; and a third who withholds the number.
NUMBERS = ("+5511987654321", "+351912345678", None)
AGENTS = ("ana", "bia", None)
QUEUES = ("sales", "support", None)

moments = st.integers(0, 40).map(lambda step: BEGINNING + timedelta(seconds=15 * step))


@st.composite
def call_events(draw: st.DrawFn, call_ids: st.SearchStrategy[str]) -> CallEvent:
    """Any event at all: lifecycles that contradict themselves are part of the game."""
    stage = draw(st.sampled_from([None, *Stage]))
    return CallEvent(
        call_id=draw(call_ids),
        provider="canonical",
        occurred_at=draw(moments),
        stage=stage,
        direction=draw(st.sampled_from([None, *Direction])),
        caller=draw(st.sampled_from(NUMBERS)),
        number=draw(st.sampled_from(NUMBERS)),
        queue=draw(st.sampled_from(QUEUES)),
        agent=draw(st.sampled_from(AGENTS)),
        reason=draw(st.sampled_from(["busy", None])),
        answered_by=draw(st.sampled_from([None, *AnsweredBy])),
        leaves_queue=draw(st.booleans()) and stage in (Stage.NO_ANSWER, Stage.CANCELLED),
    )


def history(call_id: str, **facts: object) -> "History":
    return History(call_id, facts)


class History:
    """Builds the events of one call, by seconds from the beginning."""

    def __init__(self, call_id: str, facts: dict[str, object]) -> None:
        self._call_id = call_id
        self._facts = facts
        self.events: list[CallEvent] = []

    def at(self, seconds: float, stage: Stage, **facts: object) -> "History":
        moment = BEGINNING + timedelta(seconds=seconds)
        said = {"provider": "canonical", **self._facts, **facts}
        self.events.append(
            CallEvent(call_id=self._call_id, occurred_at=moment, stage=stage, **said)  # type: ignore[arg-type]
        )
        return self


# How often each way of calling and of ending comes, so that misses meet calls that answer them.
WAYS = (Direction.INBOUND, Direction.OUTBOUND_MANUAL, Direction.INBOUND, Direction.OUTBOUND_AUTO)
ENDINGS = ("hung up", "talked", "nobody", "talked", "machine", "never ended")
CALLED = (NUMBERS[0], NUMBERS[0], NUMBERS[0], NUMBERS[1], NUMBERS[2])


def plausible_call(call_id: str, random: Random) -> list[CallEvent]:
    """A call as one happens, of few people in little time, so that calls bear on each other."""
    direction, ending = random.choice(WAYS), random.choice(ENDINGS)
    begin, rang, talked = (15 * random.randint(0, most) for most in (20, 2, 3))
    told = history(
        call_id, direction=direction, number=random.choice(CALLED), agent=random.choice(AGENTS)
    )
    told.at(begin, Stage.QUEUED if direction is Direction.INBOUND else Stage.RINGING)
    if ending in ("talked", "machine"):
        answered_by = AnsweredBy.VOICEMAIL if ending == "machine" else None
        told.at(begin + rang, Stage.ANSWERED, answered_by=answered_by)
        told.at(begin + rang + talked, Stage.COMPLETED)
    elif ending != "never ended":
        stage = Stage.NO_ANSWER if ending == "nobody" else Stage.CANCELLED
        told.at(begin + rang, stage, leaves_queue=random.random() < 0.3)
    return told.events


def plausible_day(random: Random, calls: int, prefix: str = "") -> list[CallEvent]:
    """Events of some calls, in any order and some of them again."""
    ids = [f"{prefix}{index}" for index in range(calls)]
    events = [event for call_id in ids for event in plausible_call(call_id, random)]
    events += random.sample(events, len(events) // 4)
    random.shuffle(events)
    return events


# Hypothesis favours small and equal values, and would seldom let a miss meet its answer.
plausible_days = st.builds(plausible_day, st.randoms(use_true_random=True), st.integers(2, 12))
