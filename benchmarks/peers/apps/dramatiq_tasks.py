"""Dramatiq over Redis, with results."""

import os

import dramatiq
from dramatiq.brokers.redis import RedisBroker
from dramatiq.results import Results
from dramatiq.results.backends import RedisBackend
from engine import Engine

# The client of Redis gives up after 5 s if not told otherwise; a result may take longer.
REDIS = os.environ["PEERS_REDIS"] + "?socket_timeout=660"
broker = RedisBroker(url=REDIS)
broker.add_middleware(Results(backend=RedisBackend(url=REDIS)))
dramatiq.set_broker(broker)
_engine: Engine | None = None


@dramatiq.actor(store_results=True)
def call(job: str) -> str:
    global _engine
    _engine = _engine or Engine()
    return _engine.run([job])[0]
