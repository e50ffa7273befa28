"""Which processors belong to which node of main memory, and where engines' processes may run."""

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

_NODES: Final = Path("/sys/devices/system/node")
_PROC: Final = Path("/proc")
_CHILD: Final = b"kinesphere.worker.child"


@dataclass(frozen=True, slots=True)
class EngineProcess:
    """A replica's child process: its GPU by CUDA_VISIBLE_DEVICES, and the CPUs it may run on."""

    pid: int
    gpu: str
    cpus: frozenset[int]


def nodes(folder: Path = _NODES) -> Mapping[int, frozenset[int]]:
    """The CPUs of each node of main memory; none where the system does not say."""
    found: dict[int, frozenset[int]] = {}
    for path in folder.glob("node[0-9]*"):
        try:
            found[int(path.name.removeprefix("node"))] = cpus((path / "cpulist").read_text())
        except (OSError, ValueError):
            continue
    return found


def cpus(text: str) -> frozenset[int]:
    """The numbers of a list such as `0-3,8`."""
    found: set[int] = set()
    for part in filter(None, text.strip().split(",")):
        first, _, last = part.partition("-")
        found |= set(range(int(first), int(last or first) + 1))
    return frozenset(found)


def allowed(pid: int = 0) -> frozenset[int] | None:
    """The CPUs that a process may run on, 0 for this one; None where the system does not say."""
    if not hasattr(os, "sched_getaffinity"):
        return None
    try:
        return frozenset(os.sched_getaffinity(pid))
    except OSError:
        return None


def engine_processes(proc: Path = _PROC) -> Iterator[EngineProcess]:
    """The replicas' children on this machine that use a GPU and whose owner we are."""
    for folder in proc.glob("[0-9]*"):
        try:
            if _CHILD not in (folder / "cmdline").read_bytes().split(b"\0"):
                continue
            variables = (folder / "environ").read_bytes().split(b"\0")
            status = (folder / "status").read_text()
        except OSError:
            continue
        named = [v.partition(b"=")[2] for v in variables if v.startswith(b"CUDA_VISIBLE_DEVICES=")]
        ours = [line.partition(":")[2] for line in status.splitlines() if _lists_cpus(line)]
        if named and named[-1] and ours:
            yield EngineProcess(int(folder.name), named[-1].decode(), cpus(ours[0]))


def _lists_cpus(line: str) -> bool:
    return line.startswith("Cpus_allowed_list:")
