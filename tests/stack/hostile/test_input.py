"""What nobody sends by mistake: each is refused by name, and shows nothing of the inside.

API Gateway itself refuses what is larger than 10 MB, or than the 6 MB that a function takes, and
headers and addresses of more than 10 KB together; the emulator lets them come, so that they are
refused by Retorno here.
"""

import gzip
import json
import time
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import quote

import pytest
import urllib3
from websockets.sync.client import ClientConnection, connect

from local.client import sign
from local.stack import Stack
from retorno.messages import whatsapp
from retorno.telephony import twilio
from tests.support.api import Answer, Api

NUMBER = "11977770001"
CANONICAL = "/webhooks/calls"
ASTERISK = "/webhooks/asterisk/queue-log"
TWILIO = "/webhooks/twilio/voice"
WHATSAPP = "/webhooks/whatsapp"
FORM = b"CallSid=CA77&CallStatus=ringing&Direction=inbound&From=%2B5511977770001&To=%2B551130001000"
JSON = {"Content-Type": "application/json"}

# What may stand where a word is asked for.
WORDS = [
    "<script>alert(1)</script>",
    "'; DROP TABLE calls; --",
    "\u202e0001-77779 11\u202c",
    "a\x00b",
    "..",
    "../../etc/passwd",
    "%2e%2e%2f",
    "${jndi:ldap://x}",
    "{{7*7}}",
    "9" * 1000,
    "x" * 5000,
    "🙂" * 60,
]


@pytest.fixture(scope="module")
def api(besieged: Stack) -> Api:
    return Api(besieged)


@pytest.fixture(scope="module")
def customer(api: Api) -> str:
    made = api.post("/customers", {"name": "Alvo", "mobile": NUMBER})
    assert made.status == 201
    return str(made.body["customer_id"])


def refused(answer: Answer, *statuses: int) -> bool:
    return answer.status in statuses and answer.content_type == "application/problem+json"


class TestSignatures:
    """A sender is refused alike, whatever is wrong with what it shows."""

    def events(self) -> bytes:
        return json.dumps({"events": []}).encode()

    @pytest.mark.parametrize("path", [CANONICAL, ASTERISK])
    @pytest.mark.parametrize(
        ("timestamp", "signature"),
        [
            ("{now}", "v1={of_another}"),
            ("{now}", "v1={cut}"),
            ("{now}", "{good}"),
            ("{now}", "v1="),
            ("{now}", "v1=" + "0" * 5000),
            ("{now}", "v1=ção"),
            ("{before}", "{of_before}"),
            ("{later}", "{of_later}"),
            ("{before}", "{good}"),
            ("NaN", "{good}"),
            ("-1", "{good}"),
            ("9" * 1000, "{good}"),
            ("1e9", "{good}"),
            ("", "{good}"),
        ],
    )
    def test_that_are_forged_or_old(
        self, api: Api, path: str, timestamp: str, signature: str
    ) -> None:
        secret, body, now = api.stack.webhook_secret, self.events(), int(time.time())
        good = sign(secret, now, body)
        told = {
            "now": now,
            "before": now - 600,
            "later": now + 600,
            "good": good if timestamp != "{now}" else good.removeprefix("v1="),
            "cut": good[3:-1],
            "of_another": sign("another", now, body)[3:],
            "of_before": sign(secret, now - 600, body),
            "of_later": sign(secret, now + 600, body),
        }
        headers = {
            "X-Retorno-Timestamp": timestamp.format(**told),
            "X-Retorno-Signature": signature.format(**told).encode().decode("latin-1"),
        }
        assert refused(api.request("POST", path, headers, body), 401)

    @pytest.mark.parametrize("body", [FORM[:-1], FORM + b"&AnsweredBy=human", b""])
    def test_of_another_form(self, api: Api, body: bytes) -> None:
        signature = twilio.sign(api.stack.twilio_secret, f"{api.stack.api_url}{TWILIO}", FORM)
        assert refused(api.request("POST", TWILIO, {"X-Twilio-Signature": signature}, body), 401)

    @pytest.mark.parametrize("query", ["?DialId=1", "?ParentCallSid=CA1", "/"])
    def test_of_another_address(self, api: Api, query: str) -> None:
        signature = twilio.sign(api.stack.twilio_secret, f"{api.stack.api_url}{TWILIO}", FORM)
        answer = api.request("POST", TWILIO + query, {"X-Twilio-Signature": signature}, FORM)
        assert answer.status in (401, 404)

    @pytest.mark.parametrize("secret", ["0", "", "%00", "..", "{secret}x", "{upper}"])
    def test_that_are_an_address(self, api: Api, secret: str) -> None:
        own = api.stack.zenvia_secret
        path = f"/webhooks/zenvia/{secret.format(secret=own, upper=own.swapcase())}"
        assert api.request("POST", path, JSON, b"{}").status in (401, 404)

    def test_of_messages(self, api: Api, app_secret: str) -> None:
        body = b'{"object": "whatsapp_business_account", "entry": []}'
        good = whatsapp.sign(app_secret, body)
        for signature in ("", good[:-1], good.upper(), whatsapp.sign("another", body)):
            headers = {**JSON, "X-Hub-Signature-256": signature}
            assert refused(api.request("POST", WHATSAPP, headers, body), 401)
        headers = {**JSON, "X-Hub-Signature-256": good}
        assert refused(api.request("POST", WHATSAPP, headers, body + b" "), 401)
        assert api.request("POST", WHATSAPP, headers, body).status == 200

    def test_that_come_again_change_nothing(self, api: Api) -> None:
        """Twilio's have no time to be too old by."""
        signature = twilio.sign(api.stack.twilio_secret, f"{api.stack.api_url}{TWILIO}", FORM)
        shown = []
        for _ in range(2):
            headers = {"X-Twilio-Signature": signature}
            assert api.request("POST", TWILIO, headers, FORM).status == 200
            call = api.get("/calls/CA77").body
            shown.append({name: call[name] for name in ("status", "number", "ended_at", "missed")})
        assert shown[0] == shown[1]


class TestBodies:
    @pytest.mark.parametrize(
        "body",
        [
            b"",
            b"null",
            b'"events"',
            b"[" * 10_000,
            b'{"events":' * 10_000 + b"0" + b"}" * 10_000,
            b'{"events": ' + b"9" * 5_000 + b"}",
            b'{"events": [], "events": NaN}',
            gzip.compress(b'{"events": []}', mtime=0),
            b"\x00" * 1_000,
        ],
    )
    def test_of_webhooks_that_tell_nothing(self, api: Api, body: bytes) -> None:
        """As bytes, which API Gateway hands on as they are."""
        assert refused(api.signed(CANONICAL, body, "application/octet-stream"), 422)

    @pytest.mark.parametrize("field", ["call_id", "from", "queue", "agent", "occurred_at", "stage"])
    def test_of_webhooks_with_words_where_facts_belong(self, api: Api, field: str) -> None:
        facts = {"event_id": "e", "call_id": "palavras", "stage": "queued", "direction": "inbound"}
        event = {**facts, "from": NUMBER, "queue": "cerco", "occurred_at": "2026-03-02T12:00:00Z"}
        events: list[dict[str, Any]] = [
            {**event, field: word} for word in [*WORDS, 10**400, [], {}]
        ]
        answer = api.calls([*events, {**event, field: "\ud800"}])
        assert answer.status == 200
        assert answer.body["accepted"] + len(answer.body["refused"]) == len(events) + 1

    @pytest.mark.parametrize("path", [CANONICAL, ASTERISK])
    def test_of_webhooks_that_are_too_large(self, api: Api, path: str) -> None:
        """6 MB and more, which API Gateway answers with 413 of its own."""
        body = b'{"events": [' + b'{"event_id": "e"},' * 350_000 + b"{}]}"
        if path == ASTERISK:
            body = b"1772452800|grande|201|Ana|RINGNOANSWER|0\n" * 150_000
        assert refused(api.signed(path, body), 413)

    @pytest.mark.parametrize(
        ("body", "status"),
        [
            (b"[" * 10_000, 422),
            (b'{"name": "\\ud800"}', 422),
            (b'{"name": NaN}', 422),
            (b'{"name": "Ana", "tags": [' + b"9" * 5_000 + b"]}", 422),
            (b'{"name": "' + b"x" * 6_500_000 + b'"}', 413),
        ],
        ids=["deep", "half a character", "NaN", "5,000 digits", "6.5 MB"],
    )
    def test_of_people(self, api: Api, body: bytes, status: int) -> None:
        headers = {**JSON, **api.token("agent")}
        assert refused(api.request("POST", "/customers", headers, body), status)


class TestQuestions:
    @pytest.mark.parametrize("word", WORDS)
    @pytest.mark.parametrize(
        "path",
        [
            "/missed-calls/{}",
            "/customers/{}",
            "/agents/{}",
            "/do-not-call/{}",
            "/conversations/{}",
            "/menus/{}",
            "/telemarketing/campaigns/{}",
            "/customers/exports/{}",
        ],
    )
    def test_in_paths(self, api: Api, path: str, word: str) -> None:
        """Some come to no route: API Gateway answers those. Calls have such ids by now, which were
        told in their own facts: they are found by the very word."""
        # A client that finds dots takes a part of the path away.
        answer = api.get(path.format(quote(word, safe="").replace(".", "%2E")))
        is_found = answer.status == 200 and answer.body.get("call_id") == word
        assert is_found or answer.status in (404, 422), answer.body

    @pytest.mark.parametrize("word", [*WORDS, "", " ", "-1", "0", "1e9", "NaN", "0001-01-01"])
    def test_in_queries(self, api: Api, word: str) -> None:
        for name in ("number", "from", "to", "limit", "cursor"):
            answer = api.get("/calls", **{"number": NUMBER, name: word})
            assert answer.status == 200 or refused(answer, 422), (name, answer.body)

    @pytest.mark.parametrize("day", ["0000-01-01", "0001-01-01", "9999-12-31", "99999-01-01"])
    def test_of_the_ends_of_time(self, api: Api, day: str) -> None:
        for path in ("/dashboard", "/missed-calls", "/missed-calls/summary", "/wait-compliance"):
            for query in ({"from": day}, {"to": day}, {"from": day, "to": day}):
                answer = api.get(path, **query)
                assert answer.status == 200 or refused(answer, 422), (path, query, answer.body)

    def test_in_many_names_and_headers(self, api: Api) -> None:
        query = {f"name-{number}": "x" for number in range(300)}
        assert api.get("/customers", **query).status == 200
        answer = api.get("/calls", number=NUMBER, limit="1" * 4_000)
        assert refused(answer, 422)
        headers = {**api.token("agent"), **{f"X-{number}": "x" * 50 for number in range(80)}}
        assert api.request("GET", "/customers", headers, b"").status == 200

    def test_asked_twice(self, api: Api) -> None:
        pool = urllib3.PoolManager(retries=False, timeout=60)
        for query in ("limit=1&limit=500", "name=a&name=b", "limit[]=1", "cursor=a&cursor=b"):
            url = f"{api.stack.api_url}/customers?{query}"
            assert pool.request("GET", url, headers=api.token("agent")).status in (200, 422)


class TestCursors:
    def first_page(self, api: Api, **query: str) -> str:
        for name in ("Cursor A", "Cursor B"):
            assert api.post("/customers", {"name": name}).status == 201
        cursor = api.get("/customers", name="Cursor", limit="1", **query).body["cursor"]
        assert isinstance(cursor, str)
        return cursor

    def test_are_good_for_their_own_list_alone(self, api: Api) -> None:
        cursor = self.first_page(api)
        assert api.get("/customers", name="Cursor", cursor=cursor).status == 200
        for path, query in {
            "/customers": {"name": "Curso"},
            "/calls": {"number": NUMBER},
            "/agents": {},
            "/telemarketing/campaigns": {},
            "/quotes": {},
        }.items():
            assert refused(api.get(path, cursor=cursor, **query), 422), path

    def test_that_were_changed_are_refused(self, api: Api) -> None:
        cursor = self.first_page(api)
        forged = [
            cursor[:-4],
            cursor[4:],
            cursor.swapcase(),
            f"{cursor}AAAA",
            "W10",
            "e30",
            "bnVsbA",
        ]
        for each in [*forged, "A" * 1000, "A" * 1001, "%00", "W1tbW1tbW1tb"]:
            assert refused(api.get("/customers", name="Cursor", cursor=each), 422), each


def test_what_is_written_is_shown_as_written_and_is_no_formula(api: Api) -> None:
    name = '=HYPERLINK("http://x";"<script>alert(1)</script>")'
    agent = {"name": name, "queues": ["=1+1"]}
    assert api.put("/agents/formula", agent).status == 201
    assert api.get("/agents/formula").body["name"] == name
    made = api.post("/customers", {"name": name, "city": "@SUM(1)"})
    assert (made.status, made.content_type) == (201, "application/json")
    rows = api.get_table("/dashboard?format=csv&group_by=agent")
    assert not [cell for row in rows for cell in row.values() if cell.startswith(("=", "+", "@"))]


class TestLive:
    @pytest.fixture
    def connection(self, besieged: Stack) -> Iterator[ClientConnection]:
        headers = {"Authorization": f"Bearer {besieged.tokens['supervisor']}"}
        with connect(besieged.live_url, additional_headers=headers, proxy=None) as connection:
            yield connection

    def said(self, connection: ClientConnection, text: str) -> Mapping[str, Any]:
        connection.send(text)
        told: dict[str, Any] = json.loads(connection.recv(timeout=60))
        return told

    def test_what_makes_no_sense_is_refused_and_the_next_is_heard(
        self, connection: ClientConnection
    ) -> None:
        for text in [
            '{"action": "subscribe", "after": -1}',
            '{"action": "subscribe", "after": NaN}',
            '{"action": "subscribe", "after": 1e400}',
            '{"action": "subscribe", "queues": ["\\ud800"]}',
            json.dumps({"action": "subscribe", "queues": [str(number) for number in range(41)]}),
            json.dumps({"action": "ping", "x" * 20_000: 1}),
            json.dumps({"action": "'; DROP TABLE feeds; --" * 100}),
            '{"action": "ping", "action": "admin"}',
        ]:
            told = self.said(connection, text)
            assert told["type"] == "refused", text[:60]
            assert len(json.dumps(told)) < 1_000
        assert self.said(connection, '{"action": "ping"}')["type"] == "pong"
