"""The W3C Trace Context that a request comes with, or a new one (w3.org/TR/trace-context)."""

import re
import secrets
from dataclasses import dataclass
from typing import Final

_PARENT: Final = re.compile(
    r"([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-[\x21-\x7e]*)?"
)
_SAMPLED: Final = 0x01


@dataclass(frozen=True, slots=True)
class Trace:
    """Where a request stands in its trace.

    Attributes:
        trace_id: Of the whole trace, 32 hexadecimal digits.
        span_id: Of this server's part, 16 hexadecimal digits.
        sampled: Whether the caller records it.
        parent_id: Of the caller's part, or "" where the trace begins here.
    """

    trace_id: str
    span_id: str
    sampled: bool
    parent_id: str = ""

    def __str__(self) -> str:
        """The `traceparent` for whatever is asked next."""
        return f"00-{self.trace_id}-{self.span_id}-{_SAMPLED if self.sampled else 0:02x}"


def trace(parent: str, *, recording: bool = False) -> Trace:
    """Our part of the trace that a `traceparent` names, or of a new one where it names none.

    A new one is recorded where we are `recording`; with that of a caller, he has decided.

    Of a later version only what version 00 has is read, as the standard says; 00 has no more.
    """
    found = _PARENT.fullmatch(parent.strip(" \t"))
    span = secrets.token_hex(8)
    if found is None:
        return Trace(secrets.token_hex(16), span, sampled=recording)
    version, trace_id, parent_id, flags, more = found.groups()
    nothing = not int(trace_id, 16) or not int(parent_id, 16)
    if version == "ff" or (version == "00" and more) or nothing:
        return Trace(secrets.token_hex(16), span, sampled=recording)
    return Trace(trace_id, span, bool(int(flags, 16) & _SAMPLED), parent_id)
