"""What can go wrong, as the caller of the client sees it.

::

    KinesphereError
    ├── ApiError             the server said no
    │   ├── Rejected         4xx: the request has to change
    │   │   └── NotFound     404
    │   └── Unavailable      429, 502, 503, 504: the same request may succeed later
    ├── ConnectionFailed     nothing answered, or the connection was cut; also a ConnectionError
    ├── TimedOut             it took longer than it may; also a TimeoutError
    ├── JobFailed            the job ended, but not in success
    ├── DigestMismatch       what was downloaded is not the file that was made
    ├── WebhookInvalid       what was posted does not come from the server, or is too old
    └── UnexpectedAnswer     the answer is not one of this API
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from kinesphere.client.values import FieldProblem, Job


class KinesphereError(Exception):
    """Anything that the client raises on its own account."""


class ApiError(KinesphereError):
    """The server refused, with its reason.

    Attributes:
        status: The HTTP status.
        error_code: Stable code such as "PROMPT_TOO_LONG"; "" where something else answered, such
            as a proxy.
        detail: One sentence about this case.
        errors: What was wrong, field by field.
        request_id: Id of the request in the server's log.
        retry: Whether the server says that the same request may succeed later; None if it does
            not say.
        retry_after: Seconds after which that may be, where the server says so.
    """

    def __init__(
        self,
        status: int,
        error_code: str = "",
        detail: str = "",
        *,
        errors: "tuple[FieldProblem, ...]" = (),
        request_id: str = "",
        retry: bool | None = None,
        retry_after: float | None = None,
    ) -> None:
        super().__init__(status, error_code, detail)
        self.status = status
        self.error_code = error_code
        self.detail = detail
        self.errors = errors
        self.request_id = request_id
        self.retry = retry
        self.retry_after = retry_after

    def __str__(self) -> str:
        lines = [f"{self.status} {self.error_code}: {self.detail}".replace(" :", ":")]
        for each in self.errors:
            allowed = f" (allowed: {each.allowed})" if each.allowed else ""
            lines.append(f"  {each.field} {each.problem}{allowed}")
        return "\n".join(lines)


class Rejected(ApiError):
    """The request has to change before it can succeed."""


class NotFound(Rejected):
    """There is no such job, pool, artifact or route."""


class Unavailable(ApiError):
    """The same request may succeed later."""


class ConnectionFailed(KinesphereError, ConnectionError):
    """Nothing answered, or the connection was cut.

    Attributes:
        reached: Whether there was a connection at all, so that the request may have been read.
    """

    def __init__(self, message: str, *, reached: bool) -> None:
        super().__init__(message)
        self.reached = reached


class TimedOut(KinesphereError, TimeoutError):
    """It took longer than it may. A job that was waited for goes on."""


class JobFailed(KinesphereError):
    """The job ended, but not in success.

    Attributes:
        job: As it ended.
        error_code: Why, as a stable code.
        detail: One sentence about this case.
    """

    def __init__(self, job: "Job") -> None:
        super().__init__(job)
        self.job = job
        self.error_code = job.error.error_code if job.error else job.state.upper()
        self.detail = job.error.detail if job.error else f"The job ended as {job.state}."

    def __str__(self) -> str:
        return f"{self.error_code}: {self.detail} (job {self.job.id})"

    def __repr__(self) -> str:
        return f"JobFailed({str(self)!r})"


class DigestMismatch(KinesphereError):
    """What was downloaded is not the file that was made. Nothing was kept."""


class WebhookInvalid(KinesphereError):
    """A webhook that must not be believed, and why."""


class UnexpectedAnswer(KinesphereError):
    """The answer is not one of this API, as when something else listens at the address."""
