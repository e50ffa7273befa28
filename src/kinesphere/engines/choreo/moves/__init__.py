"""One move for each verb; importing this package registers them all."""

from kinesphere.engines.choreo.moves import (
    dance,
    exercise,
    exertion,
    floor,
    gestures,
    handling,
    jumps,
    locomotion,
    moods,
    standing,
)
from kinesphere.engines.choreo.moves.registry import MOVES, Move

__all__ = [
    "MOVES", "Move", "dance", "exercise", "exertion", "floor", "gestures", "handling", "jumps",
    "locomotion", "moods", "standing",
]  # fmt: skip
