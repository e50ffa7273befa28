"""How the time of a clip is shared out among actions."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from kinesphere.engines.choreo.moves.registry import Move
from kinesphere.engines.choreo.script import Action
from kinesphere.engines.choreo.stances import SECONDS, way
from kinesphere.engines.choreo.style import Style

UPRIGHT: Final = frozenset({"stand", "crouch", "kneel", "kneel_both", "sit", "sit_floor"})
"""Stances with free hands, in which an upper-body action is played without standing up first."""


@dataclass(slots=True)
class Turn:
    """An action with what the sharing needs to know of it.

    Attributes:
        action: What was asked.
        move: How it is played.
        style: Manner.
        tempo: Factor on natural speed: asked, styled and by chance.
        path: Stances to pass before it, the entry included.
        reps: Repetitions; grown where time is left.
        span: Seconds given to it, the way into its stance included.
    """

    action: Action
    move: Move
    style: Style
    tempo: float
    path: list[str]
    reps: int
    span: float = 0.0

    @property
    def approach(self) -> float:
        """Natural seconds of the way into the entry stance."""
        return float(sum(SECONDS[stance] for stance in self.path) / self.tempo**0.7)

    @property
    def body(self) -> float:
        """Natural seconds of the action itself."""
        return (self.move.lead + self.reps * self.move.cycle + self.move.tail) / self.tempo

    @property
    def natural(self) -> float:
        """Natural seconds, approach included."""
        return self.approach + self.body

    @property
    def elastic(self) -> bool:
        """Whether more time makes it longer instead of slower."""
        counted = self.action.count is not None and self.action.path != "circle"
        return self.move.holds or (self.move.repeats and not counted)


def entry_of(action: Action, move: Move, stance: str) -> str:
    """The stance an action starts from, given the one the figure is in."""
    if move.entry == "kneel" and action.side == "both":
        return "kneel_both"
    if move.upper:
        return stance if stance in UPRIGHT else "stand"
    return move.entry or stance


def approach(action: Action, move: Move, stance: str) -> list[str]:
    """The stances to pass on the way to an action's entry."""
    goal = entry_of(action, move, stance)
    return [] if goal == stance else way(stance, goal)


def _crowd(turns: Sequence[Turn], room: float) -> None:
    """Share out too little time: what cannot be hurried keeps its own as long as half is left."""
    rigid = sum(turn.natural for turn in turns if turn.move.most_haste < 2.0)
    supple = sum(turn.natural for turn in turns) - rigid
    factor = room / max(rigid + supple, 1e-9)
    kept = min(0.92, max(factor, 0.5 * room / max(rigid, 1e-9)))
    kept = max(kept, factor) if supple > 0.0 else factor
    for turn in turns:
        if turn.move.most_haste < 2.0:
            turn.span = turn.natural * kept
        else:
            turn.span = turn.natural * (room - kept * rigid) / supple


def share(turns: Sequence[Turn], duration: float) -> None:
    """Set the span of each turn so that they sum to the duration, and grow repetitions."""
    asked = {index: turn.action.seconds for index, turn in enumerate(turns)}
    free = [index for index, seconds in asked.items() if not seconds]
    fixed = sum(seconds for seconds in asked.values() if seconds)
    wanted = sum(turns[index].natural for index in free)
    # Times asked for are kept as long as the others get at least half of what they need.
    room = max(duration - fixed, min(0.5 * wanted, 0.6 * duration)) if free else 0.0
    for index, seconds in asked.items():
        if seconds:
            turns[index].span = seconds * (duration - room) / fixed
    extra = room - wanted
    weight = {
        index: turns[index].natural * (1.0 if turns[index].elastic else 0.12) for index in free
    }
    whole = sum(weight.values())
    for index in free:
        turn = turns[index]
        if extra > 0.0:
            turn.span = turn.natural + extra * weight[index] / whole
    if extra <= 0.0:
        _crowd([turns[index] for index in free], room)
    for turn in turns:
        if turn.move.repeats and turn.elastic:
            least = 1 if turn.span < turn.natural else turn.reps
            own = max(turn.span - turn.approach, 0.3 * turn.span) * turn.tempo
            fitting = (own - turn.move.lead - turn.move.tail) / turn.move.cycle
            turn.reps = max(min(least, turn.reps), round(fitting))
