"""Redis and PostgreSQL that die, forget, stall and quarrel; disks that are full."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

import psycopg
import pytest
import redis

from tests.chaos.rig import Rig, until

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]


@contextmanager
def users(rig: Rig) -> Iterator[None]:
    """Jobs are asked for all the while, half as many as the workers could do.

    Workers that are never idle would not listen for hints.
    """
    stop = threading.Event()

    def ask() -> None:
        while not stop.wait(1.0):
            rig.submit("steady")

    asking = threading.Thread(target=ask)
    asking.start()
    try:
        yield
    finally:
        stop.set()
        asking.join()


def killed(rig: Rig) -> None:
    rig.made.redis.restart(empty=True)


def asleep(rig: Rig) -> None:
    with suppress(redis.RedisError):
        rig.made.redis.command("DEBUG", "SLEEP", "3")
        return
    rig.made.redis.pause()
    time.sleep(3.0)
    rig.made.redis.resume()


def wiped(rig: Rig) -> None:
    rig.made.redis.command("FLUSHALL")


@pytest.mark.parametrize("harm", [killed, asleep, wiped])
def test_redis(cluster: Rig, harm: Callable[[Rig], None]) -> None:
    with cluster.case(f"Redis {harm.__name__} mid-run") as row, users(cluster):
        time.sleep(1.0)
        harm(cluster)
        row.strikes += 1
        began, after = time.monotonic(), len(cluster.accepted)

        def heard() -> set[str]:
            new = set(cluster.accepted[after:])
            return {job_id for worker in cluster.workers for job_id in worker.hinted() & new}

        until(heard, "hints of new jobs are consumed")
        row.seconds.append(time.monotonic() - began)


def restarted(rig: Rig) -> None:
    rig.made.postgres.restart()


def disconnected(rig: Rig) -> None:
    for _ in range(5):
        rig.rows(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
            "WHERE pid <> pg_backend_pid() AND backend_type = 'client backend'"
        )
        time.sleep(0.2)


def deadlocked(rig: Rig) -> None:
    url = rig.made.postgres.url.replace("+psycopg", "", 1)
    with psycopg.connect(url) as connection:
        connection.execute("UPDATE head SET seq = seq WHERE id = (SELECT id FROM head LIMIT 1)")
        until(
            lambda: rig.rows(
                "SELECT 1 FROM pg_stat_activity WHERE wait_event IN ('transactionid', 'tuple')"
            ),
            "a writer waits for the row",
        )
        # Whoever PostgreSQL ends, the writer has waited longer and looks first.
        with suppress(psycopg.errors.DeadlockDetected):
            connection.execute("LOCK TABLE jobs IN EXCLUSIVE MODE")
        connection.rollback()


def unserialisable(rig: Rig) -> None:
    # At the isolation that is asked for it does not happen by itself: so PostgreSQL is told to say
    # it, of every third event that anybody writes. A sequence counts those that are undone, too.
    url = rig.made.postgres.url.replace("+psycopg", "", 1)
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("CREATE SEQUENCE quarrels")
        connection.execute(
            "CREATE FUNCTION quarrel() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
            "IF nextval('quarrels') % 3 = 0 THEN RAISE SQLSTATE '40001'; END IF; "
            "RETURN NEW; END $$"
        )
        connection.execute(
            "CREATE TRIGGER quarrel BEFORE INSERT ON events FOR EACH ROW EXECUTE FUNCTION quarrel()"
        )
        try:
            until(lambda: rig.rows("SELECT 1 FROM quarrels WHERE last_value >= 30"), "quarrels")
        finally:
            connection.execute("DROP FUNCTION quarrel CASCADE")
            connection.execute("DROP SEQUENCE quarrels")


@pytest.mark.parametrize("harm", [restarted, disconnected, deadlocked, unserialisable])
def test_postgresql(cluster: Rig, harm: Callable[[Rig], None]) -> None:
    with cluster.case(f"PostgreSQL {harm.__name__} mid-run") as row:
        with users(cluster):
            time.sleep(1.0)
            harm(cluster)
            row.strikes += 1
            began = time.monotonic()
            cluster.submit()
            row.seconds.append(time.monotonic() - began)
        assert row.seconds[0] < 15.0
