"""`python -m tools.redrive QUEUE`: has done what was left in a queue of dead letters.

What came from a queue goes back to it, and what a function was asked for it is asked again. Of the
changes of a table a dead letter says no more than where in the stream they were, and the stream is
gone by then: the function looks again at the whole table. What fails again stays where it is.
Without `--stack` it is the embedded cloud's.
"""

import argparse
import json
import re
import sys
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from local.errors import CloudError
from retorno.changes import table_of
from tools.deployed import PATIENT, Deployed
from tools.look_again import look_again
from tools.stack_function import InvocationFailed, answer_of

Letter = Mapping[str, Any]

# Nobody else takes them meanwhile.
VISIBILITY_SECONDS = 3600
WAIT_SECONDS = 2
SHOWN = 3
SHOWN_CHARACTERS = 400


@dataclass(frozen=True, slots=True)
class Way:
    """What is to be done for dead letters of a kind. `go` raises InvocationFailed, LookupError, or
    what botocore raises, where it could not be."""

    name: str
    go: Callable[[Letter], None] = field(compare=False)
    together: bool = False
    """Once for all of them."""


class Redrive:
    def __init__(self, deployed: Deployed, queue: str) -> None:
        """`queue` is a logical id. Raises LookupError."""
        self._deployed = deployed
        self._sqs = deployed.client("sqs")
        self._lambda = deployed.client("lambda", PATIENT)
        self._url = deployed.name(queue)

    def letters(self) -> dict[Way | None, list[Letter]]:
        """All that lie there, by what is to be done; None where nothing can be."""
        found: dict[Way | None, list[Letter]] = defaultdict(list)
        for letter in self._received():
            found[self._way(letter)].append(letter)
        return found

    def go(self, way: Way, letters: Sequence[Letter]) -> Sequence[Letter]:
        """Those for which it could not be done; the others are gone."""
        left: list[Letter] = []
        for number, letter in enumerate(letters):
            try:
                if number == 0 or not way.together:
                    way.go(letter)
            except (InvocationFailed, LookupError, BotoCoreError, ClientError) as error:
                print(f"  {masked(str(error))}", file=sys.stderr)
                if way.together:
                    return letters
                left.append(letter)
                continue
            self._sqs.delete_message(QueueUrl=self._url, ReceiptHandle=letter["ReceiptHandle"])
        return left

    def leave(self, letters: Sequence[Letter]) -> None:
        """Lets others see them again at once."""
        for letter in letters:
            self._sqs.change_message_visibility(
                QueueUrl=self._url, ReceiptHandle=letter["ReceiptHandle"], VisibilityTimeout=0
            )

    def _received(self) -> Iterator[Letter]:
        while received := self._sqs.receive_message(
            QueueUrl=self._url,
            MaxNumberOfMessages=10,
            MessageSystemAttributeNames=["All"],
            MessageAttributeNames=["All"],
            VisibilityTimeout=VISIBILITY_SECONDS,
            WaitTimeSeconds=WAIT_SECONDS,
        ).get("Messages"):
            yield from received

    def _way(self, letter: Letter) -> Way | None:
        # A queue's own, or those of a rule or a schedule of EventBridge.
        source = letter["Attributes"].get("DeadLetterQueueSourceArn")
        target = letter.get("MessageAttributes", {}).get("TARGET_ARN", {}).get("StringValue")
        if queue := source or target:
            return self._back_to(queue)
        told = _object(letter["Body"])
        function = told.get("requestContext", {}).get("functionArn", "")
        if "DDBStreamBatchInfo" in told:
            return self._look_again(function, told["DDBStreamBatchInfo"]["streamArn"])
        if "requestPayload" in told:
            return self._ask_again(function)
        return None

    def _back_to(self, queue_arn: str) -> Way:
        url = self._sqs.get_queue_url(QueueName=queue_arn.rpartition(":")[2])["QueueUrl"]

        def send(letter: Letter) -> None:
            self._sqs.send_message(QueueUrl=url, MessageBody=letter["Body"])

        return Way(f"back to {self._deployed.logical_id(url)}", send)

    def _look_again(self, function: str, stream: str) -> Way:
        def look(_: Letter) -> None:
            for looked in look_again(self._deployed, function, stream):
                if looked.failed:
                    raise InvocationFailed(f"It failed at {looked.failed} of {looked.items} items.")

        table = self._deployed.logical_id(table_of({"eventSourceARN": stream}))
        name = f"{self._function(function)} looks again at {table}"
        return Way(name, look, together=True)

    def _ask_again(self, function: str) -> Way:
        def ask(letter: Letter) -> None:
            answer_of(self._lambda, function, json.loads(letter["Body"])["requestPayload"])

        return Way(f"{self._function(function)} is asked again", ask)

    def _function(self, arn: str) -> str:
        return self._deployed.logical_id(arn.split(":")[6])


def _object(body: str) -> dict[str, Any]:
    try:
        told = json.loads(body)
    except ValueError:
        return {}
    return told if isinstance(told, dict) else {}


def masked(text: str) -> str:
    """All that might be a phone number shows its last four digits."""
    return re.sub(r"\d{4,}(?=\d{4})", "••••", text)


def _show(letters: Sequence[Letter]) -> None:
    for letter in letters[:SHOWN]:
        sent = datetime.fromtimestamp(int(letter["Attributes"]["SentTimestamp"]) / 1000, UTC)
        print(f"  {sent:%Y-%m-%d %H:%M} {masked(_content(letter))[:SHOWN_CHARACTERS]}")


def _content(letter: Letter) -> str:
    """Of what Lambda left, why it did; else what the letter says."""
    told = _object(letter["Body"])
    if "requestContext" not in told:
        return str(letter["Body"])
    error = told.get("responsePayload", {}).get("errorMessage", "")
    return f"{told['requestContext'].get('condition', '')} {error}"


def main() -> int:
    options = _options()
    try:
        redrive = Redrive(Deployed.find(options.stack), options.queue)
        found = redrive.letters()
    except (CloudError, LookupError, BotoCoreError, ClientError) as error:
        print(error, file=sys.stderr)
        return 1
    count = 0
    for way, letters in found.items():
        print(f"{len(letters)}: {way.name if way else 'nothing is known to help'}")
        if options.dry or way is None:
            _show(letters)
        left = letters if options.dry or way is None else redrive.go(way, letters)
        redrive.leave(left)
        count += len(left)
    print(f"{count} left in {options.queue}.")
    return 1 if count and not options.dry else 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tools.redrive", description=__doc__)
    parser.add_argument("queue", help="by logical id, such as MatchDeadLetters")
    parser.add_argument("--dry", action="store_true", help="only says what lies there")
    parser.add_argument("--stack", help="the name of a stack in AWS, in your region there")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
