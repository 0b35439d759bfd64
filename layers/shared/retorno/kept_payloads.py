"""Payloads of providers that could not be read, until they can be."""

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from functools import cached_property
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from retorno import aws
from retorno.errors import Unavailable


class KeptPayloads:
    """The bucket of payloads that could not be read, raw, as `<provider>/<day>/<digest>`.

    The digest makes a payload that is sent again the same object.
    """

    def __init__(self, bucket: str) -> None:
        self._bucket = bucket

    @cached_property
    def _client(self) -> Any:
        return aws.client("s3")

    def keep(self, provider: str, payload: bytes, now: datetime) -> None:
        """Raises Unavailable."""
        digest = hashlib.sha256(payload).hexdigest()
        key = f"{provider}/{now:%Y-%m-%d}/{digest}"
        with _unavailable_on_trouble_of_the_bucket():
            self._client.put_object(Bucket=self._bucket, Key=key, Body=payload)

    def keys(self, provider: str) -> Iterator[str]:
        """Raises Unavailable."""
        with _unavailable_on_trouble_of_the_bucket():
            pages = self._client.get_paginator("list_objects_v2").paginate(
                Bucket=self._bucket, Prefix=f"{provider}/"
            )
            for page in pages:
                yield from (found["Key"] for found in page.get("Contents", []))

    def read(self, key: str) -> bytes:
        """Raises Unavailable."""
        with _unavailable_on_trouble_of_the_bucket():
            payload: bytes = self._client.get_object(Bucket=self._bucket, Key=key)["Body"].read()
            return payload

    def drop(self, key: str) -> None:
        """Raises Unavailable."""
        with _unavailable_on_trouble_of_the_bucket():
            self._client.delete_object(Bucket=self._bucket, Key=key)


@contextmanager
def _unavailable_on_trouble_of_the_bucket() -> Iterator[None]:
    try:
        yield
    except (ClientError, BotoCoreError) as error:
        raise Unavailable("the bucket does not answer") from error
