"""FastAPI, Redis and Dramatiq, put together by hand."""

from benchmarks.peers.servers import redis
from benchmarks.peers.target import Setup, Target, plain


def _commands(setup: Setup) -> dict[str, list[str]]:
    listen = ["--host", "127.0.0.1", "--port", str(setup.port), "--log-level", "warning"]
    pool = ["--processes", str(setup.load.devices), "--threads", "1"]
    return {
        "front": ["{bin}/uvicorn", "dramatiq_front:app", *listen],
        "worker": ["{bin}/dramatiq", "dramatiq_tasks", *pool],
    }


DRAMATIQ = Target(
    name="dramatiq",
    title="FastAPI 0.121 + Dramatiq 2.2 + Redis",
    requirements=("fastapi==0.121.0", "uvicorn[standard]==0.38.0", "dramatiq[redis]==2.2.1"),
    commands=_commands,
    call=plain("/call"),
    submit=plain("/submit"),
    worker="worker",
    # After 60 s without a heartbeat, by one command in a thousand that looks for such workers.
    redelivery=60.0,
    servers=redis,
)
