"""Where in which S3 store, and as whom."""

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import parse_qsl, urlsplit

DEFAULT_REGION: Final = "us-east-1"
_BUCKET: Final = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")
_PREFIX: Final = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]*(/[A-Za-z0-9_][A-Za-z0-9._-]*)*")
_PARAMETERS: Final = frozenset({"endpoint", "region"})


@dataclass(frozen=True, slots=True)
class Credentials:
    """An access key. Its `repr` does not tell the secrets.

    Attributes:
        key_id: The access key's id.
        secret: The secret access key.
        token: The session's token, for keys that are lent for a time.
    """

    key_id: str
    secret: str = field(repr=False)
    token: str | None = field(default=None, repr=False)

    @staticmethod
    def from_environment(environment: Mapping[str, str] = os.environ) -> "Credentials | None":
        """The key in AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and AWS_SESSION_TOKEN, if set."""
        key_id = environment.get("AWS_ACCESS_KEY_ID")
        secret = environment.get("AWS_SECRET_ACCESS_KEY")
        if not key_id or not secret:
            return None
        return Credentials(key_id, secret, environment.get("AWS_SESSION_TOKEN") or None)


@dataclass(frozen=True, slots=True)
class Location:
    """A bucket, and the prefix of it that is ours alone.

    Attributes:
        bucket: Its name.
        prefix: What every object's name begins with, without a "/" at either end; "" for all.
        region: The store's region.
        endpoint: The store's origin, or None for Amazon's own.
    """

    bucket: str
    prefix: str
    region: str
    endpoint: str | None

    @staticmethod
    def parse(url: str, environment: Mapping[str, str] = os.environ) -> "Location":
        """Read `s3://bucket/prefix?endpoint=https://…&region=…`.

        Prefix and parameters may be left out. The region is then that of AWS_REGION or
        AWS_DEFAULT_REGION, else us-east-1; the endpoint that of AWS_ENDPOINT_URL_S3 or
        AWS_ENDPOINT_URL, else Amazon's. Raises ValueError, which does not quote what may be a
        secret.
        """
        parts = urlsplit(url)
        if parts.username or parts.password:
            raise ValueError("the address of the bucket has a password; see AWS_SECRET_ACCESS_KEY")
        if parts.scheme != "s3" or not _BUCKET.fullmatch(parts.netloc):
            raise ValueError("the address of the bucket does not begin with s3://bucket")
        prefix = parts.path.strip("/")
        if prefix and not _PREFIX.fullmatch(prefix):
            raise ValueError(f"{prefix!r} cannot be a prefix of artifacts' keys")
        given = dict(parse_qsl(parts.query, keep_blank_values=True))
        if parts.fragment or not given.keys() <= _PARAMETERS:
            raise ValueError("the bucket's address takes `endpoint` and `region` and nothing else")
        region = given.get("region") or environment.get("AWS_REGION")
        return Location(
            bucket=parts.netloc,
            prefix=prefix,
            region=region or environment.get("AWS_DEFAULT_REGION") or DEFAULT_REGION,
            endpoint=_origin(
                given.get("endpoint")
                or environment.get("AWS_ENDPOINT_URL_S3")
                or environment.get("AWS_ENDPOINT_URL")
            ),
        )

    def path(self, key: str) -> str:
        """The name of the object that has the artifact of this key."""
        return f"{self.prefix}/{key}" if self.prefix else key

    def key(self, path: str) -> str:
        """The key of the artifact that the object of this name has."""
        return path.removeprefix(f"{self.prefix}/") if self.prefix else path

    @property
    def address(self) -> str:
        """The bucket's own URL, with the bucket in the path."""
        origin = self.endpoint or f"https://s3.{self.region}.amazonaws.com"
        return f"{origin}/{self.bucket}"


def _origin(endpoint: str | None) -> str | None:
    if not endpoint:
        return None
    parts = urlsplit(endpoint)
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.username:
        raise ValueError("the endpoint does not begin with http:// or https:// and a host")
    if parts.path.strip("/") or parts.query or parts.fragment:
        raise ValueError("the endpoint has more than a host and a port")
    return endpoint.rstrip("/")
