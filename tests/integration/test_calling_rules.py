"""Whether a number may be called, and the do-not-call list, as the API shows them."""

import json
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

import boto3
import pytest

from retorno.calling_rules.model import Listing, Origin, Scope
from retorno.calling_rules.service import DoNotCallList, Outcome, Wanted
from retorno.calling_rules.store import DoNotCallStore
from retorno.errors import InputTooLarge, InvalidInput, NotFound, Unavailable
from retorno.phone import NumberPlan
from tests.support.clock import StoppedClock
from tests.support.deployment import Deployment
from tests.support.events import Answer, http, user
from tests.support.requests import counted
from tests.support.tables import create_table

FUNCTION = "ManageCallingRules"
PAULISTA = "+5511987654321"
CARIOCA = "+5521987654321"
AGENT = user("[agent]", "ana")
LEADER = user("[supervisor]", "bia")
# A Monday in São Paulo, 9:30.
NOW = datetime(2026, 3, 2, 12, 30, tzinfo=UTC)


@pytest.fixture(autouse=True)
def on_monday_morning(clock: StoppedClock) -> None:
    clock.now = NOW


def ask(
    deployment: Deployment,
    route: str,
    path_number: str | None = None,
    body: object = None,
    claims: Any = LEADER,
    **query: str,
) -> Answer:
    path = f"/do-not-call/{quote(path_number, safe='')}" if path_number else None
    encoded = None if body is None else json.dumps(body).encode()
    headers = {"Content-Type": "application/json"} if body is not None else None
    event = http(route, path=path, query=query, headers=headers, body=encoded, claims=claims)
    return deployment.ask(FUNCTION, event)


def window(deployment: Deployment, called: str, wanted: str, **query: str) -> Answer:
    asked = {"number": called, "purpose": wanted} | query
    return ask(deployment, "GET /calling-windows", claims=AGENT, **asked)


def put(deployment: Deployment, number: str, claims: Any = AGENT, **listing: str) -> Answer:
    return ask(deployment, "PUT /do-not-call/{number}", number, listing, claims)


def shown(deployment: Deployment, number: str) -> Answer:
    return ask(deployment, "GET /do-not-call/{number}", number, claims=AGENT)


def remove(deployment: Deployment, number: str, claims: Any = LEADER, **query: str) -> Answer:
    return ask(deployment, "DELETE /do-not-call/{number}", number, claims=claims, **query)


def send(deployment: Deployment, body: bytes, claims: Any = LEADER, **query: str) -> Answer:
    request = http(
        "POST /do-not-call/import", body=body, in_base64=True, claims=claims, query=query
    )
    return deployment.ask(FUNCTION, request)


class TestWindow:
    def test_names_each_rule_with_its_source(self, deployment: Deployment) -> None:
        answer = window(deployment, "(21) 98765-4321", "telemarketing")
        assert (answer.status, answer.content_type) == (200, "application/json")
        rules = answer.body.pop("rules")
        assert answer.body == {
            "number": CARIOCA,
            "country": "BR",
            "state": "RJ",
            "time_zones": ["America/Sao_Paulo"],
            "at": "2026-03-02T12:30:00Z",
            "allowed": True,
            "next_allowed_at": "2026-03-02T12:30:00Z",
            "forbidden_by": [],
            "do_not_call": [],
        }
        assert [rule["id"] for rule in rules] == [
            "br-telecom-code-2019/hours",
            "br-telecom-code-2019/calls-a-day",
            "br-rj-7853-2018/hours",
            "br-rj-7853-2018/shown-caller",
        ]
        assert all(rule["allows"] for rule in rules)
        assert rules[2] | {"source": "", "source_url": "", "detail": ""} == {
            "id": "br-rj-7853-2018/hours",
            "reason": "De segunda a sexta, das 8h às 18h; nunca aos sábados, domingos e feriados",
            "detail": "",
            "source": "",
            "source_url": "",
            "checked_on": "2026-11-22",
            "standing": "primary",
            "allows": True,
            "next_allowed_at": "2026-03-02T12:30:00Z",
        }

    def test_says_which_rule_refuses_and_when_it_may_be(self, deployment: Deployment) -> None:
        # 18:30 on a Monday in Rio: too late for its law, and not for the code of the operators.
        answer = window(deployment, CARIOCA, "telemarketing", at="2026-03-02T18:30:00-03:00")
        assert (answer.body["allowed"], answer.body["next_allowed_at"]) == (
            False,
            "2026-03-03T12:00:00Z",
        )
        assert [rule["id"] for rule in answer.body["rules"] if not rule["allows"]] == [
            "br-rj-7853-2018/hours"
        ]

    def test_counts_the_calls_of_the_day(self, deployment: Deployment) -> None:
        asked = {"calls_that_day": "2"}
        answer = window(deployment, PAULISTA, "telemarketing", **asked)
        assert (answer.body["allowed"], answer.body["next_allowed_at"]) == (
            False,
            "2026-03-03T12:00:00Z",
        )
        assert window(deployment, PAULISTA, "service", **asked).body["allowed"]

    @pytest.mark.parametrize(
        ("query", "field"),
        [
            ({"number": "ramal 12"}, "number"),
            ({"number": "9" * 300}, "number"),
            ({"purpose": "spam"}, "purpose"),
            ({"at": "soon"}, "at"),
            ({"at": "9999-12-31T23:59:59Z"}, "at"),
            ({"at": "0001-01-01T00:00:00Z"}, "at"),
            ({"calls_that_day": "-1"}, "calls_that_day"),
        ],
    )
    def test_of_nonsense_is_refused_by_name(
        self, deployment: Deployment, query: dict[str, str], field: str
    ) -> None:
        problem = window(deployment, PAULISTA, "telemarketing", **query)
        assert (problem.status, problem.content_type) == (422, "application/problem+json")
        assert [error["field"] for error in problem.body["errors"]] == [field]
        assert PAULISTA not in json.dumps(problem.body)

    def test_shows_what_the_list_says(self, deployment: Deployment) -> None:
        put(deployment, PAULISTA)
        answer = window(deployment, "11 8765-4321", "telemarketing").body
        assert (answer["allowed"], answer["next_allowed_at"]) == (False, None)
        assert [entry["origin"] for entry in answer["forbidden_by"]] == ["customer"]
        answer = window(deployment, PAULISTA, "abandoned_callback").body
        assert (answer["allowed"], answer["forbidden_by"]) == (True, [])
        assert [entry["origin"] for entry in answer["do_not_call"]] == ["customer"]

    def test_is_not_guessed_while_the_list_is_away(self, deployment: Deployment) -> None:
        boto3.client("dynamodb").delete_table(TableName="do-not-call")
        assert window(deployment, PAULISTA, "service").status == 503

    def test_costs_one_query(self, deployment: Deployment) -> None:
        window(deployment, PAULISTA, "telemarketing")
        with counted() as requests:
            window(deployment, PAULISTA, "telemarketing")
        assert requests == ["Query"]


class TestProfiles:
    def test_are_shown_with_what_is_on(self, deployment: Deployment) -> None:
        found = ask(deployment, "GET /calling-profiles", claims=AGENT).body["items"]
        assert {each["id"] for each in found if each["on"]} == {
            "br-telecom-code-2019",
            "br-rj-7853-2018",
            "br-es-10626-2017",
        }
        assert {each["id"] for each in found if not each["on"]} == {
            "pt-dl-134-2009",
            "us-tcpa",
            "uk-ofcom",
        }
        assert all(
            rule["source"]["url"] and rule["standing"] and rule["title"]["pt"]
            for each in found
            for rule in each["rules"]
        )


class TestList:
    def test_finds_a_number_in_any_written_form(self, deployment: Deployment) -> None:
        added = put(deployment, "(11) 98765-4321", scope="all", note=" pediu por escrito ")
        entry = {
            "number": PAULISTA,
            "origin": "customer",
            "scope": "all",
            "effective_from": "2026-03-02",
            "added_at": "2026-03-02T12:30:00Z",
            "added_by": "ana",
            "said_at": "2026-03-02T12:30:00Z",
            "note": "pediu por escrito",
        }
        assert (added.status, added.body) == (200, entry)
        for written in (PAULISTA, "11 8765-4321", "sip:+5511987654321@pbx", "011987654321"):
            assert shown(deployment, written).body["entries"] == [entry]
        assert shown(deployment, CARIOCA).body == {
            "number": CARIOCA,
            "entries": [],
            "removals": [],
        }

    def test_put_again_changes_nothing(self, deployment: Deployment, clock: StoppedClock) -> None:
        first = put(deployment, PAULISTA, scope="all", note="primeira").body
        clock.advance(days=3)
        again = put(deployment, PAULISTA, LEADER, scope="telemarketing", note="segunda").body
        assert again == first
        put(deployment, PAULISTA, LEADER, origin="procon")
        origins = {entry["origin"] for entry in shown(deployment, PAULISTA).body["entries"]}
        assert origins == {"customer", "procon"}

    def test_an_entry_may_come_to_forbid_more(self, deployment: Deployment) -> None:
        put(deployment, PAULISTA, effective_from="2026-04-01")
        wider = put(deployment, PAULISTA, scope="all", effective_from="2026-05-01").body
        assert (wider["scope"], wider["effective_from"]) == ("all", "2026-04-01")

    def test_a_removal_is_kept_with_its_reason(
        self, deployment: Deployment, clock: StoppedClock
    ) -> None:
        put(deployment, PAULISTA)
        clock.advance(days=1)
        left = remove(deployment, PAULISTA, origin="customer", reason="voltou a autorizar")
        assert (left.status, left.body["entries"]) == (200, [])
        (removal,) = left.body["removals"]
        assert removal == {
            "number": PAULISTA,
            "origin": "customer",
            "scope": "telemarketing",
            "effective_from": "2026-03-02",
            "added_at": "2026-03-02T12:30:00Z",
            "added_by": "ana",
            "said_at": "2026-03-02T12:30:00Z",
            "note": None,
            "removed_at": "2026-03-03T12:30:00Z",
            "removed_by": "bia",
            "reason": "voltou a autorizar",
        }
        assert remove(deployment, PAULISTA, origin="customer", reason="de novo").status == 404
        assert window(deployment, PAULISTA, "telemarketing").body["do_not_call"] == []
        again = put(deployment, PAULISTA, note="mudou de ideia").body
        assert (again["added_at"], again["note"]) == ("2026-03-03T12:30:00Z", "mudou de ideia")
        assert shown(deployment, PAULISTA).body["removals"] == [removal]

    def test_agents_add_and_read_and_leaders_do_the_rest(self, deployment: Deployment) -> None:
        put(deployment, PAULISTA)
        assert remove(deployment, PAULISTA, AGENT, origin="customer", reason="x").status == 403
        assert ask(deployment, "GET /do-not-call", claims=AGENT).status == 403
        assert send(deployment, b"11987654321", AGENT).status == 403
        assert len(shown(deployment, PAULISTA).body["entries"]) == 1

    @pytest.mark.parametrize(
        ("number", "listing", "field"),
        [
            ("ramal 12", {}, "number"),
            (PAULISTA, {"scope": "some"}, "scope"),
            (PAULISTA, {"origin": "me"}, "origin"),
            (PAULISTA, {"effective_from": "2062-03-02"}, "effective_from"),
            (PAULISTA, {"note": "x" * 501}, "note"),
            (PAULISTA, {"notes": "x"}, "notes"),
        ],
    )
    def test_nonsense_is_refused_by_name(
        self, deployment: Deployment, number: str, listing: dict[str, str], field: str
    ) -> None:
        problem = put(deployment, number, **listing)
        assert problem.status == 422
        assert [error["field"] for error in problem.body["errors"]] == [field]

    def test_a_removal_needs_an_origin_and_a_reason(self, deployment: Deployment) -> None:
        put(deployment, PAULISTA)
        problem = remove(deployment, PAULISTA, reason=" ")
        assert {error["field"] for error in problem.body["errors"]} == {"origin", "reason"}
        assert len(shown(deployment, PAULISTA).body["entries"]) == 1

    def test_is_paged_by_date(self, deployment: Deployment, clock: StoppedClock) -> None:
        numbers = [f"+55119876543{number:02}" for number in range(7)]
        for number in numbers:
            put(deployment, number)
            clock.advance(minutes=1)
        remove(deployment, numbers.pop(3), origin="customer", reason="engano")
        for limit in (1, 2, 3, 6, 7):
            pages = list(self.pages(deployment, limit=str(limit)))
            assert [number for page in pages for number in page] == numbers[::-1]
            assert all(len(page) == limit for page in pages[:-1])
            assert pages[-1]
        period = {"from": "2026-03-02T12:31:00Z", "to": "2026-03-02T12:34:00Z"}
        found = [number for page in self.pages(deployment, limit="1", **period) for number in page]
        assert found == numbers[3:0:-1]

    def pages(self, deployment: Deployment, **query: str) -> Sequence[list[str]]:
        pages = []
        while True:
            page = ask(deployment, "GET /do-not-call", **query).body
            pages.append([entry["number"] for entry in page["items"]])
            if page["cursor"] is None:
                return pages
            query["cursor"] = page["cursor"]

    def test_a_cursor_is_good_for_its_own_period(self, deployment: Deployment) -> None:
        for number in (PAULISTA, CARIOCA):
            put(deployment, number)
        cursor = ask(deployment, "GET /do-not-call", limit="1").body["cursor"]
        problem = ask(deployment, "GET /do-not-call", cursor=cursor, **{"from": "2026-03-01"})
        assert (problem.status, problem.body["errors"][0]["field"]) == (422, "cursor")


class TestImport:
    def test_answers_row_by_row(self, deployment: Deployment) -> None:
        put(deployment, "+5511987650001", origin="nao_me_perturbe", effective_from="2026-06-01")
        put(deployment, "+5511987650002", origin="nao_me_perturbe", scope="all")
        body = (
            "\ufeffnumber;effective_from;note\r\n"
            "(11) 98765-0001;2026-04-01;\r\n"
            "11987650002;;\r\n"
            "\r\n"
            "11987650003;2026-04-01;lista de março\r\n"
            "1187650003;;\r\n"
            "ninguém;;\r\n"
            "11987650004;31/03/2026;\r\n"
            "11987650005;2062-01-01;\r\n"
        ).encode()
        answer = send(deployment, body, origin="nao_me_perturbe")
        assert answer.status == 200
        assert [(row["line"], row["outcome"]) for row in answer.body["rows"]] == [
            (2, "changed"),
            (3, "unchanged"),
            (5, "added"),
            (6, "repeated"),
            (7, "refused"),
            (8, "refused"),
            (9, "refused"),
        ]
        reasons = [row["reason"] for row in answer.body["rows"][4:]]
        assert [reason.partition(":")[0] for reason in reasons] == [
            "number",
            "effective_from",
            "effective_from",
        ]
        assert answer.body["counts"] == {
            "changed": 1,
            "unchanged": 1,
            "added": 1,
            "repeated": 1,
            "refused": 3,
        }
        (entry,) = shown(deployment, "+5511987650003").body["entries"]
        # Two rows of one number: in force from the earlier of both dates.
        assert (entry["effective_from"], entry["note"]) == ("2026-03-02", "lista de março")
        assert (entry["origin"], entry["scope"]) == ("nao_me_perturbe", "telemarketing")

    def test_takes_a_number_a_line_and_any_order_of_columns(self, deployment: Deployment) -> None:
        assert send(deployment, b"11987650001\n11987650002").body["counts"] == {"added": 2}
        body = b'note,number\n"a, ""b""",11987650003\n,11987650001\n'
        assert send(deployment, body).body["counts"] == {"added": 1, "unchanged": 1}
        (entry,) = shown(deployment, "+5511987650003").body["entries"]
        assert entry["note"] == 'a, "b"'

    @pytest.mark.parametrize(
        "body",
        [
            "número\n".encode("latin-1"),
            b"number,cpf\n11987650001,1",
            b"number,number\n",
            b"1\r1" * 3,
        ],
    )
    def test_what_is_no_table_is_refused_whole(self, deployment: Deployment, body: bytes) -> None:
        answer = send(deployment, body)
        if answer.status == 200:
            assert set(answer.body["counts"]) == {"refused"}
        else:
            assert (answer.status, answer.body["errors"][0]["field"]) == (422, "body")

    def test_of_nothing_is_nothing(self, deployment: Deployment) -> None:
        assert send(deployment, b"").body == {"counts": {}, "rows": []}

    def test_a_list_takes_effect_on_its_date(
        self, deployment: Deployment, clock: StoppedClock
    ) -> None:
        send(deployment, b"number,effective_from\n11987654321,2026-03-04")
        assert window(deployment, PAULISTA, "telemarketing").body["allowed"]
        # At 21:30 on the 3rd in São Paulo, its own last moment before the entry has passed.
        late = window(deployment, PAULISTA, "telemarketing", at="2026-03-04T00:30:00Z").body
        assert (late["allowed"], late["next_allowed_at"], late["forbidden_by"]) == (False, None, [])
        in_force = window(deployment, PAULISTA, "telemarketing", at="2026-03-04T13:00:00Z").body
        assert (in_force["allowed"], len(in_force["forbidden_by"])) == (False, 1)


class TestService:
    """What the API does not reach."""

    @pytest.fixture
    def store(self, aws: None) -> DoNotCallStore:
        return DoNotCallStore(create_table("DoNotCallTable", "do-not-call"))

    @pytest.fixture
    def numbers(self, store: DoNotCallStore) -> DoNotCallList:
        return DoNotCallList(store, NumberPlan())

    def rows(self, count: int, origin: Origin = Origin.IMPORT) -> list[Wanted]:
        listing = Listing(origin=origin)
        return [Wanted(f"+55119{80000000 + index}", listing) for index in range(count)]

    def test_writes_a_hundred_at_a_time_and_only_what_is_new(self, numbers: DoNotCallList) -> None:
        with counted() as requests:
            assert numbers.put_many(self.rows(150), "bia", NOW) == [Outcome.ADDED] * 150
        assert requests.count("TransactWriteItems") == 2
        with counted() as requests:
            again = numbers.put_many(self.rows(151), "bia", NOW)
        assert again == [Outcome.UNCHANGED] * 150 + [Outcome.ADDED]
        assert requests.count("TransactWriteItems") == 1

    def test_too_many_are_refused_before_any_is_written(self, numbers: DoNotCallList) -> None:
        with counted() as requests, pytest.raises(InputTooLarge):
            numbers.put_many(self.rows(10_001), "bia", NOW)
        assert requests == []

    def test_a_change_made_in_between_is_not_lost(
        self, store: DoNotCallStore, numbers: DoNotCallList, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Another puts the same number after this one has looked."""
        look = store.get_many
        wide = Wanted(PAULISTA, Listing(origin=Origin.CUSTOMER, scope=Scope.ALL, note="dela"))

        def look_and_be_overtaken(keys: Any) -> Any:
            found = look(keys)
            monkeypatch.setattr(store, "get_many", look)
            numbers.put(wide, "bia", NOW)
            return found

        monkeypatch.setattr(store, "get_many", look_and_be_overtaken)
        entry = numbers.put(Wanted(PAULISTA, Listing(origin=Origin.CUSTOMER)), "ana", NOW)
        assert (entry.scope, entry.added_by, entry.note) == (Scope.ALL, "bia", "dela")

    def test_all_say_when_the_table_is_away(self, store: DoNotCallStore) -> None:
        numbers = DoNotCallList(store, NumberPlan())
        boto3.client("dynamodb").delete_table(TableName="do-not-call")
        (row,) = self.rows(1)
        for act in (
            lambda: numbers.put(row, "ana", NOW),
            lambda: numbers.of_number(PAULISTA),
            lambda: numbers.remove(PAULISTA, Origin.CUSTOMER, "x", "ana", NOW),
        ):
            with pytest.raises(Unavailable):
                act()

    def test_nobody_is_removed_twice(self, numbers: DoNotCallList) -> None:
        numbers.put(Wanted(PAULISTA, Listing(origin=Origin.CUSTOMER)), "ana", NOW)
        numbers.remove(PAULISTA, Origin.CUSTOMER, "engano", "bia", NOW)
        with pytest.raises(NotFound):
            numbers.remove(PAULISTA, Origin.CUSTOMER, "engano", "bia", NOW)
        with pytest.raises(InvalidInput):
            numbers.remove("ninguém", Origin.CUSTOMER, "engano", "bia", NOW)
