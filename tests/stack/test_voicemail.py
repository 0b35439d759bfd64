"""Who answered, on the deployed stack: verdicts, what recovery makes of them, and the report."""

import json
from collections import Counter
from datetime import datetime, timedelta
from random import Random
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from local import aws
from local.stack import Stack
from tests.support.api import Api, eventually

# A week that no other test's calls are in.
MONDAY = datetime(2026, 6, 1, 9, 0, tzinfo=ZoneInfo("America/Sao_Paulo"))
THRESHOLD = 15


def outbound(call_id: str, began: datetime, talk: float, **facts: str) -> list[dict[str, Any]]:
    said = {"direction": "outbound_auto", "to": f"+5511 96666-{call_id[-4:]}", **facts}
    moments = {"ringing": 0.0, "answered": 8.0, "completed": 8.0 + talk}
    return [
        {
            "event_id": f"{call_id}-{stage}",
            "call_id": call_id,
            "stage": stage,
            "occurred_at": (began + timedelta(seconds=seconds)).isoformat(),
            **said,
        }
        for stage, seconds in moments.items()
    ]


@pytest.fixture(scope="module")
def week(api: Api) -> list[str]:
    """A week of answers of all kinds, of which people told some apart."""
    random = Random("a week")
    ids = [f"vm-{number}" for number in range(1000, 1080)]
    for call_id in ids:
        began = MONDAY + timedelta(hours=random.uniform(0, 24 * 6))
        facts = {"trunk": random.choice(["vivo", "tim"]), "campaign": random.choice(["a", "b"])}
        if random.random() < 0.3:
            facts["answered_by"] = random.choice(["human", "voicemail"])
        events = outbound(call_id, began, round(random.uniform(1, 40), 1), **facts)
        assert api.calls(events).body["accepted"] == 3
        if random.random() < 0.4:
            code = random.choice(["resolvido", "caixa_postal", "queda"])
            path = f"/calls/{call_id}/disposition"
            assert api.put(path, {"code": code}, role="agent").status == 200
        if random.random() < 0.2:
            verdict = {"answered_by": random.choice(["human", "voicemail"])}
            assert api.post(f"/voicemail-reviews/{call_id}", verdict).status == 200
    return ids


def said(call: dict[str, Any]) -> str | None:
    people = [each for each in call["evidence"] if each["kind"] in ("review", "disposition")]
    return people[0]["answered_by"] if people else None


def report_now(stack: Stack) -> dict[str, Any]:
    client = aws.session().client("lambda", endpoint_url=stack.endpoint_url)
    answer = client.invoke(
        FunctionName=stack.resources["ReportVoicemail"], Payload=json.dumps({"week": "2026-06-03"})
    )
    (report,) = json.load(answer["Payload"])
    return dict(report)


def test_the_report_is_what_a_recount_of_the_calls_gives(
    api: Api, stack: Stack, week: list[str]
) -> None:
    calls = [api.get(f"/calls/{call_id}").body for call_id in week]
    suspects = {
        call["call_id"]
        for call in calls
        if call["evidence"][0]["kind"] == "talk_time" and call["talk_seconds"] < THRESHOLD
    }
    listed = eventually(
        lambda: {
            each["call_id"]
            for each in api.pages("/voicemail-reviews", limit="7")
            if each["call_id"] in week
        },
        lambda found: found == suspects,
    )
    assert listed == suspects != set()
    report = eventually(lambda: report_now(stack), lambda found: found["answered"] == len(calls))

    verdicts = Counter(call["answered_by"] for call in calls)
    assert (report["human"], report["voicemail"]) == (verdicts["human"], verdicts["voicemail"])
    assert report["suspects"] == len(suspects)
    for carrier in ("vivo", "tim"):
        judged = [call for call in calls if said(call) and call["trunk"] == carrier]
        machines = {call["call_id"] for call in judged if said(call) == "voicemail"}
        short = {call["call_id"] for call in judged if call["talk_seconds"] < THRESHOLD}
        (found,) = (each for each in report["agreement_by_carrier"] if each["carrier"] == carrier)
        assert found["precision"] == pytest.approx(len(machines & short) / len(short))
        assert found["recall"] == pytest.approx(len(machines & short) / len(machines))
        best = max(
            sum((call["talk_seconds"] < each) == (said(call) == "voicemail") for call in judged)
            for each in range(301)
        )
        assert found["best_agreement"] == pytest.approx(best / len(judged))
    by_campaign = Counter(call["campaign"] for call in calls)
    assert {each["name"]: each["answered"] for each in report["by_campaign"]} == by_campaign
    shown = api.get("/voicemail-reviews/reports", limit="52").body["items"]
    assert report in shown


def test_a_verdict_wins_a_customer_back_and_a_disposition_loses_them_again(api: Api) -> None:
    number = "+5511977770001"
    began = datetime.now(MONDAY.tzinfo) - timedelta(hours=1)
    missed = [
        {
            "event_id": stage,
            "call_id": "vm-missed",
            "stage": stage,
            "occurred_at": began.isoformat(),
            "direction": "inbound",
            "from": number,
        }
        for stage in ("queued", "cancelled")
    ]
    rung_back = outbound("vm-back", began + timedelta(minutes=5), talk=9)
    api.calls([*missed, *({**event, "to": number} for event in rung_back)])

    def state_becomes(state: str) -> bool:
        path = "/missed-calls/vm-missed"
        seen = eventually(
            lambda: api.get(path).body.get("state"), lambda found: bool(found == state)
        )
        return bool(seen == state)

    assert state_becomes("open")
    api.put("/calls/vm-back/disposition", {"code": "resolvido"}, role="agent")
    assert state_becomes("recovered")
    api.put("/calls/vm-back/disposition", {"code": "caixa_postal"}, role="agent")
    assert state_becomes("open")
    assert api.post("/voicemail-reviews/vm-back", {"answered_by": "human"}).status == 200
    assert state_becomes("recovered")
    assert api.post("/voicemail-reviews/vm-back", {"answered_by": "voicemail"}).status == 409


def test_who_does_not_want_to_be_called_is_on_the_list(api: Api) -> None:
    number = "+5511977770002"
    rung = outbound("vm-never", datetime.now(MONDAY.tzinfo) - timedelta(hours=1), talk=30)
    api.calls([{**event, "to": number} for event in rung])
    path = "/calls/vm-never/disposition"
    assert api.put(path, {"code": "nao_ligar"}, role="agent").status == 200
    (entry,) = api.get(f"/do-not-call/{number}").body["entries"]
    assert (entry["origin"], entry["scope"]) == ("disposition", "telemarketing")
