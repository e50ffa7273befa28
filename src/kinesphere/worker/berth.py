"""Where a replica's engines run, and what they were seen to take there. Outlives its children."""

from types import MappingProxyType

from kinesphere.core.catalog import Stage
from kinesphere.core.fitting import Fitted, Footprint, Profile, fit
from kinesphere.core.replicas import Placement
from kinesphere.worker.messages import Load, Placed
from kinesphere.worker.process import Launch


class Berth:
    """What one replica knows of its device: enough to fit each next child better."""

    def __init__(self, stage: Stage, launch: Launch) -> None:
        self._stage = stage
        self._launch = launch
        self._placed: Placed | None = None
        self._measured: dict[str, Footprint] = {}
        self._taken: int | None = None
        self.batch_limit = stage.batch_limit

    def order(self, formats: tuple[str, ...]) -> Load:
        """What a child is told to bring up."""
        return Load(
            engine=self._stage.engine,
            options=dict(self._stage.options),
            device=self._launch.device,
            formats=list(formats),
            profiles=list(self._stage.profiles),
            measured=dict(self._measured),
            batch_limit=self._stage.batch_limit,
        )

    def taken_up(self, placed: Placed, *, typical: bool) -> bool:
        """Note where a child is; whether it runs otherwise than the one before.

        A warm-up that did a `typical` job shows what a job takes. One that did a small one only
        shows what a job takes at least, so what was declared stays where it is more.
        """
        other = self._placed is not None and self._name(self._placed) != self._name(placed)
        self._placed, self._taken = placed, placed.taken
        if placed.profile is not None and placed.taken is not None:
            least = 0 if typical else placed.profile.device_bytes
            before = self._measured.get(placed.profile.name, Footprint(least))
            self._measured[placed.profile.name] = Footprint(
                device_bytes=max(before.device_bytes, placed.taken),
                per_job_bytes=before.per_job_bytes,
                host_bytes=placed.host_peak,
                run_bytes=before.run_bytes,
            )
        self._fit()
        return other

    def seen(self, jobs: int, taken: int | None) -> None:
        """Note what a batch of `jobs` took on the device, in bytes, and fit the next to it."""
        if taken is None:
            return
        self._taken = max(taken, self._taken or 0)
        name = "" if self._placed is None else self._name(self._placed)
        if name in self._measured:
            self._measured[name] = self._measured[name].seen(jobs, taken)
            self._fit()

    @property
    def placement(self) -> Placement:
        """Where the engine is, as the replica says."""
        device = self._launch.gpu or self._launch.device
        placed = self._placed
        if placed is None:
            return Placement(device=device, batch_limit=self.batch_limit)
        profile = placed.profile
        return Placement(
            device=device,
            name=placed.name,
            profile=self._name(placed),
            source="" if profile is None else self._corrected(profile).source,
            batch_limit=self.batch_limit,
            total=placed.total,
            taken=self._taken,
        )

    def _corrected(self, profile: Profile) -> Profile:
        seen = self._measured.get(profile.name)
        return profile if seen is None else profile.corrected(seen)

    def _fit(self) -> None:
        placed = self._placed
        if placed is None:
            return
        self.batch_limit = placed.batch_limit
        if placed.profile is None or placed.free is None:
            return
        found = fit(
            [placed.profile],
            placed.free,
            None,
            self._stage.batch_limit,
            measured=MappingProxyType(self._measured),
        )
        # It runs, whatever was measured: one job at a time then.
        self.batch_limit = found.batch_limit if isinstance(found, Fitted) else 1

    def _name(self, placed: Placed) -> str:
        return "" if placed.profile is None else placed.profile.name
