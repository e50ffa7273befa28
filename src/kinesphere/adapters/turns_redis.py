"""What the processes of a pool tell one another of their turns, by the feed's connections."""

import logging
from collections.abc import Callable
from typing import Annotated, Final

import msgspec

from kinesphere.adapters.feed_redis import RedisFeed
from kinesphere.ports import Turn

_log = logging.getLogger("kinesphere.feed")

_Count = Annotated[int, msgspec.Meta(ge=0, le=100_000)]


class _Wire(msgspec.Struct, frozen=True):
    """A message. What it may hold is bounded: others act on it for as long as it says."""

    worker: Annotated[str, msgspec.Meta(min_length=1, max_length=512)]
    replicas: _Count
    claimed: _Count
    gathers: Annotated[float, msgspec.Meta(ge=0.0, le=3600.0)] = 0.0


_decoder: Final = msgspec.json.Decoder(_Wire)
_encoder: Final = msgspec.json.Encoder()


class RedisTurns:
    """See `kinesphere.ports.TurnNews`. To be made before the feed runs."""

    def __init__(self, feed: RedisFeed, pool: str) -> None:
        self._heard: list[Callable[[Turn], None]] = []
        self._warned = False
        self._name = f"turns:{pool}"
        self._send = feed.aside(self._name, self._take)

    def tell(self, turn: Turn) -> None:
        """See the port."""
        self._send(_encoder.encode(turn))

    def hear(self, heard: Callable[[Turn], None]) -> None:
        """See the port."""
        self._heard.append(heard)

    def _take(self, message: bytes) -> None:
        try:
            wire = _decoder.decode(message)
        except ValueError as error:
            if not self._warned:
                # Whoever sends such a thing sends many.
                self._warned = True
                extra = {"action": "turns.not_understood"}
                _log.warning("a message on %s is not ours: %s", self._name, error, extra=extra)
            return
        turn = Turn(wire.worker, wire.replicas, wire.claimed, wire.gathers)
        for heard in self._heard:
            heard(turn)
