"""What the simulation's people do, through the stack's own functions: their books agree."""

import re
from collections import deque
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from threading import Event as Signal
from typing import Any, cast
from urllib.parse import urlsplit

import pytest
import urllib3

from local.client import Client
from local.simulate.chats import STORIES, Chat, Sends, Story, Writes
from local.simulate.messenger import Conversations, Messenger, network
from local.simulate.people import Customer, settle
from local.simulate.quotes import STATES, Sales, Seller, plan
from local.simulate.switch import Connection, Switch
from local.whatsapp import PHONE_NUMBER_ID, WhatsApp, serving
from retorno.http import OPEN_ROUTES, RIGHTS
from tests.support.clock import StoppedClock
from tests.support.deployment import (
    WEBHOOK_SECRET,
    WHATSAPP_APP_SECRET,
    WHATSAPP_TOKEN,
    Deployment,
)
from tests.support.events import Claims, http, user
from tests.support.functions import function_of

CREDENTIALS = {"app_secret": WHATSAPP_APP_SECRET, "access_token": WHATSAPP_TOKEN}
ROUTES = {
    re.compile(re.sub(r"\{\w+\}", "[^/]+", route)): route
    for route in sorted(RIGHTS.keys() | OPEN_ROUTES)
}


class Line:
    """Stands for a client's connections: it asks the functions, at the present time."""

    def __init__(self, deployment: Deployment, clock: StoppedClock, claims: Claims) -> None:
        self._deployment = deployment
        self._clock = clock
        self._claims = claims

    def request(
        self,
        method: str,
        url: str,
        headers: Mapping[str, str],
        body: bytes | None = None,
        fields: Mapping[str, str] | None = None,
    ) -> urllib3.HTTPResponse:
        self._clock.now = datetime.now(UTC)
        path = urlsplit(url).path
        route = next(route for form, route in ROUTES.items() if form.fullmatch(f"{method} {path}"))
        event = http(
            route,
            path=path,
            query=fields,
            headers={name.lower(): value for name, value in headers.items()},
            body=body,
            claims=self._claims,
        )
        answer = self._deployment.call(function_of(route), event)
        return urllib3.HTTPResponse(answer["body"].encode(), status=answer["statusCode"])


@pytest.fixture
def ana(deployment: Deployment, clock: StoppedClock) -> Client:
    """A client of hers, or of whoever tells of calls and messages."""
    client = Client("https://api.example.com", WEBHOOK_SECRET, "")
    client._pool = cast(Any, Line(deployment, clock, user("[agent]", "ana")))
    return client


@pytest.fixture
def customer() -> Customer:
    customer = next(each for each in settle(9, 1, datetime.now(UTC)) if not each.withheld)
    customer.area, customer.line = "81", "87654321"
    return customer


class Shift(Signal):
    """In which whatever WhatsApp has to tell is told at once."""

    def __init__(self, client: Client, whatsapp: WhatsApp) -> None:
        super().__init__()
        self._client = client
        self._whatsapp = whatsapp

    def wait(self, timeout: float | None = None) -> bool:
        for body in self._whatsapp.told():
            self._client.tell_as_whatsapp(body, self._whatsapp.headers(body))
        return False


@pytest.mark.parametrize("story", STORIES)
def test_each_story_is_told_to_its_end(
    deployment: Deployment, ana: Client, customer: Customer, story: Story
) -> None:
    chat = Chat(customer, "ana", deque(story))
    whatsapp = network([chat], CREDENTIALS, "sim-1")
    shift = Shift(ana, whatsapp)
    with serving(whatsapp) as url:
        deployment.configure(WHATSAPP_URL=url, WHATSAPP_PHONE_NUMBER_ID=PHONE_NUMBER_ID)
        Messenger("ana", ana, whatsapp, [chat], 1).work(shift)
        shift.wait()
    assert list(Conversations(ana, [chat]).differences()) == []
    assert not chat.steps
    texts = sum(len(step.texts) for step in story if isinstance(step, Writes))
    sends = [step for step in story if isinstance(step, Sends)]
    refused = sum(step.fate is None for step in sends)
    assert (chat.refused, len(chat.said)) == (refused, texts + len(sends) - refused)


def test_quotes_are_made_in_calls_and_decided(ana: Client) -> None:
    began = datetime.now(UTC) - timedelta(hours=1)
    customers = [each for each in settle(20, 1, began) if not each.withheld]
    deals = plan(customers, 1)
    switch = talks(customers, began)
    events = switch.advance(began + timedelta(minutes=30))
    seller = Seller("ana", ana, switch.all_calls, deals)
    sales = Sales(ana, [seller], datetime.now(UTC) - timedelta(seconds=1))
    assert len(list(sales.differences())) == len(deals)
    for event in events:
        ana.send_calls([event])
    assert list(sales.differences()) == []
    seller.look(datetime.now(UTC) + timedelta(minutes=1))
    assert {quote.state for quote in seller.quotes} == set(STATES)
    assert list(sales.differences()) == []


def talks(customers: list[Customer], began: datetime) -> Switch:
    """Ana took all their calls, one after the other."""
    switch = Switch("x", 1, customers, 0.01)
    for number, customer in enumerate(customers):
        at = began + timedelta(seconds=30 * number)
        call = switch.ring_in(customer, "vendas", 1000, at)
        switch.connect(Connection(f"o{number}", call.call_id, "4001", "ana"), at)
    return switch


def test_who_promises_learns_whether_it_was_in_time(ana: Client) -> None:
    now = datetime.now(UTC)
    wish = {"number": "+5511987654321", "queue": "vendas"}
    past, soon = (now + timedelta(minutes=minutes) for minutes in (-1, 1))
    assert not ana.promise({**wish, "at": past.isoformat()}, key="a-promise-too-late")
    assert ana.promise({**wish, "at": soon.isoformat()}, key="a-promise-in-time")


def test_who_asks_for_a_call_instead_of_waiting_learns_that_it_is_noted(
    ana: Client, customer: Customer
) -> None:
    began = datetime.now(UTC)
    switch = Switch("x", 1, [customer], 0.01)
    call = switch.ring_in(customer, "vendas", 1000, began)
    ana.send_calls(switch.advance(began + timedelta(seconds=1)))
    assert ana.request_callback(call.call_id)
    assert not ana.request_callback("nobody-knows-it")
