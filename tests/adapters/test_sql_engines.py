"""Connections to PostgreSQL: how long they are waited for."""

import socket
from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
from sqlalchemy.exc import OperationalError

from kinesphere.adapters.sql.engines import CONNECTING, create_readers
from tests.postgres import postgres


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    """Of a database of these tests alone."""
    with postgres() as made:
        yield made


def told(url: str) -> dict[str, str]:
    """What libpq was told about a connection to `url`."""
    engine = create_readers(url, 1)
    with engine.connect() as connection:
        driver: Any = connection.connection.dbapi_connection
        assert isinstance(driver, psycopg.Connection)
        parameters: dict[str, str] = driver.info.get_parameters()
    engine.dispose()
    return parameters


def test_times_are_set(url: str) -> None:
    assert told(url).items() >= CONNECTING.items()


def test_the_url_has_the_last_word(url: str) -> None:
    parameters = told(f"{url}&connect_timeout=11")
    assert parameters["connect_timeout"] == "11"
    assert parameters["keepalives_idle"] == CONNECTING["keepalives_idle"]


def test_a_server_that_says_nothing_is_given_up() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        engine = create_readers(
            f"postgresql+psycopg://user@127.0.0.1:{port}/db?connect_timeout=2", 1
        )
        with pytest.raises(OperationalError, match="timeout"):
            engine.connect()
        engine.dispose()
