"""Work of seconds on the CPU that must not stand in the way of requests."""

from collections.abc import Mapping
from typing import Any, Protocol


class Errands(Protocol):
    """Runs functions in a process apart, one at a time.

    Whatever a function does to its process, that is not this one: it may take the time and the
    memory it likes, crash, or be ended.
    """

    async def run(self, what: str, given: Mapping[str, Any], seconds: float) -> Any:
        """What the function "package.module:function" makes of `given`, its keywords.

        Both are plain values: None, numbers, text, bytes, lists and mappings of them. A call that
        is given up ends the process.

        Raises:
            Rejected: what the function raises; BUSY when too many wait; TOO_MUCH_WORK when it is
                not done within `seconds`, from when its turn comes; OOM_HOST.
            ErrandFailed: it raised anything else, or its process ended.
        """
        ...


class ErrandFailed(Exception):
    """An errand that ended by a fault of ours, and how."""
