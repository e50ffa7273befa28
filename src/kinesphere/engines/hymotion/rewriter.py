"""The prompt rewriter as a stage of its own: a service that is asked, so no GPU waits for it.

Whatever goes wrong with it, the job goes on with the caller's own words, and a note says so. No
prompt, and nothing that the service answered, is printed.
"""

import asyncio
import json
import math
import re
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Final

import httpx

from kinesphere.core.failures import Failure
from kinesphere.core.jobs import Json
from kinesphere.engines.gpu.files import missing
from kinesphere.engines.hymotion.captions import caption_file
from kinesphere.ports import Made, Outcome, Work

FPS: Final = 30
LONGEST_ANSWER: Final = 65_536
"""Bytes of an answer beyond which it is not read."""
LONGEST_CAPTION: Final = 1_000
LOOK: Final = 0.1
"""Seconds between two looks for cancellations."""
FIRST_PAUSE: Final = 0.2
"""Seconds before the second try, doubled before each further one."""

_WORDING: Final = "hymotion.prompt_engineering.model_constants"


@dataclass(frozen=True, slots=True)
class Rewritten:
    """What the service made of a prompt.

    Attributes:
        prompt: English, for the sampler.
        seconds: How long it thinks that the motion takes, or None.
    """

    prompt: str
    seconds: float | None


class Unusable(Exception):
    """An answer that is not what was asked for; its text says why in words that may be shown."""


class Rewriter:
    """Puts prompts into the model's own English, by the vendor's rewriter behind an HTTP service.

    Args:
        source: The vendor's checkout: the rewriter was trained on the question that is written
            there.
        url: Base of an OpenAI-compatible service.
        model: The model to ask for.
        key_file: File with the service's key, "" for none.
        seconds: For one prompt, all tries together.
        attempts: Most tries for one prompt.
    """

    def __init__(
        self, *, source: str, url: str, model: str, key_file: str, seconds: float, attempts: int
    ) -> None:
        self._source = Path(source)
        self._url = f"{url}/chat/completions"
        self._model = model
        self._key_file = key_file
        self._headers: dict[str, str] = {}
        self._seconds = seconds
        self._attempts = attempts
        self._question = ""

    def load(self, device: str) -> None:  # noqa: ARG002 - it needs none
        """Read the question and the key. Raises NotLoadable."""
        if str(self._source) not in sys.path:
            sys.path.insert(0, str(self._source))
        try:
            wording = import_module(_WORDING).REWRITE_AND_INFER_TIME_PROMPT_FORMAT
        except (ImportError, AttributeError) as error:
            raise missing(f"the rewriter's question is not in {self._source}: {error}") from error
        self._question = str(wording)
        if self._key_file:
            try:
                key = Path(self._key_file).read_text(encoding="utf-8").strip()
            except OSError as error:
                raise missing(f"the rewriter's key cannot be read: {error}") from error
            self._headers = {"Authorization": f"Bearer {key}"}

    def warm_up(self) -> None:
        """Nothing to warm: a service that is away now may be there for the first job."""

    def unload(self) -> None:
        """Nothing to give back."""

    def run(
        self,
        batch: Sequence[Work],
        report: Callable[[int, float, str], None],
        cancelled: Callable[[int], bool],
    ) -> Sequence[Outcome]:
        """Ask for all prompts at once."""
        return asyncio.run(self._all(batch, report, cancelled))

    async def _all(
        self,
        batch: Sequence[Work],
        report: Callable[[int, float, str], None],
        cancelled: Callable[[int], bool],
    ) -> list[Outcome]:
        async with httpx.AsyncClient(headers=self._headers, timeout=self._seconds) as http:
            tasks = [asyncio.create_task(self._one(http, work)) for work in batch]
            for index in range(len(batch)):
                report(index, 0.1, "rewriting the prompt")
            pending: set[asyncio.Task[Made]] = set(tasks)
            while pending:
                _, pending = await asyncio.wait(pending, timeout=LOOK)
                for index, task in enumerate(tasks):
                    if cancelled(index):
                        task.cancel()
        return [
            Failure("CANCELLED", "Cancelled on request.") if task.cancelled() else task.result()
            for task in tasks
        ]

    async def _one(self, http: httpx.AsyncClient, work: Work) -> Made:
        """The caption of one prompt, or the caller's own words."""
        own = str(work.request["prompt"])
        try:
            async with asyncio.timeout(self._seconds):
                found = await self._rewritten(http, own)
        except TimeoutError:
            trouble = f"it did not answer within {self._seconds:g} s"
        except Unusable as error:
            trouble = str(error)
        else:
            told: dict[str, Json] = {"used": True, "prompt": found.prompt}
            if found.seconds is not None:
                told["suggested_duration"] = found.seconds
            return Made((caption_file(found.prompt),), {"rewriter": told})
        sys.stderr.write(f"a prompt is not rewritten: {trouble}\n")
        return Made((caption_file(own),), {"rewriter": {"used": False, "reason": trouble}})

    async def _rewritten(self, http: httpx.AsyncClient, prompt: str) -> Rewritten:
        """Ask until there is an answer that can be used. Raises Unusable with the last reason."""
        pause = FIRST_PAUSE
        for left in reversed(range(self._attempts)):
            try:
                return read(await self._asked(http, prompt))
            except Unusable:
                if not left:
                    raise
            await asyncio.sleep(pause)
            pause *= 2.0
        raise Unusable("it was not asked")

    async def _asked(self, http: httpx.AsyncClient, prompt: str) -> bytes:
        body = {
            "model": self._model,
            "messages": [{"role": "user", "content": self._question.format(prompt)}],
            "temperature": 0.0,
            "seed": 0,
        }
        data = bytearray()
        try:
            async with http.stream("POST", self._url, json=body) as answer:
                if answer.status_code != httpx.codes.OK:
                    raise Unusable(f"it answered {answer.status_code}")
                async for piece in answer.aiter_bytes():
                    data += piece
                    if len(data) > LONGEST_ANSWER:
                        raise Unusable("its answer is too long")
        except httpx.HTTPError as error:
            raise Unusable(f"it could not be asked ({type(error).__name__})") from None
        return bytes(data)


def read(answer: bytes) -> Rewritten:
    """What a chat completion says; its text is JSON, perhaps in a fence or after thoughts.

    Raises Unusable, never with a word of the answer itself.
    """
    try:
        text = json.loads(answer)["choices"][0]["message"]["content"]
        text = str(text).rpartition("</think>")[2]
        told = json.loads(text[text.index("{") : text.rindex("}") + 1])
        caption, frames = told["short_caption"], told.get("duration")
    except (ValueError, KeyError, IndexError, TypeError, AttributeError):
        raise Unusable("its answer has no caption") from None
    words = re.sub(r"\s+", " ", caption).strip() if isinstance(caption, str) else ""
    if not words or len(words) > LONGEST_CAPTION:
        raise Unusable("its caption is empty, too long or no text")
    return Rewritten(words, _seconds(frames))


def _seconds(frames: object) -> float | None:
    if isinstance(frames, bool) or not isinstance(frames, int | float):
        return None
    return round(frames / FPS, 2) if math.isfinite(frames) and frames > 0 else None
