"""A deployed stack: one in AWS, or the embedded cloud's where none is named."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

import boto3
from botocore.config import Config

from local import aws, emulator
from local.stack import HOME, Stack

# The functions' own time-outs are at most 900 seconds. A second invocation beside one would help
# nobody.
PATIENT = Config(read_timeout=910, retries={"total_max_attempts": 1})


@dataclass(frozen=True)
class Deployed:
    session: boto3.Session
    endpoint_url: str | None
    resources: Mapping[str, str]
    """Physical ids by logical id."""

    @classmethod
    def find(cls, stack: str | None) -> Self:
        """Raises CloudError, or what botocore raises."""
        if stack:
            session = boto3.Session()
            return cls(session, None, _resources(session.client("cloudformation"), stack))
        emulator.require(HOME)
        return cls.embedded(Stack.read())

    @classmethod
    def embedded(cls, stack: Stack) -> Self:
        return cls(aws.session(), stack.endpoint_url, stack.resources)

    def client(self, service: Any, config: Config | None = None) -> Any:
        return self.session.client(service, endpoint_url=self.endpoint_url, config=config)

    def name(self, logical_id: str) -> str:
        """What a resource of the template is called there. Raises LookupError."""
        if logical_id not in self.resources:
            raise LookupError(f"The stack has no {logical_id}.")
        return self.resources[logical_id]

    def logical_id(self, name: str) -> str:
        """The other way round; a name that is no resource's is its own."""
        return next((each for each, known in self.resources.items() if known == name), name)


def _resources(cloudformation: Any, stack: str) -> dict[str, str]:
    pages = cloudformation.get_paginator("list_stack_resources").paginate(StackName=stack)
    return {
        resource["LogicalResourceId"]: resource["PhysicalResourceId"]
        for page in pages
        for resource in page["StackResourceSummaries"]
    }
