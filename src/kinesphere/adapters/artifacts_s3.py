"""Artifacts in a bucket of an S3 store, downloaded from there or through a CDN.

Amazon's own and every server that speaks its protocol: conditional writes (If-None-Match: *) are
asked of it, and multipart uploads.
"""

import logging
import math
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Final, TypeAlias

import obstore
from obstore.exceptions import AlreadyExistsError, BaseError
from obstore.store import S3Store

from kinesphere.adapters import s3_bucket
from kinesphere.adapters.artifact_keys import checked, is_key
from kinesphere.adapters.s3_location import Credentials, Location
from kinesphere.core.jobs import ArtifactRef
from kinesphere.ports import ArtifactMissing, Clock, StorageFailed

if TYPE_CHECKING:
    from obstore.store import ClientConfig, RetryConfig, S3Config

SINGLE_LIMIT: Final = 32 * 2**20
"""Bytes up to which an artifact is one request, whose writing once the store itself ensures."""

PART: Final = 8 * 2**20
"""Bytes of a part of a larger one; a part that fails is sent again by itself."""

PARTS_AT_A_TIME: Final = 4
PAGE: Final = 1_000
LONGEST_LINK: Final = 7 * 86_400
"""Seconds; stores refuse signatures for longer."""

RENEWAL: Final = 60.0
"""Seconds between two looks at whether the credentials must be renewed."""

_IMMUTABLE: Final = "public, max-age=31536000, immutable"
_FIRST_PAUSE: Final = timedelta(milliseconds=100)
_LONGEST_PAUSE: Final = timedelta(seconds=5)

# A name without an object is an error of Python's own, whatever is missing: object or bucket.
_TROUBLES: Final = (BaseError, OSError)


_log = logging.getLogger("kinesphere.artifacts")


@dataclass(frozen=True, slots=True)
class Patience:
    """How long a store may take, in seconds, before an operation fails.

    Attributes:
        connect: To a connection.
        silence: Without a byte of an answer, the time in which a request is sent included.
        request: For one request, which may carry SINGLE_LIMIT bytes.
        retrying: From the first try of a request to the start of its last one; back-off doubles
            from 0.1 s to 5 s.
        retries: Tries after the first.
    """

    connect: float = 3.0
    silence: float = 30.0
    request: float = 60.0
    retrying: float = 20.0
    retries: int = 4


Links: TypeAlias = Callable[[str, float], str]
"""The address of a key until a time, such as `CdnLinks`."""


class S3Artifacts:
    """Implements `Artifacts`. Keys are those of `artifact_keys.is_key`.

    A second put of the same bytes under a key changes nothing; of others it raises StorageFailed.
    Above SINGLE_LIMIT this is looked up before the upload, so that of two puts at the same moment
    the later one stays; a key that holds its job's token has one writer.

    An object is saved under the last segment of its key, and may be cached for ever. `link`'s
    addresses are the store's presigned ones, for at most a week, unless `links` makes them.
    `read`, `exists`, `delete` and `keys` raise StorageFailed when the store does not answer.
    """

    def __init__(
        self,
        location: Location,
        clock: Clock,
        credentials: Credentials | None = None,
        links: Links | None = None,
        patience: Patience = Patience(),
    ) -> None:
        """Without `credentials`, those that the environment has are taken.

        In this order: AWS_ACCESS_KEY_ID, a pod's web identity, a container's, the machine's.
        """
        self._location = location
        self._clock = clock
        self._credentials = credentials or Credentials.from_environment()
        self._links = links
        self._store = open_store(location, self._credentials, patience)

    async def prepare(self) -> None:
        """Make the bucket where it is missing; see `s3_bucket.prepare`. Raises StorageFailed."""
        now = self._clock.now()
        await s3_bucket.prepare(self._location, self._store, self._credentials, now)

    async def run(self) -> None:
        """Renew credentials that are lent, until cancelled.

        They are renewed by whoever signs when they have less than five minutes left; done here in
        time, so that `link`, which cannot wait, finds them good.
        """
        while True:
            await self._clock.sleep(RENEWAL)
            try:
                await obstore.sign_async(self._store, "GET", "renewal", timedelta(seconds=1))
            except _TROUBLES as error:
                extra = {"action": "artifacts.not_renewed"}
                said = s3_bucket.said(error)
                _log.warning("credentials were not renewed: %s", said, extra=extra)

    async def put(
        self, key: str, data: bytes, media_type: str = "application/octet-stream"
    ) -> None:
        """See `Artifacts.put`."""
        path = self._location.path(checked(key))
        name = key.rpartition("/")[2]
        attributes = {
            "Content-Type": media_type,
            "Content-Disposition": f'attachment; filename="{name}"',
            "Cache-Control": _IMMUTABLE,
        }
        try:
            if len(data) <= SINGLE_LIMIT:
                await obstore.put_async(
                    self._store,
                    path,
                    data,
                    attributes=attributes,
                    mode="create",
                    use_multipart=False,
                )
            elif not await self.exists(key):
                # What fails is aborted by `obstore`; what dies with us, by the bucket's rule.
                await obstore.put_async(
                    self._store,
                    path,
                    data,
                    attributes=attributes,
                    use_multipart=True,
                    chunk_size=PART,
                    max_concurrency=PARTS_AT_A_TIME,
                )
            else:
                await self._same(key, data)
        except AlreadyExistsError:
            # Or a try of this very put, whose answer was lost, had stored it.
            await self._same(key, data)
        except _TROUBLES as error:
            raise StorageFailed(f"{name} could not be stored: {s3_bucket.said(error)}") from None

    async def _same(self, key: str, data: bytes) -> None:
        try:
            stored = await self.read(key)
        except ArtifactMissing:
            raise StorageFailed(f"{key} was deleted while it was stored") from None
        if stored != data:
            raise StorageFailed(f"{key} is already stored, with other content")

    async def read(self, key: str) -> bytes:
        """See `Artifacts.read`."""
        if not is_key(key):
            raise ArtifactMissing(key)
        try:
            found = await obstore.get_async(self._store, self._location.path(key))
            return bytes(await found.bytes_async())
        except _TROUBLES as error:
            if isinstance(error, FileNotFoundError) and "NoSuchBucket" not in str(error):
                raise ArtifactMissing(key) from None
            raise StorageFailed(f"{key} could not be read: {s3_bucket.said(error)}") from None

    async def exists(self, key: str) -> bool:
        """See `Artifacts.exists`. In a bucket that is not there nothing exists either."""
        if not is_key(key):
            return False
        try:
            await obstore.head_async(self._store, self._location.path(key))
        except FileNotFoundError:
            return False
        except _TROUBLES as error:
            raise StorageFailed(f"{key} could not be looked up: {s3_bucket.said(error)}") from None
        return True

    async def delete(self, key: str) -> None:
        """See `Artifacts.delete`."""
        if not is_key(key):
            return
        try:
            await obstore.delete_async(self._store, self._location.path(key))
        except FileNotFoundError:
            return
        except _TROUBLES as error:
            raise StorageFailed(f"{key} could not be deleted: {s3_bucket.said(error)}") from None

    async def keys(self) -> AsyncIterator[tuple[str, float]]:
        """See `Artifacts.keys`. What is no key is not ours, and passed over."""
        pages = obstore.list(self._store, self._location.prefix or None, chunk_size=PAGE)
        try:
            async for page in pages:
                for found in page:
                    key = self._location.key(found["path"])
                    if is_key(key):
                        yield key, found["last_modified"].timestamp()
        except _TROUBLES as error:
            raise StorageFailed(f"the keys could not be listed: {s3_bucket.said(error)}") from None

    def link(self, artifact: ArtifactRef, expires: float) -> str:
        """See `Artifacts.link`. It expires with the credentials, where these are lent for less."""
        key = checked(artifact.key)
        if self._links is not None:
            return self._links(key, expires)
        seconds = min(max(math.floor(expires - self._clock.now()), 0), LONGEST_LINK)
        path = self._location.path(key)
        return obstore.sign(self._store, "GET", path, timedelta(seconds=seconds))


def open_store(location: Location, credentials: Credentials | None, patience: Patience) -> S3Store:
    """The bucket at a location; without `credentials`, as whoever the environment says."""
    config: S3Config = {"region": location.region}
    if location.endpoint is not None:
        config["endpoint"] = location.endpoint
    if credentials is not None:
        config["access_key_id"] = credentials.key_id
        config["secret_access_key"] = credentials.secret
        if credentials.token is not None:
            config["session_token"] = credentials.token
    plain = location.endpoint is not None and location.endpoint.startswith("http://")
    client: ClientConfig = {
        "allow_http": plain,
        "connect_timeout": timedelta(seconds=patience.connect),
        "read_timeout": timedelta(seconds=patience.silence),
        "timeout": timedelta(seconds=patience.request),
    }
    retry: RetryConfig = {
        "max_retries": patience.retries,
        "retry_timeout": timedelta(seconds=patience.retrying),
        "backoff": {"init_backoff": _FIRST_PAUSE, "max_backoff": _LONGEST_PAUSE, "base": 2},
    }
    return S3Store(location.bucket, config=config, client_options=client, retry_config=retry)
