"""Says that the API is up, and what it offers."""

from functools import cache
from pathlib import Path

from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.utilities.typing import LambdaContext

from retorno.http import Api

app = Api()


@cache
def description() -> str:
    return Path(__file__).with_name("openapi.json").read_text(encoding="utf-8")


@app.get("/health", tags=["about"], summary="Whether the API answers")
def health() -> dict[str, str]:
    return {"status": "ok"}


@app.get("/openapi.json", include_in_schema=False)
def openapi() -> Response[str]:
    return Response(200, "application/json", description())


def handler(event: dict[str, object], context: LambdaContext) -> dict[str, object]:
    return app.resolve(event, context)
