"""Jobs for tests of the core."""

from typing import Any

from kinesphere.core.jobs import Job

NOW = 1_800_000_000.0


def new_job(**changes: Any) -> Job:
    """A motion job, freshly submitted."""
    fields: dict[str, Any] = {
        "id": "01KAZ6T3V9S2Q4W8E0R5Y7T1S3",
        "task": "motion",
        "model": "choreo",
        "model_version": "1",
        "user": "local",
        "request": {"prompt": "wave", "duration": 2.0, "seed": 1, "format": "bvh"},
        "pools": ("choreo",),
        "created_at": NOW,
        "ready_at": NOW,
    }
    return Job(**(fields | changes))
