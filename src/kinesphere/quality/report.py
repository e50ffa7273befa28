"""What a judgement says: one measure a check, and a verdict over all of them."""

import math
from dataclasses import dataclass
from typing import Any, Final, Literal

import numpy as np
from numpy.typing import NDArray

Verdict = Literal["pass", "warn", "fail"]

MOST_FRAMES: Final = 20
_SEVERITY: Final[dict[Verdict, int]] = {"pass": 0, "warn": 1, "fail": 2}


@dataclass(frozen=True, slots=True)
class Measure:
    """One figure of a motion, held against two thresholds.

    The verdict follows from the figure alone: it warns beyond `warn_at` and fails beyond
    `fail_at`; beyond means above, but below for a measure whose `lower_is_worse`.

    Attributes:
        name: Stable name of the check, as in the table of `kinesphere.quality`.
        value: The figure; None where the clip is so broken that there is none.
        unit: Unit of the value and of both thresholds; "" for a count or a share.
        verdict: "pass", "warn" or "fail".
        warn_at: Threshold of a warning, None when the check never warns.
        fail_at: Threshold of a failure, None when the check never fails.
        frames: Frames at fault, ascending from 0, at most 20; empty when it passes.
        joints: Names of the joints at fault, the worst first; empty when it passes.
        source: Where the thresholds come from.
        lower_is_worse: Whether small values are the bad ones.
    """

    name: str
    value: float | None
    unit: str
    verdict: Verdict
    warn_at: float | None
    fail_at: float | None
    frames: tuple[int, ...]
    joints: tuple[str, ...]
    source: str
    lower_is_worse: bool = False

    def as_dict(self) -> dict[str, Any]:
        """The measure as JSON values."""
        return {
            "name": self.name,
            "value": self.value,
            "unit": self.unit,
            "verdict": self.verdict,
            "warn_at": self.warn_at,
            "fail_at": self.fail_at,
            "lower_is_worse": self.lower_is_worse,
            "frames": list(self.frames),
            "joints": list(self.joints),
            "source": self.source,
        }


@dataclass(frozen=True, slots=True)
class LeftOut:
    """A group of checks that could not be made, and why."""

    name: str
    reason: str


@dataclass(frozen=True, slots=True)
class Report:
    """The judgement of one clip.

    Attributes:
        measures: Every check that was made, in a fixed order.
        left_out: Every group of checks that was not.
    """

    measures: tuple[Measure, ...]
    left_out: tuple[LeftOut, ...] = ()

    @property
    def verdict(self) -> Verdict:
        """The worst verdict of all measures."""
        return max((m.verdict for m in self.measures), key=_SEVERITY.__getitem__, default="pass")

    def __getitem__(self, name: str) -> Measure:
        """The measure of that name.

        Raises:
            KeyError: No such check was made.
        """
        for measure in self.measures:
            if measure.name == name:
                return measure
        raise KeyError(name)

    def as_dict(self) -> dict[str, Any]:
        """The report as JSON values; every number is finite."""
        return {
            "verdict": self.verdict,
            "measures": [measure.as_dict() for measure in self.measures],
            "left_out": [{"name": out.name, "reason": out.reason} for out in self.left_out],
        }


@dataclass(frozen=True, slots=True)
class Check:
    """Name, unit, thresholds and source of a measure yet to be taken; see `Measure`."""

    name: str
    unit: str
    warn_at: float | None
    fail_at: float | None
    source: str
    lower_is_worse: bool = False

    def beyond(self, value: float, threshold: float | None) -> bool:
        """Whether the value is on the bad side of the threshold."""
        if threshold is None:
            return False
        return value < threshold if self.lower_is_worse else value > threshold

    def verdict(self, value: float) -> Verdict:
        """The verdict on a value; one that is not finite fails."""
        if not math.isfinite(value) or self.beyond(value, self.fail_at):
            return "fail"
        return "warn" if self.beyond(value, self.warn_at) else "pass"

    def measure(
        self,
        value: float,
        faults: NDArray[np.bool_] | None = None,
        names: tuple[str, ...] = (),
    ) -> Measure:
        """The value with its verdict and what is at fault.

        Args:
            value: In the check's unit.
            faults: (T,) or (T, N): which frame, or which joint in which frame, is at fault.
            names: The joint of each column of `faults`; columns may share a joint.
        """
        verdict = self.verdict(value)
        frames: tuple[int, ...] = ()
        joints: tuple[str, ...] = ()
        if verdict != "pass" and faults is not None:
            grid = faults.reshape(faults.shape[0], -1)
            frames = tuple(np.flatnonzero(grid.any(axis=1))[:MOST_FRAMES].tolist())
            if names:
                counts = np.count_nonzero(grid, axis=0).tolist()
                at_fault = (column for column, count in enumerate(counts) if count)
                order = sorted(at_fault, key=counts.__getitem__, reverse=True)
                joints = tuple(dict.fromkeys(names[j] for j in order))
        return Measure(
            name=self.name,
            value=float(value) if math.isfinite(value) else None,
            unit=self.unit,
            verdict=verdict,
            warn_at=self.warn_at,
            fail_at=self.fail_at,
            frames=frames,
            joints=joints,
            source=self.source,
            lower_is_worse=self.lower_is_worse,
        )
