"""Files in which a person may stand: raw payloads that were kept, files of imports and exports."""

import json
import re
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import datetime, timedelta
from functools import cached_property
from typing import Any

from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from retorno import aws
from retorno.errors import Unavailable
from retorno.persons import Erased, Person

URL_LIFETIME = timedelta(hours=1)
READERS = 16
PAGE = 100

# How many of a number's last digits are looked for: a Brazilian one may stand without its ninth
# digit, and any without its country.
DIGITS = 8

# What may stand between two digits, UTF-16's zeros included.
BETWEEN = rb"[^0-9A-Za-z]{0,4}"

EXPORTS = "exports/personal-data/"


class Bucket:
    def __init__(self, name: str) -> None:
        self.name = name

    @cached_property
    def _client(self) -> Any:
        # The signature that a bucket's own region asks for.
        config = Config(signature_version="s3v4", max_pool_connections=READERS)
        return aws.client("s3", config=config)

    def naming(self, pattern: re.Pattern[bytes]) -> Iterator[str]:
        """The keys of objects that hold what is looked for. Raises Unavailable."""
        with _unavailable_on_trouble(), ThreadPoolExecutor(READERS) as pool:
            pages = self._client.get_paginator("list_objects_v2").paginate(
                Bucket=self.name, PaginationConfig={"PageSize": PAGE}
            )
            for page in pages:
                keys = [found["Key"] for found in page.get("Contents", [])]
                for key, body in zip(keys, pool.map(self._read, keys), strict=True):
                    if pattern.search(body):
                        yield key

    def _read(self, key: str) -> bytes:
        try:
            body: bytes = self._client.get_object(Bucket=self.name, Key=key)["Body"].read()
        except self._client.exceptions.NoSuchKey:
            return b""
        return body

    def delete(self, key: str) -> None:
        """Raises Unavailable."""
        with _unavailable_on_trouble():
            self._client.delete_object(Bucket=self.name, Key=key)

    def put_export(self, request_id: str, content: Mapping[str, Any]) -> None:
        """Raises Unavailable."""
        body = json.dumps(content, ensure_ascii=False, indent=1).encode()
        with _unavailable_on_trouble():
            self._client.put_object(
                Bucket=self.name,
                Key=f"{EXPORTS}{request_id}.json",
                Body=body,
                ContentType="application/json",
            )

    def export_url(self, request_id: str) -> str:
        """Where it may be had from, for an hour."""
        url: str = self._client.generate_presigned_url(
            "get_object",
            Params={
                "Bucket": self.name,
                "Key": f"{EXPORTS}{request_id}.json",
                "ResponseContentDisposition": 'attachment; filename="personal-data.json"',
            },
            ExpiresIn=int(URL_LIFETIME.total_seconds()),
        )
        return url


class FilesOfPerson:
    """A file that names them goes as a whole, with all else that stands in it: each is there for
    some days at most, and can be made again or sent again.
    """

    name = "files"

    def __init__(self, buckets: tuple[Bucket, ...]) -> None:
        self._buckets = buckets

    def show(self, person: Person) -> Iterator[Mapping[str, Any]]:
        pattern = pattern_of(person)
        for bucket in self._buckets:
            yield from ({"file": key} for key in bucket.naming(pattern))

    def erase(self, person: Person, now: datetime) -> Iterator[Erased]:
        pattern = pattern_of(person)
        for bucket in self._buckets:
            for key in bucket.naming(pattern):
                bucket.delete(key)
                yield Erased.DONE


def pattern_of(person: Person) -> re.Pattern[bytes]:
    """Finds their numbers and documents in any written form, their names and ids as they stand."""
    digits = [re.sub(r"\D", "", number)[-DIGITS:] for number in person.pseudonyms]
    digits += [re.sub(r"\D", "", word) for word in person.words if _is_written_in_digits(word)]
    spaced = [BETWEEN.join(bytes([digit]) for digit in each.encode()) for each in digits]
    texts = [*person.customers, *(each for each in person.words if not _is_written_in_digits(each))]
    written = {each.encode(encoding, "replace") for each in texts for encoding in ENCODINGS}
    return re.compile(b"|".join([*spaced, *map(re.escape, sorted(written))]))


# What spreadsheets write CSV in, and JSON with its escapes.
ENCODINGS = ("utf-8", "cp1252", "utf-16-le", "utf-16-be")


def _is_written_in_digits(word: str) -> bool:
    return sum(char.isdigit() for char in word) >= DIGITS


@contextmanager
def _unavailable_on_trouble() -> Iterator[None]:
    try:
        yield
    except (ClientError, BotoCoreError) as error:
        raise Unavailable("the bucket does not answer") from error
