"""`kinesphere serve`, and the processes of a cluster: `api`, `worker`, `sweeper`, `db upgrade`."""

import asyncio
import gc
import logging
import sys
from collections.abc import Callable, Coroutine
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

import uvloop

from kinesphere.adapters import logs
from kinesphere.adapters.folder import FolderBusy
from kinesphere.adapters.secret import SecretDamaged
from kinesphere.cli import USUAL
from kinesphere.cli.exits import Exit, configured, leave
from kinesphere.engines.catalog import CatalogError, served
from kinesphere.http.limits import UnknownRoute
from kinesphere.http.server import AddressInUse
from kinesphere.ports import LedgerUnavailable, StorageFailed
from kinesphere.settings import Settings
from kinesphere.wiring import Incomplete, Role, serve, upgrade_database, work

_FAILURES: Final = (
    AddressInUse, FolderBusy, LedgerUnavailable, SecretDamaged, StorageFailed, OSError,
)  # fmt: skip

_log = logging.getLogger("kinesphere.cli")


@dataclass(frozen=True, slots=True, kw_only=True)
class Given:
    """What the command line says; None where it says nothing."""

    host: str | None = None
    port: int | None = None
    data: Path | None = None
    replicas: str | None = None
    log_format: str | None = None
    log_level: str | None = None


def run(given: Given) -> None:
    """Serve the whole system until told to stop."""
    settings = _settings(given)
    _run(serve(settings, lambda url: _tell(settings, url)))


def run_api(given: Given) -> None:
    """Answer requests of a cluster."""
    settings = _settings(given)
    _run(serve(settings, lambda url: _tell(settings, url), Role.API))


def run_worker(pool: str, probes: int | None, given: Given) -> None:
    """Serve one pool of a cluster."""
    settings = _settings(given)
    try:
        known = served(settings).pools()
    except CatalogError as error:
        raise leave(Exit.USAGE, str(error)) from None
    if pool not in known:
        raise leave(Exit.USAGE, f"no pool {pool!r}; there are {', '.join(known)}")
    _run(work(settings, Role.WORKER, pool=pool, probes=probes, begun=_begun("worker")))


def run_sweeper(probes: int | None, given: Given) -> None:
    """Sweep a cluster."""
    _run(work(_settings(given), Role.SWEEPER, probes=probes, begun=_begun("sweeper")))


def run_upgrade() -> None:
    """Bring the database up to date."""
    settings = configured()
    if settings.database_url is None:
        raise leave(Exit.USAGE, "database_url is not set; a ledger in a folder upgrades itself")
    try:
        revision = asyncio.run(upgrade_database(settings))
    except LedgerUnavailable as error:
        raise leave(Exit.FAILED, str(error)) from None
    print(f"the database is at revision {revision}")


def _settings(given: Given) -> Settings:
    fields = asdict(given)
    if given.replicas is not None and given.replicas.strip().isdecimal():
        # A bare number stands for every pool.
        try:
            pools = served(configured(**fields | {"replicas": None})).pools()
        except CatalogError as error:
            raise leave(Exit.USAGE, str(error)) from None
        fields["replicas"] = dict.fromkeys(pools, int(given.replicas))
    settings = configured(**fields)
    if "log_format" not in settings.model_fields_set and sys.stderr.isatty():
        settings = settings.model_copy(update={"log_format": "console"})
    logs.configure(settings.log_level, settings.log_format)
    return settings


def _run(process: Coroutine[Any, Any, None]) -> None:
    try:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(process)
    except (CatalogError, Incomplete, UnknownRoute) as error:
        raise leave(Exit.USAGE, str(error)) from None
    except _FAILURES as error:
        raise leave(Exit.FAILED, str(error)) from None


def _begun(what: str) -> Callable[[str], None]:
    def tell(url: str) -> None:
        gc.set_threshold(*USUAL)
        facts = {"action": f"{what}.begun", "url": url}
        _log.info("%s begun%s", what, f", probes at {url}" if url else "", extra=facts)

    return tell


def _tell(settings: Settings, url: str) -> None:
    gc.set_threshold(*USUAL)
    if settings.log_format == "json":
        facts = {"action": "server.listening", "url": url, "data": str(settings.data)}
        _log.info("listening on %s", url, extra=facts)
        return
    print(f"Kinesphere listens on {url}", file=sys.stderr)
    print(f"  documentation of the API  {url}/docs", file=sys.stderr)
    print(f"  jobs and files            {settings.data}", file=sys.stderr)
    print("  Ctrl-C stops it", file=sys.stderr, flush=True)
