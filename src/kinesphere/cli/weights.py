"""`kinesphere models pull`, `verify`, `list` and `manifest`: weights on this machine."""

import asyncio
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from kinesphere.adapters.weights import documents
from kinesphere.adapters.weights.cache import Cached, NoRoom, WeightCache
from kinesphere.adapters.weights.sources import SourceFailed
from kinesphere.adapters.weights.transfer import DigestMismatch
from kinesphere.cli import console
from kinesphere.cli.exits import Exit, configured, interruptible, leave
from kinesphere.core.catalog import Catalog
from kinesphere.core.weights import Manifest, ManifestInvalid
from kinesphere.engines.catalog import CatalogError, served
from kinesphere.settings import Settings


def cache_of(settings: Settings) -> WeightCache:
    """The weights of this machine, as the settings place and bound them."""
    folder = settings.weights or settings.data / "weights"
    return WeightCache(folder, settings.weights_limit_bytes)


def pull(wanted: str, sources: Sequence[str]) -> None:
    """Have the weights of a manifest here; print where."""
    with _told():
        cache = cache_of(configured())
        manifest = _manifest(wanted, cache, sources)
        with _bar(manifest) as told:
            where = asyncio.run(cache.pull(manifest, told))
    print(where)


def verify(names: Sequence[str]) -> None:
    """Hash weights anew, all where none are named; exit code 1 when some are wrong."""
    with _told():
        cache = cache_of(configured())
        known = [each.manifest.name for each in cache.cached() if each.current]
        unknown = sorted(set(names) - set(known))
        if unknown:
            raise leave(Exit.USAGE, f"there are no weights named {unknown[0]!r} here")
        wrong = 0
        for name in names or known:
            found = asyncio.run(cache.verify(name))
            wrong += len(found)
            print(f"{name}: {'wrong' if found else 'right'}")
            for line in found:
                print(f"  {line}")
    if wrong:
        raise leave(Exit.FAILED, "they are not in use any more; kinesphere models pull mends them")


def listed(as_json: bool) -> None:
    """What is here, and what the models that are served read."""
    with _told():
        settings = configured()
        cached = cache_of(settings).cached()
        read = list(needs(served(settings), cached))
    if as_json:
        console.as_json({"weights": [_shown(each) for each in cached], "needs": read})
        return
    console.table(
        ("weights", "files", "size", "state", "folder"),
        [
            (
                each.manifest.name,
                str(len(each.manifest.files)),
                console.size(each.manifest.size),
                "whole" if each.whole else f"{each.have / max(1, each.manifest.size):.0%}",
                str(each.folder),
            )
            for each in cached
        ],
        "no weights",
    )
    if read:
        print()
        console.table(
            ("model", "reads", "state", "weights"),
            [(n["model"], n["path"], n["state"], n["weights"]) for n in read],
            "",
        )


def manifest(
    folder: Path, name: str | None, sources: Sequence[str], *, pickles: bool, note: str
) -> None:
    """Print the manifest of a folder."""
    with _told():
        called = name or folder.resolve().name.lower()
        made = documents.manifest_of(folder, called, sources, pickles=pickles, note=note)
    sys.stdout.write(documents.write(made).decode())


def _manifest(wanted: str, cache: WeightCache, sources: Sequence[str]) -> Manifest:
    """From a file, or of weights that are here or were begun."""
    path = Path(wanted)
    if path.is_file():
        found = documents.parse(path.read_bytes())
    else:
        known = [each.manifest for each in cache.cached() if each.manifest.name == wanted]
        if not known:
            raise leave(Exit.USAGE, f"{wanted} is neither a manifest's file nor weights' name")
        found = known[0]
    if not sources:
        return found
    return Manifest(found.name, found.files, tuple(sources), found.pickles, found.note)


def needs(catalog: Catalog, cached: Sequence[Cached]) -> Iterator[dict[str, Any]]:
    """Every path among the options of a model's stages, whether it is there, and whose it is."""
    for model in catalog.models:
        seen: set[str] = set()
        for stage in model.stages:
            for value in stage.options.values():
                if not isinstance(value, str) or not value.startswith("/") or value in seen:
                    continue
                seen.add(value)
                path = Path(value)
                inside = path.resolve()
                owner = next(
                    (c.manifest.name for c in cached if inside.is_relative_to(c.folder.resolve())),
                    "",
                )
                state = "there" if path.exists() else "missing"
                yield {"model": model.name, "path": value, "state": state, "weights": owner}


def _shown(each: Cached) -> dict[str, Any]:
    return {
        "name": each.manifest.name,
        "files": len(each.manifest.files),
        "size": each.manifest.size,
        "have": each.have,
        "whole": each.whole,
        "current": each.current,
        "folder": str(each.folder),
        "note": each.manifest.note,
    }


@contextmanager
def _bar(manifest: Manifest) -> Iterator[Callable[[int], None]]:
    """A bar on a terminal; nothing elsewhere."""
    from rich.console import Console
    from rich.progress import DownloadColumn, Progress, TimeRemainingColumn, TransferSpeedColumn

    screen = Console(stderr=True)
    columns = (
        *Progress.get_default_columns()[:2],
        DownloadColumn(),
        TransferSpeedColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=screen, disable=not screen.is_terminal) as progress:
        task = progress.add_task(manifest.name, total=manifest.size)
        yield lambda count: progress.advance(task, count)


@contextmanager
def _told() -> Iterator[None]:
    """Tell what went wrong with weights."""
    try:
        with interruptible():
            yield
    except ManifestInvalid as error:
        raise leave(Exit.USAGE, str(error)) from None
    except (CatalogError, DigestMismatch, NoRoom, SourceFailed, OSError) as error:
        raise leave(Exit.FAILED, str(error)) from None
