"""`python -m tools.personal_data erase|export NUMBER`: erases or exports one person's data.

Run again it says how far that is: a number and a reason are one request. `--customer` says a
customer's id instead of a number. Without `--stack` it is the embedded cloud's.
"""

import argparse
import getpass
import hashlib
import json
import sys
from typing import Any

from retorno.personal_data.model import OVER
from tools.stack_function import InvocationFailed, invoke

ROUTES = {
    "erase": "POST /personal-data/erasures",
    "export": "POST /personal-data/exports",
}


def main() -> int:
    options = _options()
    meant = "customer_id" if options.customer else "number"
    wish: dict[str, Any] = {meant: options.whom, "reason": options.reason}
    if options.also_do_not_call:
        wish["also_do_not_call"] = True
    try:
        answer = invoke("ManagePersonalData", request(options.what, wish), options.stack)
    except InvocationFailed as failure:
        print(failure, file=sys.stderr)
        return 1
    said = json.loads(answer["body"])
    if "detail" in said:
        print(said["detail"], file=sys.stderr)
        return 1
    print(words(said))
    return 0


def request(what: str, wish: dict[str, Any]) -> dict[str, Any]:
    """As API Gateway hands an administrator's request to the function."""
    route = ROUTES[what]
    method, path = route.split()
    body = json.dumps(wish)
    name = f"command:{getpass.getuser()}"
    claims = {"token_use": "id", "cognito:username": name, "cognito:groups": "[admin]"}
    return {
        "version": "2.0",
        "routeKey": route,
        "rawPath": path,
        "rawQueryString": "",
        "headers": {
            "content-type": "application/json",
            "idempotency-key": hashlib.sha256(body.encode()).hexdigest(),
        },
        "requestContext": {
            "accountId": "",
            "apiId": "",
            "authorizer": {"jwt": {"claims": claims, "scopes": None}},
            "domainName": "command",
            "http": {
                "method": method,
                "path": path,
                "protocol": "",
                "sourceIp": "",
                "userAgent": "",
            },
            "requestId": "command",
            "routeKey": route,
            "stage": "$default",
            "timeEpoch": 0,
        },
        "body": body,
        "isBase64Encoded": False,
    }


def words(said: dict[str, Any]) -> str:
    counts = ", ".join(f"{count} of {name}" for name, count in said["items"].items())
    lines = [f"{said['known_as']}: {said['state']}; {counts or 'nothing yet'}."]
    if said.get("waits_for"):
        lines.append(f"In somebody's hands, and looked at again: {', '.join(said['waits_for'])}.")
    if said.get("url"):
        lines.append(said["url"])
    if said["state"] not in OVER:
        lines.append("The same command says how far it is.")
    return "\n".join(lines)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tools.personal_data", description=__doc__)
    parser.add_argument("what", choices=sorted(ROUTES))
    parser.add_argument("whom", help="a number in any written form, or a customer's id")
    parser.add_argument("--customer", action="store_true", help="it is a customer's id")
    parser.add_argument("--reason", required=True, help="such as the request that came in")
    parser.add_argument("--also-do-not-call", action="store_true", help="of an erasure")
    parser.add_argument("--stack", help="the name of a stack in AWS, in your region there")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
