"""Output for people: progress, tables, and files named after prompts."""

import json
import re
import secrets
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.table import Table


class Watch(Protocol):
    """Told how far a job is: its state, 0 to 1, and the engine's phase."""

    def __call__(self, state: str, fraction: float, phase: str) -> None:
        """Show it."""
        ...


@contextmanager
def watching(first: str) -> Iterator[Watch]:
    """A progress bar on standard error; lines, one for each change, when it is no terminal."""
    if not sys.stderr.isatty():
        yield _Lines()
        return
    columns = (
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.percentage:>3.0f} %"),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task(first, total=1.0)

        def watch(state: str, fraction: float, phase: str) -> None:
            shown = escape(phase or state)
            done = 1.0 if state == "succeeded" else fraction
            progress.update(task, description=shown, completed=done)

        yield watch


class _Lines:
    """A line for each new state or phase: a log needs no more."""

    def __init__(self) -> None:
        self._last = ""

    def __call__(self, state: str, fraction: float, phase: str) -> None:
        shown = phase or state
        if shown != self._last:
            self._last = shown
            print(f"{shown} {fraction:.0%}" if phase else shown, file=sys.stderr, flush=True)


def facts(rows: Iterable[tuple[str, str]]) -> None:
    """Names and values, one pair a line, on standard output; a value is never cut."""
    kept = [(name, value) for name, value in rows if value]
    width = max((len(name) for name, _ in kept), default=0)
    for name, value in kept:
        print(f"{name:<{width}}  {value}")


def table(columns: Sequence[str], rows: Iterable[Sequence[str]], empty: str) -> None:
    """A table on standard output, as wide as it has to be where nobody looks at it."""
    shown = Table(*columns, box=None, pad_edge=False, header_style="bold")
    for row in rows:
        shown.add_row(*(escape(cell) for cell in row))
    if not shown.row_count:
        print(empty)
        return
    console = Console(width=None if sys.stdout.isatty() else 400)
    console.print(shown, soft_wrap=not sys.stdout.isatty())


def as_json(value: Any) -> None:
    """JSON on standard output."""
    print(json.dumps(value, ensure_ascii=False, indent=2, default=str))


def told(notes: Mapping[str, Any], name: str) -> str:
    """A note of the engine in one line: a text, or a list of texts."""
    value = notes.get(name)
    if isinstance(value, list):
        return ", ".join(str(each) for each in value)
    return "" if value is None else str(value)


def size(count: int) -> str:
    """Bytes, for people."""
    return f"{count:,} B" if count < 10_000 else f"{count / 1000:,.0f} kB"


def file_name(prompt: str, extension: str, otherwise: str) -> str:
    """A file name from a prompt: its letters and digits of any script, joined by "-"."""
    words = "-".join(re.findall(r"\w+", prompt.lower()))
    while len(words.encode()) > 80:
        words = words[:-1]
    return f"{words.strip('-') or otherwise}{extension}"


def store(path: Path, data: bytes) -> None:
    """Write a file at once or not at all; its folder is made when missing."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{secrets.token_hex(8)}.part")
    try:
        partial.write_bytes(data)
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)
