"""Weights from an S3 bucket, as whoever the environment says."""

import obstore
from obstore.exceptions import BaseError

from kinesphere.adapters.artifacts_s3 import Patience, open_store
from kinesphere.adapters.s3_bucket import said
from kinesphere.adapters.s3_location import Credentials, Location
from kinesphere.adapters.weights.sources import SourceFailed, SourceLacks


class S3Source:
    """A prefix of a bucket: `s3://bucket/prefix?endpoint=https://…&region=…`."""

    def __init__(self, address: str) -> None:
        """Raises SourceFailed."""
        try:
            self._location = Location.parse(address)
        except ValueError as error:
            raise SourceFailed(str(error)) from error
        self._store = open_store(self._location, Credentials.from_environment(), Patience())

    async def read(self, path: str, start: int, end: int) -> bytes:
        """See `Source`."""
        name = self._location.path(path)
        try:
            found = bytes(await obstore.get_range_async(self._store, name, start=start, end=end))
        except FileNotFoundError as error:
            raise SourceLacks(f"{path} is not in {self._location.bucket}") from error
        except (BaseError, OSError) as error:
            raise SourceFailed(f"{path}: {said(error)}") from error
        if len(found) < end - start:
            raise SourceFailed(f"{path} ends at byte {start + len(found)}, before {end}")
        return found
