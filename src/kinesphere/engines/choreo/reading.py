"""Reads a prompt, in English, Chinese or both, into a script."""

import difflib
from typing import Final

from kinesphere.engines.choreo.grammar import Grammar
from kinesphere.engines.choreo.lexicon import names
from kinesphere.engines.choreo.ordering import ordered, together
from kinesphere.engines.choreo.script import Script
from kinesphere.engines.choreo.segments import normalise, segments

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


def read(prompt: str) -> Script:
    """Reads a prompt in time linear in its length.

    Args:
        prompt: Any text; it is read in Unicode form NFKC.

    Raises:
        NotUnderstood: If nothing in it is a movement to be done.
    """
    text = normalise(prompt)
    cut = segments(text)
    grammar = Grammar(cut)
    grammar.read()
    verdicts = grammar.verdicts
    drafts = ordered(together(grammar.items, verdicts))
    ignored = tuple(
        word
        for segment, verdict in zip(cut, verdicts, strict=True)
        if verdict is False
        for word in ([segment.text] if segment.han else segment.text.split())
    )
    if not drafts:
        raise NotUnderstood(ignored)
    return Script(
        actions=tuple(action for draft in drafts for action in draft.actions()),
        understood=tuple(
            segment.text for segment, verdict in zip(cut, verdicts, strict=True) if verdict
        ),
        ignored=ignored,
    )


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
