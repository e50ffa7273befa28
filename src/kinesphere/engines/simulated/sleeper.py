"""A simulated device whose engine can leave it and stay in main memory."""

import time
from typing import Any

from kinesphere.engines.simulated.engine import Simulated


class Sleeper(Simulated):
    """The same, and `wake` seconds from asleep to ready."""

    def __init__(self, *, wake: float, **stated: Any) -> None:
        super().__init__(**stated)
        self._wake = wake

    def sleep(self) -> None:
        """Keep the memory that was stated for it."""
        self._hold(self._asleep_mb)

    def wake(self) -> None:
        """Take the stated time, and the memory of one that is awake."""
        self._hold(self._memory_mb)
        if self._wake > 0.0:
            time.sleep(self._wake)
