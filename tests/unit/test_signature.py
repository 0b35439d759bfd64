"""The signature of the senders that Retorno itself defines."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from retorno.errors import NotAuthenticated
from retorno.telephony.ports import WebhookRequest
from retorno.telephony.signature import sign, verify

SENT = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
TIMESTAMP = "1772452800"
BODY = b'{"events":[]}'
SECRET = "first-secret"
OTHER_SECRET = "second-secret"

# printf '%s' '1772452800.{"events":[]}' | openssl dgst -sha256 -hmac first-secret
SIGNATURE = "v1=a73658e7f0f6cceef55ddf307c1d55906d4b1e079ff8947fe14d1c7e18ad0c57"
# The same with second-secret.
OTHER_SIGNATURE = "v1=c47c392e3fbf960e08d45d45e38122c2b4aaa0d73fb983c4f334bbad402567cd"
# printf '1772452800.\xff\x00\n' | openssl dgst -sha256 -hmac first-secret
SIGNATURE_OF_BYTES = "v1=d69674dbd979de2def7d958e068933801b342740acc64c736c7b2028dd30dbbe"

REQUEST = WebhookRequest(
    url="https://api.example.com/webhooks/calls",
    headers={"x-retorno-timestamp": TIMESTAMP, "x-retorno-signature": SIGNATURE},
    body=BODY,
)


def with_headers(**headers: str | None) -> WebhookRequest:
    """The request with `timestamp` or `signature` changed, or taken away by None."""
    changed = {**REQUEST.headers, **{f"x-retorno-{name}": text for name, text in headers.items()}}
    return replace(REQUEST, headers={name: text for name, text in changed.items() if text})


def test_signs_text_and_bytes_as_documented() -> None:
    assert sign(SECRET, 1772452800, BODY) == SIGNATURE
    assert sign(SECRET, 1772452800, b"\xff\x00\n") == SIGNATURE_OF_BYTES


def test_takes_a_signed_request() -> None:
    verify(REQUEST, [SECRET], SENT)


@pytest.mark.parametrize("seconds", [-300, 300])
def test_takes_a_request_as_old_or_as_early_as_allowed(seconds: int) -> None:
    verify(REQUEST, [SECRET], SENT + timedelta(seconds=seconds))


@pytest.mark.parametrize("seconds", [-301, -300.001, 300.001, 301, 365 * 24 * 3600])
def test_refuses_a_request_that_is_older_or_earlier(seconds: float) -> None:
    with pytest.raises(NotAuthenticated, match="X-Retorno-Timestamp is off by more than 5 minutes"):
        verify(REQUEST, [SECRET], SENT + timedelta(seconds=seconds))


@pytest.mark.parametrize("signature", [SIGNATURE, OTHER_SIGNATURE])
def test_any_secret_will_do_while_two_are_valid(signature: str) -> None:
    verify(with_headers(signature=signature), [SECRET, OTHER_SECRET], SENT)


@pytest.mark.parametrize("secrets", [[], [OTHER_SECRET]])
def test_refuses_a_signature_of_no_valid_secret(secrets: list[str]) -> None:
    with pytest.raises(NotAuthenticated, match="X-Retorno-Signature does not match the body"):
        verify(REQUEST, secrets, SENT)


@pytest.mark.parametrize(
    "request_",
    [
        with_headers(timestamp=None),
        with_headers(signature=None),
        with_headers(timestamp=None, signature=None),
    ],
)
def test_asks_for_both_headers(request_: WebhookRequest) -> None:
    with pytest.raises(NotAuthenticated, match="are required"):
        verify(request_, [SECRET], SENT)


@pytest.mark.parametrize(
    "timestamp",
    [
        "now",
        "-1772452800",
        "+1772452800",
        " 1772452800",
        "1772452800\n",
        "1772452800.0",
        "1.772e9",
        "0x69a57a40",
        "１７７２４５２８００",
        "١٧٧٢٤٥٢٨٠٠",
        "1772452800000",
        "9" * 5000,
    ],
)
def test_refuses_a_timestamp_that_is_no_epoch_second(timestamp: str) -> None:
    with pytest.raises(NotAuthenticated, match="X-Retorno-Timestamp"):
        verify(with_headers(timestamp=timestamp), [SECRET], SENT)


@pytest.mark.parametrize(
    "signature",
    [
        SIGNATURE[:-1],
        SIGNATURE + "0",
        SIGNATURE[:-1] + "8",
        SIGNATURE.removeprefix("v1="),
        SIGNATURE.replace("v1=", "v2="),
        SIGNATURE.upper(),
        f" {SIGNATURE}",
        f"{SIGNATURE},{SIGNATURE}",
        "v1=",
        "v1=ação",
        "v1=\ud800",
        "📞" * 20,
        "v1=" + "a" * 100_000,
    ],
)
def test_refuses_a_signature_that_differs(signature: str) -> None:
    with pytest.raises(NotAuthenticated, match="X-Retorno-Signature"):
        verify(with_headers(signature=signature), [SECRET], SENT)


@pytest.mark.parametrize("body", [b"", BODY + b"\n", b'{"events": []}', b"\xff\xfe"])
def test_refuses_another_body(body: bytes) -> None:
    with pytest.raises(NotAuthenticated, match="does not match the body"):
        verify(replace(REQUEST, body=body), [SECRET], SENT)


def test_refuses_another_timestamp_than_the_signed_one() -> None:
    with pytest.raises(NotAuthenticated, match="does not match the body"):
        verify(with_headers(timestamp="1772452801"), [SECRET], SENT)


def test_the_refusal_tells_no_secret() -> None:
    with pytest.raises(NotAuthenticated) as refusal:
        verify(with_headers(signature=OTHER_SIGNATURE), [SECRET], SENT)
    assert SECRET not in str(refusal.value)
    assert SIGNATURE not in str(refusal.value)
