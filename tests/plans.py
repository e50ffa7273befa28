"""Plans that are kept as long as the test."""

from collections.abc import Mapping, Sequence

from kinesphere.ports import Planned


class RememberedPlans:
    """See `kinesphere.ports.Plans`."""

    def __init__(self) -> None:
        self.all: list[Planned] = []

    async def store(self, plans: Sequence[Planned]) -> None:
        self.all += plans

    async def latest(self) -> Mapping[str, Planned]:
        return {planned.pool: planned for planned in self.all}
