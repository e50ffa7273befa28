"""Whether two neighbouring words can belong to one movement."""

from kinesphere.engines.choreo.drafts import LOCOMOTION, Draft
from kinesphere.engines.choreo.lexicon.terms import Filler, Limb, Tally, Trait, Unit


def names_someone(term: object) -> bool:
    """Whether a segment is a pronoun or begins a noun phrase, as a subject does."""
    return isinstance(term, Filler) and term.kind in {"person", "definite"}


def contradicts(draft: Draft, what: Trait | Tally) -> bool:
    """Whether the draft already goes another way, uses another limb or is counted."""
    if isinstance(what, Tally):
        return what.field == "count" and draft.count is not None
    return not _fits(draft, what)


def _fits(draft: Draft, trait: Trait) -> bool:
    match trait.field:
        case "direction":
            return draft.direction in {None, trait.value}
        case "side":
            return draft.side in {None, trait.value}
        case "leftright":
            return (draft.side or draft.direction) in {None, trait.value}
    return True


def is_manner(walk: Draft, manner: Draft, han: bool) -> bool:
    """Whether a way of going follows a plain walk: "walks limping", 走路东倒西歪."""
    manners = LOCOMOTION - {"walk", "run", "climb", "sidestep"}
    follows = han or manner.form == "participle"
    return follows and walk.verb == "walk" and walk.count is None and manner.verb in manners


def says_the_same(first: Draft, second: Draft) -> bool:
    """Whether two words in a row mean one movement: "bends down to pick up"."""
    counted = first.count is not None or first.laps is not None
    elsewhere = second.direction is not None and first.direction not in {None, second.direction}
    return first.verb == second.verb and not counted and not elsewhere


def is_limb(term: object) -> bool:
    """Whether a segment names a part of the body; 脚 also counts kicks."""
    return isinstance(term, Limb) or (isinstance(term, Unit) and term.field == "strikes")
