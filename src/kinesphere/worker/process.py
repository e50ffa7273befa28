"""The supervisor's handle on one child process: its frames, its prints, its end."""

import asyncio
import os
import signal
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from kinesphere.ports import Clock
from kinesphere.worker.console import Console
from kinesphere.worker.messages import HEADER, FromChild, ToChild, frame, from_child, length

STREAM_LIMIT: Final = 1 << 20
LAST_WORDS: Final = 1.0
"""Seconds in which the pipes of a dead child are read to their end."""

UNKILLABLE: Final = 10.0
"""Seconds after which a killed process is left to the system."""

_THREADS: Final = (
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "NUMEXPR_NUM_THREADS",
    "VECLIB_MAXIMUM_THREADS",
)
_OWN_PREFIX: Final = "KINESPHERE_"


@dataclass(frozen=True, slots=True)
class Launch:
    """How a child process is started.

    Attributes:
        device: Given to the engine's `load`.
        gpu: Name of the only GPU that the child may see, or "" for what its environment says. Some
            pipelines go to the first device whatever they are told.
        threads: Threads that numerical libraries of the child may use; 0 leaves it to them.
        environment: The child's environment. Settings of the platform itself (KINESPHERE_*) are
            left out of it: they may hold secrets, and engines have no business with them.
        python: The interpreter; None for the one that runs this.
    """

    device: str = "cpu"
    gpu: str = ""
    threads: int = 1
    environment: Mapping[str, str] = field(default_factory=lambda: dict(os.environ))
    python: Path | None = None

    def variables(self) -> dict[str, str]:
        """The child's environment."""
        kept = {k: v for k, v in self.environment.items() if not k.startswith(_OWN_PREFIX)}
        if self.python is not None:
            # They lead our own interpreter to its packages, and another one astray.
            for name in ("PYTHONHOME", "PYTHONPATH", "VIRTUAL_ENV"):
                kept.pop(name, None)
        limits = dict.fromkeys(_THREADS, str(self.threads)) if self.threads else {}
        # By bus, as the driver counts, not by speed: a number must name the same device to both.
        gpu = {"CUDA_VISIBLE_DEVICES": self.gpu, "CUDA_DEVICE_ORDER": "PCI_BUS_ID"}
        return {**kept, **limits, **(gpu if self.gpu else {})}


class Child:
    """One running `kinesphere.worker.child`."""

    def __init__(self, process: Process, clock: Clock, say: Callable[[str], None]) -> None:
        self._process = process
        self._clock = clock
        self._say = say
        self._relay = asyncio.create_task(self._relay_prints())

    @classmethod
    async def start(cls, launch: Launch, clock: Clock, say: Callable[[str], None]) -> "Child":
        """Spawn a child; each line that it prints is given to `say`, within limits."""
        process = await asyncio.create_subprocess_exec(
            sys.executable if launch.python is None else str(launch.python),
            "-m",
            "kinesphere.worker.child",
            str(os.getpid()),
            stdin=PIPE,
            stdout=PIPE,
            stderr=PIPE,
            env=launch.variables(),
            limit=STREAM_LIMIT,
            start_new_session=True,
        )
        return cls(process, clock, say)

    @property
    def pid(self) -> int:
        """The child's process id, also that of its process group."""
        return self._process.pid

    def send(self, message: ToChild) -> None:
        """Queue one message. A dead child takes it silently: `receive` tells of the death.

        Raises Garbled when the message is longer than a frame may be.
        """
        data = frame(message)
        stdin = self._process.stdin
        if stdin is not None and not stdin.is_closing():
            stdin.write(data)

    async def receive(self) -> FromChild | None:
        """The next message, or None when there will be no more. Raises Garbled."""
        assert self._process.stdout is not None  # noqa: S101 - asked for with PIPE
        try:
            header = await self._process.stdout.readexactly(HEADER.size)
            return from_child(await self._process.stdout.readexactly(length(header)))
        except (asyncio.IncompleteReadError, ConnectionError):
            return None

    def kill(self) -> None:
        """End the child and all that it started, at once."""
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(self._process.pid, signal.SIGKILL)

    async def end(self) -> str:
        """Kill what is left, release every resource, and say how the child ended."""
        if self._process.stdin is not None:
            self._process.stdin.close()
        if self._process.returncode is None:
            self.kill()
        try:
            status = await asyncio.wait_for(self._process.wait(), UNKILLABLE)
        except TimeoutError:
            # Stuck in a driver, where no signal reaches it; nobody should wait for that.
            self._relay.cancel()
            return "did not end when it was killed"
        # What the engine started may outlive it, holding the device and the pipes.
        self.kill()
        drained = asyncio.create_task(self._drain())
        await asyncio.wait({drained, self._relay}, timeout=LAST_WORDS)
        for task in (drained, self._relay):
            task.cancel()
        await asyncio.gather(drained, self._relay, return_exceptions=True)
        return in_words(status)

    async def _drain(self) -> None:
        while self._process.stdout is not None and await self._process.stdout.read(STREAM_LIMIT):
            pass

    async def _relay_prints(self) -> None:
        console = Console()
        while self._process.stderr is not None:
            data = await self._process.stderr.read(STREAM_LIMIT)
            lines = console.feed(data, self._clock.monotonic()) if data else console.end()
            for line in lines:
                self._say(line)
            if not data:
                return


def in_words(status: int) -> str:
    """How a process ended, by its return code, as the end of a sentence."""
    if status >= 0:
        return f"exited with status {status}"
    try:
        name = signal.Signals(-status).name
    except ValueError:
        name = f"signal {-status}"
    if -status == signal.SIGKILL:
        return f"was killed by {name}, as the system does when memory runs out"
    return f"was killed by {name}"
