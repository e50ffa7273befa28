"""Downloading an artifact: whole, as it was made, and all at once or not at all."""

import contextlib
import hashlib
import re
import secrets
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import BinaryIO, Final, Protocol

from kinesphere.client import wire
from kinesphere.client.effects import Answer, Flow, Next, Open, Request, Sleep, Work
from kinesphere.client.errors import (
    ApiError,
    ConnectionFailed,
    DigestMismatch,
    JobFailed,
    KinesphereError,
    TimedOut,
)
from kinesphere.client.flows import Flows, OnProgress
from kinesphere.client.values import Artifact, Job, MotionOptions

OnBytes = Callable[[int, int], None]
"""Told the bytes that have arrived, and how many there are."""

MOST_LINKS: Final = 3


class Sink(Protocol):
    """Where bytes go until they are known to be right."""

    def write(self, data: bytes) -> None:
        """Add to the end."""
        ...

    def restart(self) -> None:
        """Drop what was written."""
        ...

    def finish(self) -> bytes | Path:
        """What the caller gets."""
        ...

    def discard(self) -> None:
        """Leave nothing behind."""
        ...


class Memory:
    """Keeps the bytes."""

    def __init__(self) -> None:
        self._data = bytearray()

    def write(self, data: bytes) -> None:
        """See `Sink`."""
        self._data += data

    def restart(self) -> None:
        """See `Sink`."""
        self._data.clear()

    def finish(self) -> bytes:
        """See `Sink`."""
        return bytes(self._data)

    discard = restart


class Disk:
    """Writes beside the destination, and renames at the end: nobody sees half a file."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._partial = path.with_name(f".{path.name[:200]}.{secrets.token_hex(6)}.part")
        self._file: BinaryIO | None = None

    def write(self, data: bytes) -> None:
        """See `Sink`. Makes the folder when it is missing."""
        if self._file is None:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            self._file = self._partial.open("xb")
        self._file.write(data)

    def restart(self) -> None:
        """See `Sink`."""
        if self._file is not None:
            self._file.seek(0)
            self._file.truncate()

    def finish(self) -> Path:
        """See `Sink`."""
        self.write(b"")
        if self._file is not None:
            self._file.close()
        self._partial.replace(self._path)
        return self._path

    def discard(self) -> None:
        """See `Sink`."""
        if self._file is not None:
            self._file.close()
            with contextlib.suppress(OSError):
                self._partial.unlink()


def download(
    flows: Flows,
    what: Job | Artifact | str,
    to: Path | None,
    file_format: str | None,
    on_progress: OnBytes | None,
) -> Flow[bytes | Path]:
    """Download one file of a job, to a path or into memory."""
    artifact = what if isinstance(what, Artifact) else (yield from _pick(flows, what, file_format))
    sink: Sink = Memory()
    if to is not None:
        sink = Disk(to / artifact.name if to.is_dir() else to)
    try:
        yield from _Transfer(flows, artifact, sink, on_progress).run()
        kept: bytes | Path = yield Work(sink.finish)
    except BaseException:
        sink.discard()
        raise
    return kept


def generate(
    flows: Flows,
    prompt: str,
    *,
    to: Path,
    timeout: float,
    on_progress: OnProgress | None,
    options: MotionOptions,
) -> Flow[Path]:
    """Ask for a motion, wait for it and download it. The suffix of `to` is a format's name."""
    if options.get("format") is None and to.suffix and not to.is_dir():
        options = {**options, "format": to.suffix[1:].lower()}
    job = yield from flows.submit(prompt, **options)
    return (yield from awaited(flows, job, to=to, timeout=timeout, on_progress=on_progress))


def awaited(
    flows: Flows, job: Job, *, to: Path, timeout: float, on_progress: OnProgress | None
) -> Flow[Path]:
    """Wait for a job and download its last file."""
    job = yield from flows.wait(job, timeout, on_progress)
    yield from download(flows, job, to, None, None)
    return to / job.artifacts[-1].name if to.is_dir() else to


def _pick(flows: Flows, what: Job | str, file_format: str | None) -> Flow[Artifact]:
    job = what if isinstance(what, Job) and what.artifacts else None
    if job is None:
        job = yield from flows.job(what if isinstance(what, str) else what.id)
    if job.ended and job.state != "succeeded":
        raise JobFailed(job)
    suffix = f".{file_format.lower()}" if file_format else ""
    # OBJ comes in an archive with its texture: mesh.obj.zip.
    fitting = [a for a in job.artifacts if a.name.lower().removesuffix(".zip").endswith(suffix)]
    if not fitting:
        made = ", ".join(a.name for a in job.artifacts) or "no file"
        wanted = f"no {file_format}, but " if file_format else ""
        raise KinesphereError(f"the job {job.id} is {job.state} and has {wanted}{made}")
    return fitting[-1]


class _Transfer:
    """One file's way into a sink, over as many connections as it takes."""

    def __init__(
        self, flows: Flows, artifact: Artifact, sink: Sink, on_progress: OnBytes | None
    ) -> None:
        self._flows = flows
        self._artifact = artifact
        self._sink = sink
        self._tell = on_progress or (lambda _done, _total: None)
        self._digest = hashlib.sha256()
        self._size = 0
        self._etag = ""
        self._links = 1

    def run(self) -> Flow[None]:
        """Until the file is whole and right."""
        attempt = 0
        while True:
            before = self._size
            try:
                yield from self._fetch()
            except (ConnectionFailed, TimedOut, ApiError) as error:
                attempt = 1 if self._size > before else attempt + 1
                if not (yield from self._overcome(error, attempt)):
                    raise
                continue
            break
        if self._digest.hexdigest() != self._artifact.sha256:
            raise DigestMismatch(
                f"{self._artifact.name} arrived with another SHA-256 than it was made with"
            )

    def _fetch(self) -> Flow[None]:
        answer: Answer = yield Open(self._request())
        if answer.status == 416:
            yield from self._restart()
            answer = yield Open(self._request())
        if answer.status >= 300:
            raise wire.error_of(answer, self._flows.clock.now())
        if self._size and not self._continues(answer):
            yield from self._restart()
        self._etag = answer.headers.get("etag", "")
        total = self._artifact.size
        while (data := (yield Next())) is not None:
            if self._size + len(data) > total:
                raise DigestMismatch(f"{self._artifact.name} is longer than its {total} bytes")
            yield Work(partial(self._take, data))
            self._tell(self._size, total)
        if self._size < total:
            raise ConnectionFailed(f"{self._artifact.name} was cut", reached=True)

    def _take(self, data: bytes) -> None:
        self._sink.write(data)
        self._digest.update(data)
        self._size += len(data)

    def _restart(self) -> Flow[None]:
        yield Work(self._sink.restart)
        self._digest = hashlib.sha256()
        self._size, self._etag = 0, ""

    def _request(self) -> Request:
        headers = {"Accept-Encoding": "identity"}
        if self._size:
            headers["Range"] = f"bytes={self._size}-"
            if self._etag and not self._etag.startswith("W/"):
                headers["If-Range"] = self._etag
        return Request(method="GET", url=self._artifact.url, headers=headers, safe=True)

    def _continues(self, answer: Answer) -> bool:
        """Whether the answer goes on where the last one was cut."""
        span = re.match(r"bytes (\d{1,18})-", answer.headers.get("content-range", ""))
        return answer.status == 206 and span is not None and int(span[1]) == self._size

    def _overcome(self, error: ConnectionFailed | TimedOut | ApiError, attempt: int) -> Flow[bool]:
        """Whether to try again, after having mended what can be mended."""
        # Other stores than ours answer an expired link with 403 and words of their own.
        refused = isinstance(error, ApiError) and error.status in (401, 403)
        if refused and self._artifact.job_id and self._links < MOST_LINKS:
            self._links += 1
            fresh = yield from self._flows.job(self._artifact.job_id)
            same = [
                a
                for a in fresh.artifacts
                if (a.name, a.stage, a.sha256)
                == (self._artifact.name, self._artifact.stage, self._artifact.sha256)
            ]
            if same:
                self._artifact = same[0]
            return bool(same)
        cause: Exception = error
        if isinstance(error, TimedOut) and self._size:
            cause = ConnectionFailed(str(error), reached=True)
        pause = self._flows.terms.pause(self._request(), cause, attempt)
        if pause is not None:
            yield Sleep(pause)
        return pause is not None
