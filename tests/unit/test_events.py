"""The events for `sam local invoke`: each is answered as its name says.

Those that Retorno's own senders would sign are signed at noon of 2 March 2026, which is when the
functions' clock stands here.
"""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from retorno import clock
from retorno.imports.store import JobStore
from tests.support.clock import StoppedClock
from tests.support.connect import described, instance
from tests.support.deployment import Deployment
from tests.support.events import http, user
from tests.support.files import put, waiting
from tests.support.functions import functions
from tests.support.requests import counted
from tests.support.zenvia import received, report_server

EVENTS = Path(__file__).parents[2] / "events"

STATUSES = {
    "manage_waits/agent_asks_for_compliance": 403,
    "manage_waits/bank_with_peak_days": 201,
    "manage_waits/peak_days_that_nobody_named": 422,
    "answer_offers/no_such_offer": 404,
    "answer_offers/nothing_can_connect": 409,
    "answer_offers/queues": 200,
    "annotate_calls/no_such_call": 404,
    "annotate_calls/no_such_disposition": 422,
    "describe_api/health": 200,
    "ingest_calls/missed_call": 200,
    "ingest_calls/queue_log_in_base64": 200,
    "ingest_calls/refused_signature": 401,
    "ingest_calls/twilio_operators_leg": 200,
    "ingest_calls/unreadable_body": 422,
    "manage_dispositions/all": 200,
    "manage_dispositions/voicemail_cannot_buy": 422,
    "manage_customer_files/agent_may_not_export": 403,
    "manage_customer_files/new_import": 201,
    "manage_customers/found_by_number": 200,
    "manage_customers/new_customer": 201,
    "manage_customers/replaced_without_if_match": 428,
    "ingest_calls/zenvia_missed_call": 200,
    "manage_calling_rules/agent_may_not_remove": 403,
    "manage_calling_rules/import_with_a_bad_row": 200,
    "manage_calling_rules/may_i_call_rio_at_night": 200,
    "manage_calling_rules/never_call_me_again": 200,
    "call_customers/no_such_operation": 404,
    "call_customers/without_a_key": 422,
    "manage_assignments/agent_may_not_link": 403,
    "manage_assignments/customer_of_no_campaign": 404,
    "manage_assignments/time_that_is_past": 422,
    "read_dashboard/agent_asks_for_a_queue": 403,
    "read_dashboard/by_hour_in_lisbon": 200,
    "read_telemarketing/agent_asks_for_another": 403,
    "read_telemarketing/by_agent": 200,
    "run_operations/my_last_ones": 200,
    "run_operations/no_such_operation": 404,
    "run_operations/sale_of_too_many_cents": 422,
    "show_worklists/next_without_a_campaign": 422,
    "show_worklists/no_such_campaign": 404,
    "manage_agents/longest_idle": 200,
    "manage_agents/new_agent": 201,
    "manage_agents/pause_without_reason": 422,
    "manage_callbacks/hours_that_never_open": 422,
    "manage_callbacks/new_campaign": 201,
    "manage_callbacks/who_is_blocked": 200,
    "manage_menus/goes_round_without_a_key": 422,
    "manage_menus/new_menu": 201,
    "manage_outcomes/sale_without_contact": 422,
    "manage_outcomes/usual_reason_retired": 204,
    "manage_telemarketing/new_campaign": 201,
    "manage_telemarketing/running_today": 200,
    "manage_telemarketing/script_with_unknown_placeholder": 422,
    "manage_worklist_filters/agent_may_not_share": 403,
    "manage_worklist_filters/new_filter": 201,
    "manage_missed_calls/agent_may_not_dismiss": 403,
    "manage_telemarketing_files/agent_may_not_export": 403,
    "manage_telemarketing_files/links_of_no_such_campaign": 422,
    "manage_telemarketing_files/new_history_import": 201,
    "manage_telemarketing_files/operations_of_march": 201,
    "manage_missed_calls/open_missed_calls": 200,
    "push_updates/subscribe_of_nobody": 200,
    "push_updates/without_a_token": 401,
    "manage_personal_data/erasure_by_number": 202,
    "manage_personal_data/hold_for_a_lawsuit": 200,
    "manage_personal_data/supervisor_may_not_erase": 403,
    "manage_quotes/agent_may_not_reopen": 403,
    "manage_quotes/of_no_such_call": 422,
    "manage_quotes/open_quotes": 200,
    "ingest_messages/customer_writes": 200,
    "ingest_messages/status_of_nobodys": 200,
    "ingest_messages/refused_signature": 401,
    "ingest_messages/wrong_verify_token": 403,
    "send_messages/conversations": 200,
    "send_messages/nothing_is_set_up": 409,
    "send_messages/text_and_template": 422,
    "place_calls/my_last_ones": 200,
    "place_calls/nothing_is_set_up": 409,
    "place_calls/without_a_key": 422,
    "read_calls/calls_of_a_number": 200,
    "read_calls/no_such_call": 404,
    "schedule_callbacks/offer_on_a_sunday": 409,
    "schedule_callbacks/today": 200,
    "schedule_callbacks/tomorrow_at_three": 201,
    "request_callbacks/no_number": 422,
    "request_callbacks/number_and_queue": 202,
    "review_voicemail/no_verdict": 422,
    "review_voicemail/suspects": 200,
    "serve_menus/menu_that_nobody_wrote": 200,
    "serve_menus/refused_signature": 401,
}
OTHERS = {
    "expire_missed_calls/every_five_minutes",
    "ingest_connect_contacts/chat_is_ignored",
    "ingest_connect_contacts/contact_record",
    "ingest_connect_contacts/missed_call",
    "export_customers/asked_for",
    "import_customers/two_rows",
    "aggregate_metrics/call_and_offer",
    "count_operations/customer_is_due",
    "follow_assignments/customer_is_due",
    "keep_appointments/every_minute",
    "keep_appointments/of_no_such_appointment",
    "import_telemarketing/two_links",
    "run_telemarketing_jobs/linking_by_filter",
    "export_telemarketing/asked_for",
    "keep_promises/every_minute",
    "retry_messages/every_minute",
    "fulfil_personal_data/each_day",
    "keep_promises/of_no_such_promise",
    "match_recoveries/missed_call",
    "offer_calls/somebody_is_free",
    "reconcile_zenvia/last_two_hours",
    "replay_payloads/asterisk",
    "report_voicemail/one_week",
    "split_imports/uploaded_file",
    "store_deferred_calls/one_of_two_poisoned",
    "sweep_calls/every_minute",
    "watch_callbacks/every_minute",
    "watch_waits/nobody_waits",
    "dial_callbacks/ana_is_free",
    "fill_call_list/missed_call",
    "announce_changes/ana_is_paused",
    "publish_updates/ana_is_paused",
    "push_updates/feed_that_nobody_watches",
    "follow_agents/ana_is_free",
    "follow_calls/short_answer",
    "follow_do_not_call/call_me_no_more",
}


def read(case: str) -> dict[str, Any]:
    event: dict[str, Any] = json.loads((EVENTS / f"{case}.json").read_text(encoding="utf-8"))
    return event


def invoke(deployment: Deployment, case: str) -> Any:
    folder = case.partition("/")[0]
    (function,) = (
        logical_id
        for logical_id, properties in functions().items()
        if properties["CodeUri"] == f"functions/{folder}"
    )
    return deployment.call(function, read(case))


def shown(deployment: Deployment, call_id: str) -> dict[str, Any]:
    request = http("GET /calls/{call_id}", path=f"/calls/{call_id}", claims=user("[agent]"))
    call: dict[str, Any] = deployment.ask("ReadCalls", request).body
    return call


def test_every_event_is_tested_here() -> None:
    cases = {str(path.relative_to(EVENTS).with_suffix("")) for path in EVENTS.rglob("*.json")}
    assert cases == {*STATUSES, *OTHERS}


def test_every_function_has_an_event() -> None:
    folders = {Path(properties["CodeUri"]).name for properties in functions().values()}
    assert folders == {case.partition("/")[0] for case in {*STATUSES, *OTHERS}}


@pytest.mark.parametrize(("case", "status"), STATUSES.items())
def test_requests_are_answered(deployment: Deployment, case: str, status: int) -> None:
    assert invoke(deployment, case)["statusCode"] == status


@pytest.mark.parametrize(
    ("case", "call_id", "facts"),
    [
        (
            "ingest_calls/missed_call",
            "pbx-1",
            {"status": "cancelled", "missed": True, "wait_seconds": 40},
        ),
        (
            "ingest_calls/queue_log_in_base64",
            "1772452640.17",
            {"status": "completed", "agent": "João", "talk_seconds": 110},
        ),
        (
            "ingest_calls/twilio_operators_leg",
            "CA00000000000000000000000000000001",
            {"status": "answered", "answered_at": "2026-03-02T11:56:58Z"},
        ),
        (
            "ingest_calls/zenvia_missed_call",
            "zenvia-48112035",
            {"status": "no_answer", "missed": True, "wait_seconds": 40},
        ),
    ],
)
def test_webhooks_tell_of_a_call(
    deployment: Deployment, case: str, call_id: str, facts: dict[str, Any]
) -> None:
    invoke(deployment, case)
    call = shown(deployment, call_id)
    assert {name: call[name] for name in facts} == facts


def test_a_request_shows_what_a_webhook_told(deployment: Deployment) -> None:
    invoke(deployment, "ingest_calls/missed_call")
    answer = json.loads(invoke(deployment, "read_calls/calls_of_a_number")["body"])
    assert [call["call_id"] for call in answer["items"]] == ["pbx-1"]


def test_a_customer_is_found_by_a_contacts_number(deployment: Deployment) -> None:
    invoke(deployment, "manage_customers/new_customer")
    answer = json.loads(invoke(deployment, "manage_customers/found_by_number")["body"])
    assert [customer["matches"][0]["contact"] for customer in answer["items"]] == ["Maria"]


def test_a_file_is_split_and_its_rows_taken(deployment: Deployment) -> None:
    import_id = "7c1f6f0e-5d0a-4c55-9a57-5f0d6e3c2b11"
    content = "nome;contato;celular do contato\nPadaria São João;Maria;(19) 98765-4321\n"
    event = read("split_imports/uploaded_file")
    event["detail"]["object"] |= put(f"imports/customers/{import_id}.csv", content.encode())[
        "detail"
    ]["object"]
    JobStore("jobs").add(import_id, "customers", "ana", clock.now())
    deployment.call("SplitImports", event)
    assert len(waiting(deployment, "CustomerRowsQueue")) == 1
    assert invoke(deployment, "import_customers/two_rows") == {"batchItemFailures": []}
    answer = json.loads(invoke(deployment, "manage_customers/found_by_number")["body"])
    assert [customer["name"] for customer in answer["items"]] == ["Padaria São João"]


def test_an_export_is_written(deployment: Deployment) -> None:
    export_id = "0d8b1f8e-3c4d-4a76-8c0e-6a1b5c9d7e22"
    JobStore("jobs").add(export_id, "customers", "ana", clock.now())
    assert invoke(deployment, "export_customers/asked_for") == {"batchItemFailures": []}
    found = JobStore("jobs").get_export(export_id)
    assert found is not None
    assert found.rows == 0


def test_customers_are_linked_and_a_job_is_done(deployment: Deployment) -> None:
    import_id = "3f1d2b7a-5a0e-4a4e-8a53-0c9d6f1b7e44"
    JobStore("jobs").add(
        import_id, "telemarketing-link-rows", "ana", clock.now(), {"campaign": "natal"}
    )
    assert invoke(deployment, "import_telemarketing/two_links") == {"batchItemFailures": []}
    taken = JobStore("jobs").get_import(import_id)
    assert taken is not None
    assert (taken.counts.done, taken.counts.refused) == (2, 2)
    job_id = "c1f0a7de-2f5b-4c0e-9a35-7d2e8b6a4f55"
    asked = {"campaign": "natal", "filter": {"city": "Campinas"}}
    JobStore("jobs").add(job_id, "telemarketing-linking", "ana", clock.now(), asked)
    answer = invoke(deployment, "run_telemarketing_jobs/linking_by_filter")
    assert answer == {"batchItemFailures": []}
    job = JobStore("jobs").get_task(job_id)
    assert job is not None
    assert job.reason == "there is no such campaign"


def test_operations_are_written_into_a_file(deployment: Deployment) -> None:
    export_id = "8a7e0c52-9a1b-4d3c-b6e0-2f4a5c6d7e66"
    asked = {"what": "operations", "since": "2026-03-01"}
    JobStore("jobs").add(export_id, "telemarketing-operations", "ana", clock.now(), asked)
    assert invoke(deployment, "export_telemarketing/asked_for") == {"batchItemFailures": []}
    found = JobStore("jobs").get_export(export_id)
    assert found is not None
    assert found.rows == 0


def test_one_of_two_messages_is_poisoned(deployment: Deployment) -> None:
    answer = invoke(deployment, "store_deferred_calls/one_of_two_poisoned")
    poisoned = read("store_deferred_calls/one_of_two_poisoned")["Records"][1]["messageId"]
    assert answer == {"batchItemFailures": [{"itemIdentifier": poisoned}]}
    assert shown(deployment, "pbx-1")["status"] == "queued"


CONTACT = "5f0c1a52-6d1e-4b7e-9c3a-2f4f5a6b7c8d"


def test_a_contact_record_is_a_call(deployment: Deployment) -> None:
    answer = invoke(deployment, "ingest_connect_contacts/contact_record")
    assert answer == {"batchItemFailures": []}
    call = shown(deployment, CONTACT)
    assert (call["number"], call["status"]) == ("+5511987654321", "completed")


def test_contact_events_ask_for_the_number(
    deployment: Deployment, monkeypatch: pytest.MonkeyPatch
) -> None:
    with instance() as played:
        monkeypatch.setenv("AWS_ENDPOINT_URL_CONNECT", played.url)
        began = datetime(2026, 3, 2, 11, 58, 20, tzinfo=UTC)
        played.contacts[CONTACT] = described(CONTACT, began)
        answer = invoke(deployment, "ingest_connect_contacts/missed_call")
    assert answer == {"batchItemFailures": []}
    call = shown(deployment, CONTACT)
    assert (call["number"], call["missed"], call["wait_seconds"]) == ("+5511987654321", True, 40)


def test_a_chat_is_no_call(deployment: Deployment) -> None:
    answer = invoke(deployment, "ingest_connect_contacts/chat_is_ignored")
    assert answer == {"batchItemFailures": []}


def test_a_missed_call_is_matched(deployment: Deployment) -> None:
    assert invoke(deployment, "match_recoveries/missed_call") == {"batchItemFailures": []}
    answer = json.loads(invoke(deployment, "manage_missed_calls/open_missed_calls")["body"])
    assert [missed["call_id"] for missed in answer["items"]] == ["pbx-1"]


def test_a_short_answer_is_listed_and_reported(deployment: Deployment) -> None:
    assert invoke(deployment, "follow_calls/short_answer") == {"batchItemFailures": []}
    answer = json.loads(invoke(deployment, "review_voicemail/suspects")["body"])
    assert [(each["call_id"], each["talk_seconds"]) for each in answer["items"]] == [("pbx-2", 9)]
    (report,) = invoke(deployment, "report_voicemail/one_week")
    assert (report["week"], report["answered"], report["suspects"]) == ("2026-03-02", 1, 1)


def test_a_missed_call_is_counted(deployment: Deployment) -> None:
    invoke(deployment, "ingest_calls/missed_call")
    assert invoke(deployment, "aggregate_metrics/call_and_offer") == {"batchItemFailures": []}
    answer = json.loads(invoke(deployment, "read_dashboard/by_hour_in_lisbon")["body"])
    assert answer["total"]["inbound"]["abandoned"] == 1


def test_a_missed_caller_is_called_back(deployment: Deployment) -> None:
    invoke(deployment, "manage_callbacks/new_campaign")
    invoke(deployment, "match_recoveries/missed_call")
    assert invoke(deployment, "fill_call_list/missed_call") == {"batchItemFailures": []}
    (message,) = deployment.messages("DiallerQueue")
    assert message["line"] == "campaign:vendas"
    assert invoke(deployment, "follow_do_not_call/call_me_no_more") == {"batchItemFailures": []}
    assert invoke(deployment, "dial_callbacks/ana_is_free") == {"batchItemFailures": []}
    invoke(deployment, "watch_callbacks/every_minute")
    (message,) = deployment.messages("DiallerQueue")
    assert message["line"] == "campaign:vendas"


def test_the_dialler_and_those_who_wait_are_told_of_who_is_free(deployment: Deployment) -> None:
    assert invoke(deployment, "follow_agents/ana_is_free") == {"batchItemFailures": []}
    for queue in ("DiallerQueue", "OffersQueue"):
        assert deployment.messages(queue) == [
            {"queue": "vendas", "agent": "ana", "at": "2026-03-02T12:00:00.000000Z"}
        ]


def test_those_who_look_on_are_told_what_changed(deployment: Deployment) -> None:
    invoke(deployment, "announce_changes/ana_is_paused")
    assert deployment.messages("UpdatesQueue") == [
        {
            "kind": "agent",
            "pk": "agent#ana",
            "sk": "record",
            "at": "2026-03-02T12:00:00.000000Z",
        }
    ]


def test_nobody_waits_for_who_is_free(deployment: Deployment) -> None:
    assert invoke(deployment, "offer_calls/somebody_is_free") == {"batchItemFailures": []}
    assert deployment.messages("OffersQueue") == []


def test_reports_of_the_last_two_hours_are_read(
    deployment: Deployment, clock: StoppedClock
) -> None:
    with report_server() as reports:
        reports.reports = {"did/relatorio": [received(51, clock.now, "ocupado", 9, 0)]}
        deployment.configure(ZENVIA_API_URL=reports.url)
        invoke(deployment, "reconcile_zenvia/last_two_hours")
    assert shown(deployment, "zenvia-51")["missed"]


def test_kept_payloads_are_replayed(deployment: Deployment) -> None:
    line = b"1772452640|1772452640.17|vendas|NONE|ENTERQUEUE||11987654321|1\n"
    deployment.keep("asterisk/2026-03-01/digest", line)
    assert invoke(deployment, "replay_payloads/asterisk") == {"read": 1, "still_unreadable": 0}


def test_the_sweeper_runs_on_its_schedule(deployment: Deployment, clock: StoppedClock) -> None:
    invoke(deployment, "store_deferred_calls/one_of_two_poisoned")
    deployment.publish()
    clock.advance(hours=5)
    invoke(deployment, "sweep_calls/every_minute")
    assert shown(deployment, "pbx-1")["end_reason"] == "no_end_event"


def test_a_schedule_of_no_promise_does_no_harm(deployment: Deployment) -> None:
    answer = invoke(deployment, "keep_promises/of_no_such_promise")
    assert answer == {"batchItemFailures": []}


def test_a_customer_writes(deployment: Deployment) -> None:
    invoke(deployment, "ingest_messages/customer_writes")
    (shown,) = json.loads(invoke(deployment, "send_messages/conversations")["body"])["items"]
    assert (shown["number"], shown["name"]) == ("+5511987654321", "Carla")


def test_messages_are_looked_after_each_minute(deployment: Deployment) -> None:
    with counted() as requests:
        invoke(deployment, "retry_messages/every_minute")
    assert requests == ["Query"]


def test_what_was_asked_about_persons_is_looked_after_each_day(deployment: Deployment) -> None:
    with counted() as requests:
        invoke(deployment, "fulfil_personal_data/each_day")
    assert requests == ["Query"]


def test_a_schedule_of_no_appointment_does_no_harm(deployment: Deployment) -> None:
    answer = invoke(deployment, "keep_appointments/of_no_such_appointment")
    assert answer == {"batchItemFailures": []}
    invoke(deployment, "keep_appointments/every_minute")


def test_a_customer_who_is_due_is_counted(deployment: Deployment) -> None:
    for _ in range(2):
        invoke(deployment, "count_operations/customer_is_due")
    counted = json.loads(invoke(deployment, "read_telemarketing/by_agent")["body"])
    (ana,) = counted["items"]
    assert (ana["group"], ana["now"]["overdue"], ana["now"]["linked"]) == ("ana", 1, 1)


def test_who_was_due_and_is_no_more_is_not_told_of(deployment: Deployment) -> None:
    with counted() as requests:
        answer = invoke(deployment, "follow_assignments/customer_is_due")
    assert answer == {"batchItemFailures": []}
    assert requests == ["SendMessageBatch", "GetItem"]


def test_a_promise_whose_schedule_is_lost_comes_onto_the_list(
    deployment: Deployment, clock: StoppedClock
) -> None:
    promise = json.loads(invoke(deployment, "schedule_callbacks/tomorrow_at_three")["body"])
    clock.advance(days=1, hours=6)
    invoke(deployment, "keep_promises/every_minute")
    (listed,) = json.loads(invoke(deployment, "schedule_callbacks/today")["body"])["items"]
    assert (listed["callback_id"], listed["state"]) == (promise["callback_id"], "listed")


def test_missed_calls_expire_on_a_schedule(deployment: Deployment, clock: StoppedClock) -> None:
    invoke(deployment, "match_recoveries/missed_call")
    clock.advance(days=8)
    invoke(deployment, "expire_missed_calls/every_five_minutes")
    answer = json.loads(invoke(deployment, "manage_missed_calls/open_missed_calls")["body"])
    assert answer["items"] == []


def test_who_asked_not_to_be_called_is_not(deployment: Deployment) -> None:
    invoke(deployment, "manage_calling_rules/never_call_me_again")
    answer = json.loads(invoke(deployment, "manage_calling_rules/may_i_call_rio_at_night")["body"])
    assert (answer["allowed"], answer["next_allowed_at"]) == (False, None)
    assert [entry["scope"] for entry in answer["forbidden_by"]] == ["all"]
