"""Fitting a model to a device: which of its profiles, and how many jobs at once.

A profile is one way to run a model: precision, quantisation, what is kept in main memory. The model
lists its profiles best first. The first that fits is taken, even where a lesser one would allow a
larger batch: results must not change with how much happens to be free beyond the need.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Final

Option = str | int | float | bool

CONTEXT_BYTES: Final = 512 * 2**20
"""Kept free on the device for what no allocator counts: the driver's context of a process, its
kernels and the libraries' workspaces. They take 300 to 500 MB on current drivers, depending on how
many kernels are loaded."""

FRAGMENTED_SHARE: Final = 0.05
"""Part of a profile's own memory that is lost between the blocks of a caching allocator, which
gives out blocks of 2 MB and keeps the odd ends. Peak reserved beyond peak allocated memory."""


@dataclass(frozen=True, slots=True)
class Profile:
    """One way to run a model on a device.

    Attributes:
        name: Short and stable, such as "fp16" or "int8-offload".
        device_bytes: The most memory that it takes on the device with a batch of one.
        per_job_bytes: What each further job of a batch adds on the device; 0 where jobs share.
        host_bytes: The most main memory that it takes, weights kept there included.
        options: Keywords for the engine's constructor, over those of its stage.
        source: Where these numbers are from: a publication, or "measured".
    """

    name: str
    device_bytes: int
    per_job_bytes: int = 0
    host_bytes: int = 0
    options: Mapping[str, Option] = field(default_factory=dict)
    source: str = "declared"

    def __post_init__(self) -> None:
        if min(self.device_bytes, self.per_job_bytes, self.host_bytes) < 0:
            raise ValueError(f"the profile {self.name!r} takes less than no memory")

    def on_device(self, batch: int) -> int:
        """Bytes on the device with `batch` jobs at once."""
        return self.device_bytes + (batch - 1) * self.per_job_bytes

    def corrected(self, seen: "Footprint") -> "Profile":
        """The same with what was measured in place of what was declared."""
        return replace(
            self,
            device_bytes=seen.device_bytes,
            per_job_bytes=self.per_job_bytes if seen.per_job_bytes is None else seen.per_job_bytes,
            host_bytes=self.host_bytes if seen.host_bytes is None else seen.host_bytes,
            source=self.source if seen.device_bytes == self.device_bytes else "measured",
        )


@dataclass(frozen=True, slots=True)
class Footprint:
    """What a profile was seen to take. None is what was not measured.

    Attributes:
        device_bytes: Peak on the device with a batch of one, loading and reserved blocks included.
        per_job_bytes: What each further job was seen to add.
        host_bytes: Peak main memory of the process.
        run_bytes: Peak on the device while a batch of one ran, without the loading before it.
    """

    device_bytes: int
    per_job_bytes: int | None = None
    host_bytes: int | None = None
    run_bytes: int | None = None

    def seen(self, batch: int, run_bytes: int) -> "Footprint":
        """This, after a batch of `batch` jobs whose run took `run_bytes` at its peak."""
        if batch <= 1:
            return replace(
                self,
                device_bytes=max(self.device_bytes, run_bytes),
                run_bytes=max(self.run_bytes or 0, run_bytes),
            )
        if self.run_bytes is None:
            return self
        # The steepest seen: a batch of short jobs must not promise room for long ones.
        slope = max(0, -(-(run_bytes - self.run_bytes) // (batch - 1)))
        return replace(self, per_job_bytes=max(slope, self.per_job_bytes or 0))


@dataclass(frozen=True, slots=True)
class Fitted:
    """The profile to run, and the most jobs in a batch, at least one."""

    profile: Profile
    batch_limit: int


@dataclass(frozen=True, slots=True)
class Unfit:
    """No profile fits; why, by its name."""

    reasons: Mapping[str, str]

    def __str__(self) -> str:
        return "; ".join(f"{name}: {reason}" for name, reason in self.reasons.items())


def margin(profile: Profile) -> int:
    """Bytes to be left free on the device beside what a profile is said to take.

    A measured peak holds the odd ends of the allocator already, a declared one does not.
    """
    if not profile.device_bytes:
        return 0
    share = 0.0 if profile.source == "measured" else FRAGMENTED_SHARE
    return CONTEXT_BYTES + int(share * profile.device_bytes)


def fit(
    profiles: Sequence[Profile],
    free_device_bytes: int | None,
    free_host_bytes: int | None,
    batch_wanted: int,
    *,
    measured: Mapping[str, Footprint] = MappingProxyType({}),
    unified: bool = False,
) -> Fitted | Unfit:
    """The first profile that fits, and how many jobs at once, up to `batch_wanted`.

    Args:
        profiles: Best first; at least one.
        free_device_bytes: Free memory of the device before anything is loaded. None where it is not
            known: then nothing speaks against a profile but the host, and an out-of-memory error
            of the engine has the last word.
        free_host_bytes: Available main memory; None where it is not known.
        batch_wanted: Jobs at once that the model can run at most, at least 1.
        measured: By profile name, what it took when it ran here before.
        unified: Whether device and host share one memory, as on a CPU or an integrated GPU. Then
            the smaller of the two numbers that are known must hold both needs.
    """
    if batch_wanted < 1:
        raise ValueError(f"a batch of {batch_wanted} is none")
    reasons: dict[str, str] = {}
    for declared in profiles:
        seen = measured.get(declared.name)
        profile = declared if seen is None else declared.corrected(seen)
        room, reason = _room(profile, free_device_bytes, free_host_bytes, unified=unified)
        if reason:
            reasons[profile.name] = reason
            continue
        more = batch_wanted - 1
        if room is not None and profile.per_job_bytes:
            more = min(more, room // profile.per_job_bytes)
        return Fitted(profile, 1 + more)
    return Unfit(MappingProxyType(reasons))


def _room(
    profile: Profile, device: int | None, host: int | None, *, unified: bool
) -> tuple[int | None, str]:
    """Bytes beyond a batch of one, None for unknown; and why it does not fit, or ""."""
    if unified:
        known = [free for free in (device, host) if free is not None]
        needed = profile.device_bytes + margin(profile) + profile.host_bytes
        return _left(needed, min(known, default=None), "of the shared memory")
    _, reason = _left(profile.host_bytes, host, "of main memory")
    if reason:
        return None, reason
    return _left(profile.device_bytes + margin(profile), device, "on the device")


def _left(needed: int, free: int | None, where: str) -> tuple[int | None, str]:
    if free is None:
        return None, ""
    if needed > free:
        return None, f"needs {_gb(needed)} {where}, {_gb(free)} free"
    return free - needed, ""


def _gb(size: int) -> str:
    return f"{size / 1e9:.1f} GB"
