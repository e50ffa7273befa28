"""What a prompt asks for, as data: one half of choreo reads it, the other half plays it."""

from dataclasses import dataclass, field
from typing import Final, Literal

Side = Literal["left", "right", "both"]
Direction = Literal["forward", "backward", "left", "right", "up", "down"]
Path = Literal["line", "circle", "zigzag", "in_place"]

VERBS: Final[dict[str, str]] = {
    # locomotion: travels along a path
    "walk": "walks",
    "run": "runs",
    "sneak": "creeps with bent knees",
    "march": "marches",
    "skip": "skips",
    "sidestep": "steps sideways",
    "stagger": "staggers, off balance",
    "limp": "limps",
    "crawl": "crawls on hands and knees",
    "climb": "climbs stairs or a ladder",
    # whole body
    "jump": "jumps on both feet",
    "hop": "hops on one foot",
    "leap": "leaps forward, one foot to the other",
    "spin": "spins about the vertical",
    "turn": "turns to face another way",
    "kneel": "kneels (side = the knee that goes down; both knees with side both)",
    "sit": "sits down as on a chair",
    "sit_floor": "sits down on the floor",
    "stand": "stands up or stands",
    "crouch": "crouches or ducks",
    "squat": "does squats",
    "lie": "lies down on the back",
    "fall": "falls to the ground",
    "bow": "bows",
    "bend": "bends down, picks something up",
    "lunge": "lunges",
    "dance": "dances",
    "idle": "stands and breathes",
    "dodge": "dodges sideways",
    "jumping_jack": "does jumping jacks",
    "push_up": "does push-ups",
    "sit_up": "does sit-ups",
    "stretch": "stretches",
    "balance": "balances on one leg",
    "cartwheel": "turns a cartwheel",
    "roll": "rolls forward on the ground",
    "stomp": "stamps a foot",
    "stumble": "stumbles and recovers",
    # upper body: may lie over another action
    "wave": "waves a hand",
    "punch": "punches",
    "clap": "claps",
    "point": "points",
    "raise_arm": "raises one or both arms",
    "cheer": "cheers with both arms up",
    "throw": "throws",
    "catch": "catches",
    "salute": "salutes",
    "nod": "nods",
    "shake_head": "shakes the head",
    "shrug": "shrugs",
    "cross_arms": "crosses the arms",
    "hands_on_hips": "puts the hands on the hips",
    "look": "looks around",
    "drink": "drinks",
    "phone": "talks on the phone",
    "pray": "puts the palms together",
    "push": "pushes",
    "pull": "pulls",
    "lift": "lifts something",
    "swing": "swings a bat or racket",
    "guitar": "plays the guitar",
    "drum": "drums",
    "scratch_head": "scratches the head",
    "cry": "wipes the eyes, shoulders shaking",
    "laugh": "laughs",
    "talk": "talks with the hands",
    "type": "types",
    "box_guard": "holds a boxing guard",
    "flap": "flaps the arms like wings",
    "conduct": "conducts an orchestra",
    "beckon": "beckons",
    "blow_kiss": "blows a kiss",
    # lower body
    "kick": "kicks",
}
"""Every verb that choreo can play, with what it looks like."""

STYLES: Final = (
    "tired", "angry", "happy", "sad", "drunk", "sneaky", "proud", "old", "robotic", "scared",
    "graceful", "heavy", "light", "childlike", "cool", "nervous",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Action:
    """One thing the figure does.

    Attributes:
        verb: A key of VERBS.
        count: How often (jumps, waves, squats) or how many turns (spin); None: as fits.
        side: Limb or side of the body; None: the natural one.
        direction: Where to, as seen by the figure; None: the natural one.
        path: What line a locomotion follows; None: straight.
        degrees: How far a turn goes, or of the circle a circling walk covers.
        speed: Tempo, 1 is natural; 0.5 slow, 1.6 fast.
        amplitude: Size of the movement, 1 is natural.
        styles: Members of STYLES, strongest first.
        seconds: Time asked for this action ("for three seconds"); None: shared out by the player.
        overlay: Upper-body actions done at the same time.
    """

    verb: str
    count: float | None = None
    side: Side | None = None
    direction: Direction | None = None
    path: Path | None = None
    degrees: float | None = None
    speed: float = 1.0
    amplitude: float = 1.0
    styles: tuple[str, ...] = ()
    seconds: float | None = None
    overlay: tuple["Action", ...] = ()


@dataclass(frozen=True, slots=True)
class Script:
    """A prompt, read.

    Attributes:
        actions: In the order in which they are played; never empty.
        understood: The words that shaped the script, as the user wrote them, in reading order.
        ignored: The content words that did not, as written; function words are in neither.
    """

    actions: tuple[Action, ...]
    understood: tuple[str, ...] = field(default=())
    ignored: tuple[str, ...] = field(default=())
