"""After any history the counters are as recounted from the records, which here is done plainly."""

import json
from collections import Counter
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from math import ceil
from random import Random
from typing import Any
from zoneinfo import ZoneInfo

import boto3
import pytest

from retorno.agents.model import State as Presence
from retorno.calls.model import Call, CallRules
from retorno.calls.service import CallReader, CallReview
from retorno.errors import Conflict
from retorno.offers.model import Offer, Waiting
from retorno.offers.model import State as OfferState
from retorno.offers.store import OfferStore
from retorno.telephony.ports import AnsweredBy
from tests.support.clock import StoppedClock
from tests.support.dashboard import Wallboard
from tests.support.deployment import Deployment
from tests.support.events import sqs
from tests.support.histories import BEGINNING, QUEUES, plausible_call
from tests.support.line import Died, dying

SAO_PAULO = ZoneInfo("America/Sao_Paulo")
HOUR = timedelta(hours=1)
AGENTS = ("ana", "bia")
CALLS = 10
MEASURES = {
    "inbound_waits": ("inbound", "wait_seconds"),
    "missed_first_attempts": ("missed", "first_attempt_seconds"),
    "missed_recoveries": ("missed", "recovery_seconds"),
}
# Of the names of a histogram's counters all but the number.
BUCKETS = {
    "inbound_w": "inbound_waits",
    "missed_f": "missed_first_attempts",
    "missed_r": "missed_recoveries",
}
ENDED = {"cancelled": "abandoned", "no_answer": "no_answer", "failed": "failed"}
DECIDED = {"connected": "accepted", "rejected": "refused", "silent": "ignored"}


def items(table: str) -> list[dict[str, Any]]:
    """All of a table, as it keeps them."""
    found = boto3.client("dynamodb").scan(TableName=table)["Items"]
    return [{name: next(iter(value.values())) for name, value in each.items()} for each in found]


def moment(text: str) -> datetime:
    return datetime.fromisoformat(text)


@dataclass
class Recount:
    """Adds up what the records say. Of how long things took it keeps each by itself."""

    rows: dict[tuple[str, str], Counter[str]] = field(default_factory=dict)
    took: dict[str, list[float]] = field(default_factory=dict)

    def add(
        self, at: datetime, queue: str | None, agent: str | None, row: Mapping[str, int]
    ) -> None:
        day, hour = f"{at.astimezone(SAO_PAULO):%Y-%m-%d}", f"{at.astimezone(UTC):%Y-%m-%dT%H}"
        places = [("dashboard", f"day#{day}"), ("dashboard", f"hour#{hour}")]
        for what, name in (("queue", queue), ("agent", agent)):
            if name:
                places.append((f"dashboard#{what}#{name}", f"hour#{hour}"))
                places.append((f"dashboard#by_{what}", f"{day}#{name}"))
        for place in places:
            self.rows.setdefault(place, Counter()).update(row)

    def call(self, call: Call) -> None:
        if call.ended_at is None or call.started_at is None or call.internal:
            return
        row: Counter[str] = Counter()
        prefix = call.direction or "undirected"
        answered = call.answered_at is not None or call.status == "completed"
        if call.end_reason == "operator_no_answer" and prefix.startswith("outbound"):
            row[f"{prefix}_operator_no_answer"] = 1
        else:
            row[f"{prefix}_calls"] = 1
            if call.direction and call.talk_seconds is not None:
                row[f"{prefix}_talked"] = 1
                row[f"{prefix}_talk_ms"] = round(1000 * call.talk_seconds)
            if prefix.startswith("outbound") and answered:
                row[f"{prefix}_answered"] = 1
                row[f"{prefix}_by_person"] = call.answered_by == "human"
                row[f"{prefix}_by_voicemail"] = call.answered_by == "voicemail"
        if prefix == "inbound":
            self.came_in(call, row, answered=answered)
        self.add(call.started_at, call.queue, call.agent, row)

    def came_in(self, call: Call, row: Counter[str], *, answered: bool) -> None:
        in_menu = not answered and call.end_reason == "ended_in_ivr"
        if answered:
            became = "by_machine" if call.answered_by == "voicemail" else "answered"
        else:
            became = "in_menu" if in_menu else ENDED[call.status]
        row[f"inbound_{became}"] = 1
        wait = call.wait_seconds
        if wait is None or in_menu:
            return
        self.took.setdefault("inbound_waits", []).append(wait)
        row.update(["inbound_queued", "inbound_waits"])
        if became in ("answered", "abandoned"):
            row[f"inbound_queued_{became}"] = 1
            row[f"inbound_{became}_wait_ms"] = round(1000 * wait)
        row["inbound_in_time"] = became == "answered" and wait <= 20
        row["inbound_short_abandons"] = became == "abandoned" and wait <= 5

    def missed(self, part: dict[str, Any]) -> None:
        if part["role"] != "missed":
            return
        state, at, queue = part["state"], moment(part["at"]), part.get("queue")
        tried = part.get("first_attempt_seconds", part.get("recovery_seconds"))
        row = Counter({"missed_calls": 1, f"missed_{state}": 1})
        row["missed_attempts"] = int(part.get("attempts", 0))
        row["missed_short_abandons"] = part["short_abandon"]
        for name, seconds in (
            ("missed_first_attempts", tried),
            ("missed_recoveries", part.get("recovery_seconds")),
        ):
            if seconds is not None:
                self.took.setdefault(name, []).append(float(seconds))
                row[name] = 1
        row["missed_attempted"] = tried is not None
        self.add(at, queue, part.get("agent"), row)
        if winner := part.get("recovered_by_agent"):
            self.add(at, queue, winner, {"missed_won_back": 1})
        if state in ("open", "blocked"):
            for scope in {"dashboard", f"dashboard#queue#{queue}" if queue else "dashboard"}:
                self.rows.setdefault((scope, "now"), Counter())[f"now_missed_{state}"] += 1

    def offer(self, item: dict[str, Any]) -> None:
        if item["pk"].startswith("offer#") and item["state"] not in ("offered", "accepted"):
            became = DECIDED.get(item["state"], item["state"])
            row = {"offers_offers": 1, f"offers_{became}": 1}
            self.add(moment(item["offered_at"]), item["queue"], item["agent"], row)

    def presence(self, item: dict[str, Any]) -> None:
        if not item["sk"].startswith("time#") or item["state"] == "offline":
            return
        begin, end = moment(item["sk"][5:]), moment(item["end"])
        hour = begin.replace(minute=0, second=0, microsecond=0)
        while hour < end:
            spent = min(end, hour + HOUR) - max(begin, hour)
            milliseconds = spent // timedelta(milliseconds=1)
            agent = item["pk"].partition("#")[2]
            self.add(hour, None, agent, {f"operators_{item['state']}_ms": milliseconds})
            hour += HOUR


def recounted(calls: CallReader) -> Recount:
    recount = Recount()
    for call in calls.present([each["call_id"] for each in items("calls")]):
        recount.call(call)
    for part in items("recoveries"):
        recount.missed(part)
    for item in items("offers"):
        recount.offer(item)
    for item in items("agents"):
        recount.presence(item)
    return recount


def counted() -> dict[tuple[str, str], Counter[str]]:
    """What the rows have, the buckets of a histogram together."""
    rows: dict[tuple[str, str], Counter[str]] = {}
    for item in items("counters"):
        if item["scope"].startswith("dashboard"):
            row = rows.setdefault((item.pop("scope"), item.pop("cell")), Counter())
            for name, amount in item.items():
                row[BUCKETS.get(name.rstrip("0123456789"), name)] += int(amount)
    return rows


def not_zero(rows: Mapping[tuple[str, str], Counter[str]]) -> dict[tuple[str, str], Counter[str]]:
    kept = {place: +row for place, row in rows.items()}
    return {place: row for place, row in kept.items() if row}


class Centre:
    """Calls, operators and offers, whatever happens to whoever counts them."""

    def __init__(self, board: Wallboard, random: Random) -> None:
        self.board = board
        self.random = random
        self.reader = CallReader(board.calls, CallRules())
        self.offers = OfferStore("offers")
        self.to_look: list[dict[str, str]] = []
        calls = [plausible_call(f"c{number}", random) for number in range(CALLS)]
        self.events = [event for call in calls for event in call]
        self.events += random.sample(self.events, len(self.events) // 4)
        random.shuffle(self.events)
        for agent in AGENTS:
            board.register(agent)

    def somebody_tells(self) -> None:
        for _ in range(min(6, len(self.events))):
            event = self.events.pop()
            queue = self.random.choice(QUEUES)
            self.board.tell([replace(event, queue=queue)])

    def somebody_comes_or_goes(self) -> None:
        self.board.clock.advance(minutes=self.random.choice([0, 1, 25, 70]), seconds=0.4)
        state = self.random.choice([Presence.AVAILABLE, Presence.PAUSED, Presence.OFFLINE])
        reason = "almoço" if state is Presence.PAUSED else None
        self.board.says(self.random.choice(AGENTS), state, reason)

    def an_offer_changes(self) -> None:
        number = self.random.randint(0, 3)
        before = self.offers.get(f"o{number}")
        waiting = before or Waiting(call_id=f"o{number}", queue="sales", since=BEGINNING)
        offer = Offer(
            offer_id=f"{number}",
            call_id=waiting.call_id,
            queue="sales",
            agent=self.random.choice(AGENTS),
            telephone="4001",
            ordinal=1,
            waiting_since=BEGINNING,
            offered_at=BEGINNING,
            state=self.random.choice(list(OfferState)),
            until=None,
        )
        self.offers.save(before, waiting, ended=offer)

    def somebody_listened(self) -> None:
        verdict = self.random.choice([AnsweredBy.HUMAN, AnsweredBy.VOICEMAIL])
        for call in self.reader.present([f"c{self.random.randrange(CALLS)}"]):
            with suppress(Conflict):
                CallReview(self.board.calls, CallRules())(
                    call.call_id, verdict, "rita", self.board.clock.now
                )

    def what_changed_is_told(self) -> None:
        self.board.deployment.work()
        self.to_look += self.board.deployment.messages("CountsQueue")

    def some_are_looked_at(self) -> None:
        """By one who may die of it; and what was looked at may come again."""
        batch = self.random.sample(self.to_look, min(len(self.to_look), 30))
        batch += batch[:2]
        with suppress(Died), dying(self.random.randint(1, 20), before=self.random.random() < 0.5):
            self.look_at(batch)
            if self.random.random() < 0.7:
                self.to_look = [each for each in self.to_look if each not in batch]

    def look_at(self, batch: list[dict[str, str]]) -> None:
        answer = self.board.deployment.call("AggregateMetrics", sqs(*map(json.dumps, batch)))
        assert answer == {"batchItemFailures": []}

    def live(self) -> None:
        happenings = (
            self.somebody_tells,
            self.somebody_comes_or_goes,
            self.an_offer_changes,
            self.somebody_listened,
            self.what_changed_is_told,
            self.some_are_looked_at,
            self.some_are_looked_at,
        )
        while self.events:
            self.random.choice(happenings)()
        for _ in range(8):
            self.random.choice(happenings)()
        self.what_changed_is_told()
        self.random.shuffle(self.to_look)
        self.look_at(self.to_look)


@pytest.mark.parametrize("seed", range(3))
def test_the_counters_are_as_recounted(
    deployment: Deployment, clock: StoppedClock, seed: int
) -> None:
    board = Wallboard(deployment, clock)
    centre = Centre(board, Random(seed))
    centre.live()
    recount = recounted(centre.reader)
    assert not_zero(counted()) == not_zero(recount.rows)
    total = board.ask(since="2026-03-01", to="2026-03-10").body["total"]
    for measure, (section, name) in MEASURES.items():
        for rank, shown in ((50, "median"), (90, "p90")):
            took = sorted(recount.took.get(measure, []))
            said = total[section][f"{name}_{shown}"]
            exact = took[ceil(len(took) * rank / 100) - 1] if took else None
            assert said == (pytest.approx(exact, rel=0.0501) if exact and exact >= 1 else exact)
