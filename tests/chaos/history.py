"""Invariants over a ledger's event history, whatever was done to the server in between."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence

from kinesphere.core.jobs import TERMINAL, EventKind, Job, State
from kinesphere.core.transitions import MAX_ATTEMPTS
from kinesphere.ports import Artifacts, JobQuery, Ledger, Record

_ENDS = {state.value for state in TERMINAL}


async def everything(
    ledger: Ledger, artifacts: Artifacts
) -> tuple[dict[str, Job], list[Record], set[str]]:
    """Every job, every event in order, and every key of the store, for `violations`."""
    jobs: dict[str, Job] = {}
    last: str | None = None
    while page := await ledger.list(JobQuery(before=last, limit=200)):
        jobs |= {job.id: job for job in page}
        last = page[-1].id
    records: list[Record] = []
    while more := await ledger.events(records[-1].seq if records else 0):
        records += more
    keys = artifacts.keys()
    # Listed last: a file is stored before the job that lists it.
    return jobs, records, {key async for key, _ in keys}


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
    found += _of_runs(jobs, records)
    listed = {artifact.key for job in jobs.values() for artifact in job.artifacts}
    owners = Counter(key.partition("/")[0] for key in stored - listed)
    found += [f"artifact of an unknown job {job_id}" for job_id in owners if job_id not in jobs]
    return found


def _of_runs(jobs: Mapping[str, Job], records: Sequence[Record]) -> list[str]:
    """Jobs that ask for the same share one run, and one result."""
    found: list[str] = []
    leading: dict[str, str] = {}
    for job in jobs.values():
        if job.leader is not None:
            leader = jobs.get(job.leader)
            if leader is None or leader.ended or leader.leader is not None:
                found.append(f"{job.id} waits for {job.leader}, which does not lead")
            elif leader.content != job.content:
                found.append(f"{job.id} waits for {job.leader}, which makes something else")
        elif job.content and not job.ended:
            other = leading.setdefault(job.content, job.id)
            found += [f"{job.id} and {other} make the same"] if other != job.id else []
        for artifact in job.artifacts:
            maker = jobs.get(artifact.key.partition("/")[0])
            if maker is not None and maker is not job and maker.content != job.content:
                found.append(f"{job.id} was given what {maker.id} made, which is something else")
    running: dict[str, str] = {}
    for record in records:
        owner = jobs.get(record.job_id)
        if owner is None or not owner.content:
            continue
        kind = record.event.kind
        if kind is EventKind.CLAIMED:
            other = running.setdefault(owner.content, owner.id)
            found += [f"{owner.id} and {other} ran at once"] if other != owner.id else []
        elif running.get(owner.content) == owner.id:
            del running[owner.content]
    return found


def _of_job(job: Job, records: Sequence[Record], stored: set[str]) -> list[str]:
    found: list[str] = []
    kinds = [record.event.kind for record in records]
    ends = [kind for kind in kinds if kind.value in _ENDS]
    revivals = kinds.count(EventKind.REVIVED)
    if len(ends) != int(job.ended) + revivals or (job.ended and ends[-1].value != job.state.value):
        found.append(f"is {job.state.value}, but its history ends in {ends}")
    if kinds[:1] != [EventKind.SUBMITTED] or kinds.count(EventKind.SUBMITTED) != 1:
        found.append("was not submitted exactly once")
    claims = [r for r in records if r.event.kind is EventKind.CLAIMED]
    if claims and job.cached:
        found.append("was claimed though it was served from the cache")
    if job.cached and kinds != [EventKind.SUBMITTED, EventKind.SUCCEEDED]:
        found.append(f"was served from the cache, but its history is {kinds}")
    tokens = [record.event.data["token"] for record in claims]
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
