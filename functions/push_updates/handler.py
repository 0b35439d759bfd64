"""Takes the connections of those who watch live, and tells them what changed."""

from datetime import UTC, datetime
from functools import cache
from http import HTTPStatus
from typing import Any

from aws_lambda_powertools.utilities.typing import LambdaContext

from functions.push_updates.schema import Ping, read
from retorno import clock
from retorno.audit import audit
from retorno.errors import InvalidInput, NotAllowed, NotAuthenticated, NotFound
from retorno.realtime.model import Watch
from retorno.realtime.service import Pushing, Watching
from retorno.realtime.service import pushing as pushing_of
from retorno.realtime.service import watching as watching_of
from retorno.settings import PushUpdatesSettings
from retorno.tokens import Tokens
from retorno.users import ANYONE, LEADERS, User

Json = dict[str, Any]

settings = cache(PushUpdatesSettings.from_environment)


@cache
def tokens() -> Tokens:
    return Tokens(settings().token_issuer, settings().token_audience, settings().token_keys_url)


@cache
def watching() -> Watching:
    return watching_of(settings())


@cache
def pushing() -> Pushing:
    return pushing_of(settings())


def connect(event: Json, connection_id: str) -> Json:
    try:
        user, ends = tokens().read(_token(event))
    except NotAuthenticated:
        return {"statusCode": HTTPStatus.UNAUTHORIZED.value}
    status = _admit(user, connection_id, datetime.fromtimestamp(ends, UTC))
    audit(
        user=user.name,
        agent=user.agent,
        groups=user.groups,
        route="CONNECT",
        of={},
        status=status,
        request_id=connection_id,
    )
    return {"statusCode": status.value}


def _admit(user: User, connection_id: str, until: datetime) -> HTTPStatus:
    try:
        watching().admit(Watch(connection_id=connection_id, agent=_agent(user), until=until))
    except NotAllowed:
        return HTTPStatus.FORBIDDEN
    return HTTPStatus.OK


def _token(event: Json) -> str:
    """Of the header, or of the query: browsers set no headers here."""
    query: dict[str, str] = event.get("queryStringParameters") or {}
    for name, value in event["headers"].items():
        if name.lower() == "authorization":
            return str(value).removeprefix("Bearer ")
    return query.get("token", "")


def _agent(user: User) -> str | None:
    """Whose own they may watch; None for all."""
    if user.groups & LEADERS:
        return None
    if user.groups & ANYONE:
        return user.agent
    raise NotAllowed("your groups do not allow this")


def hear(text: str, connection_id: str) -> None:
    try:
        said = read(text)
        if isinstance(said, Ping):
            watching().answer(connection_id, {"type": "pong"})
        else:
            watching().subscribe(connection_id, said.after, said.queues, clock.now())
    except InvalidInput as error:
        refusal = {"type": "refused", "field": error.field, "reason": error.reason}
        watching().answer(connection_id, refusal)
    except NotFound:
        return


def handler(event: Json, context: LambdaContext) -> Json | None:
    if "Records" in event:
        pushing().push(event["Records"], clock.now())
        return None
    connection_id = event["requestContext"]["connectionId"]
    match event["requestContext"]["eventType"]:
        case "CONNECT":
            return connect(event, connection_id)
        case "DISCONNECT":
            watching().leave(connection_id)
        case "MESSAGE":
            hear(event.get("body") or "", connection_id)
    return {"statusCode": HTTPStatus.OK.value}
