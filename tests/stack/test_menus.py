"""Callers in the deployed stack's menus, led as Twilio leads them: over HTTP, each step signed."""

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from http import HTTPStatus
from typing import Any
from urllib.parse import urlencode

import pytest
import urllib3

from local.stack import Stack
from retorno.menus.model import Language
from retorno.menus.words import WORDS
from retorno.telephony.twilio import first_words_url
from tests.support.api import Api
from tests.support.caller import Caller, End
from tests.support.menus import FIRST_WORDS, WELCOME
from tests.support.webhooks import signed_by_twilio

SAYS = WORDS[Language.BRAZIL]
COMPANY = "+551130001000"


@pytest.fixture(scope="module", autouse=True)
def menus(api: Api) -> None:
    for menu, tree in (("loja", WELCOME), ("retorno", FIRST_WORDS)):
        assert api.put(f"/menus/{menu}", tree).status == HTTPStatus.CREATED


class Line:
    """The telephone line of one call."""

    def __init__(self, stack: Stack, call_id: str, number: str) -> None:
        self._stack = stack
        self._http = urllib3.PoolManager(retries=False)
        self.url = f"{stack.api_url}/webhooks/twilio/menus/loja"
        self.form = {"CallSid": call_id, "From": number, "To": COMPANY}

    def fetch(self, url: str, form: Mapping[str, str]) -> str:
        headers = signed_by_twilio(url, form, self._stack.twilio_secret)
        answer = self._http.request("POST", url, headers=headers, body=urlencode(form))
        assert answer.status == HTTPStatus.OK
        assert answer.headers["Content-Type"] == "text/xml; charset=utf-8"
        return answer.data.decode()

    def call(self, *keys: str) -> tuple[End, Caller]:
        caller = Caller(self.fetch, self.form, keys)
        return caller.call(self.url), caller


def requested(api: Api, **wish: str) -> dict[str, Any]:
    answer = api.post("/callback-requests", wish, role="agent")
    assert answer.status == HTTPStatus.ACCEPTED
    body: dict[str, Any] = answer.body
    return body


def test_a_waiting_caller_asks_for_a_call_back(api: Api, stack: Stack) -> None:
    line = Line(stack, "CAwaits", "+5511955551111")
    end, caller = line.call("1", "", "1")
    assert (end, caller.heard[-1]) == (End.HUNG_UP, SAYS.callback_asked)
    call = api.get("/calls/CAwaits").body
    assert (call["queue"], call["number"]) == ("vendas", "+5511955551111")
    contact = requested(api, call_id="CAwaits")
    assert (contact["asked_at"], contact["queue"]) == (call["queued_at"], "vendas")


def test_one_customer_is_one_contact_whoever_asks(api: Api, stack: Stack) -> None:
    def ask(index: int) -> str:
        if index % 2:
            Line(stack, f"CAmany{index}", "+5511955552222").call("1", "1")
        wish = {"number": "(11) 95555-2222", "queue": "vendas"}
        return str(requested(api, **wish)["contact_id"])

    with ThreadPoolExecutor(6) as threads:
        assert len(set(threads.map(ask, range(6)))) == 1


def test_a_change_does_not_reach_a_call_in_the_menu(api: Api, stack: Stack) -> None:
    line = Line(stack, "CAchange", "+5511955553333")
    first = line.fetch(line.url, {**line.form, "Direction": "inbound"})
    assert 'action="loja?version=' in first
    version = api.get("/menus/loja").body["version"]
    api.send("PUT", "/menus/loja", {**WELCOME, "start": "principal"}, if_match="*")
    caller = Caller(line.fetch, line.form, ["2"])
    assert caller.call(f"{line.url}?version={version}&node=ola") is End.QUEUED
    assert caller.heard[0] == "Bem-vindo à Loja & Cia."
    _, caller = line.call("2")
    assert "Bem-vindo à Loja & Cia." not in caller.heard


def test_a_customer_who_is_called_says_never_again(api: Api, stack: Stack) -> None:
    number = "+5511955554444"
    line = Line(stack, "CAnever", COMPANY)
    form = {"CallSid": "CAnever", "From": COMPANY, "To": number}
    caller = Caller(line.fetch, form, ["9"], called=True)
    assert caller.call(first_words_url(stack.api_url, "retorno")) is End.HUNG_UP
    (entry,) = api.get(f"/do-not-call/{number}").body["entries"]
    assert (entry["origin"], entry["added_by"]) == ("customer", "menu retorno")


def test_nobody_s_signature_is_refused(stack: Stack) -> None:
    url = f"{stack.api_url}/webhooks/twilio/menus/loja"
    headers = signed_by_twilio(url, {"CallSid": "CA1"}, "another")
    body = urlencode({"CallSid": "CA1"})
    answer = urllib3.PoolManager().request("POST", url, headers=headers, body=body)
    assert answer.status == HTTPStatus.UNAUTHORIZED
