"""The judgement of a motion or a mesh: its values, and how to ask for it."""

from dataclasses import dataclass
from pathlib import Path

from kinesphere.client import wire
from kinesphere.client.effects import Flow, Request
from kinesphere.client.flows import Flows
from kinesphere.client.meshes import upload
from kinesphere.client.values import Job, read


@dataclass(frozen=True, slots=True, kw_only=True)
class Measure:
    """One figure, held against two thresholds.

    Attributes:
        name: Such as "limit_elbow".
        value: In `unit`; None where there is none.
        unit: Of the value and the thresholds; "" for a count or a share.
        verdict: "pass", "warn" or "fail".
        warn_at: Beyond which it warns; None if never.
        fail_at: Beyond which it fails; None if never.
        lower_is_worse: Whether beyond means below.
        frames: At fault, from 0, at most 20.
        joints: At fault, the worst first.
        source: Where the thresholds come from.
    """

    name: str
    verdict: str
    value: float | None = None
    unit: str = ""
    warn_at: float | None = None
    fail_at: float | None = None
    lower_is_worse: bool = False
    frames: tuple[int, ...] = ()
    joints: tuple[str, ...] = ()
    source: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class LeftOut:
    """Checks that could not be made, and why."""

    name: str
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """The judgement of one file.

    Attributes:
        task: "motion" or "mesh".
        file: Its name.
        verdict: The worst of its measures': "pass", "warn" or "fail".
        measures: Every check that was made.
        left_out: Every check that was not.
        seconds: Of a motion.
        frames: Of a motion.
        vertices: Of a mesh.
        faces: Of a mesh.
    """

    task: str
    file: str
    verdict: str
    measures: tuple[Measure, ...] = ()
    left_out: tuple[LeftOut, ...] = ()
    seconds: float | None = None
    frames: int | None = None
    vertices: int | None = None
    faces: int | None = None

    def __getitem__(self, name: str) -> Measure:
        """The measure of that name. Raises KeyError."""
        for measure in self.measures:
            if measure.name == name:
                return measure
        raise KeyError(name)


def validate(flows: Flows, what: Job | str | Path) -> Flow[Report]:
    """Have the server judge a file of ours, or what a job has made."""
    if isinstance(what, Path):
        file = yield from upload("file", what)
        request = Request(
            method="POST",
            url="/validate",
            files=(file,),
            read_timeout=flows.terms.timeout + wire.upload_seconds((file,)),
            safe=True,
        )
    else:
        body = {"job_id": what if isinstance(what, str) else what.id}
        request = Request(method="POST", url="/validate", json=body, safe=True)
    answer = yield from flows.send(request)
    return read(answer.body, Report)
