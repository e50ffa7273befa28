"""Which devices this process hands out to replicas, and which one a new replica gets."""

import os
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Final

from kinesphere.adapters.nvml import Nvml, NvmlUnavailable, present
from kinesphere.core.catalog import Catalog, Model
from kinesphere.core.replicas import ReplicaState, Status
from kinesphere.settings import Settings
from kinesphere.worker.process import Launch

CPU: Final = "cpu"
NO_GPU: Final = frozenset({CPU, "mps"})
"""Devices that no driver tells of."""


def wants_device(model: Model) -> bool:
    """Whether a model is more than the CPU is meant for."""
    return not (model.embedded or model.simulated)


def handed_out(settings: Settings, catalog: Catalog) -> tuple[str, ...]:
    """The devices for replicas here; the CPU where there is no other, or no need of one."""
    if settings.devices is not None:
        return settings.devices
    if not any(map(wants_device, catalog.models)):
        return (CPU,)
    try:
        nvml = Nvml()
    except NvmlUnavailable:
        return tuple(present(None, os.environ)) or (CPU,)
    try:
        return tuple(present(nvml, os.environ)) or (CPU,)
    finally:
        nvml.close()


def placed(launch: Launch, model: Model, devices: Sequence[str], there: Iterable[Status]) -> Launch:
    """`launch` on the device that the fewest replicas of those `there` are on."""
    if not wants_device(model):
        return launch
    used = Counter(s.placement.device for s in there if s.state is not ReplicaState.STOPPED)
    device = min(devices, key=lambda name: used[name])
    if device in NO_GPU:
        return replace(launch, device=device)
    # The only one that it sees is its first.
    return replace(launch, device="cuda:0", gpu=device)
