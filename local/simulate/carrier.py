"""The way from the telephone switch to the webhook: events come late, out of order, and twice."""

from datetime import datetime, timedelta
from random import Random

from local.simulate.timeline import Timeline

Event = dict[str, str]

COMPANY_NUMBER = "+551130000000"

TWICE_SHARE = 0.04
# Seconds: most events come at once, some overtake each other, a few come very late.
DELAYS = ((0, 2), (10, 120), (600, 3600))
DELAY_SHARES = (0.90, 0.08, 0.02)


def told(call_id: str, count: int, stage: str, moment: datetime) -> Event:
    """A call's event of that count, from 1, as the webhook takes it."""
    return {
        "event_id": f"{call_id}-{count}",
        "call_id": call_id,
        "stage": stage,
        "occurred_at": moment.isoformat(timespec="milliseconds"),
    }


def between(direction: str, number: str) -> Event:
    """Whom a call is with; `number` is the customer's."""
    if direction == "inbound":
        return {"direction": direction, "from": number, "to": COMPANY_NUMBER}
    return {"direction": direction, "from": COMPANY_NUMBER, "to": number}


class Carrier:
    def __init__(self, seed: int) -> None:
        self._random = Random(f"{seed} carrier")
        self._under_way: Timeline[Event] = Timeline()

    def post(self, event: Event, moment: datetime) -> None:
        copies = 2 if self._random.random() < TWICE_SHARE else 1
        for _ in range(copies):
            [delay] = self._random.choices(DELAYS, DELAY_SHARES)
            arrival = moment + timedelta(seconds=self._random.uniform(*delay))
            self._under_way.put(arrival, event)

    def arrived(self, until: datetime) -> list[Event]:
        events = []
        while due := self._under_way.take(until):
            events.append(due[1])
        return events
