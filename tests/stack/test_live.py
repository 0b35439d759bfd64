"""What is seen live on the deployed stack, over its WebSocket API."""

import json
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import UTC, datetime
from random import Random
from typing import Any

import pytest

from local import aws, cloud
from local.errors import CloudError
from local.live import Picture, Watcher
from local.stack import Stack
from retorno.realtime.store import FeedStore
from tests.stack import test_offers
from tests.stack.test_offers import Switchboard, hire, switchboard
from tests.support.api import Api, eventually
from tools.measure_live import measure

__all__ = ["switchboard"]

CUTS = 100
CALLS = 40
QUEUES = ("painel", "retaguarda")
AGENTS = ("nina", "tais")
Json = dict[str, Any]


opened: list[Watcher] = []


def told(call_id: str, stage: str, **facts: str) -> Json:
    return test_offers.told(call_id, stage, **{"from": "+5571933335555", **facts})


@pytest.fixture(autouse=True)
def nobody_watches_on() -> Iterator[None]:
    yield
    while opened:
        opened.pop().cut()


def watcher(stack: Stack, role: str = "supervisor", *queues: str) -> Watcher:
    return watcher_with(stack, stack.tokens[role], *queues)


def watcher_with(stack: Stack, token: str, *queues: str) -> Watcher:
    opened.append(Watcher(stack.live_url, token, queues))
    return opened[-1]


def caught_up(watching: Watcher) -> Picture:
    """What it knows once it is told that it knows it all."""
    watching.connect()
    while not watching.picture.is_ready:
        if watching.hear(60) is None:
            watching.connect()
    return watching.picture


@pytest.mark.parametrize("token", ["", "not-a-token"])
def test_nobody_watches_without_a_token(stack: Stack, token: str) -> None:
    with pytest.raises(CloudError, match="HTTP 40"):
        Watcher(stack.live_url, token).connect()


def test_a_token_of_another_kind_does_not_do(stack: Stack) -> None:
    """Nor one that somebody else signed, or that says more than was signed."""
    header, body, signature = stack.tokens["agent"].split(".")
    _, leaders, _ = stack.tokens["supervisor"].split(".")
    for token in (f"{header}.{leaders}.{signature}", f"{header}.{body}."):
        with pytest.raises(CloudError, match="HTTP 40"):
            Watcher(stack.live_url, token).connect()


def test_what_makes_no_sense_is_refused_and_the_connection_stays(stack: Stack) -> None:
    watching = watcher(stack)
    caught_up(watching)
    for said, field in (("hello", "message"), ('{"action": "dance"}', "message")):
        watching.say(said)
        with pytest.raises(CloudError, match=field):
            watching.hear(60)
    watching.say(json.dumps({"action": "ping"}))
    assert watching.hear(60) == []


# --- The same picture as the API's --------------------------------------------------------------


def shared(view: Mapping[str, Any], api: Mapping[str, Any]) -> Json:
    """The fields of the API's that the view has, too."""
    names = {name: api[name] for name in view.keys() & api.keys() if name != "customer"}
    customer = api.get("customer")
    return {**names, "customer": customer and customer["customer_id"]}


def plain(view: Mapping[str, Any], names: Mapping[str, Any]) -> Json:
    customer = view.get("customer")
    shown = {name: value for name, value in view.items() if name in names}
    return {**shown, "customer": customer and customer["customer_id"]}


def present(agent: Mapping[str, Any], now: datetime) -> Json:
    """What an agent is by now: what has an `until` ends by itself."""
    presence = agent["presence"]
    if presence["until"] and datetime.fromisoformat(presence["until"]) <= now:
        return {"state": presence["next_state"], "since": presence["until"], "calls": []}
    return {name: presence[name] for name in ("state", "since", "calls")}


def as_the_api_says(
    api: Api, picture: Picture, call_ids: list[str], begun: datetime, agent: str | None
) -> list[str]:
    """What differs."""
    now, wrong = datetime.now(UTC), []

    def own(each: Json) -> bool:
        return agent in (None, each["agent"])

    def compare(kind: str, shown: Mapping[str, Json], there: Mapping[str, Json]) -> None:
        if shown.keys() != there.keys():
            wrong.append(f"{kind}: {sorted(shown.keys() ^ there.keys())}")
        for thing_id in shown.keys() & there.keys():
            expected = shared(shown[thing_id], there[thing_id])
            if plain(shown[thing_id], expected) != expected:
                wrong.append(f"{kind} {thing_id}: {shown[thing_id]} is not {expected}")

    calls = [api.get(f"/calls/{call_id}").body for call_id in call_ids]
    shown = {key: view for key, view in picture.things("call").items() if key in call_ids}
    going_on = {each["call_id"]: each for each in calls if not each["ended_at"] and own(each)}
    compare("call", shown, going_on)
    open_ones = [
        each
        for state in ("open", "blocked")
        for each in api.pages("/missed-calls", state=state, since=begun.isoformat())
    ]
    of_late = {
        key: view
        for key, view in picture.things("missed_call").items()
        if datetime.fromisoformat(view["missed_at"]) >= begun
    }
    compare("missed_call", of_late, {each["call_id"]: each for each in open_ones if own(each)})
    offers = [each for queue in QUEUES for each in api.pages("/offers", queue=queue)]
    shown = {key: view for key, view in picture.things("offer").items() if view["queue"] in QUEUES}
    compare("offer", shown, {each["offer_id"]: each for each in offers if own(each)})
    agents = {each["agent"]: each for each in api.pages("/agents") if own(each)}
    for name, each in agents.items():
        known = picture.things("agent").get(name)
        if known is None or present(known, now) != present(each, now):
            wrong.append(f"agent {name}: {known} is not {each}")
    return wrong


class Day:
    """A call centre's, as its telephone system and its people tell of it."""

    def __init__(self, api: Api, random: Random) -> None:
        self.api = api
        self.random = random
        self.call_ids: list[str] = []

    def play(self) -> None:
        going_on: dict[str, str] = {}
        for number in range(CALLS):
            call_id = f"live-{number}"
            self.call_ids.append(call_id)
            queue = self.random.choice(QUEUES)
            self.tell(call_id, "queued", queue=queue)
            going_on[call_id] = "queued"
            for each in self.random.sample(sorted(going_on), min(3, len(going_on))):
                going_on[each] = self.go_on(each, going_on[each])
                if going_on[each] == "over":
                    del going_on[each]
            if self.random.random() < 0.3:
                state = self.random.choice(["available", "offline"])
                self.api.put(f"/agents/{self.random.choice(AGENTS)}/presence", {"state": state})

    def go_on(self, call_id: str, state: str) -> str:
        if state == "answered":
            self.tell(call_id, "completed")
            return "over"
        if self.random.random() < 0.5:
            self.tell(call_id, "cancelled")
            return "over"
        self.tell(call_id, "answered", agent=self.random.choice(AGENTS))
        return "answered"

    def tell(self, call_id: str, stage: str, **facts: str) -> None:
        assert self.api.calls([told(call_id, stage, **facts)]).status == 200


def keep_watching(watching: Watcher, random: Random) -> None:
    """It is cut off again and again, between messages and while they come."""
    cuts = 0
    while cuts < CUTS:
        # Where the machine is busy, it may not be let in at once.
        with suppress(CloudError, TimeoutError):
            watching.connect()
            cuts += 1
            for _ in range(random.randrange(4)):
                watching.hear(random.random() / 4)
        watching.cut()


def test_who_is_cut_off_a_hundred_times_ends_with_the_picture_of_the_api(
    stack: Stack, api: Api, switchboard: Switchboard
) -> None:
    begun = datetime.now(UTC)
    for queue in QUEUES:
        assert api.put(f"/queues/{queue}", {"mode": "ask", "offer_seconds": 30}).status == 201
    for name, queue in zip(AGENTS, QUEUES, strict=True):
        hire(api, name, queue)
    day = Day(api, Random(7))
    # Not the agent of other tests: some calls go on when this one is over.
    nina = AGENTS[0]
    tokens = {
        "supervisor": stack.tokens["supervisor"],
        nina: cloud.sign_in_agents(stack, [nina])[nina],
    }
    watchers = {who: watcher_with(stack, token) for who, token in tokens.items()}
    with ThreadPoolExecutor() as pool:
        played = pool.submit(day.play)
        jobs = [
            pool.submit(keep_watching, each, Random(seed))
            for seed, each in enumerate(watchers.values())
        ]
        for job in (played, *jobs):
            job.result()
    for who, watching in watchers.items():
        agent = nina if who == nina else None
        caught_up(watching)

        def differs(watching: Watcher = watching, agent: str | None = agent) -> list[str]:
            with suppress(TimeoutError):
                while True:
                    if watching.hear(0.5) is None:
                        watching.connect()
            return as_the_api_says(api, watching.picture, day.call_ids, begun, agent)

        assert eventually(differs, lambda wrong: not wrong) == []
        # And it is what somebody sees who comes only now.
        fresh = caught_up(watcher_with(stack, tokens[who]))
        for kind in ("call", "missed_call", "offer", "agent"):
            assert fresh.things(kind) == watching.picture.things(kind)
    # An agent sees nobody else.
    assert watchers[nina].picture.things("agent").keys() == {nina}


def test_who_watches_one_queue_is_told_of_that_alone(stack: Stack, api: Api) -> None:
    watching = watcher(stack, "supervisor", "so-esta")
    caught_up(watching)
    assert api.calls([told("live-other", "queued", queue="outra")]).status == 200
    assert api.calls([told("live-this", "queued", queue="so-esta")]).status == 200

    def heard() -> set[str]:
        with suppress(TimeoutError):
            watching.hear(1)
        # Calls that are of no queue are shown to all; other tests left some.
        return set(watching.picture.things("call")) & {"live-this", "live-other"}

    assert eventually(heard, lambda calls: "live-this" in calls) == {"live-this"}


def test_who_was_told_of_what_is_forgotten_by_now_begins_anew(stack: Stack) -> None:
    watching = watcher(stack)
    picture = caught_up(watching)
    watching.cut()
    # A number that this stack never gave.
    picture.after = 10**9
    assert caught_up(watching).after != 10**9


@pytest.mark.usefixtures("dynamodb")
def test_connections_that_are_gone_leave_nothing(stack: Stack) -> None:
    store = FeedStore(stack.resources["FeedTable"])
    token = cloud.sign_in_agents(stack, ["gil"])["gil"]
    watching = watcher_with(stack, token)
    caught_up(watching)
    (watch,) = store.watches("gil")
    watching.cut()
    left = eventually(lambda: store.watches("gil"), lambda found: not found)
    assert left == []
    assert store.admitted(watch.connection_id) is None


@pytest.mark.usefixtures("dynamodb")
def test_who_is_cut_off_by_the_gateway_is_let_in_again(stack: Stack) -> None:
    """As those are who cannot be told."""
    token = cloud.sign_in_agents(stack, ["ivo"])["ivo"]
    watching = watcher_with(stack, token)
    caught_up(watching)
    (watch,) = FeedStore(stack.resources["FeedTable"]).watches("ivo")
    gateway: Any = aws.session().client(
        "apigatewaymanagementapi", endpoint_url=stack.live_url.replace("ws:", "http:")
    )
    gateway.delete_connection(ConnectionId=watch.connection_id)
    assert watching.hear(60) is None
    assert caught_up(watching).is_ready


def test_many_watch_at_once(stack: Stack, api: Api) -> None:
    """tools/measure_live.py does the same with a thousand."""
    found = measure(stack, api.stack.tokens["supervisor"], connections=50)
    assert found.told == 50
