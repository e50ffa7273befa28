"""The child process of `kinesphere.adapters.errands`: errands in, results out, until its end."""

import os
import signal
import sys
from contextlib import suppress
from dataclasses import astuple
from importlib import import_module
from typing import Any, BinaryIO, Final

import msgspec

from kinesphere.adapters.errands import HEADER
from kinesphere.core.failures import Rejected

_NICE: Final = 10
"""Requests and replicas go first."""


def main() -> None:
    """Run errands until standard input ends."""
    # Ctrl-C is for the server, which ends this process in its own time.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    with suppress(OSError):
        os.nice(_NICE)
    with os.fdopen(os.dup(1), "wb") as answers:
        # Whatever libraries print goes to the log.
        os.dup2(2, 1)
        while (message := _read(sys.stdin.buffer)) is not None:
            what, given = msgspec.msgpack.decode(message)
            answer = msgspec.msgpack.encode(_done(what, given))
            answers.write(len(answer).to_bytes(HEADER) + answer)
            answers.flush()


def _read(source: BinaryIO) -> bytes | None:
    header = source.read(HEADER)
    if len(header) < HEADER:
        return None
    return source.read(int.from_bytes(header))


def _done(what: str, given: dict[str, Any]) -> dict[str, Any]:
    module, _, name = what.partition(":")
    try:
        return {"made": getattr(import_module(module), name)(**given)}
    except Rejected as refusal:
        fields = [astuple(each) for each in refusal.fields]
        return {"rejected": [refusal.code, refusal.detail, fields]}
    except MemoryError:
        return {"rejected": ["OOM_HOST", "There is not enough main memory for it.", []]}
    except Exception as error:
        return {"failed": f"{type(error).__name__}: {error}"}


if __name__ == "__main__":
    main()
