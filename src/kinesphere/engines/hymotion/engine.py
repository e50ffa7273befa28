"""HY-Motion 1.0 as an engine: the vendor's pipeline, many prompts a pass.

Imported in the replica's child process only. Torch and the vendor's code come in with `load`.
"""

import itertools
import re
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Final

import numpy as np

from kinesphere.core.failures import Failure
from kinesphere.core.jobs import Json
from kinesphere.engines.gpu.files import invalid
from kinesphere.engines.gpu.memory import Passes, peak_bytes, release
from kinesphere.engines.hymotion.captions import prompt_of
from kinesphere.engines.hymotion.checkout import Files
from kinesphere.engines.hymotion.loading import (
    Encoding,
    Loaded,
    Manner,
    Precision,
    come,
    leave,
    place,
    read,
)
from kinesphere.engines.hymotion.sampling import Abandoned, Sample, decoded, joints, latents
from kinesphere.engines.hymotion.texts import Encoded, Encoder
from kinesphere.formats.clip import Clip, forward
from kinesphere.formats.skin import skin_of
from kinesphere.ports import Made, Outcome, SetUp, Work

SHORTEST: Final = 20
"""Frames. The vendor's code silently lengthens what is shorter."""
SAME_FIGURE: Final = 1e-3
"""Metres by which our joints may differ from the vendor's own."""

_ENCODED, _SAMPLED = 0.04, 0.92
"""Parts of the whole that are taken to be done after the text and after the sampling."""

_STILL: Final = re.compile(
    r"\b(stands?|standing|sits?|sitting|lies|lying|still|idles?|idling|motionless|freezes?|frozen"
    r"|waits?|waiting|holds?|poses?|sleeps?|sleeping|meditates?)\b",
    re.IGNORECASE,
)
_FIRST: Final = "a person walks"
"""What is sampled to warm up."""
_LAST_LATIN: Final = 0x024F
_CANCELLED: Final = Failure("CANCELLED", "Cancelled on request.")


class HyMotion:
    """Text to motion by HY-Motion 1.0 or 1.0-Lite.

    Args:
        source: Folder of the vendor's checkout.
        weights: Folder of the weights, laid out as the vendor's `ckpts`.
        variant: Name of the model's folder in `weights`.
        guidance: Scale of classifier-free guidance, up to 1 for none; None for the model's own.
        steps: Steps of the integration; None for the model's own.
        text_cache_bytes: Most bytes of encoded prompts that are kept.
        precision, compiled, encoder, encoder_device: As in `loading.Manner`.
    """

    def __init__(
        self,
        *,
        source: str,
        weights: str,
        variant: str,
        guidance: float | None = None,
        steps: int | None = None,
        text_cache_bytes: int = 256 * 2**20,
        precision: Precision = "tf32",
        compiled: bool = False,
        encoder: Encoding = "bf16",
        encoder_device: str = "",
    ) -> None:
        self._where = (Path(source), Path(weights), variant)
        self._guidance = guidance
        self._steps = steps
        self._text_cache_bytes = text_cache_bytes
        self._manner = Manner(precision, compiled, encoder, encoder_device)
        self._phases: dict[str, float] = {}
        self._run_seconds: float | None = None
        self._device = "cpu"
        self._model: Loaded
        self._texts: Encoder
        self._passes: Passes

    def load(self, device: str) -> None:
        """Read and check every file, and bring the model to `device`. Raises NotLoadable."""
        started = time.monotonic()
        self._device, self._passes = device, Passes(device)
        self._model = read(Files.find(*self._where), self._manner, device)
        if self._steps is not None:
            self._model.pipeline.validation_steps = self._steps
        self._texts = Encoder(self._model.encoder, self._text_cache_bytes)
        was_read = time.monotonic()
        place(self._model, self._manner, device)
        self._phases = {
            "read_weights": was_read - started,
            "to_device": time.monotonic() - was_read,
        }

    def warm_up(self) -> None:
        """Sample twice, and see that our figure moves as the vendor's does. Raises NotLoadable."""
        sample = Sample(self._texts.encode(_FIRST), 0, self._longest)
        started = time.monotonic()
        latents(self._model, [sample], self._guidance, _nothing)
        first = time.monotonic()
        latent = latents(self._model, [sample], self._guidance, _nothing)
        clip = decoded(self._model, latent, 0, sample)
        self._run_seconds = time.monotonic() - first
        if self._manner.compiled:
            self._phases["compile"] = max(0.0, first - started - self._run_seconds)
        theirs = joints(self._model, latent, 0, sample)
        off = float(np.abs(forward(clip)[0] - theirs).max())
        if not off <= SAME_FIGURE:
            raise invalid(f"the vendor's figure poses otherwise than this engine: {off:.3g} m")
        # Half a second that the first GLB would take longer.
        skin_of(self._model.skeleton)

    def set_up(self) -> SetUp:
        """What the loading took."""
        return SetUp(self._phases, self._run_seconds)

    def sleep(self) -> None:
        """Give the device back; the weights and the encoded prompts stay in main memory."""
        self._texts.model = None
        leave(self._model, self._manner)
        release()

    def wake(self) -> None:
        """Be back on the device."""
        come(self._model, self._manner, self._device)
        self._texts.model = self._model.encoder
        # What was compiled may have to be looked at anew, and what torch had reserved is gone.
        sample = Sample(self._texts.encode(_FIRST), 0, self._longest)
        latents(self._model, [sample], self._guidance, _nothing)

    def peak_device_bytes(self) -> int:
        """Most bytes reserved on the device since this was last asked; 0 on the CPU."""
        return peak_bytes(self._device) or 0

    def run(
        self,
        batch: Sequence[Work],
        report: Callable[[int, float, str], None],
        cancelled: Callable[[int], bool],
    ) -> Sequence[Outcome]:
        """Make one clip for each prompt, all in one pass where memory allows."""
        outcomes: dict[int, Outcome] = {}
        samples: dict[int, Sample] = {}
        for index, work in enumerate(batch):
            if cancelled(index):
                outcomes[index] = _CANCELLED
                continue
            report(index, 0.0, "text")
            sample = self._sample(work)
            if isinstance(sample, Failure):
                outcomes[index] = sample
            else:
                samples[index] = sample

        def make(some: Sequence[int]) -> Sequence[Clip | Failure]:
            return self._pass({index: samples[index] for index in some}, report, cancelled)

        places = list(samples)
        for index, made in zip(places, self._passes.run(places, make), strict=True):
            if isinstance(made, Failure):
                outcomes[index] = made
            else:
                outcomes[index] = _told(batch[index], samples[index], made)
        return [outcomes[index] for index in range(len(batch))]

    def unload(self) -> None:
        """Let go of the model."""
        del self._model, self._texts

    @property
    def _longest(self) -> int:
        return int(self._model.pipeline.train_frames)

    def _sample(self, work: Work) -> Sample | Failure:
        """What a piece of work asks for, its prompt encoded; or why it cannot be made."""
        duration, seed = work.request["duration"], work.request["seed"]
        if not isinstance(duration, int | float) or not isinstance(seed, int):
            raise TypeError("a motion request has a numeric duration and an integer seed")
        fps = self._model.pipeline.output_mesh_fps
        frames = round(duration * fps)
        if not SHORTEST <= frames <= self._longest:
            allowed = f"{SHORTEST / fps:.2f} to {self._longest / fps:g} s"
            return Failure("INVALID_REQUEST", f"A clip of {duration:g} s is not within {allowed}.")
        (text,) = self._passes.run([prompt_of(work)], self._encoded)
        return text if isinstance(text, Failure) else Sample(text, seed, frames)

    def _encoded(self, prompts: Sequence[str]) -> list[Encoded]:
        return [self._texts.encode(prompt) for prompt in prompts]

    def _pass(
        self,
        samples: Mapping[int, Sample],
        report: Callable[[int, float, str], None],
        cancelled: Callable[[int], bool],
    ) -> list[Clip | Failure]:
        """Sample all at once and decode one by one, but for those that are cancelled meanwhile."""
        steps = int(self._model.pipeline.validation_steps)
        count = itertools.count()

        def step() -> None:
            wanted = [index for index in samples if not cancelled(index)]
            if not wanted:
                raise Abandoned
            number = next(count)
            part = _ENCODED + (_SAMPLED - _ENCODED) * min(1.0, number / steps)
            for index in wanted:
                report(index, part, f"step {number + 1} of {steps}")

        try:
            latent = latents(self._model, list(samples.values()), self._guidance, step)
        except Abandoned:
            return [_CANCELLED] * len(samples)
        made: list[Clip | Failure] = []
        for row, (index, sample) in enumerate(samples.items()):
            if cancelled(index):
                made.append(_CANCELLED)
            else:
                report(index, _SAMPLED, "decoding")
                made.append(decoded(self._model, latent, row, sample))
        return made


def _told(work: Work, sample: Sample, clip: Clip) -> Made:
    """The clip with what the caller should know of how it came about."""
    prompt = prompt_of(work)
    notes: dict[str, Json] = {}
    if sample.text.cut:
        notes["truncated"] = list(sample.text.cut)
    if any(letter.isalpha() and ord(letter) > _LAST_LATIN for letter in prompt):
        notes["language"] = "The model was made for English; other prompts are read less well."
    return Made(clip, notes, still=_STILL.search(prompt) is not None)


def _nothing() -> None:
    """Between the steps of a warm-up nobody looks."""
