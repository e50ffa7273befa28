"""Engines that behave and engines that do not. A job's `act` says what is to happen to it."""

import ctypes
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any

from kinesphere.core.failures import Failure
from kinesphere.ports import File, Made, Outcome, SetUp, Work

Report = Callable[[int, float, str], None]
Cancelled = Callable[[int], bool]

HELPER = ["sleep", "3601.25"]

_leaked: list[bytearray] = []


def made(text: str = "made") -> Made:
    return Made((File("out.txt", "text/plain", text.encode()),), {"said": text})


def clip() -> Any:
    """Two seconds of standing still with swinging arms."""
    import numpy as np

    from kinesphere.formats.clip import JOINT_NAMES, STANDARD, Clip

    time_axis = np.arange(60) / 30.0
    rotation = np.tile(np.eye(3), (60, len(JOINT_NAMES), 1, 1))
    for name, side in (("L_Shoulder", -1.0), ("R_Shoulder", 1.0)):
        angle = side * (0.9 + 0.2 * np.sin(2 * np.pi * 0.5 * time_axis))
        joint = rotation[:, JOINT_NAMES.index(name)]
        joint[:, 0, 0] = joint[:, 1, 1] = np.cos(angle)
        joint[:, 1, 0], joint[:, 0, 1] = np.sin(angle), -np.sin(angle)
    return Clip(np.tile(STANDARD.offsets[0], (60, 1)), rotation)


class Simple:
    """Does nothing, slowly if asked to: `fixed` + `each` s a job."""

    def __init__(self, fixed: float = 0.0, each: float = 0.0) -> None:
        self.fixed = fixed
        self.each = each

    def load(self, device: str) -> None:
        pass

    def warm_up(self) -> None:
        pass

    def run(self, batch: Sequence[Work], report: Report, cancelled: Cancelled) -> Sequence[Outcome]:
        time.sleep(self.fixed + self.each * len(batch))
        return [made(f"batch of {len(batch)}") for _ in batch]

    def unload(self) -> None:
        pass


class RaisesInConstructor(Simple):
    def __init__(self) -> None:
        raise ValueError("no such precision")


class RaisesInLoad(Simple):
    def load(self, device: str) -> None:
        raise RuntimeError(f"no device {device}")


class RaisesInWarmUp(Simple):
    def warm_up(self) -> None:
        raise RuntimeError("cold")


class ExitsInLoad(Simple):
    def load(self, device: str) -> None:
        sys.exit(3)


class DiesInLoad(Simple):
    def load(self, device: str) -> None:
        os._exit(4)


class HangsInLoad(Simple):
    def load(self, device: str) -> None:
        time.sleep(3600)


class HangsInUnload(Simple):
    def unload(self) -> None:
        time.sleep(3600)


class LoadsOnlyTheSecondTime(Simple):
    """Fails unless the file of its option is there, which it makes."""

    def __init__(self, mark: str) -> None:
        super().__init__()
        self.mark = mark

    def load(self, device: str) -> None:
        if not os.path.exists(self.mark):  # noqa: PTH110 - the child stays light
            os.close(os.open(self.mark, os.O_CREAT | os.O_WRONLY))
            raise RuntimeError("not yet")


class Second(Simple):
    """The second stage of a model: says what the first one made."""

    def run(self, batch: Sequence[Work], report: Report, cancelled: Cancelled) -> Sequence[Outcome]:
        return [made("second of " + work.inputs["out.txt"].decode()) for work in batch]


class WaitsForFile(Simple):
    """Says that it is half-way, and ends when the file of its option is there."""

    def __init__(self, mark: str) -> None:
        super().__init__()
        self.mark = mark

    def run(self, batch: Sequence[Work], report: Report, cancelled: Cancelled) -> Sequence[Outcome]:
        for index in range(len(batch)):
            report(index, 0.5, "waiting")
        while not os.path.exists(self.mark):  # noqa: PTH110 - the child stays light
            time.sleep(0.005)
        return [made() for _ in batch]


class Actor(Simple):
    """Does with each job what its `act` says."""

    def run(self, batch: Sequence[Work], report: Report, cancelled: Cancelled) -> Sequence[Outcome]:
        outcomes: list[Any] = []
        for index, work in enumerate(batch):
            act = getattr(self, str(work.request.get("act", "fine")))
            outcomes.append(act(index, report, cancelled))
        return [outcome for outcome in outcomes if outcome is not None]

    def fine(self, index: int, report: Report, cancelled: Cancelled) -> Any:
        return made()

    def moves(self, index: int, report: Report, cancelled: Cancelled) -> Any:
        return Made(clip(), {"understood": ["stand"]})

    def raises(self, index: int, report: Report, cancelled: Cancelled) -> Any:
        raise KeyError("joint")

    def runs_out_of_memory(self, index: int, report: Report, cancelled: Cancelled) -> Any:
        raise MemoryError

    def exits(self, index: int, report: Report, cancelled: Cancelled) -> Any:
        sys.exit(3)

    def exits_at_once(self, index: int, report: Report, cancelled: Cancelled) -> Any:
        os._exit(0)

    def segfaults(self, index: int, report: Report, cancelled: Cancelled) -> Any:
        ctypes.string_at(0)

    def is_killed(self, index: int, report: Report, cancelled: Cancelled) -> Any:
        os.kill(os.getpid(), signal.SIGKILL)

    def hangs(self, index: int, report: Report, cancelled: Cancelled) -> Any:
        time.sleep(3600)

    def hangs_with_helper(self, index: int, report: Report, cancelled: Cancelled) -> Any:
        subprocess.Popen(HELPER)
        time.sleep(3600)

    def garbles(self, index: int, report: Report, cancelled: Cancelled) -> Any:
        for number in range(3, 20):
            with suppress(OSError):
                os.write(number, b"\xff" * 8)
        time.sleep(3600)

    def is_left_out(self, index: int, report: Report, cancelled: Cancelled) -> Any:
        return None

    def is_a_number(self, index: int, report: Report, cancelled: Cancelled) -> Any:
        return 42

    def has_odd_notes(self, index: int, report: Report, cancelled: Cancelled) -> Any:
        return Made(made().asset, {"key": object()})  # type: ignore[dict-item]  # on purpose

    def has_odd_code(self, index: int, report: Report, cancelled: Cancelled) -> Any:
        return Failure("OUT_OF_LUCK", "never heard of")

    def skips(self, index: int, report: Report, cancelled: Cancelled) -> Any:
        return Failure("CANCELLED", "nobody asked")

    def is_broken_numbers(self, index: int, report: Report, cancelled: Cancelled) -> Any:
        broken = clip()
        broken.rotation[7] = float("nan")
        return Made(broken)

    def prints(self, index: int, report: Report, cancelled: Cancelled) -> Any:
        for _ in range(1000):
            sys.stdout.write("x" * 5_000 + "\n")
            sys.stderr.write("y" * 5_000 + "\n")
        os.write(1, b"z" * 1_000_000)
        return made()

    def talks_to_its_output(self, index: int, report: Report, cancelled: Cancelled) -> Any:
        os.write(1, b"\x00\x00\x00\x01\xc0" * 100)
        return made(sys.stdin.read())

    def leaks(self, index: int, report: Report, cancelled: Cancelled) -> Any:
        _leaked.append(bytearray(b"x" * 64 * 1024 * 1024))
        return made()

    def obeys(self, index: int, report: Report, cancelled: Cancelled) -> Any:
        report(index, 0.5, "waiting")
        while not cancelled(index):
            time.sleep(0.005)
        return Failure("CANCELLED", "as asked")

    def ignores(self, index: int, report: Report, cancelled: Cancelled) -> Any:
        report(index, 0.5, "deaf")
        time.sleep(3600)

    def progresses(self, index: int, report: Report, cancelled: Cancelled) -> Any:
        for step in range(2000):
            report(index, step / 2000, "step")
            time.sleep(0.0005)
        return made()


class Fitted(Simple):
    """Knows its precision, and measures as engines on a GPU do."""

    def __init__(self, precision: str) -> None:
        super().__init__()
        self.precision = precision
        self.peaks = [12 * 10**9, 13 * 10**9]

    def load(self, device: str) -> None:
        time.sleep(0.05)

    def warm_up(self) -> None:
        time.sleep(0.05)

    def set_up(self) -> SetUp:
        return SetUp({"read_weights": 0.02, "to_device": 0.01, "compile": 0.03}, run_seconds=0.25)

    def peak_device_bytes(self) -> int:
        return self.peaks.pop(0)
