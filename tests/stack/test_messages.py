"""Conversations on the deployed stack, with its rights: WhatsApp runs on this machine, and tells of
what happens by webhook."""

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from http import HTTPStatus
from typing import Any
from urllib.parse import quote, urlencode

import pytest

from local import aws
from local.stack import Stack
from local.whatsapp import PHONE_NUMBER_ID, WhatsApp, serving, telling
from tests.stack.conftest import configured
from tests.support.api import Answer, Api, eventually

APP_SECRET, TOKEN, VERIFY_TOKEN = "not-an-app-secret", "not-a-token", "not-a-verify-token"
TEMPLATE = {"template": {"name": "retorno", "parameters": ["Carla"]}}
THREADS = 8


@pytest.fixture(scope="module")
def whatsapp(stack: Stack) -> Iterator[WhatsApp]:
    session: Any = aws.session()
    secrets = session.client("secretsmanager", endpoint_url=stack.endpoint_url)
    kept = {"access_token": TOKEN, "app_secret": APP_SECRET, "verify_token": VERIFY_TOKEN}
    secrets.put_secret_value(
        SecretId=stack.resources["WhatsAppSecret"], SecretString=json.dumps(kept)
    )
    whatsapp = WhatsApp(APP_SECRET, TOKEN)
    with serving(whatsapp) as url, telling(whatsapp, f"{stack.api_url}/webhooks/whatsapp"):
        sending = {"WHATSAPP_URL": url, "WHATSAPP_PHONE_NUMBER_ID": PHONE_NUMBER_ID}
        with configured(stack, ["SendMessages", "RetryMessages"], sending):
            yield whatsapp


def path_of(number: str) -> str:
    return f"/conversations/{quote(number, safe='')}"


def send(api: Api, number: str, wish: object, key: str) -> Answer:
    return api.send("POST", f"{path_of(number)}/messages", wish, "agent", Idempotency_Key=key)


def messages(api: Api, number: str, **query: str) -> list[dict[str, Any]]:
    return list(api.pages(f"{path_of(number)}/messages", **query))


def states(api: Api, number: str) -> list[str]:
    return [each["state"] for each in messages(api, number)]


def test_the_webhook_is_verified(api: Api, whatsapp: WhatsApp) -> None:
    query = {
        "hub.mode": "subscribe",
        "hub.verify_token": VERIFY_TOKEN,
        "hub.challenge": "1158201444",
    }
    url = f"/webhooks/whatsapp?{urlencode(query)}"
    answer = api.request("GET", url, {}, b"")
    assert (answer.status, answer.body) == (HTTPStatus.OK, 1158201444)


def test_what_nobody_understands_is_kept(api: Api, whatsapp: WhatsApp) -> None:
    body = whatsapp.payload({"event": "account_update"})
    answer = api.request("POST", "/webhooks/whatsapp", whatsapp.headers(body), body)
    assert (answer.status, answer.body["kept"]) == (HTTPStatus.OK, 1)
    unsigned = api.request("POST", "/webhooks/whatsapp", {}, body)
    assert unsigned.status == HTTPStatus.UNAUTHORIZED


def test_a_conversation_is_held(api: Api, whatsapp: WhatsApp) -> None:
    number = "+5511987650001"
    refused = send(api, number, {"text": "Olá"}, "a-1")
    assert (refused.status, refused.body["code"]) == (HTTPStatus.CONFLICT, 131047)
    whatsapp.write("551187650001", "Vocês me ligaram?", name="Carla")
    shown = eventually(lambda: api.get(path_of(number)), lambda answer: answer.status == 200)
    assert (shown.body["session_open"], shown.body["unread"]) == (True, 1)
    with ThreadPoolExecutor(THREADS) as threads:
        answers = list(
            threads.map(lambda _: send(api, number, {"text": "Sim!"}, "a-2"), range(THREADS))
        )
    assert {answer.status for answer in answers} <= {HTTPStatus.CREATED, HTTPStatus.ACCEPTED}
    assert len({answer.body["message_id"] for answer in answers}) == 1
    assert [each.to for each in whatsapp.messages] == ["551187650001"]
    seen = eventually(lambda: states(api, number), lambda found: found[-1] == "read")
    assert seen == ["received", "read"]
    assert api.post(f"{path_of(number)}/read", {}).body["unread"] == 0
    (mine,) = (
        each
        for each in api.pages("/conversations", agent=shown.body["agent"] or api.agent)
        if each["number"] == number
    )
    assert mine["last_message"]["text"] == "Sim!"


def test_many_at_once_leave_no_gap(api: Api, whatsapp: WhatsApp) -> None:
    number = "+5511987650002"
    with ThreadPoolExecutor(THREADS) as threads:
        answers = list(
            threads.map(lambda index: send(api, number, TEMPLATE, f"b-{index}"), range(THREADS))
        )
        list(threads.map(lambda _: whatsapp.write("551187650002", "Oi"), range(THREADS)))
    assert {answer.status for answer in answers} == {HTTPStatus.CREATED}
    found = eventually(
        lambda: messages(api, number, limit="3"), lambda each: len(each) == 2 * THREADS
    )
    assert sorted(each["arrival"] for each in found) == list(range(1, 2 * THREADS + 1))
    # Those that came while it was read stood behind what had been read.
    found = messages(api, number, limit="3")
    order = [(datetime.fromisoformat(each["at"]), each["arrival"]) for each in found]
    assert order == sorted(order)
    newest = messages(api, number, limit="3", order="newest")
    assert [each["message_id"] for each in newest] == [each["message_id"] for each in found][::-1]


def test_a_refusal_is_shown_with_its_reason_and_sent_anew_where_that_helps(
    api: Api, whatsapp: WhatsApp
) -> None:
    number, other = "+5511987650003", "+5511987650004"
    whatsapp.fail(number[1:], 130472)
    send(api, number, TEMPLATE, "c-1")
    whatsapp.refuse(other[1:], 131056)
    sent = send(api, other, TEMPLATE, "c-2").body
    assert (sent["state"], sent["failure"]["retry_after"]) == ("failed", 60)
    (failed,) = eventually(
        lambda: messages(api, number), lambda found: found[0]["state"] == "failed"
    )
    assert "período de experiência" in failed["failure"]["reason"]["pt"]
    listed = {each["number"] for each in api.pages("/conversations", failed="true")}
    assert {number, other} <= listed
    again = eventually(lambda: messages(api, other), lambda found: found[0]["state"] == "read")
    assert (again[0]["attempts"], again[0]["failure"]["code"]) == (2, 131056)
