"""Deploys template.yaml and its code into the embedded cloud."""

import json
import time
from collections.abc import Mapping
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from botocore.exceptions import BotoCoreError, ClientError
from samtranslator.model.exceptions import InvalidDocumentException
from yaml import YAMLError

from local.aws import REGION, Clients
from local.emulator import ADDRESS, Emulator
from local.errors import CloudError
from local.package import Archive, archives
from local.stack import ROOT, Stack
from local.transform import expand, live_id, load, split
from local.users import sign_in_all

if TYPE_CHECKING:
    from mypy_boto3_cloudformation import CloudFormationClient
    from mypy_boto3_s3 import S3Client

TEMPLATE = ROOT / "template.yaml"
CODE_BUCKET = "retorno-code"
POLL_SECONDS = 0.05


def deploy(emulator: Emulator, stage: str, settings: Mapping[str, str]) -> Stack:
    """Brings the stack up to date with the files, and tells what it is known by.

    `settings` are parameters of the template, where they are not its defaults.
    """
    try:
        return _deploy(emulator, stage, settings)
    except (BotoCoreError, ClientError, InvalidDocumentException, YAMLError) as error:
        raise CloudError(f"The deployment failed: {' '.join(str(error).split())}") from error


def _deploy(emulator: Emulator, stage: str, settings: Mapping[str, str]) -> Stack:
    clients = Clients(emulator.endpoint_url)
    name = f"retorno-{stage}"
    # Known beforehand, because providers sign it. The stage, `$default`, need not be in it.
    api_url = f"{emulator.endpoint_url}/_aws/execute-api/{name}"
    parameters = {**settings, "Stage": stage, "PublicUrl": api_url}
    sam = load(TEMPLATE)
    if unknown := settings.keys() - sam["Parameters"].keys():
        raise CloudError(f"The template has no setting {unknown.pop()!r}.")
    template, routes = split(
        expand(
            sam,
            parameters=parameters,
            code=_upload(clients.s3, archives(sam)),
            api_id=name,
            endpoint_url=emulator.endpoint_url,
            run=emulator.started_at,
        )
    )
    _apply(clients, name, template, parameters)
    resources = _resources(clients.cloudformation, name)
    _apply(
        clients, f"{name}-routes", routes, {each: resources[each] for each in routes["Parameters"]}
    )
    return Stack(
        name=name,
        stage=stage,
        settings=dict(settings),
        region=REGION,
        port=emulator.port,
        endpoint_url=emulator.endpoint_url,
        api_url=api_url,
        live_url=f"ws://{ADDRESS}:{emulator.port}/_aws/execute-api/{live_id(name)}/live",
        resources=resources,
        tokens=sign_in_all(clients.cognito, resources["UserPool"], resources["UserPoolClient"]),
        webhook_secret=_secret(clients, resources["WebhookSecret"]),
        twilio_secret=_secret(clients, resources["TwilioSecret"]),
        zenvia_secret=_secret(clients, resources["ZenviaSecret"]),
        dial_secret=_secret(clients, resources["DialSecret"]),
    )


def _upload(s3: "S3Client", code: Mapping[str, Archive]) -> dict[str, dict[str, str]]:
    """Says where each archive lies now."""
    with suppress(s3.exceptions.BucketAlreadyOwnedByYou):
        s3.create_bucket(
            Bucket=CODE_BUCKET, CreateBucketConfiguration={"LocationConstraint": REGION}
        )
    for archive in code.values():
        s3.put_object(Bucket=CODE_BUCKET, Key=archive.key, Body=archive.content)
    return {name: {"Bucket": CODE_BUCKET, "Key": archive.key} for name, archive in code.items()}


def _apply(
    clients: Clients, name: str, template: Mapping[str, Any], parameters: Mapping[str, str]
) -> None:
    cloudformation = clients.cloudformation
    # In a request itself, CloudFormation takes no more than 51,200 bytes.
    key = f"{name}.json"
    clients.s3.put_object(Bucket=CODE_BUCKET, Key=key, Body=json.dumps(template))
    request: dict[str, Any] = {
        "StackName": name,
        "TemplateURL": f"{clients.s3.meta.endpoint_url}/{CODE_BUCKET}/{key}",
        "Parameters": [
            {"ParameterKey": key, "ParameterValue": value} for key, value in parameters.items()
        ],
        "Capabilities": ["CAPABILITY_IAM"],
    }
    try:
        stack_id = cloudformation.update_stack(**request)["StackId"]
    except ClientError as error:
        if "No updates are to be performed" in str(error):
            return
        if "does not exist" not in str(error):
            raise
        stack_id = cloudformation.create_stack(**request, OnFailure="DELETE")["StackId"]
    _await(cloudformation, stack_id)


def _await(cloudformation: "CloudFormationClient", stack_id: str) -> None:
    while (status := _status(cloudformation, stack_id)).endswith("_IN_PROGRESS"):
        time.sleep(POLL_SECONDS)
    if status not in {"CREATE_COMPLETE", "UPDATE_COMPLETE"}:
        raise CloudError(f"The deployment failed: {_first_failure(cloudformation, stack_id)}")


def _status(cloudformation: "CloudFormationClient", stack_id: str) -> str:
    return cloudformation.describe_stacks(StackName=stack_id)["Stacks"][0]["StackStatus"]


def _first_failure(cloudformation: "CloudFormationClient", stack_id: str) -> str:
    """What failed first in the latest deployment; all else is its consequence."""
    reason = "no reason is given"
    events = cloudformation.describe_stack_events(StackName=stack_id)["StackEvents"]
    for event in events:  # from the latest on
        if event.get("ResourceStatusReason") == "User Initiated":
            break
        if event["ResourceStatus"].endswith("_FAILED"):
            reason = f"{event['LogicalResourceId']}: {event['ResourceStatusReason']}"
    return reason


def _resources(cloudformation: "CloudFormationClient", name: str) -> dict[str, str]:
    pages = cloudformation.get_paginator("list_stack_resources").paginate(StackName=name)
    return {
        resource["LogicalResourceId"]: resource["PhysicalResourceId"]
        for page in pages
        for resource in page["StackResourceSummaries"]
    }


def _secret(clients: Clients, secret_id: str) -> str:
    text = clients.secrets.get_secret_value(SecretId=secret_id)["SecretString"]
    secret: str = json.loads(text).get("current", "")
    return secret
