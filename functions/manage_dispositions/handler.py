"""The list of dispositions that operators sum their calls up in."""

from functools import cache
from typing import Annotated

from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.event_handler.openapi.params import Body, Path
from aws_lambda_powertools.utilities.typing import LambdaContext

from functions.manage_dispositions.schema import DispositionList
from retorno.dispositions.model import Code, Disposition, Meaning
from retorno.dispositions.service import Dispositions, dispositions
from retorno.http import Api, no_content
from retorno.settings import DispositionSettings

app = Api()


@cache
def catalogue() -> Dispositions:
    return dispositions(DispositionSettings.from_environment())


@app.get("/dispositions", tags=["dispositions"], summary="All dispositions, retired ones included")
def every() -> DispositionList:
    return DispositionList(items=list(catalogue().all()))


@app.put("/dispositions/<code>", tags=["dispositions"], summary="Changes a disposition or adds it")
def change(code: Annotated[Code, Path()], meaning: Annotated[Meaning, Body()]) -> Disposition:
    disposition = Disposition(code=code, **meaning.model_dump())
    catalogue().change(disposition)
    return disposition


@app.delete(
    "/dispositions/<code>",
    tags=["dispositions"],
    summary="Retires a disposition: it is given no more, and the calls that have it keep it",
    status_code=204,
)
def retire(code: Annotated[Code, Path()]) -> Response[str]:
    catalogue().retire(code)
    return no_content()


def handler(event: dict[str, object], context: LambdaContext) -> dict[str, object]:
    return app.resolve(event, context)
