"""What a replica says about itself."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum


class ReplicaState(StrEnum):
    """Where a replica is.

    STARTING loads and warms its engine; READY waits for work; BUSY runs a batch; DRAINING takes no
    more; ASLEEP has its engine in main memory and not on the device, and takes nothing until it is
    woken; SETUP_FAILED waits to try again; DEFUNCT does too, having failed many times in a row, and
    needs somebody's attention; STOPPED has no child and will not have one again.
    """

    STARTING = "starting"
    READY = "ready"
    BUSY = "busy"
    DRAINING = "draining"
    ASLEEP = "asleep"
    SETUP_FAILED = "setup_failed"
    DEFUNCT = "defunct"
    STOPPED = "stopped"


@dataclass(frozen=True, slots=True)
class Placement:
    """Where a replica's engine is, and how it was fitted there. Sizes in bytes.

    Attributes:
        device: "cpu", or the device's name among CUDA_VISIBLE_DEVICES.
        name: What the device is, such as "NVIDIA L4"; "" where nobody tells.
        profile: The profile that it runs in, or "" for an engine that has none.
        source: Where the profile's numbers are from: "measured", or what its model says.
        batch_limit: The most jobs that it takes at once.
        total: Memory of the device, or None where it is not known.
        taken: The most that the engine took of it, or None.
    """

    device: str = "cpu"
    name: str = ""
    profile: str = ""
    source: str = ""
    batch_limit: int | None = None
    total: int | None = None
    taken: int | None = None


@dataclass(frozen=True, slots=True)
class Health:
    """What a replica's device told when it was last read; None is what it does not tell.

    Attributes:
        used: Bytes of its memory in use, by whomever.
        busy: Share of time in which some kernel ran, 0 to 1.
        celsius: Temperature of the chip.
        watts: Power drawn.
        throttled: Whether its clocks are held down.
    """

    used: int | None = None
    busy: float | None = None
    celsius: float | None = None
    watts: float | None = None
    throttled: bool | None = None


@dataclass(frozen=True, slots=True)
class Status:
    """One replica at one moment.

    Attributes:
        worker: Its name, which the ledger keeps with every claim.
        pool: The pool that it serves.
        model: The model that the pool belongs to.
        state: Where it is.
        since: When it came there, s since the epoch.
        pid: Process id of its child, or None without one.
        batches: Batches that ended.
        jobs: Jobs that it finished, successfully.
        held: Jobs that it holds now, those being stored included.
        children: Child processes started.
        load_seconds: Time of the last start until the engine was loaded, that of the process and
            of imports included, or None before the first.
        warm_seconds: Time of the last `warm_up`, or None before the first.
        memory: Bytes of main memory of the child, as it last said; 0 without a child.
        fixed_seconds: Estimated time of a batch before its first job, from claim to free device.
        job_seconds: Estimated time that each typical job adds to a batch.
        delivery_seconds: Typical time from a free device to a stored result.
        free_in: Expected seconds until its device is free, while READY or BUSY; else 0.
        remaining: Expected seconds until each job that it runs is delivered, by job id.
        last_error: What went wrong last, or "".
        tier: The class of hardware that it runs on, or "" where it was not told.
        measured: Whether the times of a batch come from batches that ran here, or in the warm-up.
        phases: Seconds of the last start by phase: spawn, look, import, read_weights, to_device,
            compile, load, warm_up.
        placement: Where it is.
        wake_seconds: Time of the last waking, or None before the first.
        health: How its device is, or None where none is read.
    """

    worker: str
    pool: str
    model: str
    state: ReplicaState
    since: float
    pid: int | None
    batches: int
    jobs: int
    held: int
    children: int
    load_seconds: float | None
    warm_seconds: float | None
    memory: int
    fixed_seconds: float
    job_seconds: float
    last_error: str
    delivery_seconds: float = 0.0
    free_in: float = 0.0
    remaining: Mapping[str, float] = field(default_factory=dict)
    tier: str = ""
    measured: bool = False
    phases: Mapping[str, float] = field(default_factory=dict)
    placement: Placement = Placement()
    wake_seconds: float | None = None
    health: Health | None = None
