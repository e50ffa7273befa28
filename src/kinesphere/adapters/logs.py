"""One log line for each thing that happens: JSON for machines, coloured text for people.

All code logs through the standard library: `getLogger("kinesphere.x").info("…", extra={"action":
…, "job_id": …})`; the few lines that every request brings, by `say`, which is the same for less.
What holds for a whole request or batch is bound once with `bound`. Secrets are taken out of every
line, whoever wrote it.

On the standard library alone: structlog adds 220 to 350 ms to a start, most of it for rich.
"""

import logging
import os
import re
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import UTC, datetime
from functools import lru_cache
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
_NUMBERS: Final = frozenset({int, float, bool})

_harmless: Final[set[str]] = set()
"""Short texts that were looked through: names of pools and users, ids of jobs under way."""
_MOST_HARMLESS: Final = 10_000
_SHORT: Final = 128

_encode: Final = msgspec.json.Encoder().encode
_bound: ContextVar[Mapping[str, object]] = ContextVar("bound", default=MappingProxyType({}))


def say(
    logger: logging.Logger, level: int, message: str, *args: object, facts: Mapping[str, object]
) -> None:
    """Log what `logger.log(level, message, *args, extra=facts)` does, at half the cost.

    It does not look for the caller, nor at each name of `facts` whether it is one of the library's.
    """
    if logger.isEnabledFor(level):
        own = {
            "name": logger.name,
            "levelno": level,
            "levelname": logging.getLevelName(level),
            "msg": message,
            "args": args,
        }
        logger.handle(logging.makeLogRecord({**facts, **own}))


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
    known = record.__dict__
    for name, value in _bound.get().items():
        known.setdefault(name, value)
    return True


def facts_of(record: logging.LogRecord) -> dict[str, object]:
    """What a line says: the fields known of `FIELDS` in their order, then the others. Not clean."""
    known = record.__dict__
    facts: dict[str, object] = {
        "ts": _time(record.created),
        "level": record.levelname.lower(),
        "action": known.get("action", record.name),
        "message": _message(record),
    }
    for name, attribute in _layout(tuple(known)):
        value = known[attribute]
        if value is not None:
            facts[name] = value
    if record.exc_info:
        facts["exception"] = logging.Formatter().formatException(record.exc_info)
    if record.stack_info:
        facts["stack"] = record.stack_info
    return facts


# Lines of one kind have the same names, so the order is found once for each kind.
@lru_cache(maxsize=500)
def _layout(known: tuple[str, ...]) -> tuple[tuple[str, str], ...]:
    """Which names a line has, in their order, and the attributes of the record that they show."""
    named = [name for name in _NAMED if name in known]
    others = [name for name in known if name not in _PLACED]
    shown = [(name, name) for name in (*named, *others)]
    shown.insert(len(named), ("logger", "name"))
    return tuple(shown)


def _time(created: float) -> str:
    second = int(created)
    carried, micros = divmod(round((created - second) * 1e6), 1_000_000)
    return f"{_second(second + carried)}.{micros // 1000:03d}Z"


@lru_cache(maxsize=8)
def _second(since_epoch: int) -> str:
    return datetime.fromtimestamp(since_epoch, UTC).isoformat()[:-6]


def _cleaned(facts: Mapping[str, object]) -> dict[str, object]:
    return {name: _clean(value, name) for name, value in facts.items()}


def _suspect(text: str) -> bool:
    return any(map(text.lower().__contains__, _SIGNS))


def _simple(facts: Mapping[str, object]) -> bool:
    """Whether `facts` can be written as they are: numbers and texts, with nothing to take out."""
    new = [] if _harmless.issuperset(facts) else list(facts)
    values = iter(facts.values())
    next(values)  # the time, which is of our own making
    for value in values:
        kind = type(value)
        if kind is str:
            if value not in _harmless:
                new.append(str(value))
        elif kind not in _NUMBERS:
            return False
    # All of them at once: for a dozen signs, the number of texts costs more than their length.
    if new and _suspect("\n".join(new)):
        return False
    if len(_harmless) > _MOST_HARMLESS:
        _harmless.clear()
    _harmless.update(text for text in new if len(text) <= _SHORT)
    return True


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
        if _simple(facts):
            try:
                return _encode(facts).decode()
            except UnicodeEncodeError:
                pass  # `_cleaned` knows what to do
        return _encode(_cleaned(facts)).decode()


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
