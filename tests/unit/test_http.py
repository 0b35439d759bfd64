"""The edge of every function: problem documents, users and their rights, webhooks as signed."""

import json
import re
from collections.abc import Callable
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Any

import pytest

from retorno.errors import (
    CallForbidden,
    Conflict,
    HeldByAnother,
    InputTooLarge,
    InvalidInput,
    NotAllowed,
    NotAuthenticated,
    NotFound,
    PreconditionFailed,
    PreconditionRequired,
    RetornoError,
    SessionOver,
    Unavailable,
    UnsupportedContent,
)
from retorno.http import MAX_ERRORS, MAX_JSON_BYTES, OPEN_ROUTES, RIGHTS, Api
from retorno.telephony.ports import WebhookRequest
from retorno.users import User
from tests.support.deployment import CONTEXT, Deployment
from tests.support.events import Answer, Claims, answer, http, user
from tests.support.functions import function_of

OPEN = "GET /health"
ERRORS: dict[type[RetornoError], tuple[RetornoError, int]] = {
    InvalidInput: (InvalidInput("number", "is not a phone number"), 422),
    InputTooLarge: (InputTooLarge("events", "at most 500 at a time"), 413),
    UnsupportedContent: (UnsupportedContent("the body must be application/json"), 415),
    NotAuthenticated: (NotAuthenticated("a token is required"), 401),
    NotAllowed: (NotAllowed("your groups do not allow this"), 403),
    NotFound: (NotFound("there is no such call"), 404),
    Conflict: (Conflict("it was recovered already"), 409),
    CallForbidden: (CallForbidden([("br-law/hours", "Das 9h às 21h")], None), 409),
    SessionOver: (SessionOver(131047, None, {"pt": "Acabou"}, {"pt": "Envie um modelo"}), 409),
    HeldByAnother: (HeldByAnother("ana", datetime(2026, 3, 2, 13, tzinfo=UTC)), 409),
    PreconditionFailed: (PreconditionFailed("the customer was changed since"), 412),
    PreconditionRequired: (PreconditionRequired("If-Match must say which version"), 428),
    Unavailable: (Unavailable("the table does not answer"), 503),
}


def resolve(route: str, serve: Callable[[Api], object], **request: Any) -> Answer:
    """The answer of an API that has one route."""
    app = Api()
    method, _, path = route.partition(" ")
    app.route(path, method)(lambda: serve(app))
    return answer(app.resolve(http(route, **request), CONTEXT))


def answer_to(error: Exception) -> Answer:
    def fail(_: Api) -> None:
        raise error

    return resolve(OPEN, fail)


def kinds_of(error: type[RetornoError]) -> set[type[RetornoError]]:
    kinds = (kind for kind in error.__subclasses__() if kind.__module__ == error.__module__)
    return {error}.union(*map(kinds_of, kinds))


class TestProblem:
    def test_every_kind_of_error_is_tested_here(self) -> None:
        assert {RetornoError, *ERRORS} == kinds_of(RetornoError)

    @pytest.mark.parametrize(("error", "status"), ERRORS.values(), ids=lambda it: type(it).__name__)
    def test_says_what_went_wrong(self, error: RetornoError, status: int) -> None:
        problem = answer_to(error)
        assert (problem.status, problem.content_type) == (status, "application/problem+json")
        assert problem.body["type"] == "about:blank"
        assert problem.body["title"] == HTTPStatus(status).phrase
        assert problem.body["status"] == status
        assert problem.body["detail"] == str(error)

    @pytest.mark.parametrize("kind", [InvalidInput, InputTooLarge])
    def test_names_the_field_that_is_wrong(self, kind: type[InvalidInput]) -> None:
        assert answer_to(kind("call_id", "is required")).body["errors"] == [
            {"field": "call_id", "reason": "is required"}
        ]

    @pytest.mark.parametrize("kind", [NotFound, Conflict, Unavailable, NotAllowed])
    def test_has_no_errors_where_no_field_is_wrong(self, kind: type[RetornoError]) -> None:
        assert "errors" not in answer_to(kind("so it is")).body

    @pytest.mark.parametrize(
        "error", [ValueError, KeyError, RuntimeError, AssertionError, RecursionError]
    )
    def test_of_an_unknown_error_says_nothing_of_the_inside(self, error: type[Exception]) -> None:
        problem = answer_to(error("the inside"))
        assert (problem.status, problem.content_type) == (500, "application/problem+json")
        assert problem.body == {
            "type": "about:blank",
            "title": "Internal Server Error",
            "status": 500,
            "detail": "something went wrong on our side",
        }

    def test_where_nothing_is(self) -> None:
        problem = answer(Api().resolve(http(OPEN), CONTEXT))
        assert (problem.status, problem.content_type) == (404, "application/problem+json")
        assert problem.body["status"] == 404

    @pytest.mark.parametrize(
        ("query", "field"),
        [
            ({}, "number"),
            ({"number": "11987654321", "limit": "0"}, "limit"),
            ({"number": "11987654321", "limit": "501"}, "limit"),
            ({"number": "11987654321", "limit": "many"}, "limit"),
            ({"number": "11987654321", "from": "yesterday"}, "from"),
            ({"number": "11987654321", "to": "2026-02-30T12:00:00Z"}, "to"),
            ({"number": "11987654321", "from": "20260302"}, "from"),
            ({"number": "11987654321", "to": "7e-54"}, "to"),
            ({"number": "11987654321", "cursor": "c" * 1001}, "cursor"),
            ({"number": "anonymous"}, "number"),
        ],
    )
    def test_of_a_query_names_its_parameter(
        self, deployment: Deployment, query: dict[str, str], field: str
    ) -> None:
        request = http("GET /calls", query=query, claims=user("[agent]"))
        problem = deployment.ask("ReadCalls", request)
        assert (problem.status, problem.content_type) == (422, "application/problem+json")
        (error,) = problem.body["errors"]
        assert error["field"] == field
        assert error["reason"]


def who_asks(claims: Claims | None) -> User:
    asked: list[User] = []
    resolve(OPEN, lambda app: asked.append(app.user), claims=claims)
    return asked[0]


class TestUser:
    @pytest.mark.parametrize(
        ("claim", "groups"),
        [
            ("[agent supervisor]", {"agent", "supervisor"}),
            ("[supervisor]", {"supervisor"}),
            ("supervisor", {"supervisor"}),
            ("agent,supervisor", {"agent", "supervisor"}),
            ("[agent, supervisor]", {"agent", "supervisor"}),
            ("[]", set()),
            ("", set()),
        ],
    )
    def test_groups_come_in_several_forms(self, claim: str, groups: set[str]) -> None:
        assert who_asks(user(claim)).groups == groups

    def test_a_user_may_be_in_no_group(self) -> None:
        assert who_asks({"sub": "b1f6c1de", "token_use": "id"}).groups == frozenset()

    def test_an_access_token_does_not_do(self) -> None:
        """A user who is called as another's telephone is would act as them."""
        claims = {"sub": "b1f6c1de", "token_use": "access", "username": "ana"}
        refusal = resolve(OPEN, lambda app: app.user.name, claims=claims)
        assert (refusal.status, refusal.body["detail"]) == (401, "the token is no ID token")

    def test_the_telephone_system_may_know_an_operator_by_another_name(self) -> None:
        assert who_asks(user("[agent]", "ana", **{"custom:agent": "Agent 2001"})).agent == (
            "Agent 2001"
        )
        assert who_asks(user("[agent]", "ana")).agent == "ana"

    @pytest.mark.parametrize("claims", [None, {}])
    def test_nobody_is_not_authenticated(self, claims: Claims | None) -> None:
        refusal = resolve(OPEN, lambda app: app.user.name, claims=claims)
        assert refusal.status == 401


def ask(deployment: Deployment, route: str, claims: Claims | None) -> Answer:
    """A request to a stack that knows nothing yet, from somebody."""
    path = re.sub("{.*?}", "c1", route.partition(" ")[2])
    headers = {"content-type": "application/json"}
    request = http(route, path=path, headers=headers, claims=claims)
    return deployment.ask(function_of(route), request)


class TestRights:
    @pytest.mark.parametrize("groups", ["agent", "supervisor", "admin", "agent supervisor"])
    def test_each_group_may_do_what_the_table_says(
        self, deployment: Deployment, groups: str
    ) -> None:
        for route, allowed in RIGHTS.items():
            refused = ask(deployment, route, user(f"[{groups}]")).status == 403
            assert refused is allowed.isdisjoint(groups.split()), route

    def test_agents_neither_decide_nor_set_up(self) -> None:
        assert [route for route, allowed in RIGHTS.items() if "agent" not in allowed] == [
            "PUT /dispositions/{code}",
            "DELETE /dispositions/{code}",
            "GET /voicemail-reviews",
            "GET /voicemail-reviews/reports",
            "POST /voicemail-reviews/{call_id}",
            "POST /missed-calls/{call_id}/dismiss",
            "DELETE /customers/{customer_id}",
            "PUT /agents/{agent}",
            "DELETE /agents/{agent}",
            "PUT /agents/{agent}/presence",
            "GET /agents/{agent}/times",
            "PUT /queues/{queue}",
            "GET /offers",
            "POST /quotes/{quote_id}/reopen",
            "PUT /callback-campaigns/{campaign}",
            "DELETE /callback-campaigns/{campaign}",
            "POST /callback-campaigns/{campaign}/pause",
            "POST /callback-campaigns/{campaign}/resume",
            "POST /callback-contacts/{contact_id}/free",
            "POST /callback-contacts/{contact_id}/dismiss",
            "PUT /menus/{menu}",
            "DELETE /menus/{menu}",
            "GET /do-not-call",
            "POST /do-not-call/import",
            "DELETE /do-not-call/{number}",
            "PUT /telemarketing/campaigns/{campaign}",
            "DELETE /telemarketing/campaigns/{campaign}",
            "PUT /telemarketing/action-types/{code}",
            "DELETE /telemarketing/action-types/{code}",
            "PUT /telemarketing/outcomes/{code}",
            "DELETE /telemarketing/outcomes/{code}",
            "PUT /telemarketing/no-contact-reasons/{code}",
            "DELETE /telemarketing/no-contact-reasons/{code}",
            "PUT /telemarketing/campaigns/{campaign}/customers/{customer_id}",
            "DELETE /telemarketing/campaigns/{campaign}/customers/{customer_id}",
            "POST /telemarketing/campaigns/{campaign}/customers/{customer_id}/reopen",
            "POST /customers/imports",
            "GET /customers/imports/{import_id}",
            "GET /customers/imports/{import_id}/report",
            "POST /customers/exports",
            "GET /customers/exports/{export_id}",
            "POST /telemarketing/link-imports",
            "GET /telemarketing/link-imports/{import_id}",
            "GET /telemarketing/link-imports/{import_id}/report",
            "POST /telemarketing/history-imports",
            "GET /telemarketing/history-imports/{import_id}",
            "GET /telemarketing/history-imports/{import_id}/report",
            "POST /telemarketing/link-jobs",
            "GET /telemarketing/link-jobs/{job_id}",
            "GET /telemarketing/link-jobs/{job_id}/report",
            "POST /telemarketing/portfolio-moves",
            "GET /telemarketing/portfolio-moves/{job_id}",
            "GET /telemarketing/portfolio-moves/{job_id}/report",
            "POST /telemarketing/exports",
            "GET /telemarketing/exports/{export_id}",
            "PUT /wait-policies/{queue}",
            "DELETE /wait-policies/{queue}",
            "GET /wait-compliance",
            "GET /wait-breaches",
            "POST /personal-data/erasures",
            "GET /personal-data/erasures/{erasure_id}",
            "POST /personal-data/exports",
            "GET /personal-data/exports/{export_id}",
            "GET /personal-data/holds/{number}",
            "PUT /personal-data/holds/{number}",
            "DELETE /personal-data/holds/{number}",
        ]

    @pytest.mark.parametrize("groups", ["[]", "[customer]", "[agents]", "[Admin]"])
    def test_others_may_do_nothing(self, deployment: Deployment, groups: str) -> None:
        for route in RIGHTS:
            assert ask(deployment, route, user(groups)).status == 403, route

    def test_nobody_may_do_nothing_without_a_token(self, deployment: Deployment) -> None:
        for route in RIGHTS:
            assert ask(deployment, route, None).status == 401, route

    @pytest.mark.parametrize(("claims", "status"), [(None, 401), (user("[customer]"), 403)])
    def test_who_may_not_ask_is_not_told_what_was_wrong(
        self, deployment: Deployment, claims: Claims | None, status: int
    ) -> None:
        refused = deployment.ask("ReadCalls", http("GET /calls", claims=claims))
        assert (refused.status, refused.content_type) == (status, "application/problem+json")
        assert "errors" not in refused.body

    def test_a_route_without_rights_is_closed_to_all(self) -> None:
        route = "GET /secrets"
        closed = resolve(route, lambda _: {}, claims=user("[agent supervisor admin]"))
        assert closed.status == 403

    def test_no_route_is_open_and_restricted_at_once(self) -> None:
        assert not OPEN_ROUTES & set(RIGHTS)


class TestBody:
    """What may be sent where JSON is asked for."""

    def sent(self, deployment: Deployment, body: bytes, kind: str = "application/json") -> Answer:
        request = http(
            "POST /customers",
            headers={"content-type": kind},
            body=body,
            in_base64=True,
            claims=user("[agent]"),
        )
        return deployment.ask("ManageCustomers", request)

    @pytest.mark.parametrize(
        "body",
        [
            b"{",
            b"[" * 10_000 + b"]" * 10_000,
            b'{"name":' * 10_000 + b"1" + b"}" * 10_000,
            b'{"name": ' + b"9" * 5_000 + b"}",
            '{"name": "José"}'.encode("latin-1"),
            '{"name": "José"}'.encode("utf-16"),
            b"\x1f\x8b\x08\x00",
        ],
        ids=["cut", "deep", "deep objects", "5,000 digits", "Latin 1", "UTF-16", "gzip"],
    )
    def test_that_is_none_is_refused(self, deployment: Deployment, body: bytes) -> None:
        refused = self.sent(deployment, body)
        assert refused.status == 422
        assert refused.body["errors"] == [{"field": "body", "reason": "is not JSON in UTF-8"}]

    @pytest.mark.parametrize(
        "kind",
        [
            "text/plain",
            "application/x-www-form-urlencoded",
            "multipart/form-data",
            "multipart/form-data; boundary=x",
            "application/jsonp",
            "\x00",
        ],
    )
    def test_of_another_kind_is_refused(self, deployment: Deployment, kind: str) -> None:
        assert self.sent(deployment, b'{"name": "Ana"}', kind).status == 415

    @pytest.mark.parametrize("kind", ["application/json; charset=utf-8", "Application/JSON", ""])
    def test_is_taken_however_its_kind_is_written(self, deployment: Deployment, kind: str) -> None:
        assert self.sent(deployment, b'{"name": "Ana"}', kind).status == 201

    def test_may_have_a_megabyte(self, deployment: Deployment) -> None:
        refused = self.sent(deployment, b'{"name": "' + b"x" * MAX_JSON_BYTES)
        assert (refused.status, refused.body["errors"][0]["field"]) == (413, "body")

    def test_with_a_thousand_mistakes_is_told_of_some(self, deployment: Deployment) -> None:
        draft = {"name": "Ana", "branches": [{"x" * 1_000: 1}] * 20, "tags": [1] * 1_000}
        refused = self.sent(deployment, json.dumps(draft).encode())
        assert refused.status == 422
        assert len(refused.body["errors"]) == MAX_ERRORS

    def test_is_not_read_before_it_is_known_who_asks(self, deployment: Deployment) -> None:
        request = http("POST /customers", body=b"{", claims=user("[]"))
        assert deployment.ask("ManageCustomers", request).status == 403


class TestWebhook:
    ROUTE = "POST /webhooks/calls"

    def received(self, public_url: str | None = None, **request: Any) -> WebhookRequest:
        seen: list[WebhookRequest] = []
        resolve(self.ROUTE, lambda app: seen.append(app.webhook(public_url)), **request)
        return seen[0]

    def test_is_as_its_sender_signed_it(self) -> None:
        assert self.received(
            query={"tenant": "a b", "x": "1"}, headers={"X-Signature": "Abc="}, body=b"a=1&b=%C3%A9"
        ) == WebhookRequest(
            url="https://api.example.com/webhooks/calls?tenant=a+b&x=1",
            headers={"host": "api.example.com", "x-signature": "Abc="},
            body=b"a=1&b=%C3%A9",
        )

    def test_has_the_address_that_the_provider_was_given(self) -> None:
        received = self.received("https://calls.example.com:8443", query={"x": "1"})
        assert received.url == "https://calls.example.com:8443/webhooks/calls?x=1"

    @pytest.mark.parametrize("body", ["João".encode(), b"\xff\x00\n", b""])
    def test_may_hold_any_bytes(self, body: bytes) -> None:
        assert self.received(body=body, in_base64=True).body == body

    def test_may_have_no_body(self) -> None:
        assert self.received().body == b""
