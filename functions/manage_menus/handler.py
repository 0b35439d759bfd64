"""Shows voice menus, and takes them as people write them."""

from functools import cache
from http import HTTPStatus
from typing import Annotated

from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.event_handler.openapi.params import Body, Path
from aws_lambda_powertools.utilities.typing import LambdaContext

from functions.manage_menus.schema import MenuList, MenuSummary, MenuView
from retorno import clock
from retorno import cursor as cursors
from retorno.http import Api, Cursor, IfMatch, Limit, answer, expected_version, no_content
from retorno.menus.model import StoredMenu, Tree
from retorno.menus.service import Menus
from retorno.menus.service import menus as menus_of
from retorno.settings import ManageMenuSettings

MenuInPath = Annotated[
    str, Path(max_length=64, description="Of a-z, 0-9, _ and -, a letter or digit first")
]
LIST = "menus"

app = Api()


@cache
def menus() -> Menus:
    return menus_of(ManageMenuSettings.from_environment())


@app.get("/menus", tags=["menus"], summary="Menus by name")
def page(limit: Limit = 50, cursor: Cursor = None) -> MenuList:
    position = cursors.decode(LIST, cursor, "start")
    found = menus().page(limit, position["start"] if position else None)
    following = {"start": found.next_start} if found.next_start else None
    return MenuList(
        items=[MenuSummary.of(stored) for stored in found.menus],
        cursor=cursors.encode(LIST, following),
    )


@app.get("/menus/<menu>", tags=["menus"], summary="A menu, as new calls hear it")
def one(menu: MenuInPath) -> Response[MenuView]:
    return _shown(menus().one(menu))


@app.put(
    "/menus/<menu>",
    tags=["menus"],
    summary="Writes a new menu, or with If-Match changes one; calls go on with what they began",
    responses={201: {"description": "New"}, 200: {"description": "Changed"}},
)
def put(
    menu: MenuInPath, tree: Annotated[Tree, Body()], if_match: IfMatch = None
) -> Response[MenuView]:
    by, now = app.user.name, clock.now()
    if if_match is None:
        return _shown(menus().create(menu, tree, by, now), HTTPStatus.CREATED)
    return _shown(menus().change(menu, tree, expected_version(if_match), by, now))


@app.delete(
    "/menus/<menu>",
    tags=["menus"],
    summary="Removes a menu; calls that are in it go on",
    status_code=204,
)
def remove(menu: MenuInPath, if_match: IfMatch = None) -> Response[str]:
    menus().remove(menu, expected_version(if_match), clock.now())
    return no_content()


def _shown(stored: StoredMenu, status: HTTPStatus = HTTPStatus.OK) -> Response[MenuView]:
    return answer(MenuView.of(stored), status, version=stored.version)


def handler(event: dict[str, object], context: LambdaContext) -> dict[str, object]:
    return app.resolve(event, context)
