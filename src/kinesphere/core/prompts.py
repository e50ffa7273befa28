"""Prompts: what is allowed in one, how long it is, and its normal form."""

import hashlib
import unicodedata
from dataclasses import dataclass
from typing import Final, Literal

from kinesphere.core.catalog import Model
from kinesphere.core.failures import FieldError, Rejected

_CJK: Final = (
    (0x3040, 0x30FF),  # Hiragana, Katakana
    (0x3400, 0x4DBF),  # CJK extension A
    (0x4E00, 0x9FFF),  # CJK unified ideographs
    (0xAC00, 0xD7AF),  # Hangul syllables
    (0xF900, 0xFAFF),  # CJK compatibility ideographs
    (0x20000, 0x3134F),  # CJK extensions B to G
)
_BREAKS: Final = "\t\n\r"
_LONGEST: Final = 4000
"""Characters beyond which a prompt is not even counted, so that checking is cheap."""


def normalise(prompt: str) -> str:
    """The form in which equal prompts are equal: NFKC, single spaces, case folded."""
    return " ".join(unicodedata.normalize("NFKC", prompt).split()).casefold()


def digest(prompt: str) -> str:
    """MD5 of the normalised prompt, in hexadecimal: a name for logs, not a protection."""
    return hashlib.md5(normalise(prompt).encode(), usedforsecurity=False).hexdigest()


def is_cjk(character: str) -> bool:
    """Whether a character belongs to a script written without spaces and counted one by one."""
    code = ord(character)
    return any(low <= code <= high for low, high in _CJK)


@dataclass(frozen=True, slots=True)
class Length:
    """How long a prompt is: words of spaced scripts, and CJK characters."""

    words: int
    cjk: int


def measure(prompt: str) -> Length:
    """Count words and CJK characters. Punctuation alone is neither."""
    cjk = 0 if prompt.isascii() else sum(map(is_cjk, prompt))
    spaced = "".join(" " if is_cjk(c) else c for c in prompt) if cjk else prompt
    words = sum(any(c.isalnum() for c in word) for word in spaced.split())
    return Length(words, cjk)


@dataclass(frozen=True, slots=True)
class Budget:
    """How much of what a model takes a prompt uses: it is too long where `count` > `limit`.

    Attributes:
        count: Words or characters; of a prompt in two scripts those of the one that it has more
            of, with those of the other in proportion.
        limit: As many as the model takes.
        unit: "words" or "characters".
    """

    count: int
    limit: int
    unit: Literal["words", "characters"]


def budget(prompt: str, model: Model) -> Budget:
    """What a prompt uses of what `model` takes."""
    length = measure(prompt)
    words, cjk = length.words * model.max_cjk, length.cjk * model.max_words
    if cjk > words:
        return Budget(-(-(words + cjk) // model.max_words), model.max_cjk, "characters")
    return Budget(-(-(words + cjk) // model.max_cjk), model.max_words, "words")


def check(prompt: str, model: Model) -> None:
    """Raise Rejected unless `prompt` is text of a length that `model` takes.

    A prompt in two scripts shares one budget: words / max_words + characters / max_cjk <= 1.
    """
    allowed = f"at most {model.max_words} words or {model.max_cjk} CJK characters"
    if not prompt.strip():
        raise Rejected(
            "INVALID_REQUEST",
            "The prompt is empty.",
            (FieldError("prompt", "is empty", f"a sentence of {allowed}"),),
        )
    if len(prompt) > _LONGEST:
        raise _too_long(f"has {len(prompt)} characters", allowed)
    for index, character in enumerate(prompt):
        if unicodedata.category(character) in ("Cc", "Cs", "Cn", "Co") and character not in _BREAKS:
            problem = (
                f"has a character that is not text at position {index}: U+{ord(character):04X}"
            )
            raise Rejected(
                "INVALID_REQUEST",
                "The prompt is not plain text.",
                (FieldError("prompt", problem, "printable Unicode text"),),
            )
    length = measure(prompt)
    if length.words / model.max_words + length.cjk / model.max_cjk > 1:
        parts = [f"{length.words} words"] if length.words else []
        parts += [f"{length.cjk} CJK characters"] if length.cjk else []
        raise _too_long(f"has {' and '.join(parts)}", allowed)


def _too_long(problem: str, allowed: str) -> Rejected:
    return Rejected(
        "PROMPT_TOO_LONG",
        f"The prompt {problem}; this model takes {allowed}.",
        (FieldError("prompt", problem, allowed),),
    )
