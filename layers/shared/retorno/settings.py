"""What a deployment decides, read from the environment: nothing else in `retorno` reads it.

Each function names what it needs by inheriting it; template.yaml supplies just that.
"""

import os
from collections.abc import Mapping
from datetime import timedelta
from enum import StrEnum
from typing import Annotated, Any, Self, get_type_hints
from zoneinfo import ZoneInfo

from pydantic import BeforeValidator, Field

from retorno.frozen import Frozen
from retorno.phone import NumberPlan


class RecoveryRequires(StrEnum):
    """What an outbound call must achieve to recover a missed one."""

    PERSON = "person"
    ANSWERED = "answered"
    DIALLED = "dialled"


def _comma_separated(text: object) -> object:
    return (
        [part.strip() for part in text.split(",") if part.strip()]
        if isinstance(text, str)
        else text
    )


Names = Annotated[tuple[str, ...], BeforeValidator(_comma_separated)]


def _named_seconds(text: object) -> object:
    """ "vivo=12, tim=20" """
    if not isinstance(text, str):
        return text
    pairs = (part.rpartition("=") for part in text.split(",") if part.strip())
    return {name.strip(): seconds.strip() for name, _, seconds in pairs}


Thresholds = Annotated[
    Mapping[Annotated[str, Field(min_length=1)], Annotated[float, Field(ge=0)]],
    BeforeValidator(_named_seconds),
]


class ServiceLevelOf(StrEnum):
    """Of which calls the service level is the share that was answered in time."""

    ANSWERED = "answered"
    OFFERED = "offered"
    WITHOUT_SHORT_ABANDONS = "without_short_abandons"


class DialProvider(StrEnum):
    """The telephone system that places calls."""

    NONE = "none"
    CANONICAL = "canonical"
    TWILIO = "twilio"
    ZENVIA = "zenvia"
    AMAZON_CONNECT = "amazon_connect"
    ASTERISK = "asterisk"


class Settings:
    """Field `calls_table` is variable CALLS_TABLE, and so for all.

    Each function imports the settings of all and reads its own: only those become a model, and
    cost what a model costs.
    """

    @classmethod
    def from_environment(cls) -> Self:
        """Raises pydantic's ValidationError, which names what is missing."""
        present = {name: os.environ.get(name.upper()) for name in get_type_hints(cls)}
        return cls.of({name: value for name, value in present.items() if value})

    @classmethod
    def of(cls, values: Mapping[str, object]) -> Self:
        """Raises pydantic's ValidationError."""
        model: type[Any] = type(cls.__name__, (cls, Frozen), {})
        settings: Self = model.model_validate(values)
        return settings


class PhoneSettings(Settings):
    country: str
    area_code: str | None = None

    @property
    def number_plan(self) -> NumberPlan:
        """Raises ValueError for a country or an area code that does not exist."""
        return NumberPlan(self.country, self.area_code)


class CallsKeptSettings(Settings):
    """How many days calls are kept, and what comes of them; 0 is for ever, as of the others."""

    calls_kept_days: int = Field(default=0, ge=0)


class MessagesKeptSettings(Settings):
    messages_kept_days: int = Field(default=0, ge=0)


class OperationsKeptSettings(Settings):
    operations_kept_days: int = Field(default=0, ge=0)


class ImportSettings(Settings):
    jobs_table: str
    files_bucket: str


class SplitSettings(ImportSettings):
    customer_rows_queue: str
    telemarketing_rows_queue: str


class CustomerSettings(PhoneSettings):
    customers_table: str


class CustomerFileSettings(ImportSettings):
    customer_exports_queue: str


class CustomerTransferSettings(CustomerSettings, ImportSettings):
    pass


class CallSettings(CallsKeptSettings, PhoneSettings):
    calls_table: str
    internal_numbers: Names = ()
    person_talk_seconds: float = Field(default=15, ge=0)
    trunk_talk_seconds: Thresholds = Field(default_factory=dict)


class DispositionSettings(Settings):
    dispositions_table: str


class CallLinkSettings(CallSettings, CustomerSettings):
    pass


class DoNotCallSettings(PhoneSettings):
    do_not_call_table: str


class CallingSettings(DoNotCallSettings):
    calling_profiles: Names = ()
    optional_holidays: bool = False


class QuoteTableSettings(OperationsKeptSettings):
    quotes_table: str


class QuoteSettings(CallLinkSettings, QuoteTableSettings):
    pass


class CallNotesSettings(CallSettings):
    notes_table: str


class AnnotationSettings(QuoteSettings, DispositionSettings, DoNotCallSettings, CallNotesSettings):
    pass


class IngestSettings(CallSettings):
    deferred_calls_queue: str
    kept_payloads_bucket: str
    webhook_secret: str
    twilio_secret: str
    zenvia_secret: str
    public_url: str | None = None


class ReplaySettings(CallSettings):
    kept_payloads_bucket: str


class ConnectSettings(CallSettings):
    kept_payloads_bucket: str
    connect_instance_arn: str


class ReconcileZenviaSettings(ReplaySettings):
    zenvia_api_url: str
    zenvia_token: str
    zenvia_queues: Names = ()


class CallAgeSettings(CallSettings):
    call_max_hours: float = Field(gt=0)

    @property
    def call_max_age(self) -> timedelta:
        return timedelta(hours=self.call_max_hours)


class AnswerTableSettings(Settings):
    answers_table: str


class VoicemailSettings(CallSettings, AnswerTableSettings):
    voicemail_reports_table: str
    time_zone: ZoneInfo


class AgentSettings(OperationsKeptSettings, PhoneSettings):
    agents_table: str


class FollowAgentsSettings(Settings):
    dialler_queue: str
    offers_queue: str


class LineSettings(Settings):
    offers_table: str


class ReachedSettings(Settings):
    """`api_url` is the API's own address, which `public_url` stands in for where it is set."""

    api_url: str
    public_url: str | None = None

    @property
    def webhooks_url(self) -> str:
        """Where the telephone system reaches the API."""
        return self.public_url or self.api_url


class CallTrackingSettings(OperationsKeptSettings, CallSettings):
    operations_table: str


class UpdatesSettings(Settings):
    updates_queue: str


class OnlookerSettings(UpdatesSettings):
    counts_queue: str


class AnnounceSettings(OnlookerSettings):
    recoveries_table: str
    agents_table: str
    offers_table: str
    contacts_table: str
    promises_table: str
    quotes_table: str
    messages_table: str
    waits_table: str


class FollowCallsSettings(
    VoicemailSettings, AgentSettings, CallAgeSettings, CallTrackingSettings, OnlookerSettings
):
    wrap_up_seconds: float = Field(ge=0)
    offers_queue: str
    dialler_queue: str
    waits_queue: str


class PartTableSettings(Settings):
    recoveries_table: str


class RecoverySettings(CallSettings, PartTableSettings):
    short_abandon_seconds: float = Field(ge=0)
    recovery_requires: RecoveryRequires
    recovery_window_days: float = Field(gt=0)

    @property
    def recovery_window(self) -> timedelta:
        return timedelta(days=self.recovery_window_days)


class CallbackCampaignSettings(PhoneSettings):
    callback_campaigns_table: str


class ContactTableSettings(Settings):
    contacts_table: str


class CallListSettings(CallbackCampaignSettings, RecoverySettings, ContactTableSettings):
    dialler_queue: str


class ManageCallbacksSettings(CallListSettings):
    dial_provider: DialProvider


class FillCallListSettings(CallListSettings, CallingSettings):
    pass


class MissedCallSettings(RecoverySettings, CustomerSettings):
    pass


class ManageMissedCallsSettings(MissedCallSettings, QuoteTableSettings):
    pass


class DialTableSettings(Settings):
    dials_table: str


class DialSettings(CallSettings, CallingSettings, AgentSettings, DialTableSettings):
    deferred_calls_queue: str
    dial_provider: DialProvider
    dial_secret: str
    dial_url: str | None = None
    dial_flow: str | None = None
    caller_id: str | None = None
    connect_instance_arn: str | None = None
    public_url: str | None = None


class OfferSettings(CallSettings, AgentSettings, LineSettings, ReachedSettings):
    offers_queue: str
    dial_provider: DialProvider
    dial_secret: str
    dial_url: str | None = None
    dial_flow: str | None = None


class DiallerSettings(CallListSettings, DialSettings, LineSettings, ReachedSettings):
    pass


class PromiseTableSettings(Settings):
    promises_table: str
    time_zone: ZoneInfo


class KeepPromisesSettings(CallListSettings, PromiseTableSettings):
    promise_schedules: str
    promises_queue_arn: str
    promise_dead_letters_arn: str
    scheduler_role_arn: str


class PromiseSettings(KeepPromisesSettings, CallingSettings, AgentSettings):
    pass


class MessageSettings(MessagesKeptSettings, PhoneSettings):
    messages_table: str


class InboxSettings(MessageSettings):
    kept_payloads_bucket: str


class IngestMessageSettings(InboxSettings):
    whatsapp_secret: str


class SendMessageSettings(MessageSettings):
    whatsapp_url: str
    whatsapp_phone_number_id: str | None = None
    whatsapp_secret: str


class ConversationSettings(SendMessageSettings, CustomerSettings):
    pass


class ManageMenuSettings(PhoneSettings):
    menus_table: str
    calling_profiles: Names = ()


class ServeMenuSettings(CallListSettings, DoNotCallSettings):
    menus_table: str
    deferred_calls_queue: str
    twilio_secret: str
    public_url: str | None = None


class TelemarketingSetupSettings(PhoneSettings):
    telemarketing_setup_table: str


class ManageTelemarketingFileSettings(TelemarketingSetupSettings, AgentSettings, ImportSettings):
    telemarketing_jobs_queue: str
    telemarketing_exports_queue: str
    time_zone: ZoneInfo


class AssignmentTableSettings(OperationsKeptSettings):
    assignments_table: str
    assignment_history_table: str


class OperationTableSettings(AssignmentTableSettings):
    operations_table: str


class PendingContactSettings(AssignmentTableSettings, TelemarketingSetupSettings):
    time_zone: ZoneInfo


class AssignmentSettings(PendingContactSettings, CustomerSettings, AgentSettings):
    pass


class AnswerOfferSettings(
    OfferSettings, MissedCallSettings, QuoteTableSettings, PendingContactSettings
):
    pass


class CounterSettings(Settings):
    counters_table: str
    time_zone: ZoneInfo


class ManageTelemarketingSettings(TelemarketingSetupSettings, AgentSettings, CounterSettings):
    pass


class WorklistSettings(AssignmentSettings, CounterSettings):
    pass


class OperationSettings(CallTrackingSettings, DoNotCallSettings, AssignmentSettings):
    pass


class HistorySettings(OperationTableSettings, TelemarketingSetupSettings):
    pass


class TelemarketingTransferSettings(AssignmentSettings, HistorySettings, ImportSettings):
    pass


class TelemarketingJobSettings(AssignmentSettings, ImportSettings):
    telemarketing_jobs_queue: str


class KeepAppointmentsSettings(AssignmentTableSettings, AgentSettings):
    pass


class FollowAssignmentsSettings(
    AssignmentTableSettings,
    TelemarketingSetupSettings,
    CustomerSettings,
    CallListSettings,
    UpdatesSettings,
):
    appointment_schedules: str
    appointments_queue_arn: str
    appointment_dead_letters_arn: str
    scheduler_role_arn: str
    event_bus: str
    time_zone: ZoneInfo


class WaitSettings(Settings):
    waits_table: str


class CountWaitsSettings(WaitSettings):
    counters_table: str


class WaitRuleSettings(PhoneSettings):
    """`wait_rule` is the id of the rule of queues that have no policy; the country's where it is
    not said."""

    wait_policies_table: str
    wait_rule: str | None = None
    time_zone: ZoneInfo


class WatchWaitsSettings(WaitSettings, WaitRuleSettings, CallSettings):
    waits_queue: str
    event_bus: str


class ManageWaitsSettings(WaitSettings, WaitRuleSettings, CounterSettings):
    pass


class DashboardSettings(CounterSettings):
    service_level_seconds: float = Field(gt=0)
    service_level_of: ServiceLevelOf


class AggregateMetricsSettings(
    RecoverySettings,
    AgentSettings,
    LineSettings,
    ContactTableSettings,
    PromiseTableSettings,
    QuoteTableSettings,
    CountWaitsSettings,
):
    service_level_seconds: float = Field(gt=0)


class FeedSettings(Settings):
    feed_table: str


class SweepSettings(CallAgeSettings, FeedSettings):
    pass


class PublishUpdatesSettings(
    FeedSettings,
    MissedCallSettings,
    AgentSettings,
    LineSettings,
    PromiseTableSettings,
    AssignmentTableSettings,
    TelemarketingSetupSettings,
    MessageSettings,
    WaitSettings,
    CounterSettings,
):
    pass


class PushUpdatesSettings(FeedSettings):
    connections_url: str
    token_issuer: str
    token_audience: str
    token_keys_url: str


class PersonalDataSettings(CustomerSettings, DoNotCallSettings):
    personal_data_table: str
    personal_data_queue: str
    files_bucket: str


class FulfilPersonalDataSettings(
    PersonalDataSettings,
    ContactTableSettings,
    PromiseTableSettings,
    DialTableSettings,
    MessageSettings,
    QuoteTableSettings,
    OperationTableSettings,
    PartTableSettings,
    CallNotesSettings,
    AnswerTableSettings,
    WaitSettings,
    FeedSettings,
):
    kept_payloads_bucket: str
