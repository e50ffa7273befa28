"""Every way a request or a job can fail: one stable code, whose fault it is, whether to try again.

HTTP statuses are looked up from these codes in `kinesphere.http.errors`; `docs/errors.md` lists
them. The tree of exceptions is flat on purpose::

    Rejected              a request is not accepted, with the field that is at fault
    kinesphere.core.jobs.Refused
    ├── StaleToken        the claim that speaks is no longer the one that holds
    └── WrongState        the command does not fit the state the job is in
"""

import re
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final


class Fault(StrEnum):
    """Who can mend it."""

    CALLER = "caller"
    ENGINE = "engine"
    PLATFORM = "platform"


@dataclass(frozen=True, slots=True)
class ErrorKind:
    """What a code means.

    Attributes:
        fault: Who can mend it.
        retry: Whether the same request may succeed later: the platform then retries an attempt
            by itself, and a caller may send the request again.
        meaning: One sentence for the caller.
    """

    fault: Fault
    retry: bool
    meaning: str


def _kinds() -> dict[str, ErrorKind]:
    caller = {
        "INVALID_REQUEST": "A field is missing, unknown, or has a value that is not allowed.",
        "MALFORMED_JSON": "The body is not valid JSON.",
        "UNSUPPORTED_MEDIA_TYPE": "The body's Content-Type is not one this route reads.",
        "BODY_TOO_LARGE": "The body is larger than the limit.",
        "PROMPT_TOO_LONG": "The prompt has more words or characters than the model takes.",
        "PROMPT_NOT_UNDERSTOOD": "The model recognised no action in the prompt.",
        "IMAGE_REJECTED": "The picture cannot be read, or shows no object to make.",
        "IMAGE_TOO_LARGE": "The picture has more bytes or pixels than are taken.",
        "IMAGE_URL_FORBIDDEN": "The image_url is not an address that is fetched from.",
        "IMAGE_URL_FAILED": "Nothing usable answered at the image_url.",
        "WEBHOOK_FORBIDDEN": "The webhook is not an address that is posted to.",
        "FILE_REJECTED": "The file is not one that can be checked.",
        "FORMAT_UNAVAILABLE": "The job has nothing that can be given in this format.",
        "MODEL_UNKNOWN": "No installed model has this name for this task.",
        "IDEMPOTENCY_CONFLICT": "The Idempotency-Key was used before with another body.",
        "HOST_FORBIDDEN": "The Host header names a host that this server does not serve.",
        "UNAUTHENTICATED": "The credentials are missing, or not or no longer valid.",
        "FORBIDDEN": "The credentials are valid, but do not allow this.",
        "ORIGIN_FORBIDDEN": "Pages of this origin may not ask this server in this way.",
        "ROUTE_NOT_FOUND": "There is no such route.",
        "METHOD_NOT_ALLOWED": "The route exists, but not for this method.",
        "JOB_NOT_FOUND": "There is no such job, or it is not yours.",
        "JOB_FINISHED": "The job has already ended, so it cannot be cancelled.",
        "JOB_NOT_FINISHED": "Only jobs that have ended can be deleted.",
        "JOB_NOT_REVIVABLE": "Only jobs that failed or expired can be revived.",
        "POOL_NOT_FOUND": "There is no such pool.",
        "POOL_NOT_SCALED": "No scaling policy decides about this pool; its replicas are set.",
        "KEY_NOT_FOUND": "There is no such API key.",
        "RELEASE_NOT_FOUND": "There was no release for this task.",
        "RELEASE_RUNNING": "Another release for this task is not over.",
        "RELEASE_OVER": "The release is over, so nothing can be said to it.",
        "ARTIFACT_NOT_FOUND": "There is no such artifact, or it was removed by retention.",
        "LINK_INVALID": "The link's signature does not match: it was changed or cut.",
        "LINK_EXPIRED": "The link is past its time; ask the job for a new one.",
        "UPGRADE_REQUIRED": "This route is a WebSocket; what came was a plain request.",
        "MALFORMED_REQUEST": "What was sent is not HTTP.",
        "HEADERS_TOO_LARGE": "The request line and headers are larger than the limit.",
        "RANGE_NOT_SATISFIABLE": "The range asked for is outside the file.",
        "CANCELLED": "The job was cancelled on request.",
        "DEADLINE_MISSED": "The deadline passed while the job was waiting.",
        "HISTORY_EMPTY": "No job was finished in the time asked about, so there is none to play.",
        "TOO_MUCH_WORK": "It takes longer than such a request may; ask for less.",
    }
    pace = {
        "RATE_LIMITED": "Too many requests in too short a time; Retry-After says when to go on.",
        "QUOTA_EXCEEDED": "As many of your jobs wait and run as may; wait for one to end.",
        "TOO_MANY_STREAMS": "As many live streams of yours are open as may be; close one.",
        "REQUEST_TIMEOUT": "The request came too slowly and was given up.",
    }
    engine = {
        "ENGINE_FAILED": (True, "The engine raised an error on this job."),
        "ENGINE_CRASHED": (True, "The engine's process died while it ran this job."),
        "ENGINE_TIMEOUT": (True, "The engine took longer than its limit and was stopped."),
        "ENGINE_OUTPUT_INVALID": (False, "The engine returned something that is not an asset."),
        "OOM_HOST": (True, "The engine ran out of main memory."),
        "QUALITY_REJECTED": (False, "The result failed the quality checks; try another seed."),
    }
    platform = {
        "MODEL_NOT_READY": (True, "The model is still loading, or could not be loaded."),
        "MODEL_FILES_MISSING": (False, "A file that the model is loaded from is not there."),
        "MODEL_FILES_INVALID": (False, "A file that the model is loaded from is not the model's."),
        "LEASE_LOST": (True, "The replica that ran the job disappeared."),
        "STORAGE_FAILED": (True, "The result could not be written to the artifact store."),
        "LEDGER_UNAVAILABLE": (True, "The job store cannot be written; nothing was accepted."),
        "IDENTITY_UNAVAILABLE": (True, "The issuer's keys cannot be had to check the token."),
        "QUEUE_FULL": (True, "As much work waits for this model as may wait."),
        "DEADLINE_UNREACHABLE": (False, "The job would be done after its deadline."),
        "TOO_MANY_CONNECTIONS": (True, "As many connections are open as may be."),
        "BUSY": (True, "Such requests are answered one at a time, and too many wait."),
        "SHUTTING_DOWN": (True, "The server is stopping and takes no new work."),
        "WAIT_TIMEOUT": (True, "The result was not ready in time; the job goes on."),
        "INTERNAL": (True, "An unexpected error; the log has it under the request id."),
    }
    table = {code: ErrorKind(Fault.CALLER, False, text) for code, text in caller.items()}
    table |= {code: ErrorKind(Fault.CALLER, True, text) for code, text in pace.items()}
    table |= {code: ErrorKind(Fault.ENGINE, *row) for code, row in engine.items()}
    table |= {code: ErrorKind(Fault.PLATFORM, *row) for code, row in platform.items()}
    return table


KINDS: Final = _kinds()
"""Every code but the out-of-memory family OOM_GPU_<size>GB, which `kind` knows by its pattern."""

_OOM_GPU: Final = re.compile(r"OOM_GPU_\d{1,4}GB\Z")


def kind(code: str) -> ErrorKind:
    """What `code` means; raises KeyError for a code that is not ours."""
    if _OOM_GPU.match(code):
        return ErrorKind(Fault.ENGINE, True, "The model ran out of GPU memory on this job.")
    return KINDS[code]


@dataclass(frozen=True, slots=True)
class Failure:
    """Why an attempt or a job failed.

    Attributes:
        code: A code that `kind` knows.
        detail: One sentence about this case; may be shown to the caller.
    """

    code: str
    detail: str


@dataclass(frozen=True, slots=True)
class FieldError:
    """One field of a request that is not right.

    Attributes:
        field: Dotted path as the caller wrote it, "" for the whole body.
        problem: What was wrong with it.
        allowed: What would be right.
    """

    field: str
    problem: str
    allowed: str = ""


@dataclass
class Rejected(Exception):
    """A request that is not accepted. Nothing was stored.

    Attributes:
        code: A code that `kind` knows.
        detail: One sentence about this case.
        fields: What was wrong, field by field.
        retry_after: Seconds after which it may succeed, where that is known.
    """

    code: str
    detail: str
    fields: tuple[FieldError, ...] = field(default=())
    retry_after: float | None = None

    def __str__(self) -> str:
        return f"{self.code}: {self.detail}"
