"""The words choreo knows: surface forms in English and Chinese, looked up by longest match.

The tables are data (`english`, `chinese`); here they become two indexes, built on first use.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from functools import cache
from typing import cast

from kinesphere.engines.choreo.lexicon import chinese, english
from kinesphere.engines.choreo.lexicon.inflection import chinese_forms, english_forms
from kinesphere.engines.choreo.lexicon.terms import (
    Degree,
    Doing,
    Filler,
    FillerKind,
    Limb,
    Mark,
    Number,
    Role,
    Subject,
    Tally,
    Term,
    Thing,
    Trait,
    TraitField,
    Unit,
    UnitField,
)
from kinesphere.engines.choreo.script import Action, Side

ADVERB_ENDINGS = ("ly",)


@dataclass(slots=True)
class Node:
    """One word of the English phrases: the term that ends here, and the words that may follow."""

    term: Term | None = None
    then: dict[str, "Node"] = field(default_factory=dict)


def split(forms: str) -> Iterator[str]:
    """Yields the phrases of an English table cell."""
    return (form.strip() for form in forms.split(","))


def _scalar_traits(
    tables: tuple[tuple[TraitField, dict[float, str]], ...],
) -> Iterator[tuple[Trait, str]]:
    for name, table in tables:
        for factor, forms in table.items():
            yield Trait(name, factor), forms


def _named_traits(
    tables: tuple[tuple[TraitField, dict[str, str]], ...],
) -> Iterator[tuple[Trait, str]]:
    for name, table in tables:
        for value, forms in table.items():
            yield Trait(name, value), forms


def english_terms() -> Iterator[tuple[str, Term]]:
    """Yields every English surface form with its term; a later form overrides an earlier one."""
    for kind, forms in english.FILLERS.items():
        yield from ((form, Filler(cast(FillerKind, kind))) for form in split(forms))
    yield from ((form, Limb()) for form in split(english.LIMBS))
    yield from ((form, Subject()) for form in split(english.SUBJECTS))
    for style, forms in english.STYLED_SUBJECTS.items():
        yield from ((form, Subject(style)) for form in split(forms))
    yield from _english_traits()
    yield from _english_measures()
    yield from _english_movements()
    for role, forms in english.MARKS.items():
        yield from ((form, Mark(cast(Role, role))) for form in split(forms))
    yield from ((form, Thing()) for form in split(english.THINGS))


def _english_traits() -> Iterator[tuple[str, Term]]:
    for style, forms in english.STYLES.items():
        for form in split(forms):
            yield form, Trait("style", style, adjective=not form.endswith(ADVERB_ENDINGS))
    tables = (
        *_scalar_traits((("speed", english.SPEEDS), ("amplitude", english.AMPLITUDES))),
        *_named_traits(
            (
                ("direction", english.DIRECTIONS), ("up_down", english.UP_DOWN),
                ("path", english.PATHS), ("side", english.SIDES),
                ("leftright", english.LEFT_RIGHT), ("round_trip", {"": english.BACK_AND_FORTH}),
            )
        ),
    )  # fmt: skip
    for trait, forms in tables:
        yield from ((form, trait) for form in split(forms))


def _english_measures() -> Iterator[tuple[str, Term]]:
    for power, forms in english.DEGREES.items():
        yield from ((form, Degree(power)) for form in split(forms))
    for value, forms in english.NUMBERS.items():
        yield from ((form, Number(value)) for form in split(forms))
    for name, scale, forms in english.UNITS:
        yield from ((form, Unit(cast(UnitField, name), scale)) for form in split(forms))
    for name, value, forms in english.TALLIES:
        yield from ((form, Tally(cast(UnitField, name), value)) for form in split(forms))


def _english_movements() -> Iterator[tuple[str, Term]]:
    def inflected(doing: Doing, forms: str) -> Iterator[tuple[str, Term]]:
        for phrase in split(forms):
            for text, form in english_forms(phrase):
                yield text, replace(doing, form=form)

    yield from inflected(Doing(Action("walk"), weak=True), english.WEAK_MOVEMENTS)
    yield from inflected(Doing(Action("idle"), ends=True), english.ENDINGS)
    yield from inflected(Doing(Action("walk"), round_trip=True), english.ROUND_TRIPS)
    for action, forms in english.MOVEMENTS:
        yield from inflected(Doing(action), forms)
    for action, forms in english.NOUN_PHRASES:
        yield from ((form, Doing(action, "nominal")) for form in split(forms))
    for action, forms in english.POSTURES:
        yield from ((form, Doing(action, "nominal", posture=True)) for form in split(forms))


POSTURE_VERBS = frozenset(
    {"cross_arms", "hands_on_hips", "raise_arm", "phone", "box_guard", "pray"}
)


HEAD_BENT = (Action("look", direction="up"), Action("look", direction="down"))


def chinese_terms() -> Iterator[tuple[str, Term]]:
    """Yields every Chinese surface form with its term; a later form overrides an earlier one."""
    for kind, forms in chinese.FILLERS.items():
        yield from ((form, Filler(cast(FillerKind, kind))) for form in forms.split())
    yield from ((form, Limb()) for form in chinese.LIMBS.split())
    yield from ((form, Subject()) for form in chinese.SUBJECTS.split())
    for style, forms in chinese.STYLED_SUBJECTS.items():
        yield from ((form, Subject(style)) for form in forms.split())
    yield from _chinese_traits()
    yield from _chinese_measures()
    yield from _chinese_movements()
    for role, forms in chinese.MARKS.items():
        yield from ((form, Mark(cast(Role, role))) for form in forms.split())
    yield from ((form, Thing()) for form in chinese.THINGS.split())


def _chinese_traits() -> Iterator[tuple[str, Term]]:
    tables = (
        *_scalar_traits((("speed", chinese.SPEEDS), ("amplitude", chinese.AMPLITUDES))),
        *_named_traits(
            (
                ("direction", chinese.DIRECTIONS), ("path", chinese.PATHS),
                ("side", chinese.SIDES), ("leftright", chinese.LEFT_RIGHT),
                ("round_trip", {"": chinese.BACK_AND_FORTH}),
            )
        ),
    )  # fmt: skip
    for trait, forms in tables:
        yield from ((form, trait) for form in forms.split())
    for style, forms in chinese.STYLES.items():
        for form in forms.split():
            yield form, Trait("style", style, adjective=True)
            yield f"{form}地", Trait("style", style)


def _chinese_measures() -> Iterator[tuple[str, Term]]:
    for power, forms in chinese.DEGREES.items():
        yield from ((form, Degree(power)) for form in forms.split())
    for value, forms in chinese.SOME.items():
        yield from ((form, Number(value)) for form in forms.split())
    for name, scale, forms in chinese.UNITS:
        yield from ((form, Unit(cast(UnitField, name), scale)) for form in forms.split())
    for name, value, forms in chinese.TALLIES:
        yield from ((form, Tally(cast(UnitField, name), value)) for form in forms.split())


def _chinese_movements() -> Iterator[tuple[str, Term]]:
    for form in chinese.WEAK_MOVEMENTS.split():
        yield form, Doing(Action("walk"), weak=True)
    for form in chinese.CIRCLING.split():
        yield form, Doing(Action("walk", path="circle"), weak=True)
    for form in chinese.ENDINGS.split():
        yield form, Doing(Action("idle"), ends=True)
    for form in chinese.ROUND_TRIPS.split():
        yield form, Doing(Action("walk"), round_trip=True)
    for action, forms in chinese.MOVEMENTS:
        held = action.verb in POSTURE_VERBS or action in HEAD_BENT
        for form in forms.split():
            for text, side, count, durative in chinese_forms(form):
                said = replace(
                    action,
                    side=cast(Side | None, side) or action.side,
                    count=count or action.count,
                )
                yield text, Doing(said, posture=held or durative)


@cache
def english_index() -> Node:
    """Returns the English forms as a tree of words."""
    root = Node()
    for form, term in english_terms():
        node = root
        for word in form.split():
            node = node.then.setdefault(word, Node())
        node.term = term
    return root


@cache
def chinese_index() -> dict[str, tuple[tuple[int, ...], dict[str, Term]]]:
    """Returns, by first character, the lengths that occur (longest first) and the forms."""
    grouped: dict[str, dict[str, Term]] = {}
    for form, term in chinese_terms():
        grouped.setdefault(form[0], {})[form] = term
    return {
        first: (tuple(sorted({len(form) for form in forms}, reverse=True)), forms)
        for first, forms in grouped.items()
    }


@cache
def names(language: str) -> dict[str, str]:
    """Returns the surface forms that stand for a verb, with their verb, plainest first.

    Args:
        language: `en` or `zh`.
    """
    found: dict[str, str] = {}
    if language == "zh":
        rows = [(action.verb, forms.split()) for action, forms in chinese.MOVEMENTS]
        rows = [(verb, [f for f in forms if "-" not in f and "@" not in f]) for verb, forms in rows]
    else:
        rows = [(action.verb, list(split(forms))) for action, forms in english.MOVEMENTS]
    for verb, forms in rows:
        for form in forms:
            found.setdefault(form, verb)
    return found
