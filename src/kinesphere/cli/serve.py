"""`kinesphere serve`."""

import asyncio
import logging
import sys
from pathlib import Path

import uvloop

from kinesphere.adapters import logs
from kinesphere.adapters.folder import FolderBusy
from kinesphere.adapters.secret import SecretDamaged
from kinesphere.cli.exits import Exit, configured, leave
from kinesphere.engines.catalog import CatalogError, installed
from kinesphere.http.server import AddressInUse
from kinesphere.ports import LedgerUnavailable
from kinesphere.settings import Settings
from kinesphere.wiring import serve

_log = logging.getLogger("kinesphere.cli")


def run(
    *,
    host: str | None,
    port: int | None,
    data: Path | None,
    replicas: str | None,
    log_format: str | None,
    log_level: str | None,
) -> None:
    """Serve until told to stop."""
    try:
        settings = configured(
            host=host, port=port, data=data, replicas=_by_pool(replicas), log_format=log_format,
            log_level=log_level,
        )  # fmt: skip
        if "log_format" not in settings.model_fields_set and sys.stderr.isatty():
            settings = settings.model_copy(update={"log_format": "console"})
        logs.configure(settings.log_level, settings.log_format)
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(serve(settings, lambda url: _tell(settings, url)))
    except CatalogError as error:
        raise leave(Exit.USAGE, str(error)) from None
    except (AddressInUse, FolderBusy, LedgerUnavailable, SecretDamaged, OSError) as error:
        raise leave(Exit.FAILED, str(error)) from None


def _by_pool(replicas: str | None) -> object:
    """A bare number stands for every pool."""
    if replicas is None or not replicas.strip().isdecimal():
        return replicas
    count = int(replicas)
    return {pool: count for model in installed() for pool in model.pools}


def _tell(settings: Settings, url: str) -> None:
    if settings.log_format == "json":
        facts = {"action": "server.listening", "url": url, "data": str(settings.data)}
        _log.info("listening on %s", url, extra=facts)
        return
    print(f"Kinesphere listens on {url}", file=sys.stderr)
    print(f"  documentation of the API  {url}/docs", file=sys.stderr)
    print(f"  jobs and files            {settings.data}", file=sys.stderr)
    print("  Ctrl-C stops it", file=sys.stderr, flush=True)
