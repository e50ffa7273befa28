"""Invariants over a ledger's event history, whatever was done to the server in between."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence

from kinesphere.core.jobs import MAX_ATTEMPTS, TERMINAL, EventKind, Job, State
from kinesphere.ports import Record

_ENDS = {state.value for state in TERMINAL}


def violations(
    accepted: Iterable[str], jobs: Mapping[str, Job], records: Sequence[Record], stored: set[str]
) -> list[str]:
    """What is wrong; empty when nothing is.

    Args:
        accepted: Ids that a client saw acknowledged.
        jobs: Every job of the ledger.
        records: Every event of the ledger, in order.
        stored: Every key of the artifact store.
    """
    found: list[str] = []
    events: defaultdict[str, list[Record]] = defaultdict(list)
    for record in records:
        events[record.job_id].append(record)
    found += [f"{job_id} was accepted and is lost" for job_id in accepted if job_id not in jobs]
    for job_id, job in jobs.items():
        found += [f"{job_id}: {fault}" for fault in _of_job(job, events[job_id], stored)]
    found += [f"event of an unknown job {job_id}" for job_id in events if job_id not in jobs]
    listed = {artifact.key for job in jobs.values() for artifact in job.artifacts}
    owners = Counter(key.partition("/")[0] for key in stored - listed)
    found += [f"artifact of an unknown job {job_id}" for job_id in owners if job_id not in jobs]
    return found


def _of_job(job: Job, records: Sequence[Record], stored: set[str]) -> list[str]:
    found: list[str] = []
    kinds = [record.event.kind for record in records]
    ends = [kind for kind in kinds if kind.value in _ENDS]
    if len(ends) != int(job.ended) or (ends and ends[0].value != job.state.value):
        found.append(f"is {job.state.value}, but its history ends in {ends}")
    if kinds[:1] != [EventKind.SUBMITTED] or kinds.count(EventKind.SUBMITTED) != 1:
        found.append("was not submitted exactly once")
    tokens = [r.event.data["token"] for r in records if r.event.kind is EventKind.CLAIMED]
    if tokens != list(range(1, len(tokens) + 1)):
        found.append(f"was claimed with tokens {tokens}")
    commits = [r for r in records if r.event.kind is EventKind.SUCCEEDED]
    if commits and commits[0].event.data["token"] != (tokens or [0])[-1]:
        found.append("was committed with a token that was not the last")
    if job.attempts > MAX_ATTEMPTS:
        found.append(f"had {job.attempts} attempts")
    if job.state is State.SUCCEEDED and not job.artifacts:
        found.append("succeeded without an artifact")
    missing = [artifact.key for artifact in job.artifacts if artifact.key not in stored]
    if missing:
        found.append(f"lists artifacts that are not stored: {missing}")
    return found
