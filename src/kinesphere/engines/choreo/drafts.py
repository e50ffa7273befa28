"""Drafts: actions still being read, and how counts, sides, speeds and styles settle on them."""

from dataclasses import dataclass, field
from itertools import chain
from typing import Final, cast

from kinesphere.engines.choreo.lexicon.terms import Doing, Trait, UnitField
from kinesphere.engines.choreo.script import Action, Direction, Path, Side

LOCOMOTION: Final = frozenset(
    {"walk", "run", "sneak", "march", "skip", "sidestep", "stagger", "limp", "crawl", "climb"}
)
LIMBED: Final = frozenset(
    {
        "wave", "punch", "kick", "raise_arm", "throw", "catch", "salute", "stomp", "beckon",
        "kneel", "balance", "phone", "drink", "blow_kiss", "swing", "hop", "lunge",
    }
)  # fmt: skip
"""Verbs for which a bare "left" names the limb, not the way."""
VERTICAL: Final = frozenset(
    {"climb", "look", "point", "throw", "punch", "kick", "push", "pull", "jump"}
)
SPEED_LIMITS: Final = (0.3, 2.5)
AMPLITUDE_LIMITS: Final = (0.4, 2.0)
MOST: Final = 1000.0
"""No count, angle in turns or time in seconds is read as more than this."""


@dataclass(slots=True, eq=False)
class Draft:
    """An action being read.

    Attributes:
        source: Index of its segment.
        weight: Styles with their intensity; "very tired" outweighs "angry".
        laps: Times around, where the verb turns or travels.
        stepping: It was written as a step, so left and right make it a sidestep.
    """

    source: int
    verb: str
    form: str = "finite"
    weak: bool = False
    round_trip: bool = False
    stepping: bool = False
    count: float | None = None
    laps: float | None = None
    side: Side | None = None
    direction: Direction | None = None
    path: Path | None = None
    degrees: float | None = None
    seconds: float | None = None
    speed: float = 1.0
    amplitude: float = 1.0
    weight: dict[str, float] = field(default_factory=dict)
    overlay: list["Draft"] = field(default_factory=list)

    @classmethod
    def of(cls, doing: Doing, source: int) -> "Draft":
        """Returns the draft of a movement as the lexicon has it."""
        said = doing.action
        draft = cls(source, said.verb, doing.form, doing.weak, doing.round_trip)
        draft.count, draft.side, draft.direction = said.count, said.side, said.direction
        draft.path, draft.degrees = said.path, said.degrees
        draft.speed, draft.amplitude = said.speed, said.amplitude
        draft.weight = dict.fromkeys(said.styles, 1.0)
        return draft

    def take(self, trait: Trait, power: float) -> bool:
        """Applies a trait; False if this verb has no use for it."""
        name, value = trait.field, trait.value
        if name == "leftright":
            name = "side" if self.verb in LIMBED else "direction"
        if name == "up_down":
            if self.verb not in VERTICAL:
                return False
            name = "direction"
        if name == "side" and self.verb in {"turn", "spin"} and value != "both":
            name = "direction"
        match name:
            case "speed":
                self.speed *= float(value) ** power
            case "amplitude":
                self.amplitude *= float(value) ** power
            case "style":
                self.weight[str(value)] = max(power, self.weight.get(str(value), 0.0))
            case "side":
                self.side = cast(Side, value)
            case "direction":
                self.direction = cast(Direction, value)
            case "path":
                self.path = cast(Path, value)
            case _:
                self.round_trip = True
        return True

    def measure(self, unit: UnitField, value: float) -> None:
        """Applies a number with its unit: times, laps, degrees, seconds or steps."""
        value = min(value, MOST)
        if unit == "laps":
            self.laps = value
        elif unit == "degrees":
            self.degrees = value
        elif unit == "seconds":
            self.seconds = value
        elif self.verb in {"turn", "spin"} and value >= 45 and value % 45 == 0:
            self.degrees = value
        else:
            self.count = value

    def absorb(self, other: "Draft") -> None:
        """Takes over what a draft that yields to this one has said."""
        self.count = self.count if other.count is None else other.count
        self.laps = self.laps if other.laps is None else other.laps
        self.side = self.side or other.side
        self.direction = self.direction or other.direction
        self.path = self.path or other.path
        self.degrees = self.degrees if other.degrees is None else other.degrees
        self.seconds = self.seconds if other.seconds is None else other.seconds
        self.speed *= other.speed
        self.amplitude *= other.amplitude
        self.round_trip |= other.round_trip
        self.weight = other.weight | self.weight

    def actions(self) -> list[Action]:
        """Returns what is to be played: one action, or three for there and back."""
        self._settle()
        action = Action(
            verb=self.verb,
            count=self.count,
            side=self.side,
            direction=self.direction,
            path=self.path,
            degrees=self.degrees,
            speed=_clamped(self.speed, SPEED_LIMITS),
            amplitude=_clamped(self.amplitude, AMPLITUDE_LIMITS),
            styles=tuple(sorted(self.weight, key=lambda style: -self.weight[style])),
            seconds=self.seconds,
            overlay=tuple(chain.from_iterable(draft.actions() for draft in self.overlay)),
        )
        if self.round_trip and self.verb in LOCOMOTION:
            about = Action("turn", degrees=180, speed=action.speed, styles=action.styles)
            return [action, about, action]
        return [action]

    def _settle(self) -> None:
        if self.verb in {"turn", "spin"}:
            self._settle_turning()
        elif self.laps is not None or (self.path == "circle" and self.count is not None):
            self.path = "circle"
            self.degrees = 360.0 * (self.laps if self.laps is not None else self.count or 1.0)
            self.count = None
        if self.stepping and self.verb == "walk" and self.direction in {"left", "right"}:
            self.verb = "sidestep"

    def _settle_turning(self) -> None:
        several = self.count is not None and self.count > 1
        if self.verb == "turn" and (
            self.laps is not None or self.path == "circle" or (several and self.degrees == 180)
        ):
            self.verb, self.degrees = "spin", None
        if self.laps is not None:
            self.count = self.laps
        self.path = None


def _clamped(value: float, limits: tuple[float, float]) -> float:
    return round(min(max(value, limits[0]), limits[1]), 3)
