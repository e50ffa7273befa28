"""One log line for each thing that happens: JSON for machines, coloured text for people.

All code logs through the standard library: `getLogger("kinesphere.x").info("…", extra={"action":
…, "job_id": …})`. What holds for a whole request or batch is bound once with `bound`. Secrets are
taken out of every line, whoever wrote it.

On the standard library alone: structlog adds 220 to 350 ms to a start, most of it for rich.
"""

import logging
import os
import re
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Final, Literal, TextIO

import msgspec

FIELDS: Final = (
    "ts",
    "level",
    "action",
    "message",
    "job_id",
    "request_id",
    "trace_id",
    "user",
    "model",
    "pool",
    "prompt_hash",
    "duration_sec",
    "gpu_id",
    "error_code",
)
"""The fields with a fixed meaning, in the order in which they are written. Others follow."""

REDACTED: Final = "[redacted]"

Level = Literal["debug", "info", "warning", "error"]
Format = Literal["json", "console"]

_OWN: Final = frozenset(vars(logging.makeLogRecord({}))) | {
    "message",
    "asctime",
    "color_message",  # uvicorn's copy of the message with colours in it
}
_NAMED: Final = tuple(name for name in FIELDS if name not in {"ts", "level", "action", "message"})
_PLACED: Final = _OWN | frozenset(FIELDS)
_SECRET_NAMES: Final = re.compile(
    r"(proxy-)?authorization|(set-)?cookie|(x[-_])?api[-_]?key|password|(\w+_)?secret|signature",
    re.IGNORECASE,
)
_SECRET_TEXTS: Final = (
    re.compile(r"((?:X-Amz-)?Signature=)[^&\s\"'<>\\]+", re.IGNORECASE),
    re.compile(
        r"(authorization['\"]?\s*[:=,]\s*(?:b?['\"])?)(?:(?:bearer|basic|digest)\s+)?[^\s'\",;]+",
        re.IGNORECASE,
    ),
    re.compile(r"(\b(?:bearer|basic)\s+)[A-Za-z0-9._~+/=-]{6,}", re.IGNORECASE),
    re.compile(r"(\bapi[-_]?key['\"]?\s*[:=,]\s*(?:b?['\"])?)[^\s'\",;&]+", re.IGNORECASE),
    # Our own keys, whose id may be shown, and JSON Web Tokens, wherever they stand.
    re.compile(r"(kin_[0-9A-Z]{26}_)[0-9a-f]{8,}", re.IGNORECASE),
    re.compile(r"(eyJ)[\w-]{8,}\.[\w-]{2,}\.[\w-]*"),
)
# A text with none of these in lower case holds no secret that the patterns above would find.
_SIGNS: Final = (
    "signature", "authorization", "bearer", "basic", "apikey", "api-key", "api_key", "cookie",
    "password", "secret", "kin_", "eyj",
)  # fmt: skip
_SIMPLE: Final = frozenset({str, int, float, bool})

_bound: ContextVar[Mapping[str, object]] = ContextVar("bound", default=MappingProxyType({}))


@contextmanager
def bound(**facts: object) -> Iterator[None]:
    """Add `facts` to every line logged inside, by this task and those it starts."""
    token = _bound.set({**_bound.get(), **facts})
    try:
        yield
    finally:
        _bound.reset(token)


def configure(level: Level, form: Format, stream: TextIO | None = None) -> None:
    """Send everything that is logged in this process to `stream` (standard error), as `form`.

    `level` is that of Kinesphere's own lines. Of libraries, debugging is never shown, and of the
    chatty ones nothing below a warning.
    """
    target = sys.stderr if stream is None else stream
    handler = logging.StreamHandler(target)
    coloured = target.isatty() and "NO_COLOR" not in os.environ
    handler.setFormatter(JsonLines() if form == "json" else ConsoleLines(coloured=coloured))
    handler.addFilter(_add_bound)
    own = logging.getLevelNamesMapping()[level.upper()]
    logging.root.handlers = [handler]
    logging.root.setLevel(max(own, logging.INFO))
    logging.getLogger("kinesphere").setLevel(own)
    for name in ("httpx", "httpcore", "alembic", "sqlalchemy", "uvicorn"):
        logging.getLogger(name).setLevel(max(own, logging.WARNING))
    for name in ("uvicorn", "uvicorn.error", "uvicorn.access"):
        logger = logging.getLogger(name)
        logger.handlers, logger.propagate = [], True
    logging.captureWarnings(True)
    # Nothing of it is written, and to find it out takes half the time of a line.
    logging.logThreads = logging.logProcesses = logging.logMultiprocessing = False
    logging._srcfile = None  # the standard library's own advice, "Optimization" of its manual


def _add_bound(record: logging.LogRecord) -> bool:
    for name, value in _bound.get().items():
        if name not in record.__dict__:
            setattr(record, name, value)
    return True


def facts_of(record: logging.LogRecord) -> dict[str, object]:
    """What a line says: the fields known of `FIELDS` in their order, then the others. Not clean."""
    known = record.__dict__
    at = datetime.fromtimestamp(record.created, UTC)
    facts: dict[str, object] = {
        "ts": f"{at.isoformat(timespec='milliseconds')[:-6]}Z",
        "level": record.levelname.lower(),
        "action": known.get("action", record.name),
        "message": _message(record),
    }
    for name in _NAMED:
        value = known.get(name)
        if value is not None:
            facts[name] = value
    facts["logger"] = record.name
    facts |= {n: v for n, v in known.items() if n not in _PLACED and v is not None}
    if record.exc_info:
        facts["exception"] = logging.Formatter().formatException(record.exc_info)
    if record.stack_info:
        facts["stack"] = record.stack_info
    return facts


def _cleaned(facts: Mapping[str, object]) -> dict[str, object]:
    return {name: _clean(value, name) for name, value in facts.items()}


def _suspect(text: str) -> bool:
    low = text.lower()
    return any(sign in low for sign in _SIGNS)


def _message(record: logging.LogRecord) -> str:
    try:
        return record.getMessage()
    except (TypeError, ValueError, KeyError):
        # A library's wrong format string is no reason to lose its line.
        return f"{record.msg} {record.args}"


def _clean(value: object, name: str = "") -> object:
    """`value` as JSON values, without secrets."""
    if _SECRET_NAMES.fullmatch(name):
        return REDACTED
    match value:
        case None | bool() | int() | float():
            return value
        case Mapping():
            return {str(key): _clean(inner, str(key)) for key, inner in value.items()}
        case list() | tuple() | set() | frozenset():
            return [_clean(inner) for inner in value]
        case _:
            return scrubbed(str(value))


def scrubbed(text: str) -> str:
    """`text` without authorization headers, link signatures and API keys."""
    if _suspect(text):
        for secret in _SECRET_TEXTS:
            text = secret.sub(rf"\1{REDACTED}", text)
    # Lone surrogates, from file names or engines' output, cannot be written as UTF-8.
    return text.encode("utf-8", "backslashreplace").decode()


class JsonLines(logging.Formatter):
    """One JSON object a line."""

    def format(self, record: logging.LogRecord) -> str:
        """The line, without its end."""
        facts = facts_of(record)
        if _SIMPLE.issuperset(map(type, facts.values())):
            # One look at the whole line instead of several at each value.
            with suppress(UnicodeEncodeError):
                line = msgspec.json.encode(facts).decode()
                if not _suspect(line):
                    return line
        return msgspec.json.encode(_cleaned(facts)).decode()


class ConsoleLines(logging.Formatter):
    """Time, level, message and facts, for people; with tracebacks on lines of their own."""

    _COLOURS: Final = MappingProxyType(
        {"debug": "2", "info": "32", "warning": "33", "error": "31", "critical": "1;31"}
    )

    def __init__(self, *, coloured: bool) -> None:
        super().__init__()
        self._coloured = coloured

    def format(self, record: logging.LogRecord) -> str:
        """The line, without its end."""
        facts = _cleaned(facts_of(record))
        at, level = str(facts.pop("ts"))[11:-1], str(facts.pop("level"))
        message, action = str(facts.pop("message")), facts.pop("action")
        below = [str(facts.pop(name)) for name in ("exception", "stack") if name in facts]
        facts.pop("logger")
        rest = " ".join(f"{self._dim(f'{name}=')}{value}" for name, value in facts.items())
        shown = f"{level:<7}"
        if self._coloured:
            shown = f"\x1b[{self._COLOURS.get(level, '0')}m{shown}\x1b[0m"
        line = f"{self._dim(at)} {shown} {_visible(message)} {self._dim(f'[{action}]')} {rest}"
        return "\n".join([line.rstrip(), *below])

    def _dim(self, text: str) -> str:
        return f"\x1b[2m{text}\x1b[0m" if self._coloured else text


def _visible(text: str) -> str:
    """`text` with control characters shown: a prompt may not move a terminal's cursor."""
    return "".join(c if c.isprintable() or c == " " else repr(c)[1:-1] for c in text)
