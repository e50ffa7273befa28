"""Reads a prompt, in English, Chinese or both, into a script."""

import difflib
import unicodedata
from bisect import bisect_left, bisect_right
from dataclasses import dataclass
from typing import Final

from kinesphere.core.understanding import Meant, Span, Understanding
from kinesphere.engines.choreo.attachment import Verdict
from kinesphere.engines.choreo.drafts import Draft
from kinesphere.engines.choreo.grammar import Grammar
from kinesphere.engines.choreo.lexicon import names
from kinesphere.engines.choreo.ordering import ordered, together
from kinesphere.engines.choreo.script import Script
from kinesphere.engines.choreo.segments import Segment, normalise, segments

SUGGESTIONS: Final = 8
WORDS_COMPARED: Final = 6
COMMON: Final = (
    "walk", "wave", "jump", "spin", "sit", "dance", "kick", "bow", "run", "punch", "kneel", "clap",
)  # fmt: skip


class NotUnderstood(Exception):
    """Nothing in a prompt names a movement that choreo can play.

    Attributes:
        ignored: The content words, as the user wrote them.
    """

    def __init__(self, ignored: tuple[str, ...]) -> None:
        super().__init__(f"no movement understood in {ignored!r}")
        self.ignored = ignored


@dataclass(frozen=True, slots=True)
class _Read:
    """A prompt cut, each piece with its verdict, and the movements in it."""

    cut: list[Segment]
    verdicts: list[Verdict]
    drafts: list[Draft]

    @property
    def ignored(self) -> tuple[str, ...]:
        return tuple(
            word
            for segment, verdict in zip(self.cut, self.verdicts, strict=True)
            if verdict is False
            for word in ([segment.text] if segment.han else segment.text.split())
        )


def _read(text: str) -> _Read:
    cut = segments(text)
    grammar = Grammar(cut)
    grammar.read()
    drafts = ordered(together(grammar.items, grammar.verdicts))
    return _Read(cut, grammar.verdicts, drafts)


def read(prompt: str) -> Script:
    """Reads a prompt in time linear in its length.

    Args:
        prompt: Any text; it is read in Unicode form NFKC.

    Raises:
        NotUnderstood: If nothing in it is a movement to be done.
    """
    found = _read(normalise(prompt))
    if not found.drafts:
        raise NotUnderstood(found.ignored)
    return Script(
        actions=tuple(action for draft in found.drafts for action in draft.actions()),
        understood=tuple(
            segment.text
            for segment, verdict in zip(found.cut, found.verdicts, strict=True)
            if verdict
        ),
        ignored=found.ignored,
    )


def understand(prompt: str) -> Understanding:
    """Tells what `read` makes of a prompt, and where in the prompt it stands."""
    found = _read(normalise(prompt))
    places = _Places(prompt)
    said = [each for draft in found.drafts for each in (draft, *draft.overlay)]
    return Understanding(
        meant=tuple(_meant(draft, places.of(found.cut[draft.source])) for draft in said),
        spans=tuple(
            Span(*places.of(segment), understood=verdict)
            for segment, verdict in zip(found.cut, found.verdicts, strict=True)
            if verdict is not None
        ),
    )


class _Places:
    """Positions in a prompt as it was given, by positions in its normalised form."""

    def __init__(self, prompt: str) -> None:
        self._prompt = prompt
        self._same = unicodedata.is_normalized("NFKC", prompt)

    def of(self, segment: Segment) -> tuple[int, int]:
        """Where a segment begins and ends."""
        if self._same:
            return segment.start, segment.end
        # The longest beginning of the prompt that is normalised to no more than what is before it.
        ends = range(len(self._prompt) + 1)
        start = bisect_right(ends, segment.start, key=self._normal) - 1
        return start, bisect_left(ends, segment.end, key=self._normal)

    def _normal(self, end: int) -> int:
        return len(normalise(self._prompt[:end]))


def _meant(draft: Draft, place: tuple[int, int]) -> Meant:
    # A walk there and back is three actions, of which the first says it all.
    action = draft.actions()[0]
    manner: list[str] = [*action.styles]
    manner += [str(each) for each in (action.side, action.direction, action.path) if each]
    for value, less, more in (
        (action.speed, "slow", "fast"),
        (action.amplitude, "small", "large"),
    ):
        if value != 1.0:
            manner.append(more if value > 1.0 else less)
    return Meant(*place, action.verb, tuple(manner), action.count, action.seconds)


def suggestions(ignored: tuple[str, ...], language: str = "en") -> tuple[str, ...]:
    """Returns movements that would work, those spelled most like the ignored words first.

    Args:
        ignored: Words that were not understood; only the first few are compared.
        language: Of the suggestions, `en` or `zh`.
    """
    known = names(language)
    plainest: dict[str, str] = {}
    for form, verb in known.items():
        plainest.setdefault(verb, form)
    found: dict[str, None] = {}
    for word in ignored[:WORDS_COMPARED]:
        for form in difflib.get_close_matches(word[:30].lower(), known, n=2, cutoff=0.6):
            found.setdefault(form)
    for verb in COMMON:
        found.setdefault(plainest[verb])
    return tuple(found)[:SUGGESTIONS]
