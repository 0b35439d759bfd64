"""`python -m tools.apply_retention`: gives what a stack has stored the time at which it expires.

For what was written before there were such times, or before the days were changed from 0. It may
be stopped, and run again. Without `--stack` it is the embedded cloud's.
"""

import argparse
import os
import sys
from collections.abc import Mapping
from datetime import datetime

from botocore.exceptions import BotoCoreError, ClientError

from local.aws import REGION
from local.errors import CloudError
from retorno import clock
from retorno.agents.store import AgentItem
from retorno.callbacks.store import ContactItem
from retorno.calls.store import CallItem, NoteItem
from retorno.dialling.store import DialItem
from retorno.dynamodb import bind, unavailable_on_trouble
from retorno.errors import Unavailable
from retorno.messages.store import MessageItem
from retorno.promises.store import PromiseItem
from retorno.quotes.store import QuoteItem
from retorno.recovery.store import PartItem
from retorno.retention import KeptItem, release, unexpiring
from retorno.telemarketing.assignments.store import EntryItem
from retorno.telemarketing.operations.store import OperationItem
from retorno.voicemail.store import AnswerItem
from retorno.waits.store import WaitItem
from tools.deployed import Deployed

# The days that hold for each table, as its functions are told them.
CALLS, MESSAGES, OPERATIONS = "CALLS_KEPT_DAYS", "MESSAGES_KEPT_DAYS", "OPERATIONS_KEPT_DAYS"
TABLES: Mapping[str, tuple[type[KeptItem], str]] = {
    "CallsTable": (CallItem, CALLS),
    "RecoveriesTable": (PartItem, CALLS),
    "NotesTable": (NoteItem, CALLS),
    "AnswersTable": (AnswerItem, CALLS),
    "DialsTable": (DialItem, CALLS),
    "ContactsTable": (ContactItem, CALLS),
    "PromisesTable": (PromiseItem, CALLS),
    "WaitsTable": (WaitItem, CALLS),
    "MessagesTable": (MessageItem, MESSAGES),
    "AgentsTable": (AgentItem, OPERATIONS),
    "QuotesTable": (QuoteItem, OPERATIONS),
    "AssignmentHistoryTable": (EntryItem, OPERATIONS),
    "OperationsTable": (OperationItem, OPERATIONS),
}
# A function that is told all of them.
TOLD = "IngestCalls"

# As many as are read in a second, so that whoever calls notices nothing.
READ_UNITS = 200


def apply(item: type[KeptItem], kept_days: int, now: datetime) -> tuple[int, int]:
    """How many items of a table would never expire, and how many of them will now: the others are
    still open, or nothing that ends. Raises Unavailable.
    """
    found = given = 0
    with unavailable_on_trouble():
        for each in item.scan(unexpiring(item, now), rate_limit=READ_UNITS):
            found += 1
            if each.kept_from(now) is not None:
                given += release(each, kept_days, now)
    return found, given


def main() -> int:
    options = _options()
    try:
        deployed = Deployed.find(options.stack)
        days_of = _variables(deployed)
        _reach(deployed)
        for table, (item, days) in TABLES.items():
            kept_days = int(days_of[days])
            if not kept_days:
                print(f"{table}: kept for ever")
                continue
            found, given = apply(bind(item, deployed.name(table)), kept_days, clock.now())
            stays = f"{found - given} stay, as they are open"
            print(f"{table}: {given} will expire, kept for {kept_days} days; {stays}")
    except (CloudError, LookupError, BotoCoreError, ClientError, Unavailable) as error:
        print(error, file=sys.stderr)
        return 1
    return 0


def _variables(deployed: Deployed) -> Mapping[str, str]:
    answer = deployed.client("lambda").get_function_configuration(FunctionName=deployed.name(TOLD))
    variables: Mapping[str, str] = answer["Environment"]["Variables"]
    return variables


def _reach(deployed: Deployed) -> None:
    """Stores make their own clients: for the embedded cloud these are told where that is."""
    if deployed.endpoint_url is None:
        return
    os.environ.pop("AWS_PROFILE", None)
    os.environ |= {
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_DEFAULT_REGION": REGION,
        "AWS_ENDPOINT_URL": deployed.endpoint_url,
    }


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tools.apply_retention", description=__doc__)
    parser.add_argument("--stack", help="the name of a stack in AWS, in your region there")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
