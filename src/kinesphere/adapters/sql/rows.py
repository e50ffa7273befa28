"""A job as the row it is stored in."""

from collections.abc import Mapping
from typing import Any, Final

from kinesphere.adapters.documents import decode_data, decode_job, encode_data, encode_job
from kinesphere.core.jobs import HIGHEST_PRIORITY, Event, EventKind, Job
from kinesphere.ports import Record

JOINED: Final = "joined"
"""The state in `schema.tallies` of a job that waits for another's run: no work of its own."""


def tallied(job: Job) -> tuple[str, str, str, int]:
    """The key of `schema.tallies` that a job is counted under."""
    state = job.state.value if job.leader is None else JOINED
    return job.pool, job.model, state, job.precedence


def job_row(job: Job, tag: int, answers: bool) -> Mapping[str, Any]:
    """The columns of `schema.jobs`. `answers`: whether it answers for its content."""
    return {
        "id": job.id,
        "user": job.user,
        "task": job.task,
        "model": job.model,
        "pool": job.pool,
        "state": job.state.value,
        "urgency": HIGHEST_PRIORITY - job.precedence,
        "tag": tag,
        "weight": job.weight,
        "alone": job.alone,
        "ready_at": job.ready_at,
        "deadline": job.deadline,
        "worker": job.worker,
        "lease_until": job.lease_until,
        "finished_at": job.finished_at,
        "leader": job.leader,
        "answers": job.content if answers else None,
        "document": encode_job(job),
    }


def job_of(row: Any) -> Job:
    """The job of a row with the column `document`."""
    return decode_job(row.document)


def key_name(user: str, key: str) -> str:
    """The primary key of `schema.keys`."""
    return encode_data([user, key])


def record_row(seq: int, job_id: str, at: float, event: Event) -> Mapping[str, Any]:
    """The columns of `schema.events`."""
    return {
        "seq": seq,
        "job_id": job_id,
        "at": at,
        "kind": event.kind.value,
        "data": encode_data(event.data),
    }


def record_of(row: Any) -> Record:
    """The record of a row of `schema.events`."""
    event = Event(EventKind(row.kind), decode_data(row.data))
    return Record(row.seq, row.job_id, row.at, event)
