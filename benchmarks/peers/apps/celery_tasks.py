"""Celery: as it comes, or hardened with what its documentation says about lost tasks."""

import os

from celery import Celery
from engine import Engine

app = Celery("tasks", broker=os.environ["PEERS_REDIS"], backend=os.environ["PEERS_REDIS"])
if os.environ.get("PEERS_HARDENED"):
    app.conf.update(
        task_acks_late=True,
        task_reject_on_worker_lost=True,
        worker_prefetch_multiplier=1,
        # The look for what became visible again is every tenth of those 10 s apart, if not told.
        broker_transport_options={"visibility_timeout": 60, "unacked_restore_throttle": 1},
    )
_engine: Engine | None = None


@app.task
def call(job: str) -> str:
    global _engine
    _engine = _engine or Engine()
    return _engine.run([job])[0]
