"""Menus through the API, and callers in them, as Twilio leads them over HTTP."""

import json
from collections.abc import Iterable, Mapping
from typing import Any
from xml.etree import ElementTree as ET

import pytest

from retorno.menus.model import Language
from retorno.menus.words import WORDS
from retorno.telephony.twilio import first_words_url
from tests.support.caller import Caller, End
from tests.support.clock import StoppedClock
from tests.support.deployment import Deployment
from tests.support.events import DOMAIN, Answer, http, user
from tests.support.menus import FIRST_WORDS, WELCOME
from tests.support.requests import counted
from tests.support.webhooks import menu as menu_event

BASE = f"https://{DOMAIN}"
CUSTOMER = "+5511987654321"
COMPANY = "+551130001000"
SAYS = WORDS[Language.BRAZIL]
SORRY = SAYS.one_moment


def ask(
    deployment: Deployment,
    route: str,
    body: Any = None,
    groups: str = "[supervisor]",
    if_match: str | None = None,
    **query: str,
) -> Answer:
    method, _, path = route.partition(" ")
    event = http(
        f"{method} /menus/{{menu}}" if path != "/menus" else route,
        path=path,
        query=query,
        headers={"if-match": if_match} if if_match else {},
        body=None if body is None else json.dumps(body).encode(),
        claims=user(groups),
    )
    return deployment.ask("ManageMenus", event)


def put(deployment: Deployment, menu: str, tree: Any, if_match: str | None = None) -> Answer:
    return ask(deployment, f"PUT /menus/{menu}", tree, if_match=if_match)


def serve(deployment: Deployment, url: str, form: Mapping[str, str]) -> str:
    answer = deployment.call("ServeMenus", menu_event(url, form))
    assert (answer["statusCode"], answer["headers"]["Content-Type"]) == (
        200,
        "text/xml; charset=utf-8",
    )
    return str(answer["body"])


def caller(
    deployment: Deployment,
    keys: Iterable[str] = (),
    number: str = CUSTOMER,
    *,
    called: bool = False,
) -> Caller:
    sides = {"From": COMPANY, "To": number} if called else {"From": number, "To": COMPANY}
    form = {"CallSid": "CA1", "AccountSid": "AC1", **sides}
    return Caller(lambda url, told: serve(deployment, url, told), form, keys, called=called)


def shown(deployment: Deployment, call_id: str) -> Any:
    request = http("GET /calls/{call_id}", path=f"/calls/{call_id}", claims=user("[agent]"))
    return deployment.ask("ReadCalls", request).body


LOJA = f"{BASE}/webhooks/twilio/menus/loja"


class TestWriting:
    def test_a_new_menu_is_shown_as_it_was_written(self, deployment: Deployment) -> None:
        written = put(deployment, "loja", WELCOME)
        assert (written.status, written.headers["ETag"]) == (201, '"1"')
        read = ask(deployment, "GET /menus/loja", groups="[agent]")
        assert (read.body, read.headers["ETag"]) == (written.body, '"1"')
        assert read.body["tree"]["nodes"]["principal"]["options"]["#"] == "ola"
        assert (
            read.body["tree"]["nodes"]["vendas"]["waiting"] == WELCOME["nodes"]["vendas"]["waiting"]
        )
        assert (read.body["changed_by"], read.body["menu"]) == ("ana", "loja")

    def test_who_changes_it_says_what_they_saw(self, deployment: Deployment) -> None:
        put(deployment, "loja", WELCOME)
        assert put(deployment, "loja", WELCOME).status == 428
        changed = put(deployment, "loja", {**WELCOME, "name": "Loja"}, '"1"')
        assert (changed.status, changed.headers["ETag"]) == (200, '"2"')
        assert put(deployment, "loja", WELCOME, '"1"').status == 412
        assert put(deployment, "loja", WELCOME, "*").body["version"] == 3
        assert put(deployment, "outra", WELCOME, "*").status == 404

    def test_a_removed_menu_is_gone_and_may_come_again(self, deployment: Deployment) -> None:
        put(deployment, "loja", WELCOME)
        assert ask(deployment, "DELETE /menus/loja").status == 428
        assert ask(deployment, "DELETE /menus/loja", if_match='"2"').status == 412
        assert ask(deployment, "DELETE /menus/loja", if_match='"1"').status == 204
        assert ask(deployment, "GET /menus/loja").status == 404
        assert ask(deployment, "DELETE /menus/loja", if_match="*").status == 404
        assert ask(deployment, "GET /menus").body["items"] == []
        assert put(deployment, "loja", WELCOME, '"1"').status == 404
        # Calls may still be in the first version: it is another one.
        assert put(deployment, "loja", WELCOME).body["version"] == 2

    def test_menus_are_listed_by_name(self, deployment: Deployment) -> None:
        for menu in ("suporte", "loja", "0-noite"):
            put(deployment, menu, WELCOME)
        put(deployment, "loja", FIRST_WORDS, "*")
        first = ask(deployment, "GET /menus", limit="2", groups="[agent]").body
        last = ask(deployment, "GET /menus", limit="2", cursor=first["cursor"]).body
        assert [item["menu"] for item in (*first["items"], *last["items"])] == [
            "0-noite",
            "loja",
            "suporte",
        ]
        assert last["cursor"] is None
        assert (
            first["items"][1].items()
            >= {
                "name": "Retorno",
                "use": "first_words",
                "language": "pt-BR",
                "version": 2,
            }.items()
        )

    @pytest.mark.parametrize("menu", ["Loja", "-loja", "l" * 65, "lo%20ja", "lo.ja"])
    def test_its_name_stands_in_an_address(self, deployment: Deployment, menu: str) -> None:
        assert put(deployment, menu, WELCOME).status == 422

    @pytest.mark.parametrize(
        ("tree", "field"),
        [
            ({**WELCOME, "start": "x"}, "start"),
            ({**WELCOME, "nodes": {}}, "nodes"),
            ({**WELCOME, "language": None}, "language"),
            ([], "body"),
        ],
    )
    def test_what_is_wrong_is_named(self, deployment: Deployment, tree: Any, field: str) -> None:
        refused = put(deployment, "loja", tree)
        assert (refused.status, refused.body["errors"][0]["field"]) == (422, field)
        assert ask(deployment, "GET /menus/loja").status == 404

    def test_the_law_of_the_country_is_kept(self, deployment: Deployment) -> None:
        options = dict.fromkeys("123456", "fim")
        nodes = WELCOME["nodes"] | {
            "principal": WELCOME["nodes"]["principal"]
            | {"options": options, "on_silence": "vendas"}
        }
        del nodes["sair"]
        deployment.configure(COUNTRY="PT")
        refused = put(deployment, "loja", {**WELCOME, "nodes": nodes})
        assert (refused.status, refused.body["errors"][0]["field"]) == (
            422,
            "nodes.principal.options",
        )

    def test_agents_do_not_write(self, deployment: Deployment) -> None:
        for route in ("PUT /menus/loja", "DELETE /menus/loja"):
            assert ask(deployment, route, WELCOME, groups="[agent]").status == 403


class TestCalling:
    def test_a_caller_comes_to_the_queue_and_the_call_knows_it(
        self, deployment: Deployment, clock: StoppedClock
    ) -> None:
        put(deployment, "loja", WELCOME)
        call = caller(deployment, ["2"])
        assert (call.call(LOJA), call.queue) == (End.QUEUED, "suporte")
        made = shown(deployment, "CA1")
        assert (
            made.items()
            >= {
                "queue": "suporte",
                "number": CUSTOMER,
                "direction": "inbound",
                "status": "queued",
                "provider": "twilio",
            }.items()
        )

    def test_a_call_goes_on_with_the_menu_that_it_began_with(self, deployment: Deployment) -> None:
        put(deployment, "loja", WELCOME)
        put(deployment, "loja", FIRST_WORDS, "*")
        call = caller(deployment, ["2"])
        assert (
            call.call(f"{LOJA}?version=1&node=principal&stage=key", {"Digits": "2"}) is End.QUEUED
        )
        assert call.queue == "suporte"
        ask(deployment, "DELETE /menus/loja", if_match="*")
        assert caller(deployment).call(f"{LOJA}?version=1&node=suporte") is End.QUEUED

    @pytest.mark.parametrize(
        "lost", ["version=7&node=principal", "version=1&node=gone", "node=x y"]
    )
    def test_who_is_lost_begins_again(self, deployment: Deployment, lost: str) -> None:
        put(deployment, "loja", WELCOME)
        call = caller(deployment)
        call.call(f"{LOJA}?{lost.replace(' ', '+')}")
        assert call.heard[0] == "Bem-vindo à Loja & Cia."

    def test_a_customer_who_is_called_may_say_never_again(self, deployment: Deployment) -> None:
        put(deployment, "retorno", FIRST_WORDS)
        call = caller(deployment, ["9"], called=True)
        assert call.call(first_words_url(BASE, "retorno")) is End.HUNG_UP
        request = http(
            "GET /do-not-call/{number}", path=f"/do-not-call/{CUSTOMER}", claims=user("[agent]")
        )
        (entry,) = deployment.ask("ManageCallingRules", request).body["entries"]
        assert (
            entry.items()
            >= {
                "origin": "customer",
                "scope": "all",
                "added_by": "menu retorno",
            }.items()
        )

    def test_a_customer_who_is_called_is_connected(self, deployment: Deployment) -> None:
        put(deployment, "retorno", FIRST_WORDS)
        call = caller(deployment, ["1"], called=True)
        assert call.call(first_words_url(BASE, "retorno")) is End.OVER

    def test_a_step_costs_one_read(self, deployment: Deployment) -> None:
        put(deployment, "loja", WELCOME)
        serve(deployment, LOJA, {"CallSid": "CA1"})
        with counted() as requests:
            serve(deployment, LOJA, {"CallSid": "CA1"})
            serve(deployment, f"{LOJA}?version=1&node=principal", {"CallSid": "CA1"})
        assert requests == ["Query", "GetItem"]


class TestTrouble:
    """An error would end a customer's call."""

    def apology(self, deployment: Deployment, url: str, form: dict[str, str]) -> list[Any]:
        response = ET.fromstring(serve(deployment, url, form))  # noqa: S314
        return [(verb.tag, verb.text) for verb in response]

    @pytest.mark.parametrize("lost", ["menus", "secret"])
    def test_a_caller_is_asked_to_wait(self, deployment: Deployment, lost: str) -> None:
        put(deployment, "loja", WELCOME)
        if lost == "menus":
            deployment.lose_table("menus")
        else:
            deployment.lose_secret("TwilioSecret")
        said = self.apology(deployment, f"{LOJA}?version=1&node=principal", {"CallSid": "CA1"})
        assert said == [
            ("Say", SORRY),
            ("Pause", None),
            ("Redirect", "loja?version=1&node=principal"),
        ]

    @pytest.mark.parametrize(
        ("menu", "form"),
        [
            ("nenhum", {"CallSid": "CA1"}),
            ("retorno", {"CallSid": "CA1"}),
            ("loja", {"CallSid": "../"}),
            ("loja", {}),
            ("%3C%22&'>", {"CallSid": "CA1"}),
        ],
    )
    def test_what_cannot_be_is_apologized_for(
        self, deployment: Deployment, menu: str, form: dict[str, str]
    ) -> None:
        put(deployment, "loja", WELCOME)
        put(deployment, "retorno", FIRST_WORDS)
        said = self.apology(deployment, f"{BASE}/webhooks/twilio/menus/{menu}", form)
        assert said[0] == ("Say", SORRY)
        assert said[-1] == ("Redirect", menu)

    def test_a_caller_who_waited_is_led_on(self, deployment: Deployment) -> None:
        asked: list[str] = []

        def fetch(url: str, form: Mapping[str, str]) -> str:
            asked.append(url)
            if len(asked) == 3:
                put(deployment, "loja", WELCOME)
            return serve(deployment, url, form)

        call = Caller(fetch, {"CallSid": "CA1", "From": CUSTOMER, "To": COMPANY}, ["2"])
        assert (call.call(LOJA), call.queue) == (End.QUEUED, "suporte")
        assert call.heard.count(SORRY) == 2

    def test_it_apologizes_in_the_country_s_voice(self, deployment: Deployment) -> None:
        deployment.configure(COUNTRY="PT")
        said = self.apology(deployment, LOJA, {"CallSid": "CA1"})
        assert said[0] == ("Say", WORDS[Language.PORTUGAL].one_moment)

    def test_whom_we_call_is_connected(self, deployment: Deployment) -> None:
        put(deployment, "retorno", FIRST_WORDS)
        deployment.lose_table("menus")
        call = caller(deployment, called=True)
        assert (call.call(first_words_url(BASE, "retorno")), call.heard) == (End.OVER, [])

    def test_a_talk_that_is_over_is_over(self, deployment: Deployment) -> None:
        put(deployment, "loja", WELCOME)
        deployment.lose_table("menus")
        url, told = f"{LOJA}?version=1&node=vendas&stage=left_queue", {"QueueResult": "bridged"}
        assert caller(deployment).call(url, told) is End.OVER

    def test_a_caller_waits_in_the_queue_though_no_table_takes_it(
        self, deployment: Deployment
    ) -> None:
        put(deployment, "loja", WELCOME)
        deployment.lose_table("calls")
        assert caller(deployment, ["2"]).call(LOJA) is End.QUEUED
        assert len(deployment.deferred()) == 1
        deployment.lose_queue()
        assert caller(deployment, ["2"]).call(LOJA) is End.QUEUED

    def test_a_wish_not_to_be_called_is_not_said_to_be_noted(self, deployment: Deployment) -> None:
        put(deployment, "retorno", FIRST_WORDS)
        deployment.lose_table("do-not-call")
        call = caller(deployment, ["9"], called=True)
        call.call(first_words_url(BASE, "retorno"))
        assert call.heard[-1] == SAYS.do_not_call_failed

    def test_nobody_else_is_answered(self, deployment: Deployment) -> None:
        put(deployment, "loja", WELCOME)
        form = {"CallSid": "CA1"}
        forged = menu_event(LOJA, form, token="another")
        unsigned = menu_event(LOJA, form)
        del unsigned["headers"]["X-Twilio-Signature"]
        elsewhere = menu_event(LOJA, form) | {"rawQueryString": "node=fim"}
        for event in (forged, unsigned, elsewhere):
            assert deployment.call("ServeMenus", event)["statusCode"] == 401
