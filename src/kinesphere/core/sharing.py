"""Jobs that ask for the same: one run for all of them, and what is there already served at once.

Of the jobs with one content at most one is in flight as a leader; the others follow it. They are
jobs of their own, with their own events, user, priority, deadline and end, but nobody can claim
them. What becomes of the leader's run becomes of them. A leader that is cancelled, or expires,
leaves the run as it is to the oldest of them, its heir.

Every function is pure; both ledgers apply what these return, in one transaction.
"""

import hashlib
import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from typing import Final, Literal, TypeAlias

from kinesphere.core.jobs import ArtifactRef, Event, EventKind, Job, Json, Moved, State
from kinesphere.core.prompts import normalise
from kinesphere.core.requests import SIDES
from kinesphere.core.transitions import submitted

Share: TypeAlias = Literal["everyone", "user", "off"]
"""Who is served what others have had made."""

Change: TypeAlias = tuple[Job, tuple[Event, ...]]
"""A job as it is now, and what happened to it."""

_PICTURES: Final = ("picture", "mask", *SIDES)


def content_of(job: Job, share: Share) -> str:
    """The name of what a new job asks for: 64 hexadecimal digits, or "" to share with nobody.

    Equal for equal task, model and version, prompt but for case and spaces, pictures, and whatever
    else the request says. A seed that the caller did not choose is any seed.
    """
    if share == "off":
        return ""
    asked: dict[str, Json] = dict(job.request)
    if asked.pop("seed_drawn", False):
        asked["seed"] = "any"
    if isinstance(asked.get("prompt"), str):
        asked["prompt"] = normalise(str(asked["prompt"]))
    for name in _PICTURES:
        facts = asked.get(name)
        if isinstance(facts, Mapping):
            asked[name] = facts["sha256"]
    whose = job.user if share == "user" else ""
    parts = [job.task, job.model, job.model_version, whose, asked]
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()


def accepted(
    job: Job, answering: Job | None, now: float, missing: Collection[str] = ()
) -> tuple[Change, ...]:
    """What the submit of `job` changes: the new job first, then the leader that it joins.

    Args:
        job: New and queued.
        answering: The job that answers for its content, in flight or succeeded.
        now: The ledger's time.
        missing: Keys of artifacts that are known to be gone; what lists one is not served.
    """
    new = (job, (submitted(job),))
    if answering is None or not job.content:
        return (new,)
    if not answering.ended:
        return _joined(job, new[1], answering)
    if any(artifact.key in missing for artifact in answering.artifacts):
        return (new,)
    served = replace(
        job,
        state=State.SUCCEEDED,
        stage=answering.stage,
        finished_at=now,
        progress=1.0,
        inputs=(),
        artifacts=answering.artifacts,
        notes=answering.notes,
        request=_seeded(job, answering),
        cached=True,
    )
    data: dict[str, Json] = {
        "token": job.token,
        "pool": served.pool,
        "artifacts": [artifact.key for artifact in answering.artifacts],
        "cached": True,
    }
    told = Event(EventKind.SUBMITTED, {**submitted(job).data, "cached": True})
    return ((served, (told, Event(EventKind.SUCCEEDED, data))),)


def settled(
    before: Job, after: Job, events: tuple[Event, ...], followers: Sequence[Job], now: float
) -> tuple[Change, ...]:
    """What a decision about a leader changes, itself first.

    Args:
        before: The leader before the decision.
        after: After it.
        events: What the decision says happened.
        followers: Those who wait for its run, the oldest first.
        now: The ledger's time.
    """
    if not followers:
        return ((after, events),)
    if after.state in (State.CANCELLED, State.EXPIRED):
        return _inherited(before, after, events, followers)
    if after.ended:
        return ((after, events), *(_ended(each, after, events, now) for each in followers))
    if after.stage != before.stage:
        told = [(_following(each, after), _told(each, events)) for each in followers]
        return ((after, events), *told)
    return ((after, events),)


def revived(after: Job, events: tuple[Event, ...], answering: Job | None) -> tuple[Change, ...]:
    """What the revival of a job changes, itself first: it joins who runs the same, or leads again.

    A job that has files of its own which that run has not goes alone.
    """
    if not after.content or answering is None or answering.ended:
        return ((after, events),)
    if after.artifacts != answering.artifacts[: len(after.artifacts)]:
        return ((replace(after, content=""), events),)
    return _joined(after, events, answering)


def answers(before: Job | None, after: Job) -> bool | None:
    """Whether `after` is now the one that answers for its content, or if it was, no more.

    None: as it was. A leader answers from its start, and goes on when it has succeeded, until a
    later job that was served from it takes its place; so the one that answers was used last.
    """
    if not after.content or after.leader is not None:
        return None
    if not after.ended:
        leads = before is None or before.leader is not None or before.ended
        return True if leads else None
    if after.state is State.SUCCEEDED:
        return True if before is None else None
    return False


def maker(key: str) -> str:
    """The id of the job that a file was made by or came with: the first segment of its key."""
    return key.partition("/")[0]


def lent(job: Job) -> frozenset[str]:
    """Keys of files that a job lists though another has made them."""
    own = f"{job.id}/"
    return frozenset(a.key for a in job.artifacts if not a.key.startswith(own))


def own_bytes(job: Job) -> int:
    """Size of the files that a job has made or brought, in bytes."""
    own = f"{job.id}/"
    return sum(f.size for f in (*job.inputs, *job.artifacts) if f.key.startswith(own))


def freed(jobs: Sequence[Job], listed: Collection[str]) -> tuple[Job, ...]:
    """Jobs that are forgotten, each with only those files that go with it.

    `listed`: keys that jobs still list. A file of several forgotten jobs goes with the first.
    """
    gone: set[str] = set()
    found = []
    for job in jobs:
        kept: list[ArtifactRef] = []
        for artifact in job.artifacts:
            if artifact.key not in listed and artifact.key not in gone:
                gone.add(artifact.key)
                kept.append(artifact)
        found.append(replace(job, artifacts=tuple(kept)))
    return tuple(found)


def _joined(job: Job, events: tuple[Event, ...], leader: Job) -> tuple[Change, ...]:
    first = events[0]
    told = Event(first.kind, {**first.data, "joined": True})
    follower = replace(_following(job, leader), leader=leader.id, joined=True)
    raised = job.priority if leader.raised is None else max(leader.raised, job.priority)
    return ((follower, (told,)), (replace(leader, raised=raised), ()))


def _following(follower: Job, leader: Job) -> Job:
    """A follower with what the run has made so far."""
    return replace(
        follower,
        stage=leader.stage,
        artifacts=leader.artifacts,
        notes=leader.notes,
        request=_seeded(follower, leader),
    )


def _ended(follower: Job, leader: Job, events: tuple[Event, ...], now: float) -> Change:
    ended = replace(
        _following(follower, leader),
        state=leader.state,
        leader=None,
        started_at=_started(follower, leader),
        finished_at=now,
        progress=leader.progress,
        failure=leader.failure,
    )
    return ended, _told(follower, events)


def _inherited(
    before: Job, after: Job, events: tuple[Event, ...], followers: Sequence[Job]
) -> tuple[Change, ...]:
    first, *others = followers
    running = before.state is State.RUNNING
    heir = replace(
        _following(first, before),
        leader=None,
        # The place stays what it was, whoever of them it was raised for.
        raised=before.precedence,
        state=before.state,
        ready_at=before.ready_at,
        started_at=_started(first, before),
        attempts=before.attempts,
        losses=before.losses,
        alone=before.alone,
        token=first.token + 1 if running else first.token,
        worker=before.worker,
        lease_until=before.lease_until,
        progress=before.progress,
        failure=before.failure,
    )
    rest = [(replace(each, leader=heir.id), ()) for each in others]
    if not running:
        return ((after, events), (heir, ()), *rest)
    claimed: dict[str, Json] = {
        "worker": heir.worker,
        "token": heir.token,
        "attempt": heir.attempts,
        "pool": heir.pool,
        "inherited": True,
    }
    moved = replace(after, moved=Moved(heir.id, heir.token))
    end = events[0]
    told = Event(end.kind, {**end.data, "heir": heir.id, "heir_token": heir.token})
    return ((moved, (told,)), (heir, (Event(EventKind.CLAIMED, claimed),)), *rest)


def _told(follower: Job, events: tuple[Event, ...]) -> tuple[Event, ...]:
    return tuple(Event(e.kind, {**e.data, "token": follower.token}) for e in events)


def _started(follower: Job, leader: Job) -> float | None:
    """When the run began for one who may have joined it later."""
    return None if leader.started_at is None else max(follower.created_at, leader.started_at)


def _seeded(job: Job, made: Job) -> Mapping[str, Json]:
    """The job's request, with the seed that was used where the caller chose none."""
    if not job.request.get("seed_drawn"):
        return job.request
    return {**job.request, "seed": made.request.get("seed")}
