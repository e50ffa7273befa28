"""`kinesphere doctor`: what this machine and these settings are good for, and what to do."""

import os
import platform
import shutil
import sqlite3
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Final

import typer

from kinesphere.cli import console, doctor_gpus, doctor_stores
from kinesphere.cli.exits import Exit, interruptible
from kinesphere.cli.findings import Finding
from kinesphere.core.catalog import Catalog, Model
from kinesphere.engines.catalog import CatalogError, served
from kinesphere.settings import Settings, SettingsError, load_settings
from kinesphere.version import __version__

OLDEST_SQLITE: Final = (3, 35)
"""The first with RETURNING, which a claim needs."""
SCARCE_DISK: Final = 1_000_000_000
SCARCE_MEMORY: Final = 500_000_000
_IMPORT_SECONDS: Final = 120.0


def run(as_json: bool) -> None:
    """Examine this machine."""
    tell(examine(), as_json)


def tell(found: Iterator[Finding], as_json: bool) -> None:
    """Tell every finding as it comes; exit code 1 when one is a failure."""
    findings: list[Finding] = []
    with interruptible():
        for finding in found:
            findings.append(finding)
            if not as_json:
                _show(finding)
    if as_json:
        console.as_json([asdict(finding) for finding in findings])
    if any(finding.level == "fail" for finding in findings):
        raise typer.Exit(int(Exit.FAILED))


def _show(finding: Finding) -> None:
    colour = {"ok": "green", "warn": "yellow", "fail": "red"}[finding.level]
    typer.secho(f"{finding.level:<5}", fg=colour if sys.stdout.isatty() else None, nl=False)
    print(f"{finding.name:<18} {finding.found}")
    if finding.advice:
        print(f"{'':<5}{'':<18} -> {finding.advice}")


def examine() -> Iterator[Finding]:
    """Every finding, the quick ones first."""
    yield Finding("kinesphere", "ok", __version__)
    yield _python()
    yield Finding("system", "ok", f"{platform.platform()}, {os.cpu_count() or 1} CPUs")
    yield _memory()
    yield from _sqlite()
    settings = None
    try:
        settings = load_settings()
    except SettingsError as error:
        for problem in error.problems:
            yield Finding("settings", "fail", str(problem), "see `kinesphere serve --help`")
    if settings is not None:
        yield from _settings(settings, dict(os.environ))
        yield from _folder(settings.data)
        yield _port(settings)
        yield from doctor_stores.stores(settings)
    yield from doctor_gpus.gpus()
    if settings is not None:
        yield from _models(settings)


def _python() -> Finding:
    version = f"{platform.python_implementation()} {platform.python_version()}, {sys.executable}"
    return Finding("python", "ok", version)


def _memory() -> Finding:
    try:
        whole = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
        free = os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (ValueError, OSError):
        return Finding("memory", "warn", "unknown", "have 1 GB for the embedded engine")
    told = f"{whole / 1e9:.1f} GB, {free / 1e9:.1f} GB of it unused"
    if whole < SCARCE_MEMORY:
        return Finding("memory", "warn", told, "give it 1 GB for the embedded engine")
    return Finding("memory", "ok", told)


def _sqlite() -> Iterator[Finding]:
    version = sqlite3.sqlite_version
    if sqlite3.sqlite_version_info < OLDEST_SQLITE:
        wanted = ".".join(map(str, OLDEST_SQLITE))
        yield Finding("sqlite", "fail", version, f"use a Python with SQLite {wanted} or newer")
    else:
        yield Finding("sqlite", "ok", version)


def _settings(settings: Settings, environ: dict[str, str]) -> Iterator[Finding]:
    """Those that are set, with where they come from; secrets stay hidden by their type."""
    if not settings.model_fields_set:
        yield Finding("settings", "ok", "all at their defaults")
    for name in sorted(settings.model_fields_set):
        variable = f"KINESPHERE_{name.upper()}"
        file = environ.get("KINESPHERE_CONFIG") or "kinesphere.toml"
        source = variable if environ.get(variable) else file
        yield Finding("settings", "ok", f"{name} = {getattr(settings, name)}  (from {source})")


def _folder(data: Path) -> Iterator[Finding]:
    """Whether jobs and files can be kept; looks at the nearest folder that is there."""
    there = next(folder for folder in (data, *data.parents) if folder.exists())
    told = str(data) if there == data else f"{data}, to be made in {there}"
    advice = "choose another with --data or KINESPHERE_DATA"
    try:
        with tempfile.TemporaryDirectory(dir=there, prefix=".kinesphere-doctor-") as folder:
            wal = _wal(Path(folder) / "try.db")
    except OSError as error:
        yield Finding("data folder", "fail", f"{told}: {error.strerror}", advice)
        return
    yield Finding("data folder", "ok", f"{told}, can be written")
    if wal:
        yield Finding("write-ahead log", "ok", "works in the data folder")
    else:
        text = "SQLite cannot use one in the data folder, as on a network drive"
        yield Finding("write-ahead log", "fail", text, advice)
    free = shutil.disk_usage(there).free
    scarce = free < SCARCE_DISK
    yield Finding(
        "disk",
        "warn" if scarce else "ok",
        f"{free / 1e9:.1f} GB free for the data folder",
        "free some, or lower KINESPHERE_RETENTION_DAYS" if scarce else "",
    )


def _wal(path: Path) -> bool:
    database = sqlite3.connect(path)
    try:
        (mode,) = database.execute("PRAGMA journal_mode=WAL").fetchone()
        database.execute("CREATE TABLE t (x)")
    except sqlite3.Error:
        return False
    finally:
        database.close()
    return bool(mode == "wal")


def _port(settings: Settings) -> Finding:
    """Whether the port is free, or who answers there."""
    from kinesphere.client import Client, KinesphereError
    from kinesphere.http.server import AddressInUse, address, bind

    name = f"port {settings.port}"
    try:
        with bind(settings.host, settings.port) as listener:
            return Finding(name, "ok", f"free: {address(listener)}")
    except AddressInUse:
        pass
    except OSError as error:
        return Finding(name, "fail", f"{settings.host}: {error}", "choose another with --host")
    advice = "stop what listens there, or choose another port with --port"
    host = f"[{settings.host}]" if ":" in settings.host else settings.host
    try:
        with Client(f"http://{host}:{settings.port}", api_key="", timeout=3.0, retries=0) as client:
            state = client.ready().status
    except KinesphereError:
        return Finding(name, "warn", "taken by something that is no Kinesphere", advice)
    return Finding(name, "warn", f"a Kinesphere server answers there: {state}", advice)


def _models(settings: Settings) -> Iterator[Finding]:
    """What is to be served: whether it can be imported, and which devices it fits."""
    from kinesphere.wiring.devices import handed_out

    try:
        catalog = served(settings)
    except CatalogError as error:
        yield Finding("engines", "fail", str(error), "reinstall that package, or look at models")
        return
    if not catalog.models:
        yield Finding("engines", "fail", "none is installed", "reinstall kinesphere")
    for model in catalog.models:
        yield _engine(model, settings)
    yield from doctor_gpus.fits(catalog, handed_out(settings, catalog))
    yield from _weights(settings, catalog)


def _weights(settings: Settings, catalog: Catalog) -> Iterator[Finding]:
    """What is kept on this machine, and what models read that is not there."""
    from kinesphere.cli.weights import cache_of, needs

    cached = cache_of(settings).cached()
    if cached:
        whole = sum(each.whole for each in cached)
        size = sum(each.have for each in cached) / 1e9
        yield Finding("weights", "ok", f"{whole} of {len(cached)} whole, {size:.1f} GB")
    for need in needs(catalog, cached):
        if need["state"] == "missing":
            advice = "kinesphere models pull, or set where it is"
            name = f"weights {need['model']}"
            yield Finding(name, "fail", f"{need['path']} is not there", advice)


def _engine(model: Model, settings: Settings) -> Finding:
    """Whether the model's engines can be imported, in a process of their own, as replicas do."""
    name = f"engine {model.name}"
    for pool, stage in zip(model.pools, model.stages, strict=True):
        python = settings.interpreter_of(model.name, pool) or sys.executable
        module, _, attribute = stage.engine.partition(":")
        code = f"import importlib; getattr(importlib.import_module({module!r}), {attribute!r})"
        command = [str(python), "-c", code]
        try:
            done = subprocess.run(  # noqa: S603 - what an installed package declares, as replicas do
                command, capture_output=True, text=True, timeout=_IMPORT_SECONDS, check=False
            )
        except subprocess.TimeoutExpired:
            slow = f"{stage.engine} is not imported after {_IMPORT_SECONDS:g} s"
            return Finding(name, "fail", slow, "look at its package")
        if done.returncode:
            last = (done.stderr.strip().splitlines() or ["no message"])[-1]
            return Finding(name, "fail", f"{stage.engine}: {last}", "install what it needs")
    kind = "simulated" if model.simulated else model.task
    return Finding(name, "ok", f"{kind}, version {model.version}, {', '.join(model.formats)}")
