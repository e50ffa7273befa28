"""FastAPI, Redis and Celery, put together by hand."""

from dataclasses import replace

from benchmarks.peers.servers import redis
from benchmarks.peers.target import Setup, Target, plain


def _commands(setup: Setup) -> dict[str, list[str]]:
    listen = ["--host", "127.0.0.1", "--port", str(setup.port), "--log-level", "warning"]
    pool = ["--concurrency", str(setup.load.devices), "--loglevel", "warning"]
    return {
        "front": ["{bin}/uvicorn", "celery_front:app", *listen],
        "worker": ["{bin}/celery", "-A", "celery_tasks", "worker", *pool],
    }


CELERY = Target(
    name="celery",
    title="FastAPI 0.121 + Celery 5.6 + Redis",
    requirements=(
        "fastapi==0.121.0",
        "uvicorn[standard]==0.38.0",
        "celery[redis]==5.6.0",
        "kombu==5.7.0",
    ),
    commands=_commands,
    call=plain("/call"),
    submit=plain("/submit"),
    worker="worker",
    # The visibility time-out of Redis as a broker.
    redelivery=3_600.0,
    servers=redis,
)
HARDENED = replace(
    CELERY,
    name="celery-hardened",
    title="the same, hardened by hand",
    # Its visibility time-out, and what lies between two looks.
    redelivery=60.0 + 10.0,
    settings={"PEERS_HARDENED": "1"},
)
