import asyncio
import io
import json
import logging
import warnings
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr

from kinesphere.adapters.logs import (
    _MOST_HARMLESS,
    FIELDS,
    REDACTED,
    ConsoleLines,
    JsonLines,
    _harmless,
    bound,
    configure,
    say,
    scrubbed,
)

log = logging.getLogger("kinesphere.test")


@pytest.fixture
def stream() -> Iterator[io.StringIO]:
    """What is logged; the logging of this process is put back afterwards."""
    names = ("kinesphere", "httpx", "httpcore", "alembic", "sqlalchemy", "uvicorn")
    levels = {name: logging.getLogger(name).level for name in names}
    handlers, level = logging.root.handlers, logging.root.level
    target = io.StringIO()
    configure("info", "json", target)
    yield target
    logging.root.handlers = handlers
    logging.root.setLevel(level)
    logging.captureWarnings(False)
    for name, before in levels.items():
        logging.getLogger(name).setLevel(before)


def lines(stream: io.StringIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def record(message: str = "hello", **extra: object) -> logging.LogRecord:
    return logging.makeLogRecord({"msg": message, "levelname": "INFO", "name": "x", **extra})


def test_one_object_a_line_with_the_fields_in_order(stream: io.StringIO) -> None:
    log.info("job %s", "claimed", extra={"job_id": "J", "action": "job.claimed", "worker": "w"})
    (line,) = lines(stream)
    assert list(line) == ["ts", "level", "action", "message", "job_id", "logger", "worker"]
    assert (line["message"], line["level"], line["worker"]) == ("job claimed", "info", "w")
    assert datetime.fromisoformat(line["ts"]).utcoffset() is not None
    assert line["ts"].endswith("Z")


def test_every_field_can_be_given(stream: io.StringIO) -> None:
    given_by_caller = {name: name for name in FIELDS if name not in ("ts", "level", "message")}
    log.info("all", extra=given_by_caller)
    assert tuple(lines(stream)[0])[: len(FIELDS)] == FIELDS


def test_what_is_bound_reaches_tasks_and_ends_with_the_block(stream: io.StringIO) -> None:
    async def task() -> None:
        log.info("inside")

    async def request(number: int) -> None:
        with bound(request_id=f"r{number}", user="u"), bound(trace_id="t"):
            await asyncio.create_task(task())
        log.info("outside")

    async def both() -> None:
        await asyncio.gather(request(1), request(2))

    asyncio.run(both())
    inside = [line for line in lines(stream) if line["message"] == "inside"]
    assert {(line["request_id"], line["trace_id"]) for line in inside} == {("r1", "t"), ("r2", "t")}
    assert all("request_id" not in x for x in lines(stream) if x["message"] == "outside")


def test_what_a_line_says_itself_goes_before_what_is_bound(stream: io.StringIO) -> None:
    with bound(user="bound"):
        log.info("x", extra={"user": "own"})
    assert lines(stream)[0]["user"] == "own"


def test_libraries_are_written_by_the_same_writer(stream: io.StringIO) -> None:
    logging.getLogger("uvicorn.error").info("noise")
    logging.getLogger("uvicorn.error").warning("Odd", extra={"color_message": "\x1b[1mOdd"})
    logging.getLogger("some.library").debug("noise")
    logging.getLogger("httpx").info("noise")
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        warnings.warn("old", DeprecationWarning, stacklevel=1)
    assert [line["logger"] for line in lines(stream)] == ["uvicorn.error", "py.warnings"]
    assert "color_message" not in lines(stream)[0]


def test_what_is_said_is_what_would_be_logged(stream: io.StringIO) -> None:
    facts = {"action": "a.b", "user": "ann", "error_code": None, "size": 1.5, "password": "hunter2"}
    with bound(user="bound", pool="p"):
        log.warning("%s of %d", "one", 2, extra=facts)
        say(log, logging.WARNING, "%s of %d", "one", 2, facts=facts)
    logged, said = lines(stream)
    assert list(logged.items())[1:] == list(said.items())[1:]
    assert said["password"] == REDACTED
    say(log, logging.DEBUG, "not shown", facts=facts)
    log.addFilter(refuse := lambda _: False)
    say(log, logging.ERROR, "not shown", facts=facts)
    log.removeFilter(refuse)
    assert len(lines(stream)) == 2


@given(st.floats(0, 4e9) | st.integers(0, 2**32).map(lambda n: n + 0.9999999))
def test_the_time_is_that_of_the_record(created: float) -> None:
    at = datetime.fromtimestamp(created, UTC).isoformat(timespec="milliseconds")
    assert json.loads(JsonLines().format(record(created=created)))["ts"] == at[:-6] + "Z"


def test_what_was_harmless_before_hides_nothing_later() -> None:
    form = JsonLines()
    for secret in ("Bearer hunter2", "x-api-key: hunter2"):
        for message in ("walk", secret, "walk", secret):
            line = form.format(record(message, user="ann", model="walk"))
            assert "hunter2" not in line
            assert (REDACTED in line) == (message == secret)


def test_what_is_known_to_be_harmless_is_bounded() -> None:
    form = JsonLines()
    for number in range(_MOST_HARMLESS + 2_000):
        form.format(record(job_id=f"J{number}"))
    assert len(_harmless) < _MOST_HARMLESS + 100
    form.format(record("x" * 5_000))
    assert max(map(len, _harmless)) < 1_000


def test_an_exception_stays_on_its_line(stream: io.StringIO) -> None:
    try:
        raise ValueError("broken, Signature=abcdef")
    except ValueError:
        log.exception("failed")
    (line,) = lines(stream)
    assert "ValueError: broken" in line["exception"]
    assert "abcdef" not in stream.getvalue()


def test_a_wrong_format_string_loses_nothing() -> None:
    assert "%d %d ('x',)" in JsonLines().format(record("%d %d", args=("x",)))


@pytest.mark.parametrize(
    "text",
    [
        "GET /v1/artifacts/a/1/x.bvh?Expires=1&Name=x&Signature=hunter2 200",
        "https://s3/x?X-Amz-Signature=hunter2&y=1",
        "Authorization: Bearer hunter2",
        "authorization=hunter2",
        "[(b'authorization', b'Basic hunter2==')]",
        "{'Authorization': 'hunter2'}",
        "sent Bearer hunter2.abc.def",
        "x-api-key: hunter2",
        "?api_key=hunter2&x=1",
        '{"apikey":"hunter2"}',
    ],
)
def test_secrets_in_text_are_taken_out(text: str) -> None:
    for line in (scrubbed(text), JsonLines().format(record(text, other=[{"deep": text}]))):
        assert "hunter2" not in line
        assert REDACTED in line


def test_keys_and_tokens_are_taken_out_wherever_they_stand() -> None:
    key = f"kin_{'0' * 26}_{'ab' * 32}"
    token = "eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJhZGEifQ.c2lnbmF0dXJl"
    text = f"GET /v1/{key}/x?y={token} 404"
    for line in (scrubbed(text), JsonLines().format(record(text, path=[text]))):
        assert "abab" not in line
        assert "c2ln" not in line
        assert f"kin_{'0' * 26}_{REDACTED}" in line


@pytest.mark.parametrize(
    "name", ["Authorization", "x-api-key", "cookie", "link_secret", "password"]
)
def test_secrets_by_name_are_taken_out(name: str) -> None:
    line = JsonLines().format(record(headers={name: "hunter2"}, **{name: "hunter2"}))
    assert "hunter2" not in line


def test_a_secret_setting_is_not_shown() -> None:
    assert "hunter2" not in JsonLines().format(record(settings={"link": SecretStr("hunter2")}))


@pytest.mark.parametrize("text", ["the bearer walks slowly", "basic steps", "token 3 of job J"])
def test_ordinary_text_stays(text: str) -> None:
    assert text in scrubbed(text) or REDACTED in scrubbed("Bearer hunter2")


@given(st.text(st.characters()), st.recursive(st.none() | st.floats() | st.text(), st.lists))
def test_any_text_and_value_is_one_line_of_json(text: str, value: object) -> None:
    line = JsonLines().format(record(text.replace("%", "%%"), value=value))
    assert "\n" not in line
    json.loads(line)


@given(st.text(st.characters()))
def test_the_console_shows_control_characters(text: str) -> None:
    line = ConsoleLines(coloured=False).format(record("%s", args=(text,)))
    assert all(c.isprintable() for c in line)


def test_the_console_is_coloured_when_asked() -> None:
    plain = ConsoleLines(coloured=False).format(record(action="a.b", job_id="J"))
    assert plain.endswith("info    hello [a.b] job_id=J")
    assert "\x1b[32minfo" in ConsoleLines(coloured=True).format(record())
