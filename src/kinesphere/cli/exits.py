"""How a command ends: what went wrong on standard error, and the exit code."""

import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from enum import IntEnum
from typing import Any

import typer

from kinesphere.core.failures import Rejected
from kinesphere.settings import Settings, SettingsError, load_settings


class Exit(IntEnum):
    """Exit codes, as documented."""

    OK = 0
    FAILED = 1
    USAGE = 2
    UNREACHABLE = 3
    INTERRUPTED = 130


def leave(code: Exit, message: str = "") -> typer.Exit:
    """The exception that ends a command, its message told."""
    if message:
        first, *more = message.splitlines() or [""]
        typer.secho(f"error: {first}", err=True, fg="red" if sys.stderr.isatty() else None)
        for line in more:
            typer.echo(line if line.startswith(" ") else f"  {line}", err=True)
    return typer.Exit(int(code))


@contextmanager
def interruptible() -> Iterator[None]:
    """Ctrl-C ends the command with 130, as shells expect of it."""
    try:
        yield
    except KeyboardInterrupt:
        raise leave(Exit.INTERRUPTED, "interrupted") from None


@contextmanager
def answering() -> Iterator[None]:
    """Tell what went wrong between us and a server."""
    from kinesphere import client as api

    try:
        with interruptible():
            yield
    except api.JobFailed as error:
        raise leave(Exit.FAILED, str(error)) from None
    except api.Rejected as error:
        raise leave(Exit.USAGE, str(error)) from None
    except (api.ConnectionFailed, api.UnexpectedAnswer, api.Unavailable) as error:
        raise leave(Exit.UNREACHABLE, str(error)) from None
    except api.KinesphereError as error:
        raise leave(Exit.FAILED, str(error)) from None
    except OSError as error:
        raise leave(Exit.FAILED, str(error)) from None


def configured(environ: Mapping[str, str] | None = None, **given: Any) -> Settings:
    """The settings in force; wrong ones are told line by line and end the command."""
    try:
        return load_settings(environ, **given)
    except SettingsError as error:
        lines = "\n".join(f"  {problem}" for problem in error.problems)
        raise leave(Exit.USAGE, f"the settings are not right:\n{lines}") from None


def refusal(error: Rejected) -> str:
    """A refusal with every field that is at fault."""
    lines = [str(error)]
    for field in error.fields:
        allowed = f" (allowed: {field.allowed})" if field.allowed else ""
        lines.append(f"  {field.field} {field.problem}{allowed}")
    return "\n".join(lines)
