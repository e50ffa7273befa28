"""The simulated device, in the replica's child process."""

import math
import os
import random
import time
from collections.abc import Callable, Sequence
from importlib import import_module
from typing import Any, Final

from kinesphere.core.failures import Failure
from kinesphere.core.jobs import Json
from kinesphere.engines.simulated import growing
from kinesphere.ports import File, Made, Outcome, Work

STEP: Final = 0.05
"""Seconds between two looks for cancellations."""

REPORTS: Final = 20
"""Words about its progress in a batch that is long enough for them: a step of a diffusion each."""

_FOREVER: Final = 86_400.0


class Simulated:
    """Takes `fixed` + `per_job` * n seconds for a batch of n, and fails as often as it is told.

    The keywords are the fields of `kinesphere.settings.simulated.SimulatedStage`; `makes` is
    "motion" or "mesh", `payload` the bytes of a file made instead, `grows` the part of `per_job`
    that is in proportion to the length of the clip.
    """

    def __init__(
        self,
        *,
        fixed: float,
        per_job: float,
        cold_start: float,
        noise: float,
        memory_mb: int,
        device_mb: int,
        failures: float,
        crashes: float,
        hangs: float,
        faults: float,
        makes: str,
        payload: int,
        grows: float,
        asleep_mb: int,
    ) -> None:
        self._fixed = fixed
        self._per_job = per_job
        self._cold_start = cold_start
        self._noise = noise
        self._memory_mb = memory_mb
        self._device_mb = device_mb
        self._failures = failures
        self._crashes = crashes
        self._hangs = hangs
        self._faults = faults
        self._makes = makes
        self._payload = payload
        self._asleep_mb = asleep_mb
        self._size = growing(grows)
        # With a payload neither NumPy nor a codec is needed, and a child stays small.
        self._assets: Any = None
        self._memory = bytearray()
        # Not seeded: a retry of the same work must be able to end otherwise.
        self._chance = random.Random()  # noqa: S311 - no secret

    def load(self, device: str) -> None:  # noqa: ARG002 - it stands in for any
        """Take the stated time and memory."""
        self._hold(self._memory_mb)
        _pass(self._cold_start)

    def warm_up(self) -> None:
        """Make one asset."""
        if not self._payload:
            self._assets = import_module("kinesphere.engines.simulated.assets")
        self._made(Work({}))

    def run(
        self,
        batch: Sequence[Work],
        report: Callable[[int, float, str], None],
        cancelled: Callable[[int], bool],
    ) -> Sequence[Outcome]:
        """Let the stated time pass, or crash, or hang, as often as stated."""
        if self._happens(self._crashes):
            os._exit(70)
        spread = math.exp(self._chance.gauss(0.0, self._noise)) if self._noise else 1.0
        work = sum(self._size.weight(each.request) for each in batch)
        seconds = (self._fixed + self._per_job * work) * spread
        if self._happens(self._hangs):
            seconds = _FOREVER
        start, told = time.monotonic(), 0.0
        while (left := start + seconds - time.monotonic()) > 0.0:
            if all(cancelled(index) for index in range(len(batch))):
                break
            _pass(min(STEP, left))
            done = min(1.0, (time.monotonic() - start) / seconds)
            if done - told >= 1.0 / REPORTS:
                told = done
                for index in range(len(batch)):
                    report(index, done, "simulated")
        return [
            Failure("CANCELLED", "Cancelled while it ran.")
            if cancelled(index)
            else self._outcome(work)
            for index, work in enumerate(batch)
        ]

    def peak_device_bytes(self) -> int:
        """What was stated."""
        return self._device_mb * 1_000_000

    def unload(self) -> None:
        """Give the memory back."""
        self._memory = bytearray()

    def _hold(self, megabytes: int) -> None:
        """Keep so much main memory, in 10^6 bytes, and no more."""
        self._memory = bytearray(os.urandom(1)) * (megabytes * 1_000_000)

    def _happens(self, share: float) -> bool:
        return share > 0.0 and self._chance.random() < share

    def _outcome(self, work: Work) -> Outcome:
        if self._happens(self._failures):
            return Failure("ENGINE_FAILED", "Simulated: this attempt was to fail.")
        return self._made(work)

    def _made(self, work: Work) -> Made:
        notes: dict[str, Json] = {"simulated": True}
        if self._payload:
            text = b"simulated\n" * (self._payload // 10 + 1)
            file = File("simulated.txt", "text/plain", text[: self._payload])
            return Made((file,), notes)
        if self._makes == "motion":
            seconds = work.request.get("duration")
            clip = self._assets.standing(seconds if isinstance(seconds, int | float) else 1.0)
            if self._happens(self._faults):
                clip = self._assets.bent(clip)
            return Made(clip, notes, still=True)
        return Made((self._assets.box(str(work.request.get("format", "glb"))),), notes)


def _pass(seconds: float) -> None:
    if seconds > 0.0:
        time.sleep(seconds)
