"""What jobs have made: links, other formats, measures."""

import asyncio
from typing import TYPE_CHECKING

from kinesphere.core.failures import Rejected
from kinesphere.core.jobs import Job, Json
from kinesphere.ports import Artifacts, Clock
from kinesphere.service import files
from kinesphere.service.jobs import Jobs
from kinesphere.service.values import Caller, Content, Link

if TYPE_CHECKING:
    from kinesphere.formats.clip import Clip


class Results:
    """The files of finished jobs."""

    def __init__(self, jobs: Jobs, artifacts: Artifacts, clock: Clock, link_seconds: float) -> None:
        self._jobs = jobs
        self._artifacts = artifacts
        self._clock = clock
        self._link_seconds = link_seconds

    def links(self, job: Job) -> tuple[Link, ...]:
        """Fresh signed links to everything that the job has made."""
        expires = float(int(self._clock.now() + self._link_seconds))
        return tuple(Link(a, self._artifacts.link(a, expires), expires) for a in job.artifacts)

    async def forget(self, job_id: str, caller: Caller) -> None:
        """Delete one of the caller's jobs that has ended, and what it alone has made.

        Raises Rejected: JOB_NOT_FINISHED. Whoever deletes what is not there has done so.
        """
        # Files after the job: those that stay by an accident are found by the sweep.
        for file in await self._jobs.forget(job_id, caller):
            await self._artifacts.delete(file.key)

    async def converted(self, job_id: str, caller: Caller, wanted: str) -> Content:
        """What a job has made, in another format, without running the model again.

        Raises Rejected: JOB_NOT_FOUND, FORMAT_UNAVAILABLE.
        """
        job = await self._jobs.get(job_id, caller)
        source = files.source_of(job, wanted)
        data = await self._artifacts.read(source.key)
        return await asyncio.to_thread(files.converted, source, data, wanted)

    async def clip(self, job: Job) -> "Clip":
        """The motion that a job has made. Raises Rejected: FORMAT_UNAVAILABLE."""
        if job.task != "motion":
            raise Rejected("FORMAT_UNAVAILABLE", f"The job made a {job.task}, not a motion.")
        source = files.source_of(job, None)
        data = await self._artifacts.read(source.key)
        return await asyncio.to_thread(files.clip_of, source, data)

    async def judged(self, name: str, data: bytes) -> dict[str, Json]:
        """Every quality measure of a motion or mesh file. Raises Rejected: FILE_REJECTED."""
        return await asyncio.to_thread(files.judged, name, data)

    async def judged_job(self, job_id: str, caller: Caller) -> dict[str, Json]:
        """The same of what a job has made. Raises Rejected, as `converted` does."""
        source = files.source_of(await self._jobs.get(job_id, caller), None)
        return await self.judged(source.name, await self._artifacts.read(source.key))
