"""What one process does for the platform, and what settings that takes."""

import os
from dataclasses import dataclass
from enum import StrEnum
from importlib.util import find_spec
from typing import Final

from kinesphere.settings import Settings


class Role(StrEnum):
    """What a process does.

    SERVE is the whole system on one machine. The others share a database, Redis, a broker and an
    S3 store: API answers requests, WORKER runs the replicas of one pool, SWEEPER returns lost jobs
    to the queue, deletes what is too old and delivers webhooks.
    """

    SERVE = "serve"
    API = "api"
    WORKER = "worker"
    SWEEPER = "sweeper"


class Incomplete(Exception):
    """The settings do not allow this role, and which are missing or too many."""


@dataclass(frozen=True, slots=True)
class Need:
    """A setting that every process of a cluster must have, and why."""

    name: str
    reason: str


CLUSTER: Final = (
    Need("database_url", "the ledger must be one for all processes"),
    Need("redis_url", "what one process commits must reach the others"),
    Need("broker_url", "replicas in other processes must learn of new work"),
    Need("artifacts_url", "a file that one process writes must be found by the others"),
    Need("link_secret", "webhooks must be signed alike by all processes"),
)


_PACKAGES: Final = (
    ("database_url", "psycopg"),
    ("redis_url", "redis"),
    ("broker_url", "celery"),
    ("artifacts_url", "obstore"),
)


def check(role: Role, settings: Settings) -> None:
    """Raise Incomplete unless the settings fit the role and what they name is installed."""
    packages = [package for name, package in _PACKAGES if getattr(settings, name) is not None]
    if any(find_spec(package) is None for package in packages):
        raise Incomplete("these settings need more packages: pip install 'kinesphere[cluster]'")
    if role in (Role.SERVE, Role.WORKER):
        for name, path in settings.interpreters.items():
            if not (path.is_file() and os.access(path, os.X_OK)):
                raise Incomplete(f"interpreters: {path}, named for {name}, is not a program")
    if role is Role.SERVE:
        shared = [n for n in ("database_url", "broker_url") if getattr(settings, n) is not None]
        if shared:
            raise Incomplete(
                f"kinesphere serve is the whole system in one process; {' and '.join(shared)} "
                "belong to kinesphere api, worker and sweeper"
            )
        return
    missing = [need for need in CLUSTER if getattr(settings, need.name) is None]
    if missing:
        lines = [f"  {need.name}, because {need.reason}" for need in missing]
        raise Incomplete("\n".join([f"kinesphere {role.value} needs more settings:", *lines]))
