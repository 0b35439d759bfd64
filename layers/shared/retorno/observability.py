"""The logger and the metrics, made once. What they tell never holds a whole phone number."""

import functools
from collections.abc import Callable
from typing import Any

from aws_lambda_powertools import Logger, Metrics
from aws_lambda_powertools.metrics import MetricUnit
from aws_lambda_powertools.utilities.typing import LambdaContext

Handler = Callable[[dict[str, Any], LambdaContext], Any]

# The trace as text is enough; as structure it is the same once more, and longer.
# Lambda filters by level only what tells the time in this form.
logger = Logger(serialize_stacktrace=False, use_rfc3339=True)
metrics = Metrics()


def count(name: str, value: int = 1) -> None:
    """Adds to a CloudWatch metric of Retorno's namespace; nothing is sent for zero."""
    if value:
        metrics.add_metric(name=name, unit=MetricUnit.Count, value=value)


def with_metrics(handler: Handler) -> Handler:
    """Sends what a function counted, if it counted anything."""

    @functools.wraps(handler)
    def counting(event: dict[str, Any], context: LambdaContext) -> Any:
        try:
            return handler(event, context)
        finally:
            if metrics.metric_set:
                metrics.flush_metrics()

    return counting
