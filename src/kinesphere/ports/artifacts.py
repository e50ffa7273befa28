"""Files that jobs need and make."""

from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Protocol

from kinesphere.core.jobs import ArtifactRef


class ArtifactMissing(Exception):
    """No artifact has this key."""


class LinkInvalid(Exception):
    """The link's signature does not match."""


class LinkExpired(Exception):
    """The link is past its time."""


class StorageFailed(Exception):
    """The artifact store could not be written or read, for example because the disk is full."""


class Artifacts(Protocol):
    """Where made files live. A key is written once and never changed."""

    async def put(
        self, key: str, data: bytes, media_type: str = "application/octet-stream"
    ) -> None:
        """Store `data` under `key`, whole or not at all, synced when it returns.

        A store that is downloaded from directly answers with `media_type`. Raises StorageFailed,
        with nothing left behind.
        """
        ...

    async def read(self, key: str) -> bytes:
        """The stored bytes. Raises ArtifactMissing."""
        ...

    async def exists(self, key: str) -> bool:
        """Whether the artifact is there; cheaper than to read it."""
        ...

    async def delete(self, key: str) -> None:
        """Remove the artifact, if it is there."""
        ...

    def keys(self) -> AsyncIterator[tuple[str, float]]:
        """Every stored key with the time it was written, in no order; for the sweep."""
        ...

    def link(self, artifact: ArtifactRef, expires: float) -> str:
        """A signed address under which anyone may download the artifact until `expires`.

        An absolute URL, or a path on this server that begins with "/".
        """
        ...


class SignedFiles(Protocol):
    """What the download route needs of a store that serves its own links."""

    def locate(self, key: str, query: Mapping[str, str]) -> tuple[Path, str]:
        """The file that a signed link names, and the name to save it under.

        Raises LinkInvalid, LinkExpired or ArtifactMissing, checked in this order, so that an
        unsigned caller cannot learn which keys exist.
        """
        ...
