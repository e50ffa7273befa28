"""What a job has made, in another format."""

import re
from functools import partial
from pathlib import Path

from kinesphere.client.downloads import Disk
from kinesphere.client.effects import Answer, Flow, Request, Work
from kinesphere.client.flows import Flows
from kinesphere.client.values import Job


def convert(flows: Flows, job: Job | str, file_format: str, to: Path | None) -> Flow[bytes | Path]:
    """Have the server convert a job's file, and keep it whole or not at all."""
    job_id = job if isinstance(job, str) else job.id
    wanted = file_format.lower()
    request = Request(method="GET", url=f"/v1/jobs/{job_id}/artifacts/{wanted}", safe=True)
    answer = yield from flows.send(request)
    if to is None:
        return answer.body
    sink = Disk(to / _name(answer, f"{job_id}.{wanted}") if to.is_dir() else to)
    try:
        yield Work(partial(sink.write, answer.body))
        kept: Path = yield Work(sink.finish)
    except BaseException:
        sink.discard()
        raise
    return kept


def _name(answer: Answer, otherwise: str) -> str:
    """The name that the server gives the file; never a path."""
    told = re.search(r'filename="([\w.-]{1,100})"', answer.headers.get("content-disposition", ""))
    return told[1] if told and told[1].strip(".") else otherwise
