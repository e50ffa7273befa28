"""What a target says of itself, and a target that runs."""

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path

import psutil

HERE = Path(__file__).parent
ROOT = HERE.parent.parent
ENVIRONMENTS = ROOT / ".judges" / "peers"


@dataclass(frozen=True, slots=True)
class Load:
    """What the engine of a run is: its times in seconds, its batches, and how many there are."""

    fixed: float = 0.0
    per_job: float = 0.0
    batch: int = 1
    devices: int = 1


@dataclass(frozen=True, slots=True)
class Servers:
    """What a target needs around it: variables that tell where it is, and its process ids."""

    variables: Mapping[str, str] = field(default_factory=dict)
    pids: Sequence[int] = ()


@dataclass(frozen=True, slots=True)
class Setup:
    """What a target is started with: a port, a folder of its own, its servers, and the load."""

    port: int
    folder: Path
    load: Load
    servers: Servers = field(default_factory=Servers)

    @property
    def url(self) -> str:
        """Where it is to listen."""
        return f"http://127.0.0.1:{self.port}"


@dataclass(frozen=True, slots=True)
class Ask:
    """A request: POST, JSON."""

    path: str
    body: Mapping[str, object]
    headers: Mapping[str, str] = field(default_factory=dict)


def plain(path: str) -> Callable[[str], Ask]:
    """Asks that carry the job's number and nothing else."""
    return lambda job: Ask(path, {"job": job})


@dataclass(frozen=True, slots=True)
class Target:
    """One way to serve the engine.

    Attributes:
        name: On the command line.
        title: In the report, with its version.
        requirements: Packages of its own environment, pinned; none for this checkout's.
        commands: The processes, by name; `{python}` is its environment's, `{bin}` its folder.
        call: Asks for a result, and is answered with it.
        submit: Asks, and is answered at once; None where nothing of the kind exists.
        worker: The name of the process whose child, or which itself, runs the engine; "" where it
            is a child of the only one.
        redelivery: Seconds within which it takes up again, by its own settings, what a process of
            it held that was killed; 0 where it never does.
        servers: Makes the servers that it needs; their time and memory count as its own.
        settings: Further variables.
    """

    name: str
    title: str
    commands: Callable[[Setup], Mapping[str, Sequence[str]]]
    call: Callable[[str], Ask]
    submit: Callable[[str], Ask] | None = None
    requirements: tuple[str, ...] = ()
    servers: Callable[[], AbstractContextManager[Servers]] = lambda: nullcontext(Servers())
    worker: str = ""
    redelivery: float = 0.0
    settings: Mapping[str, str] = field(default_factory=dict)

    def installed(self) -> Path:
        """Its interpreter, once its environment is there."""
        if not self.requirements:
            return Path(sys.executable)
        home = ENVIRONMENTS / self.name
        python, told = home / "bin" / "python", home / "requirements.json"
        wanted = json.dumps(self.requirements)
        if not told.exists() or told.read_text() != wanted:
            uv = (
                shutil.which("uv", path=f"{Path(sys.executable).parent}:{os.environ['PATH']}")
                or "uv"
            )
            shutil.rmtree(home, ignore_errors=True)
            subprocess.run([uv, "-q", "venv", "-p", sys.executable, home], check=True)
            subprocess.run(
                [uv, "-q", "pip", "install", "-p", python, *self.requirements], check=True
            )
            told.write_text(wanted)
        return python


class Running:
    """A target's processes."""

    def __init__(self, target: Target, setup: Setup, done: Path | None) -> None:
        self.target = target
        self.setup = setup
        self._done = done
        self._processes: dict[str, subprocess.Popen[bytes]] = {}

    def start(self) -> None:
        """Start every process that does not run."""
        python = self.target.installed()
        load = self.setup.load
        environment = {
            **{n: value for n, value in os.environ.items() if not n.startswith("KINESPHERE_")},
            "PATH": f"{python.parent}:{os.environ['PATH']}",
            "PYTHONPATH": os.pathsep.join([str(HERE / "apps"), str(self.setup.folder)]),
            "PEERS_FIXED": str(load.fixed),
            "PEERS_PER_JOB": str(load.per_job),
            "PEERS_BATCH": str(load.batch),
            "PEERS_DEVICES": str(load.devices),
            **self.setup.servers.variables,
            "PEERS_DONE": str(self._done or ""),
            **self.target.settings,
        }
        for name, words in self.target.commands(self.setup).items():
            if name in self._processes and self._processes[name].poll() is None:
                continue
            filled = [word.format(python=python, bin=python.parent) for word in words]
            with (self.setup.folder / f"{name}.log").open("ab") as log:
                self._processes[name] = subprocess.Popen(
                    filled, cwd=HERE / "apps", env=environment, stdin=subprocess.DEVNULL,
                    stdout=log, stderr=log, start_new_session=True,
                )  # fmt: skip

    def named(self) -> dict[str, int]:
        """The process ids of what was started, by name."""
        return {name: process.pid for name, process in self._processes.items()}

    def tree(self) -> list[psutil.Process]:
        """Every process of it that lives, with the servers that it needs."""
        return self._tree([*self._pids(), *self.setup.servers.pids])

    def _pids(self) -> list[int]:
        return [process.pid for process in self._processes.values()]

    def _tree(self, pids: Sequence[int]) -> list[psutil.Process]:
        found: list[psutil.Process] = []
        for pid in pids:
            try:
                parent = psutil.Process(pid)
                found += [parent, *parent.children(recursive=True)]
            except psutil.NoSuchProcess:
                continue
        return found

    def cpu(self) -> float:
        """Seconds of processor time so far, ended children included."""
        total = 0.0
        for process in self.tree():
            try:
                times = process.cpu_times()
            except psutil.NoSuchProcess:
                continue
            total += times.user + times.system
        return total

    def memory(self) -> float:
        """Proportional set size of all of it, in MiB."""
        return float(sum(process.memory_full_info().pss for process in self.tree())) / 2**20

    def kill_worker(self) -> None:
        """`kill -9` of one process that runs the engine."""
        name = self.target.worker or next(iter(self._processes))
        parent = psutil.Process(self._processes[name].pid)
        children = [child for child in parent.children(recursive=True) if _runs_engine(child)]
        (children[0] if children else parent).kill()

    def kill(self) -> None:
        """`kill -9` of everything but the servers that it needs."""
        _killed([*self._known(), *self._tree(self._pids())])
        for each in self._processes.values():
            each.wait()

    def stop(self) -> None:
        """End it, politely first."""
        known = [*self._known(), *self._tree(self._pids())]
        for process in self._processes.values():
            if process.poll() is None:
                process.send_signal(signal.SIGTERM)
        limit = time.monotonic() + 10.0
        while time.monotonic() < limit and any(p.poll() is None for p in self._processes.values()):
            time.sleep(0.05)
        # Some leave children behind, which then are nobody's.
        _killed(known)
        self.kill()

    def _known(self) -> list[psutil.Process]:
        """Whoever is in a session that was begun for it, whoever the parent is by now."""
        ours = {process.pid for process in self._processes.values()}
        return [each for each in psutil.process_iter() if _session(each) in ours]


def _session(process: psutil.Process) -> int | None:
    try:
        return os.getsid(process.pid)
    except (ProcessLookupError, PermissionError):
        return None


def _killed(processes: Sequence[psutil.Process]) -> None:
    for process in processes:
        try:
            process.kill()
        except psutil.NoSuchProcess:
            continue


def _runs_engine(process: psutil.Process) -> bool:
    """Whether it has the engine's record open, as only who runs the engine has."""
    try:
        return any(Path(opened.path).name == "done.txt" for opened in process.open_files())
    except psutil.NoSuchProcess:
        return False


def free_port() -> int:
    """A port that nobody listens at."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


@contextmanager
def running(
    target: Target, folder: Path, load: Load, *, counted: bool = False
) -> Iterator[Running]:
    """The target at work in an empty folder; `counted` keeps the engine's own record."""
    folder.mkdir(parents=True)
    with target.servers() as servers:
        setup = Setup(free_port(), folder, load, servers)
        made = Running(target, setup, folder / "done.txt" if counted else None)
        try:
            made.start()
            yield made
        finally:
            made.stop()
