"""Real servers: started on loopback in a folder of their own, killed, started again."""

import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Sequence
from itertools import cycle, islice
from pathlib import Path

# Below those that the system gives to outgoing connections. Test processes that run side by side,
# whose numbers follow each other, begin 500 apart and never give a port twice in a row.
_candidates = cycle(range(20_000, 32_000))
_ours = islice(_candidates, os.getpid() % 24 * 500, None)


def free_ports(number: int) -> list[int]:
    """Ports that nobody listens on."""
    found: list[int] = []
    while len(found) < number:
        candidate = next(_ours)
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", candidate))
            except OSError:
                continue
            found.append(candidate)
    return found


class Daemon:
    """One server process. Its ports and its folder stay the same however often it is started."""

    def __init__(
        self,
        folder: Path,
        command: Sequence[str],
        answers: Callable[[], bool],
        environment: dict[str, str] | None = None,
    ) -> None:
        self.folder = folder
        self.data = folder / "data"
        self._command = list(command)
        self._answers = answers
        self._environment = {**os.environ, **(environment or {})}
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def log(self) -> Path:
        """What it printed."""
        return self.folder / "log"

    def start(self, seconds: float = 60.0) -> None:
        """Start it, with the data it has, and wait until it answers."""
        self.data.mkdir(parents=True, exist_ok=True)
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                self._command,
                cwd=self.folder,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=self._environment,
                start_new_session=True,
            )
        limit = time.monotonic() + seconds
        while not self._answers():
            if self._process.poll() is not None or time.monotonic() > limit:
                self.kill()
                raise AssertionError(f"{self._command[0]}: {self.log.read_text()[-4000:]}")
            time.sleep(0.02)

    @property
    def pid(self) -> int:
        """Its process id, once it was started."""
        if self._process is None:
            raise AssertionError("it was not started")
        return self._process.pid

    def kill(self) -> None:
        """End it, and the processes that it started, without a word."""
        self._signal(signal.SIGKILL)
        if self._process is not None:
            self._process.wait(20)

    def restart(self, *, empty: bool = False) -> None:
        """Kill it if it runs and start it on the same ports; `empty`: with its data lost."""
        self.kill()
        if empty:
            shutil.rmtree(self.data)
        self.start()

    def pause(self) -> None:
        """Stop it in its tracks: it accepts connections and answers nothing."""
        self._signal(signal.SIGSTOP)

    def resume(self) -> None:
        """Let it go on after `pause`."""
        self._signal(signal.SIGCONT)

    def _signal(self, number: signal.Signals) -> None:
        if self._process is not None and self._process.poll() is None:
            os.killpg(self._process.pid, number)


def listening(port: int) -> bool:
    """Whether something accepts connections there."""
    with socket.socket() as probe:
        probe.settimeout(1.0)
        return probe.connect_ex(("127.0.0.1", port)) == 0
