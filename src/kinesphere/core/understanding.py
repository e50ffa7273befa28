"""What a model tells of a prompt before anything is made of it."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Span:
    """A stretch of a prompt. Positions count Unicode code points of the prompt as it was given.

    Attributes:
        start: Of its first character.
        end: After its last.
        understood: Whether it shapes what is made, or is passed over.
    """

    start: int
    end: int
    understood: bool


@dataclass(frozen=True, slots=True)
class Meant:
    """One thing that will be done, and the words that ask for it.

    Attributes:
        start: Where those words begin, as in `Span`.
        end: Where they end.
        action: The model's own name for it.
        manner: How, in the model's own names: styles, sides, directions, paths, tempo and size.
        count: How often, or None for as often as fits.
        seconds: Time asked for it, or None where the model shares out the time.
    """

    start: int
    end: int
    action: str
    manner: tuple[str, ...] = ()
    count: float | None = None
    seconds: float | None = None


@dataclass(frozen=True, slots=True)
class Understanding:
    """A prompt as a model reads it.

    Attributes:
        meant: What will be done, in the order in which it is played.
        spans: The words that count, in reading order; words that only join others are in none.
    """

    meant: tuple[Meant, ...]
    spans: tuple[Span, ...]
