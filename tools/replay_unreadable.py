"""`python -m tools.replay_unreadable PROVIDER`: reads again what could not be read when it came.

For when a reader has learned what it did not know. Without `--stack` it is the embedded cloud's.
"""

import argparse
import json
import sys
from typing import TYPE_CHECKING

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from local import emulator
from local.aws import session
from local.errors import CloudError
from local.stack import HOME, Stack
from retorno.telephony.providers import PROVIDERS

if TYPE_CHECKING:
    from mypy_boto3_lambda import LambdaClient

FUNCTION = "ReplayPayloads"
# The function's own time-out is 300 seconds. A second invocation beside it would help nobody.
CONFIG = Config(read_timeout=310, retries={"total_max_attempts": 1})


def main() -> int:
    options = _options()
    try:
        client, function = _in_aws(options.stack) if options.stack else _in_embedded_cloud()
        event = json.dumps({"provider": options.provider})
        answer = client.invoke(FunctionName=function, Payload=event)
    except (CloudError, BotoCoreError, ClientError) as error:
        print(error, file=sys.stderr)
        return 1
    result = json.load(answer["Payload"])
    if "FunctionError" in answer:
        print(f"The function failed: {result['errorMessage']}", file=sys.stderr)
        return 1
    print(f"Read: {result['read']}. Still unreadable: {result['still_unreadable']}.")
    return 0


def _in_embedded_cloud() -> tuple["LambdaClient", str]:
    emulator.require(HOME)
    stack = Stack.read()
    client = session().client("lambda", endpoint_url=stack.endpoint_url, config=CONFIG)
    return client, stack.resources[FUNCTION]


def _in_aws(stack: str) -> tuple["LambdaClient", str]:
    resource = boto3.client("cloudformation").describe_stack_resource(
        StackName=stack, LogicalResourceId=FUNCTION
    )
    function = resource["StackResourceDetail"]["PhysicalResourceId"]
    return boto3.client("lambda", config=CONFIG), function


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tools.replay_unreadable", description=__doc__)
    parser.add_argument("provider", choices=sorted(PROVIDERS))
    parser.add_argument("--stack", help="the name of a stack in AWS, in your region there")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
