"""The moves by verb."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from kinesphere.engines.choreo.score import Beat, Score

Play = Callable[[Score, Beat], None]


@dataclass(frozen=True, slots=True)
class Move:
    """How a verb is played and how long it takes.

    Attributes:
        play: Writes it.
        lead: Natural seconds before the first repetition.
        cycle: Natural seconds of a repetition.
        tail: Natural seconds after the last.
        reps: Repetitions when none are asked.
        entry: Stance it starts from; empty: whichever the figure is in.
        leave: Stance it ends in; empty: the one it started from.
        repeats: Whether time to spare is filled with more repetitions when none are asked.
        holds: Whether time to spare goes into the repetition, as in a held pose.
        upper: Whether it can be laid over another action.
        most_tempo: How many times faster than natural it may be asked or styled.
        most_haste: How many times faster than natural a crowded clip may play it; beyond that it
            is only hinted at.
    """

    play: Play
    lead: float
    cycle: float
    tail: float
    reps: int = 1
    entry: str = "stand"
    leave: str = ""
    repeats: bool = False
    holds: bool = False
    upper: bool = False
    most_tempo: float = 2.5
    most_haste: float = 10.0


MOVES: Final[dict[str, Move]] = {}
"""One move for each key of VERBS."""


def move(
    verb: str,
    lead: float,
    cycle: float,
    tail: float,
    reps: int = 1,
    *,
    entry: str = "stand",
    leave: str = "",
    repeats: bool = False,
    holds: bool = False,
    upper: bool = False,
    most_tempo: float = 2.5,
    most_haste: float = 10.0,
) -> Callable[[Play], Play]:
    """Register the decorated function as the move of a verb; the rest as in `Move`."""

    def register(play: Play) -> Play:
        MOVES[verb] = Move(
            play,
            lead,
            cycle,
            tail,
            reps,
            entry,
            leave,
            repeats,
            holds,
            upper,
            most_tempo,
            most_haste,
        )
        return play

    return register
