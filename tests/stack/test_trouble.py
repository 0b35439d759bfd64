"""When the table takes no writes, and when a payload cannot be read: nothing is lost."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from local import aws
from local.stack import Stack
from tests.support.api import Api, eventually

NOBODY_LISTENS_HERE = "http://127.0.0.1:9"


@pytest.fixture
def no_table_for_webhooks(stack: Stack) -> Iterator[None]:
    """The ingestion cannot reach DynamoDB; all else can."""
    client = aws.session().client("lambda", endpoint_url=stack.endpoint_url)
    name = stack.resources["IngestCalls"]
    variables = client.get_function_configuration(FunctionName=name)["Environment"]["Variables"]

    def configure(settings: dict[str, str]) -> None:
        client.update_function_configuration(FunctionName=name, Environment={"Variables": settings})

    configure({**variables, "AWS_ENDPOINT_URL_DYNAMODB": NOBODY_LISTENS_HERE})
    yield
    configure(variables)


def queued(call_id: str) -> dict[str, Any]:
    return {
        "event_id": call_id,
        "call_id": call_id,
        "stage": "queued",
        "occurred_at": "2026-03-02T12:00:00Z",
        "direction": "inbound",
        "from": "+5511944443333",
    }


@pytest.mark.usefixtures("no_table_for_webhooks")
def test_what_the_table_does_not_take_waits_in_the_queue_and_is_written(api: Api) -> None:
    answer = api.calls([queued(f"deferred-{n}") for n in range(30)])
    assert (answer.status, answer.body["accepted"], answer.body["deferred"]) == (202, 30, 30)
    for n in range(30):
        path = f"/calls/deferred-{n}"
        call = eventually(lambda path=path: api.get(path), lambda answer: answer.status == 200)  # type: ignore[misc]
        assert call.body["number"] == "+5511944443333"


class TestReplay:
    @pytest.fixture
    def replay(self, stack: Stack) -> Any:
        client = aws.session().client("lambda", endpoint_url=stack.endpoint_url)

        def invoke(provider: str) -> dict[str, int]:
            payload = json.dumps({"provider": provider})
            answer = client.invoke(FunctionName=stack.resources["ReplayPayloads"], Payload=payload)
            counts: dict[str, int] = json.load(answer["Payload"])
            return counts

        return invoke

    @pytest.fixture
    def kept(self, stack: Stack) -> Any:
        """What is in the bucket, by key."""
        return (
            aws.session()
            .resource("s3", endpoint_url=stack.endpoint_url)
            .Bucket(stack.resources["KeptPayloadsBucket"])
        )

    def test_what_cannot_be_read_is_kept_until_it_can(
        self, api: Api, kept: Any, replay: Any
    ) -> None:
        answer = api.queue_log(["1772452800|r1|201|NONE|ENTERQUEUE||11987650001|1", "half a li"])
        assert answer.body["unreadable"] == [{"line": 2, "reason": "ends before its event"}]
        (unread,) = kept.objects.filter(Prefix="asterisk/")
        assert unread.get()["Body"].read() == b"half a li\n"
        assert replay("asterisk") == {"read": 0, "still_unreadable": 1}
        assert list(kept.objects.filter(Prefix="asterisk/")) == [unread]

    def test_what_can_be_read_now_is_written_and_dropped(
        self, api: Api, kept: Any, replay: Any
    ) -> None:
        line = b"1772452800|r2|201|NONE|ENTERQUEUE||11987650002|1\n"
        kept.put_object(Key="asterisk/2026-03-02/as-if-it-had-been-unreadable", Body=line)
        assert replay("asterisk")["read"] == 1
        assert api.get("/calls/r2").body["number"] == "+5511987650002"
        keys = [each.key for each in kept.objects.all()]
        assert "asterisk/2026-03-02/as-if-it-had-been-unreadable" not in keys
