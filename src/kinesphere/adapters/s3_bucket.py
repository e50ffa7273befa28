"""Makes an S3 bucket ready to be a store of artifacts: it exists, and forgets half uploads."""

import hashlib
import hmac
import logging
import re
from base64 import b64encode
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

import httpx
import obstore
from obstore.exceptions import BaseError

from kinesphere.adapters.s3_location import DEFAULT_REGION, Credentials, Location
from kinesphere.ports import StorageFailed

if TYPE_CHECKING:
    from obstore.store import S3Store

STALE_UPLOAD_DAYS: Final = 1
"""Days after which the store drops what an upload left whose writer died; no upload lasts one."""

_SECONDS: Final = 10.0
_CODE: Final = re.compile(r"<Code>(\w+)</Code>")
_NAMESPACE: Final = "http://s3.amazonaws.com/doc/2006-03-01/"

_log = logging.getLogger("kinesphere.artifacts")


def said(error: Exception) -> str:
    """What a store's refusal says in a line, without what it quotes: signatures, session tokens."""
    text = str(error)
    code = _CODE.search(text)
    first = (text.splitlines() or [""])[0].partition("<")[0][:300]
    return f"{first.strip()} {code[1]}" if code else first or type(error).__name__


async def prepare(
    location: Location, store: "S3Store", credentials: Credentials | None, now: float
) -> None:
    """Make the bucket if it is not there, and have it abort uploads that nobody finished.

    A bucket that has lifecycle rules keeps them: where none of them aborts stale uploads, and where
    we may not write rules, that is logged. Raises StorageFailed when there is no bucket that we
    may use.
    """
    refusal = await _refusal(store)
    if refusal is not None and "NoSuchBucket" in str(refusal):
        made = await _make(location, store)
        refusal = await _refusal(store)
        if refusal is not None:
            raise StorageFailed(
                f"bucket {location.bucket} does not exist and cannot be made: make it, or allow "
                f"s3:CreateBucket ({said(made or refusal)})"
            )
        extra = {"action": "artifacts.bucket_made"}
        _log.info("bucket %s was made", location.bucket, extra=extra)
    if refusal is not None and "RequestTimeTooSkewed" in str(refusal):
        raise StorageFailed(
            f"the clock of this machine and that of the store at {location.address} differ by more "
            f"than the store allows: set this machine's clock ({said(refusal)})"
        )
    if refusal is not None and " 40" in str(refusal):
        raise StorageFailed(
            f"bucket {location.bucket} may not be used with these credentials: allow "
            f"s3:ListBucket, s3:GetObject, s3:PutObject, s3:DeleteObject and "
            f"s3:AbortMultipartUpload ({said(refusal)})"
        )
    if refusal is not None:
        raise StorageFailed(f"the store at {location.address} fails: {said(refusal)}")
    if credentials is None:
        _leave_stale_uploads(location, "the credentials are not an access key known here")
        return
    async with httpx.AsyncClient(timeout=_SECONDS) as client:
        try:
            await Rules(location, credentials, client).add(now)
        except httpx.HTTPError as error:
            _leave_stale_uploads(location, type(error).__name__)


async def _refusal(store: "S3Store") -> Exception | None:
    """Why the bucket cannot be listed, or None when it can."""
    try:
        async for _ in obstore.list(store, chunk_size=1):
            break
    except (BaseError, OSError) as error:
        return error
    return None


async def _make(location: Location, store: "S3Store") -> Exception | None:
    """Ask for the bucket: CreateBucket is the PUT of an object without a name.

    Returns the refusal. The answer to success has no ETag, which `obstore` takes for an error, so
    that only another look at the bucket says what came of it.
    """
    body = ""
    if location.region != DEFAULT_REGION:
        body = (
            f'<CreateBucketConfiguration xmlns="{_NAMESPACE}"><LocationConstraint>'
            f"{location.region}</LocationConstraint></CreateBucketConfiguration>"
        )
    try:
        await obstore.put_async(store, "", body.encode(), use_multipart=False)
    except (BaseError, OSError) as error:
        return error
    return None


class Rules:
    """The bucket's lifecycle rules, by requests that `obstore` does not know."""

    def __init__(
        self, location: Location, credentials: Credentials, client: httpx.AsyncClient
    ) -> None:
        self._location = location
        self._credentials = credentials
        self._client = client

    async def add(self, now: float) -> None:
        """Have uploads aborted that are older than a day, unless the bucket has rules already."""
        answer = await self.send("GET", "lifecycle", b"", now)
        if answer.status_code == httpx.codes.OK and b"<Rule>" in answer.content:
            if b"AbortIncompleteMultipartUpload" not in answer.content:
                _leave_stale_uploads(self._location, "the bucket has other rules")
            return
        answer = await self.send("PUT", "lifecycle", self._rules(), now)
        if answer.status_code not in (httpx.codes.OK, httpx.codes.NO_CONTENT):
            _leave_stale_uploads(self._location, f"HTTP {answer.status_code}")

    def _rules(self) -> bytes:
        prefix = f"{self._location.prefix}/" if self._location.prefix else ""
        return (
            f'<LifecycleConfiguration xmlns="{_NAMESPACE}"><Rule>'
            "<ID>kinesphere-stale-uploads</ID>"
            f"<Filter><Prefix>{prefix}</Prefix></Filter><Status>Enabled</Status>"
            "<AbortIncompleteMultipartUpload>"
            f"<DaysAfterInitiation>{STALE_UPLOAD_DAYS}</DaysAfterInitiation>"
            "</AbortIncompleteMultipartUpload></Rule></LifecycleConfiguration>"
        ).encode()

    async def send(self, method: str, subresource: str, body: bytes, now: float) -> httpx.Response:
        """One request about a subresource of the bucket, signed with AWS Signature Version 4.

        Source: https://docs.aws.amazon.com/AmazonS3/latest/API/sig-v4-header-based-auth.html
        """
        address = urlsplit(self._location.address)
        payload = hashlib.sha256(body).hexdigest()
        stamp = datetime.fromtimestamp(now, UTC).strftime("%Y%m%dT%H%M%SZ")
        digest = hashlib.md5(body, usedforsecurity=False).digest()
        headers = {
            "content-md5": b64encode(digest).decode(),
            "host": address.netloc,
            "x-amz-content-sha256": payload,
            "x-amz-date": stamp,
        }
        if self._credentials.token is not None:
            headers["x-amz-security-token"] = self._credentials.token
        names = ";".join(headers)
        lines = [f"{name}:{value}" for name, value in headers.items()]
        request = [method, address.path, f"{subresource}=", *lines, "", names, payload]
        signature, scope = self._signature("\n".join(request), stamp)
        headers["authorization"] = (
            f"AWS4-HMAC-SHA256 Credential={self._credentials.key_id}/{scope}, "
            f"SignedHeaders={names}, Signature={signature}"
        )
        url = f"{self._location.address}?{subresource}="
        return await self._client.request(method, url, content=body, headers=headers)

    def _signature(self, request: str, stamp: str) -> tuple[str, str]:
        scope = (stamp[:8], self._location.region, "s3", "aws4_request")
        key = f"AWS4{self._credentials.secret}".encode()
        for part in scope:
            key = hmac.digest(key, part.encode(), "sha256")
        joined = "/".join(scope)
        hashed = hashlib.sha256(request.encode()).hexdigest()
        signed = f"AWS4-HMAC-SHA256\n{stamp}\n{joined}\n{hashed}"
        return hmac.digest(key, signed.encode(), "sha256").hex(), joined


def _leave_stale_uploads(location: Location, reason: str) -> None:
    extra = {"action": "artifacts.no_lifecycle"}
    text = "bucket %s keeps what uploads leave whose writer died, until a rule aborts them: %s"
    _log.warning(text, location.bucket, reason, extra=extra)
