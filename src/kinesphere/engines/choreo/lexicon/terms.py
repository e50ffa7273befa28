"""What a surface form can mean: the closed set of terms the lexicon maps words to."""

from dataclasses import dataclass
from typing import Literal

from kinesphere.engines.choreo.script import Action

Form = Literal["base", "finite", "participle", "nominal"]
Role = Literal[
    "and", "or", "but", "comma", "stop", "then",
    "before", "after", "prior", "ensuing", "before_that", "but_first",
    "while", "as", "with", "together", "alternating", "meanwhile", "aspect", "beside",
    "not", "un", "without",
    "copula", "degree_complement", "attributive",
]  # fmt: skip
TraitField = Literal[
    "side", "direction", "leftright", "path", "speed", "amplitude", "style", "round_trip", "up_down"
]
UnitField = Literal["count", "laps", "degrees", "seconds", "steps", "strikes", "pieces"]
FillerKind = Literal["plain", "article", "definite", "light", "person", "aspectual"]


@dataclass(frozen=True, slots=True)
class Doing:
    """A movement.

    Attributes:
        action: The movement with what the word itself says of it ("sprint" is a fast run).
        form: `base` may also be a noun ("walk"); `nominal` is a noun phrase ("arms raised").
        weak: Says little by itself ("go") and yields to a movement that follows at once.
        posture: Held while something else is done ("hands on hips").
        ends: Ends the movement named next ("stops walking").
        round_trip: Goes there and back.
    """

    action: Action
    form: Form = "finite"
    weak: bool = False
    posture: bool = False
    ends: bool = False
    round_trip: bool = False


@dataclass(frozen=True, slots=True)
class Trait:
    """How a movement is done: one field of `Action` and its value.

    `leftright` is a bare left or right, a side or a direction by its neighbours; `up_down` is a
    direction only for the verbs that have one.
    """

    field: TraitField
    value: str | float = ""
    adjective: bool = False


@dataclass(frozen=True, slots=True)
class Degree:
    """Raises the next trait to a power: 1.6 for "very", 0.5 for "slightly"."""

    power: float


@dataclass(frozen=True, slots=True)
class Number:
    """A cardinal number."""

    value: float


@dataclass(frozen=True, slots=True)
class Unit:
    """What a number counts; `scale` converts to seconds, degrees or times."""

    field: UnitField
    scale: float = 1.0


@dataclass(frozen=True, slots=True)
class Tally:
    """A number with its unit in one word: "twice", "quarter"."""

    field: UnitField
    value: float


@dataclass(frozen=True, slots=True)
class Mark:
    """A word of order, simultaneity or negation, or a punctuation mark."""

    role: Role


@dataclass(frozen=True, slots=True)
class Subject:
    """Who moves; a style when the noun itself says how ("robot")."""

    style: str | None = None


@dataclass(frozen=True, slots=True)
class Limb:
    """A part of the body."""


@dataclass(frozen=True, slots=True)
class Filler:
    """A function word."""

    kind: FillerKind = "plain"


@dataclass(frozen=True, slots=True)
class Thing:
    """A content word that would otherwise be taken for a movement ("running shoes", 走廊)."""


Term = Doing | Trait | Degree | Number | Unit | Tally | Mark | Subject | Limb | Filler | Thing
