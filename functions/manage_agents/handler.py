"""Sets agents up, shows who is available, and takes what they say of themselves."""

from functools import cache
from http import HTTPStatus
from typing import Annotated

from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.event_handler.openapi.params import Body, Query
from aws_lambda_powertools.utilities.typing import LambdaContext

from functions.manage_agents.schema import AgentList, AgentView, TimesView
from retorno import clock
from retorno import cursor as cursors
from retorno.agents.model import AgentDraft, State, Stored, Wish
from retorno.agents.service import AgentFilter, Agents
from retorno.agents.service import agents as agents_of
from retorno.http import (
    AgentInPath,
    Api,
    Cursor,
    IfMatch,
    Limit,
    Since,
    Until,
    answer,
    expected_version,
    no_content,
)
from retorno.settings import AgentSettings
from retorno.telephony.ports import MAX_NAME_LENGTH
from retorno.times import Period

app = Api()


@cache
def agents() -> Agents:
    return agents_of(AgentSettings.from_environment())


@app.get(
    "/agents",
    tags=["agents"],
    summary="Agents by name; those available to a queue, the longest idle first. "
    "Go on until the cursor is null, even past a short page",
)
def page(
    state: Annotated[State | None, Query()] = None,
    queue: Annotated[str | None, Query(min_length=1, max_length=MAX_NAME_LENGTH)] = None,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> AgentList:
    now = clock.now()
    list_name = f"agents {state} {queue!r}"
    position = cursors.decode(list_name, cursor, "start")
    wanted = AgentFilter(state, queue)
    found = agents().page(wanted, limit, position["start"] if position else None, now)
    following = {"start": found.next_start} if found.next_start else None
    return AgentList.of(found, cursors.encode(list_name, following), now)


@app.get("/agents/me", tags=["agents"], summary="Yourself")
def me() -> Response[AgentView]:
    return _shown(agents().one(app.user.agent))


@app.put(
    "/agents/me/presence", tags=["agents"], summary="Says what you are; after a call, if in one"
)
def my_presence(wish: Annotated[Wish, Body()]) -> Response[AgentView]:
    return _shown(agents().ask(app.user.agent, wish, clock.now()))


@app.get("/agents/me/times", tags=["agents"], summary="What you spent your time in")
def my_times(since: Since = None, until: Until = None) -> TimesView:
    return times(app.user.agent, since, until)


@app.get("/agents/<agent>", tags=["agents"], summary="An agent")
def one(agent: AgentInPath) -> Response[AgentView]:
    return _shown(agents().one(agent))


@app.put(
    "/agents/<agent>",
    tags=["agents"],
    summary="Registers an agent, or with If-Match sets one up anew",
    responses={201: {"description": "Registered"}, 200: {"description": "Set up anew"}},
)
def put(
    agent: AgentInPath, draft: Annotated[AgentDraft, Body()], if_match: IfMatch = None
) -> Response[AgentView]:
    if if_match is None:
        return _shown(agents().register(agent, draft, clock.now()), HTTPStatus.CREATED)
    return _shown(agents().change(agent, draft, expected_version(if_match)))


@app.delete(
    "/agents/<agent>",
    tags=["agents"],
    summary="Removes an agent who is in no call; their times are kept",
    status_code=204,
)
def remove(agent: AgentInPath, if_match: IfMatch = None) -> Response[str]:
    agents().remove(agent, expected_version(if_match), clock.now())
    return no_content()


@app.put(
    "/agents/<agent>/presence",
    tags=["agents"],
    summary="Says what an agent is; offline at once, whatever calls they are in",
)
def presence(agent: AgentInPath, wish: Annotated[Wish, Body()]) -> Response[AgentView]:
    at_once = wish.state is State.OFFLINE
    return _shown(agents().ask(agent, wish, clock.now(), at_once=at_once))


@app.get("/agents/<agent>/times", tags=["agents"], summary="What an agent spent their time in")
def times(agent: AgentInPath, since: Since = None, until: Until = None) -> TimesView:
    period = Period.between(since, until)
    return TimesView.of(agent, agents().times(agent, period, clock.now()))


def _shown(stored: Stored, status: HTTPStatus = HTTPStatus.OK) -> Response[AgentView]:
    return answer(AgentView.of(stored, clock.now()), status, version=stored.version)


def handler(event: dict[str, object], context: LambdaContext) -> dict[str, object]:
    return app.resolve(event, context)
