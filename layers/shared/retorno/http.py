"""HTTP at the edge of every function: one resolver, one shape of errors, one table of rights."""

import base64
import json
import re
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime
from http import HTTPStatus
from typing import Annotated, Any, TypeVar
from urllib.parse import unquote

from aws_lambda_powertools.event_handler import APIGatewayHttpResolver, Response
from aws_lambda_powertools.event_handler.middlewares import NextMiddleware
from aws_lambda_powertools.event_handler.middlewares.openapi_validation import (
    OpenAPIRequestValidationMiddleware,
)
from aws_lambda_powertools.event_handler.openapi.exceptions import RequestValidationError
from aws_lambda_powertools.event_handler.openapi.params import Header, Path, Query
from aws_lambda_powertools.utilities.data_classes import APIGatewayProxyEventV2
from aws_lambda_powertools.utilities.typing import LambdaContext
from pydantic import AfterValidator, BeforeValidator

from retorno.audit import audit
from retorno.errors import (
    MAX_TOLD,
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
from retorno.observability import logger
from retorno.telephony.ports import MAX_NAME_LENGTH, WebhookRequest
from retorno.users import ADMINS, ANYONE, LEADERS, User

T = TypeVar("T")

PROBLEM = "application/problem+json"
JSON = "application/json"

# The largest that is sent, a voice menu, has a tenth of it.
MAX_JSON_BYTES = 1_000_000

# Of what is wrong in a request so much is said: a body can have as many mistakes as it has bytes.
MAX_ERRORS = 20

STATUSES: Mapping[type[RetornoError], HTTPStatus] = {
    InputTooLarge: HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    UnsupportedContent: HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
    InvalidInput: HTTPStatus.UNPROCESSABLE_ENTITY,
    NotAuthenticated: HTTPStatus.UNAUTHORIZED,
    NotAllowed: HTTPStatus.FORBIDDEN,
    NotFound: HTTPStatus.NOT_FOUND,
    Conflict: HTTPStatus.CONFLICT,
    PreconditionFailed: HTTPStatus.PRECONDITION_FAILED,
    PreconditionRequired: HTTPStatus.PRECONDITION_REQUIRED,
    Unavailable: HTTPStatus.SERVICE_UNAVAILABLE,
}


def _in_utc(moment: datetime | None) -> datetime | None:
    return moment.replace(tzinfo=UTC) if moment and moment.tzinfo is None else moment


def _with_plus(text: object) -> object:
    """In a query an unescaped "+" of an offset arrives as a space."""
    return re.sub(r" (?=\d\d:?\d\d$)", "+", text) if isinstance(text, str) else text


def _dated(text: object) -> object:
    """What is but a number, 20260302 too, would be read as seconds since 1970."""
    if isinstance(text, str) and not re.match(r"\d{4}-\d\d-\d\d", text, re.ASCII):
        raise ValueError("is no date of ISO 8601, such as 2026-03-02")
    return text


Moment = Annotated[
    datetime | None,
    BeforeValidator(_dated),
    BeforeValidator(_with_plus),
    AfterValidator(_in_utc),
]
Day = Annotated[date | None, BeforeValidator(_dated)]


def _name_of_agent(quoted: str) -> str:
    name = unquote(quoted)
    if len(name) > MAX_NAME_LENGTH:
        raise ValueError(f"has more than {MAX_NAME_LENGTH} characters")
    return name


# In a path an id may be quoted; no id holds a "%" of its own.
CallId = Annotated[str, Path(max_length=400), AfterValidator(unquote)]
CustomerId = Annotated[str, Path(max_length=64)]
AgentInPath = Annotated[
    str,
    Path(max_length=1600, description="As the telephone system knows them; quoted"),
    AfterValidator(_name_of_agent),
]
QueueInPath = Annotated[
    str, Path(max_length=400, description="As calls name it; quoted"), AfterValidator(unquote)
]
NumberInPath = Annotated[
    str, Path(max_length=256, description="In any written form"), AfterValidator(unquote)
]
JobId = Annotated[str, Path(max_length=64)]
CampaignInPath = Annotated[str, Path(pattern="^[a-z0-9][a-z0-9-]{0,59}$")]

# What lists may be asked for.
Since = Annotated[Moment, Query(alias="from", description="ISO 8601, in UTC where not said")]
Until = Annotated[Moment, Query(alias="to", description="ISO 8601, itself included")]
Limit = Annotated[int, Query(ge=1, le=500)]
Cursor = Annotated[
    str | None, Query(max_length=1000, description="The `cursor` of the page before")
]

# What is written in place of something else says what it saw there.
IfMatch = Annotated[
    str | None,
    Header(alias="If-Match", description='The ETag that was seen, or "*" for any; required'),
]

# Who may do what. A route that is not here is open to no user; the webhooks and the description
# of the API ask for no user at all.
RIGHTS: Mapping[str, frozenset[str]] = {
    "GET /calls": ANYONE,
    "GET /calls/recent": ANYONE,
    "GET /calls/{call_id}": ANYONE,
    "PUT /calls/{call_id}/disposition": ANYONE,
    "PUT /calls/{call_id}/customer": ANYONE,
    "GET /calls/{call_id}/notes": ANYONE,
    "POST /calls/{call_id}/notes": ANYONE,
    "GET /dispositions": ANYONE,
    "PUT /dispositions/{code}": LEADERS,
    "DELETE /dispositions/{code}": LEADERS,
    "GET /voicemail-reviews": LEADERS,
    "GET /voicemail-reviews/reports": LEADERS,
    "POST /voicemail-reviews/{call_id}": LEADERS,
    "GET /missed-calls": ANYONE,
    "GET /missed-calls/summary": ANYONE,
    "GET /missed-calls/{call_id}": ANYONE,
    "POST /missed-calls/{call_id}/dismiss": LEADERS,
    "GET /customers": ANYONE,
    "POST /customers": ANYONE,
    "GET /customers/{customer_id}": ANYONE,
    "PUT /customers/{customer_id}": ANYONE,
    "DELETE /customers/{customer_id}": LEADERS,
    "GET /agents": ANYONE,
    "GET /agents/me": ANYONE,
    "PUT /agents/me/presence": ANYONE,
    "GET /agents/me/times": ANYONE,
    "GET /agents/{agent}": ANYONE,
    "PUT /agents/{agent}": LEADERS,
    "DELETE /agents/{agent}": LEADERS,
    "PUT /agents/{agent}/presence": LEADERS,
    "GET /agents/{agent}/times": LEADERS,
    "GET /dials": ANYONE,
    "POST /dials": ANYONE,
    "GET /dials/{dial_id}": ANYONE,
    "GET /queues": ANYONE,
    "GET /queues/{queue}": ANYONE,
    "PUT /queues/{queue}": LEADERS,
    "GET /offers": LEADERS,
    "GET /offers/me": ANYONE,
    "GET /offers/{offer_id}": ANYONE,
    "POST /offers/{offer_id}/accept": ANYONE,
    "POST /offers/{offer_id}/reject": ANYONE,
    "GET /quotes": ANYONE,
    "POST /quotes": ANYONE,
    "GET /quotes/{quote_id}": ANYONE,
    "PUT /quotes/{quote_id}": ANYONE,
    "POST /quotes/{quote_id}/win": ANYONE,
    "POST /quotes/{quote_id}/lose": ANYONE,
    "POST /quotes/{quote_id}/reopen": LEADERS,
    "GET /callback-campaigns": ANYONE,
    "GET /callback-campaigns/{campaign}": ANYONE,
    "PUT /callback-campaigns/{campaign}": LEADERS,
    "DELETE /callback-campaigns/{campaign}": LEADERS,
    "POST /callback-campaigns/{campaign}/pause": LEADERS,
    "POST /callback-campaigns/{campaign}/resume": LEADERS,
    "GET /callback-contacts": ANYONE,
    "GET /callback-contacts/{contact_id}": ANYONE,
    "POST /callback-contacts/{contact_id}/free": LEADERS,
    "POST /callback-contacts/{contact_id}/dismiss": LEADERS,
    "GET /callbacks": ANYONE,
    "POST /callbacks": ANYONE,
    "GET /callbacks/{callback_id}": ANYONE,
    "PUT /callbacks/{callback_id}": ANYONE,
    "DELETE /callbacks/{callback_id}": ANYONE,
    "GET /conversations": ANYONE,
    "GET /conversations/{number}": ANYONE,
    "POST /conversations/{number}/read": ANYONE,
    "GET /conversations/{number}/messages": ANYONE,
    "POST /conversations/{number}/messages": ANYONE,
    "GET /conversations/{number}/messages/{message_id}": ANYONE,
    "GET /menus": ANYONE,
    "GET /menus/{menu}": ANYONE,
    "PUT /menus/{menu}": LEADERS,
    "DELETE /menus/{menu}": LEADERS,
    "POST /callback-requests": ANYONE,
    "GET /calling-windows": ANYONE,
    "GET /calling-profiles": ANYONE,
    "GET /do-not-call": LEADERS,
    "POST /do-not-call/import": LEADERS,
    "GET /do-not-call/{number}": ANYONE,
    "PUT /do-not-call/{number}": ANYONE,
    "DELETE /do-not-call/{number}": LEADERS,
    "GET /telemarketing/campaigns": ANYONE,
    "GET /telemarketing/campaigns/{campaign}": ANYONE,
    "PUT /telemarketing/campaigns/{campaign}": LEADERS,
    "DELETE /telemarketing/campaigns/{campaign}": LEADERS,
    "GET /telemarketing/action-types": ANYONE,
    "GET /telemarketing/action-types/{code}": ANYONE,
    "PUT /telemarketing/action-types/{code}": LEADERS,
    "DELETE /telemarketing/action-types/{code}": LEADERS,
    "GET /telemarketing/action-types/{code}/scripts": ANYONE,
    "GET /telemarketing/outcomes": ANYONE,
    "GET /telemarketing/outcomes/{code}": ANYONE,
    "PUT /telemarketing/outcomes/{code}": LEADERS,
    "DELETE /telemarketing/outcomes/{code}": LEADERS,
    "GET /telemarketing/no-contact-reasons": ANYONE,
    "GET /telemarketing/no-contact-reasons/{code}": ANYONE,
    "PUT /telemarketing/no-contact-reasons/{code}": LEADERS,
    "DELETE /telemarketing/no-contact-reasons/{code}": LEADERS,
    "GET /telemarketing/filters": ANYONE,
    "POST /telemarketing/filters": ANYONE,
    "GET /telemarketing/filters/{filter_id}": ANYONE,
    "PUT /telemarketing/filters/{filter_id}": ANYONE,
    "DELETE /telemarketing/filters/{filter_id}": ANYONE,
    "PUT /telemarketing/campaigns/{campaign}/customers/{customer_id}": LEADERS,
    "GET /telemarketing/campaigns/{campaign}/customers/{customer_id}": ANYONE,
    "DELETE /telemarketing/campaigns/{campaign}/customers/{customer_id}": LEADERS,
    "GET /telemarketing/campaigns/{campaign}/customers/{customer_id}/history": ANYONE,
    "PUT /telemarketing/campaigns/{campaign}/customers/{customer_id}/schedule": ANYONE,
    "DELETE /telemarketing/campaigns/{campaign}/customers/{customer_id}/schedule": ANYONE,
    "POST /telemarketing/campaigns/{campaign}/customers/{customer_id}/transfer": ANYONE,
    "POST /telemarketing/campaigns/{campaign}/customers/{customer_id}/reopen": LEADERS,
    "GET /telemarketing/customers/{customer_id}": ANYONE,
    "GET /telemarketing/worklist": ANYONE,
    "POST /telemarketing/worklist/next": ANYONE,
    "GET /telemarketing/operations": ANYONE,
    "POST /telemarketing/operations": ANYONE,
    "GET /telemarketing/operations/{operation}": ANYONE,
    "PATCH /telemarketing/operations/{operation}": ANYONE,
    "POST /telemarketing/operations/{operation}/calls": ANYONE,
    "POST /telemarketing/operations/{operation}/copy-script": ANYONE,
    "POST /telemarketing/operations/{operation}/conclude": ANYONE,
    "POST /telemarketing/operations/{operation}/postpone": ANYONE,
    "POST /telemarketing/operations/{operation}/no-contact": ANYONE,
    "POST /telemarketing/operations/{operation}/release": ANYONE,
    "POST /customers/imports": LEADERS,
    "GET /customers/imports/{import_id}": LEADERS,
    "GET /customers/imports/{import_id}/report": LEADERS,
    "POST /customers/exports": LEADERS,
    "GET /customers/exports/{export_id}": LEADERS,
    "POST /telemarketing/link-imports": LEADERS,
    "GET /telemarketing/link-imports/{import_id}": LEADERS,
    "GET /telemarketing/link-imports/{import_id}/report": LEADERS,
    "POST /telemarketing/history-imports": LEADERS,
    "GET /telemarketing/history-imports/{import_id}": LEADERS,
    "GET /telemarketing/history-imports/{import_id}/report": LEADERS,
    "POST /telemarketing/link-jobs": LEADERS,
    "GET /telemarketing/link-jobs/{job_id}": LEADERS,
    "GET /telemarketing/link-jobs/{job_id}/report": LEADERS,
    "POST /telemarketing/portfolio-moves": LEADERS,
    "GET /telemarketing/portfolio-moves/{job_id}": LEADERS,
    "GET /telemarketing/portfolio-moves/{job_id}/report": LEADERS,
    "POST /telemarketing/exports": LEADERS,
    "GET /telemarketing/exports/{export_id}": LEADERS,
    "GET /telemarketing/statistics": ANYONE,
    "GET /wait-profiles": ANYONE,
    "GET /wait-policies": ANYONE,
    "GET /wait-policies/{queue}": ANYONE,
    "PUT /wait-policies/{queue}": LEADERS,
    "DELETE /wait-policies/{queue}": LEADERS,
    "GET /wait-compliance": LEADERS,
    "GET /wait-breaches": LEADERS,
    "GET /dashboard": ANYONE,
    "POST /personal-data/erasures": ADMINS,
    "GET /personal-data/erasures/{erasure_id}": ADMINS,
    "POST /personal-data/exports": LEADERS,
    "GET /personal-data/exports/{export_id}": LEADERS,
    "GET /personal-data/holds/{number}": ADMINS,
    "PUT /personal-data/holds/{number}": ADMINS,
    "DELETE /personal-data/holds/{number}": ADMINS,
}
OPEN_ROUTES = frozenset(
    {
        "GET /health",
        "GET /openapi.json",
        "POST /webhooks/calls",
        "POST /webhooks/asterisk/queue-log",
        "POST /webhooks/twilio/voice",
        "POST /webhooks/twilio/menus/{menu}",
        "POST /webhooks/twilio/returned-calls",
        "POST /webhooks/zenvia/{secret}",
        "POST /webhooks/zenvia/{secret}/did",
        "GET /webhooks/whatsapp",
        "POST /webhooks/whatsapp",
    }
)


# What of a query says whom it asks about.
AUDITED = ("number", "customer_id", "agent")


def etag(version: int) -> str:
    return f'"{version}"'


def expected_version(if_match: str | None) -> int | None:
    """The version of an ETag, None for any; 0, which none has, for a tag that is not ours.

    Raises PreconditionRequired.
    """
    if if_match is None:
        raise PreconditionRequired("If-Match must say which version was seen")
    if if_match.strip() == "*":
        return None
    tag = re.fullmatch(r'"([1-9]\d{0,17})"', if_match.strip(), re.ASCII)
    return int(tag[1]) if tag else 0


def answer(
    body: T,
    status: HTTPStatus = HTTPStatus.OK,
    *,
    version: int | None = None,
    location: str | None = None,
) -> Response[T]:
    """What is shown as JSON: of which version it is (`ETag`), and where it is from now on."""
    headers = {}
    if version is not None:
        headers["ETag"] = etag(version)
    if location is not None:
        headers["Location"] = location
    return Response(status.value, content_type=JSON, body=body, headers=headers)


def created(body: T, location: str, version: int | None = None) -> Response[T]:
    """The answer that shows something new."""
    return answer(body, HTTPStatus.CREATED, version=version, location=location)


def no_content() -> Response[str]:
    """The answer of 204. Its body is empty text, which every gateway sends as nothing."""
    return Response(HTTPStatus.NO_CONTENT.value, body="")


def problem(
    status: HTTPStatus,
    detail: str,
    errors: Sequence[Mapping[str, str]] = (),
    extension: Mapping[str, Any] | None = None,
) -> Response[str]:
    """A problem document of RFC 9457; each of `errors` names a `field` and a `reason`.

    `extension` holds members that are this problem's own.
    """
    body: dict[str, Any] = {"type": "about:blank", "title": status.phrase, "detail": detail}
    body["status"] = status.value
    if errors:
        body["errors"] = list(errors)
    body |= extension or {}
    # Powertools writes JSON for application/json alone.
    return Response(status_code=status.value, content_type=PROBLEM, body=json.dumps(body))


class Api(APIGatewayHttpResolver):
    """A function's routes, with validation, rights and problem documents."""

    def __init__(self) -> None:
        super().__init__(enable_validation=True)
        self._request_validation_middleware = _Entrance()  # type: ignore[no-untyped-call]
        self.exception_handler(RetornoError)(_on_known_error)
        self.exception_handler(RequestValidationError)(_on_invalid_request)
        self.exception_handler(Exception)(_on_unknown_error)
        self.not_found(_on_no_route)

    def resolve(self, event: Mapping[str, Any], context: LambdaContext) -> dict[str, Any]:
        """The answer to a request, which is put down if it is a user's."""
        answer = super().resolve(event, context)
        if self.current_event.route_key not in OPEN_ROUTES:
            _audit(self.current_event, answer["statusCode"])
        return answer

    @property
    def user(self) -> User:
        """Raises NotAuthenticated."""
        return _user(self.current_event)

    def base_url(self, public_url: str | None) -> str:
        """Where the API is called; `public_url` where that is not its own address."""
        return public_url or f"https://{self.current_event.request_context.domain_name}"

    @property
    def raw_body(self) -> bytes:
        event = self.current_event
        body = event.body or ""
        return base64.b64decode(body) if event.is_base64_encoded else body.encode()

    def webhook(self, public_url: str | None) -> WebhookRequest:
        """The request as its sender signed it; `public_url` where that is not the API's own."""
        event = self.current_event
        query = f"?{event.raw_query_string}" if event.raw_query_string else ""
        return WebhookRequest(
            url=f"{self.base_url(public_url)}{event.raw_path}{query}",
            headers=event.headers,
            body=self.raw_body,
        )


def _user(event: APIGatewayProxyEventV2) -> User:
    authorizer = event.request_context.authorizer
    claims = authorizer.jwt_claim if authorizer else None
    if not claims:
        raise NotAuthenticated("a token is required")
    # API Gateway takes access tokens, too, which do not say whose telephone it is.
    if claims.get("token_use") != "id":
        raise NotAuthenticated("the token is no ID token")
    name = claims.get("cognito:username") or claims.get("sub", "")
    # API Gateway writes a list claim as "[agent supervisor]".
    groups = claims.get("cognito:groups", "").strip("[]").replace(",", " ").split()
    return User(name, claims.get("custom:agent") or name, frozenset(groups))


def _audit(event: APIGatewayProxyEventV2, status: int) -> None:
    try:
        user = _user(event)
    except NotAuthenticated:
        return
    query = event.query_string_parameters
    audit(
        user=user.name,
        agent=user.agent,
        groups=user.groups,
        route=event.route_key or "",
        of=event.path_parameters | {name: query[name] for name in AUDITED if name in query},
        status=status,
        request_id=event.request_context.request_id,
    )


class _Entrance(OpenAPIRequestValidationMiddleware):
    """What every request goes through. Who may not ask is not told what else was wrong.

    Powertools takes forms in place of JSON, and fails at what is not even text.
    """

    def handler(self, app: Any, next_middleware: NextMiddleware) -> Response[Any]:
        _check_rights(app)
        return super().handler(app, next_middleware)

    def _get_body(self, app: Any) -> Any:
        event = app.current_event
        kind = event.headers.get("content-type", JSON).partition(";")[0].strip().lower()
        if kind not in {JSON, ""}:
            raise UnsupportedContent(f"the body must be {JSON}")
        if len(event.body or "") > MAX_JSON_BYTES:
            raise InputTooLarge("body", f"at most {MAX_JSON_BYTES} bytes")
        try:
            return event.json_body
        except (ValueError, RecursionError):
            raise InvalidInput("body", "is not JSON in UTF-8") from None


def _check_rights(app: Api) -> None:
    route = app.current_event.route_key
    if route not in OPEN_ROUTES and not app.user.groups & RIGHTS.get(route or "", frozenset()):
        raise NotAllowed("your groups do not allow this")


def _on_known_error(error: RetornoError) -> Response[Any]:
    status = next(STATUSES[kind] for kind in type(error).__mro__ if kind in STATUSES)
    if status is HTTPStatus.SERVICE_UNAVAILABLE:
        logger.exception("unavailable")
    if isinstance(error, InvalidInput):
        return problem(status, str(error), [{"field": error.field, "reason": error.reason}])
    if isinstance(error, CallForbidden):
        next_one = error.next_allowed_at
        extension = {
            "rules": [{"id": rule, "reason": reason} for rule, reason in error.rules],
            "next_allowed_at": next_one.isoformat().replace("+00:00", "Z") if next_one else None,
        }
        return problem(status, str(error), extension=extension)
    if isinstance(error, SessionOver):
        ended = error.ended_at
        session: dict[str, Any] = {
            "code": error.code,
            "reason": error.reason,
            "what_to_do": error.what_to_do,
            "session_ended_at": ended.isoformat().replace("+00:00", "Z") if ended else None,
        }
        return problem(status, str(error), extension=session)
    if isinstance(error, HeldByAnother):
        until = error.until.isoformat().replace("+00:00", "Z")
        return problem(status, str(error), extension={"held_by": error.agent, "until": until})
    return problem(status, str(error))


def _on_invalid_request(error: RequestValidationError) -> Response[Any]:
    errors = [
        {
            # The first part says where the field is: query, path or body.
            "field": (".".join(map(str, each["loc"][1:])) or str(each["loc"][0]))[:MAX_TOLD],
            "reason": each["msg"][:MAX_TOLD],
        }
        for each in error.errors()[:MAX_ERRORS]
    ]
    return problem(HTTPStatus.UNPROCESSABLE_ENTITY, "the request is not valid", errors)


def _on_unknown_error(_: Exception) -> Response[Any]:
    logger.exception("unexpected error")
    return problem(HTTPStatus.INTERNAL_SERVER_ERROR, "something went wrong on our side")


def _on_no_route(_: Exception) -> Response[Any]:
    return problem(HTTPStatus.NOT_FOUND, "there is nothing here")
