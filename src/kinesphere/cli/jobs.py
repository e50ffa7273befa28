"""Looking after a server: `kinesphere jobs`, `show`, `cancel`, `revive`, `convert` and so on."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import Any

from kinesphere.cli import console
from kinesphere.cli.exits import Exit, answering, leave
from kinesphere.client import Client, Job

_RETRIES = 1


@contextmanager
def connected(url: str | None) -> Iterator[Client]:
    """A client of the server; what goes wrong with it is told and ends the command."""
    with answering():
        try:
            client = Client(url, retries=_RETRIES)
        except ValueError as error:
            raise leave(Exit.USAGE, str(error)) from None
        with client:
            yield client


def listed(
    url: str | None, states: Sequence[str] | None, search: str | None, limit: int, as_json: bool
) -> None:
    """List jobs."""
    with connected(url) as client:
        found = list(client.jobs(state=states, search=search, limit=limit))
    if as_json:
        console.as_json([asdict(job) for job in found])
        return
    console.table(
        ("id", "state", "done", "model", "made", "took", "of"),
        [
            (
                job.id,
                job.state,
                f"{job.progress:.0%}",
                job.model.name,
                _time(job.created_at),
                _took(job),
                _wanted(job.request.get("prompt", job.request.get("picture", ""))),
            )
            for job in found
        ],
        "no jobs",
    )


def shown(url: str | None, job_id: str, as_json: bool) -> None:
    """Show one job."""
    with connected(url) as client:
        job = client.job(job_id)
    _show(job, as_json)


def cancelled(url: str | None, job_id: str, as_json: bool) -> None:
    """Cancel one job."""
    with connected(url) as client:
        job = client.cancel(job_id)
    _show(job, as_json)


def revived(url: str | None, job_id: str, as_json: bool) -> None:
    """Revive one job."""
    with connected(url) as client:
        job = client.revive(job_id)
    _show(job, as_json)


def forgotten(url: str | None, job_id: str) -> None:
    """Delete one job."""
    with connected(url) as client:
        client.forget(job_id)


def _show(job: Job, as_json: bool) -> None:
    if as_json:
        console.as_json(asdict(job))
        return
    simulated = ", simulated" if job.model.simulated else ""
    console.facts(
        [
            ("id", job.id),
            ("state", f"{job.state} {job.progress:.0%} {job.phase}".rstrip()),
            ("model", f"{job.model.name} {job.model.version}{simulated} ({job.routed})"),
            *((name, _wanted(value)) for name, value in job.request.items()),
            ("attempts", str(job.attempts)),
            ("made", _time(job.created_at)),
            ("took", _took(job)),
            ("expected", _expected(job)),
            ("error", f"{job.error.error_code}: {job.error.detail}" if job.error else ""),
            ("understood", console.told(job.notes, "understood")),
            ("ignored", console.told(job.notes, "ignored")),
            *((f"file {a.name}", f"{console.size(a.size)}  {a.url}") for a in job.artifacts),
        ]
    )


def converted(url: str | None, job_id: str, format: str, out: Path) -> None:
    """Write what a job has made in another format."""
    with connected(url) as client:
        path = client.convert(job_id, format, out)
    console.facts([("file", f"{path}  ({console.size(path.stat().st_size)})")])


def models(url: str | None, as_json: bool) -> None:
    """List models."""
    with connected(url) as client:
        found = client.models()
    if as_json:
        console.as_json([asdict(model) for model in found])
        return
    console.table(
        ("name", "version", "task", "formats", "languages", "seconds", "licence", "title"),
        [
            (
                f"{model.name}{' (default)' if model.default else ''}",
                model.version,
                model.task,
                " ".join(model.formats),
                " ".join(model.languages),
                f"{model.min_duration:g} to {model.max_duration:g}"
                if model.min_duration is not None and model.max_duration is not None
                else "",
                model.licence,
                model.title,
            )
            for model in found
        ],
        "no models",
    )


def pools(url: str | None, as_json: bool) -> None:
    """List pools."""
    with connected(url) as client:
        found = client.pools()
    if as_json:
        console.as_json([asdict(pool) for pool in found])
        return
    console.table(
        ("pool", "model", "replicas", "waiting", "running", "oldest", "batch", "detail"),
        [
            (
                pool.name,
                f"{pool.model.name} {pool.model.version}",
                ", ".join(f"{count} {state}" for state, count in pool.replicas.items() if count)
                or "none",
                str(pool.waiting),
                str(pool.running),
                "" if pool.oldest_wait is None else f"{pool.oldest_wait:.1f} s",
                f"{pool.batch_limit} in {pool.batch_seconds:.2f} s"
                f"{'' if pool.measured else ' (a guess)'}",
                pool.detail,
            )
            for pool in found
        ],
        "no pools",
    )


def _wanted(value: Any) -> str:
    """A field of a request; a picture by its size and kind."""
    if isinstance(value, dict):
        return f"{value.get('width')} x {value.get('height')} {value.get('media_type')}"
    return "" if value is None else str(value)


def _time(at: datetime) -> str:
    return at.astimezone().strftime("%Y-%m-%d %H:%M:%S")


def _expected(job: Job) -> str:
    return f"in {job.eta.seconds:.1f} s, {job.eta.basis.ahead} before it" if job.eta else ""


def _took(job: Job) -> str:
    if job.finished_at is None:
        return ""
    return f"{(job.finished_at - job.created_at).total_seconds():.2f} s"
