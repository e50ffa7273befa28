"""From segments to drafts: which count, side, style or "not" belongs to which movement.

English says how after the verb ("walks slowly"), Chinese before it (慢慢地走), except for counts
and what follows 得. A clause without a verb speaks of the movement before it, or, at the start of a
sentence, of the one that comes.
"""

from typing import Final

from kinesphere.engines.choreo.agreement import (
    is_limb,
    is_manner,
    names_someone,
    says_the_same,
)
from kinesphere.engines.choreo.attachment import Attachment
from kinesphere.engines.choreo.drafts import LOCOMOTION, Draft
from kinesphere.engines.choreo.lexicon.english import NOUNS_FIRST
from kinesphere.engines.choreo.lexicon.terms import (
    Degree,
    Doing,
    Filler,
    Limb,
    Mark,
    Number,
    Role,
    Subject,
    Tally,
    Thing,
    Trait,
    Unit,
)
from kinesphere.engines.choreo.segments import Segment

BOUNDARIES: Final = frozenset(
    {
        "and", "or", "but", "comma", "stop", "then", "before", "after", "prior", "ensuing",
        "before_that", "but_first", "while", "with", "together", "meanwhile", "alternating",
        "without",
    }
)  # fmt: skip
OPENERS: Final = frozenset({"stop", "then", "before_that", "but_first"})
WORDLESS: Final = frozenset({"and", "or", "but", "comma", "stop", "with"})
ORDER_WORDS: Final = (BOUNDARIES | {"as"}) - WORDLESS - {"without"}
THINGS_FIRST: Final = frozenset(NOUNS_FIRST.split())
STEPS: Final = frozenset({"step", "steps", "pace", "paces"})
LIKE: Final = frozenset({"like", "as", "as if", "as though", "像", "如"})


class Grammar(Attachment):
    """Reads segments once, from left to right."""

    def read(self) -> None:
        """Fills `items` and `verdicts`."""
        for index, segment in enumerate(self.segments):
            term = segment.term
            match term:
                case Mark():
                    self._mark(index, term.role)
                case Doing():
                    self._doing(index, segment, term)
                case Trait():
                    self._trait(index, term)
                case Number():
                    self._cardinal(index, term.value)
                case Unit():
                    self._unit(index, term)
                case Tally():
                    self._tally(index, term)
                case Subject():
                    self._who(index, term)
                case Filler():
                    self._filler(index, term)
                case Degree():
                    self._power *= min(term.power, 2.0)
                    self.verdicts[index] = True
                case Limb():
                    self.verdicts[index] = None if self._last or self._pending else False
                case Thing() | None:
                    self._unknown(index)
            self._forget(term)
        self._pending = self._close()
        self._last_words()

    def _forget(self, term: object) -> None:
        """Lets go of what holds only up to the next content word."""
        qualifier = isinstance(term, Trait | Degree | Number)
        if not qualifier and not (isinstance(term, Filler) and term.kind == "definite"):
            self._definite = False
        if not isinstance(term, Degree):
            self._power = 1.0
        joins = isinstance(term, Mark) and term.role in {"copula", "and", "un", "not"}
        if not qualifier and not joins:
            self._copula = False
        if not isinstance(term, Degree) and not (isinstance(term, Mark) and term.role == "un"):
            self._unlike = False
        if not qualifier and not (isinstance(term, Filler) and term.kind == "article"):
            self._article = None

    def _mark(self, index: int, role: Role) -> None:
        if role == "as" and names_someone(self._next(index)):
            role = "while"
        moving = self._current is not None
        match role:
            case "copula":
                self._copula = True
            case "degree_complement":
                self._complement = True
            case "attributive" if moving and isinstance(self._next(index), Subject):
                self._boundary(index, "meanwhile")
            case "aspect" if moving:
                self.items.append(("aspect", index))
            case "un" | "not":
                self._unlike = role == "un"
                self._not = index
            case "without":
                self._boundary(index, role)
                self._not = index
            case "prior" | "ensuing" | "meanwhile" if not moving:
                if role == "ensuing" and self._last is not None:
                    self._boundary(index, "then")
            case _ if role in BOUNDARIES:
                self._boundary(index, role)

    def _boundary(self, index: int, role: Role) -> None:
        denied = self._denied
        empty = self._current is None and not self._pending
        kept = self._close()
        opener = (self._opener and empty) or role in OPENERS
        self._open_clause()
        self._opener = opener or bool(kept)
        self._pending = kept
        if role == "or":
            self._not = denied
        if role != "without":
            self.items.append((role, index))
        word = self.segments[index].term
        if isinstance(word, Mark) and word.role in ORDER_WORDS:
            self.verdicts[index] = True

    def _doing(self, index: int, segment: Segment, doing: Doing) -> None:
        following = self._next(index)
        if self._is_noun(segment.text.lower(), doing, following):
            self._unknown(index)
            return
        if segment.text.lower() in STEPS and (self._number or self._article is not None):
            self._unit(index, Unit("steps"))
            return
        draft = Draft.of(doing, index)
        draft.stepping = segment.text.lower().startswith("step")
        sides = {trait.value for trait in segment.inner}
        if sides:
            draft.take(Trait("side", sides.pop() if len(sides) == 1 else "both"), 1.0)
        self.verdicts[index] = True
        self._furnish(draft)
        if self._not is not None:
            self.verdicts[self._not] = True
            self._not = None
            self._current, self._denied = draft, index
            return
        self._place(index, draft, doing, segment)
        if doing.ends and isinstance(following, Doing):
            self._not = index
        if doing.form == "participle" and isinstance(following, Subject):
            self._boundary(index, "meanwhile")

    def _is_noun(self, word: str, doing: Doing, following: object) -> bool:
        """Tells "the walk is long", "a walk is" and "a box" from "does the walk"."""
        if word in THINGS_FIRST and not self._light:
            named = self._definite or self._article is not None or self._number is not None
            return named or (bool(self.items) and self.items[-1] is self._current)
        if doing.form != "base":
            return False
        copula = isinstance(following, Mark) and following.role == "copula"
        return (self._definite and not self._light) or (copula and not self._subject)

    def _place(self, index: int, draft: Draft, doing: Doing, segment: Segment) -> None:
        current = self._current
        if current is not None and draft.verb in LOCOMOTION and current.verb in LOCOMOTION:
            self._drop_aspect()
        if current is not None and self.items and self.items[-1] is current:
            plain = segment.han and draft.verb == "walk" and current.verb in LOCOMOTION
            if (draft.weak or plain) and draft.verb != current.verb:
                self.verdicts[index] = None
                current.absorb(draft)
                return
            if current.weak or is_manner(current, draft, segment.han):
                self.items.pop()
                draft.absorb(current)
                if draft.verb != current.verb and not (current.path or current.direction):
                    self.verdicts[current.source] = None
            elif says_the_same(current, draft):
                current.absorb(draft)
                return
        participial = doing.form == "participle" and self._finite_before(index)
        if doing.form == "nominal" and doing.posture:
            self.items.append(("with", index))
        elif participial:
            self.items.append(("beside", index))
        self.items.append(draft)
        if segment.han and doing.posture:
            self.items.append(("aspect", index))
        self._current = self._last = draft
        self._light = self._complement = False

    def _drop_aspect(self) -> None:
        """Forgets the 着 of 倒退着走, which joins two words for one way of going."""
        if self.items and isinstance(self.items[-1], tuple) and self.items[-1][0] == "aspect":
            self.items.pop()

    def _finite_before(self, index: int) -> bool:
        """Whether a participle here goes with a finite verb: "walks waving", "walks, waving"."""
        if self._copula or (index and self._is_aspectual(index - 1)):
            return False
        last = self._last
        if last is None or last.form == "participle":
            return False
        between = self.items[-1] if self.items else None
        return between is last or (isinstance(between, tuple) and between[0] == "comma")

    def _is_aspectual(self, index: int) -> bool:
        term = self.segments[index].term
        return isinstance(term, Filler) and term.kind == "aspectual"

    def _trait(self, index: int, trait: Trait) -> None:
        power = self._power
        if trait.field == "leftright" and is_limb(self._next(index)):
            trait = Trait("side", trait.value)
        if self._unlike or (
            self._not is not None and self._current is not None and not self.segments[index].han
        ):
            self.verdicts[index] = True
            if self._not is not None:
                self.verdicts[self._not] = True
            self._not = None
            return
        if trait.field == "path" and self._number is not None:
            self.verdicts[self._number[0]] = True
            self._tally(index, Tally("laps", self._number[1]))
            self._number = None
            return
        if self._is_predicate(index, trait):
            self._style_subject([(index, trait, power)])
            return
        if self._qualifies_thing(index, trait):
            self._unknown(index)
            return
        waits = self._current is None or (self.segments[index].han and not self._complement)
        if waits or self._current is None:
            self._pending.append((index, trait, power))
        else:
            self._apply(self._current, index, trait, power)

    def _is_predicate(self, index: int, trait: Trait) -> bool:
        """Whether this says what the figure is like: "is tired", "looks tired"."""
        if not (trait.field == "style" and trait.adjective):
            return False
        before = index - 1
        while before >= 0 and isinstance(self.segments[before].term, Degree):
            before -= 1
        current = self._current
        looks = current is not None and current.verb == "look" and current.source == before
        if looks and current is not None and not self.segments[before].han:
            if self.items and self.items[-1] is current:
                self.items.pop()
            self.verdicts[before] = None
            self._current = None
            self._last = next((i for i in reversed(self.items) if isinstance(i, Draft)), None)
            self._copula = True
        return self._copula and not self._complement

    def _qualifies_thing(self, index: int, trait: Trait) -> bool:
        """Whether this is an adjective of an object: the big of "jumps over a big rock"."""
        if self._current is None or trait.field not in {"style", "speed", "amplitude"}:
            return False
        named = self._article is not None or self._definite
        adverb = trait.field == "style" and not trait.adjective
        noun = isinstance(self._next(index), Subject | Thing | None)
        return named and noun and not adverb and not self._likened(index) and trait.value != "heavy"

    def _likened(self, index: int) -> bool:
        """Whether "like" stands just before: "like an old man"."""
        before = self.segments[max(0, index - 3) : index]
        return any(segment.text.lower() in LIKE for segment in before)

    def _cardinal(self, index: int, value: float) -> None:
        self._drop_number()
        following = self._next(index)
        if isinstance(following, Limb):
            if value == 2:
                self._trait(index, Trait("side", "both"))
            elif value != 1:
                self.verdicts[index] = False
            return
        if value == 1 and self.segments[index].han and isinstance(following, Doing):
            return
        if value > 0:
            self._number = (index, value)
        else:
            self.verdicts[index] = False

    def _who(self, index: int, subject: Subject) -> None:
        self._drop_number()
        if self._current is not None:
            if subject.style and self._likened(index):
                self._apply(self._current, index, Trait("style", subject.style), 1.0)
            return
        own = [
            pending
            for pending in self._pending
            if isinstance(pending[1], Trait) and pending[1].adjective
        ]
        if own or subject.style:
            self._subject_styles = {}
        self._style_subject(own)
        self._pending = [pending for pending in self._pending if pending not in own]
        if subject.style:
            self._subject_styles.setdefault(subject.style, 1.0)
            self.verdicts[index] = True
        self._subject = True

    def _filler(self, index: int, filler: Filler) -> None:
        if filler.kind == "article":
            self._article = index
        elif filler.kind == "definite":
            self._definite = True
        elif filler.kind == "light":
            self._light = True
        elif filler.kind == "person":
            self._subject = True

    def _unknown(self, index: int) -> None:
        self._drop_number()
        self.verdicts[index] = False
