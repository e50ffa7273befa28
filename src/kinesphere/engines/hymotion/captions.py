"""What the rewriting stage hands to the sampling stage: a small file of the job."""

import json
from typing import Final

from kinesphere.ports import File, Work

CAPTION: Final = "caption.json"


def caption_file(prompt: str) -> File:
    """The prompt to sample, as the file of a stage."""
    text = json.dumps({"prompt": prompt}, ensure_ascii=False)
    return File(CAPTION, "application/json", text.encode())


def prompt_of(work: Work) -> str:
    """The prompt to sample: of the stage before, or the caller's own where there is none."""
    given = json.loads(work.inputs[CAPTION]) if CAPTION in work.inputs else work.request
    return str(given["prompt"])
