"""A prompt cut into segments: longest match against the lexicon, in linear time."""

import re
import unicodedata
from dataclasses import dataclass
from typing import Final

from kinesphere.engines.choreo.lexicon import Node, chinese_index, english_index
from kinesphere.engines.choreo.lexicon.chinese import NUMERALS, SIMPLIFIED
from kinesphere.engines.choreo.lexicon.english import GAP
from kinesphere.engines.choreo.lexicon.terms import Limb, Mark, Number, Term, Thing, Trait

HAN: Final = "々〇㐀-䶿一-鿿豈-\ufaff\U00020000-\U0003ffff"
TOKEN: Final = re.compile(
    rf"(?P<han>[{HAN}]+)"
    r"|(?P<number>[0-9]+(?:\.[0-9]+)?)"
    rf"|(?P<word>[^\W_0-9{HAN}]+(?:'[^\W_0-9{HAN}]+)*|°)"
    r"|(?P<stop>[.!?;。！？；…\n]+|->|→)"
    r"|(?P<comma>[,:，：、/+&(){}\[\]]+)"
    r"|(?P<symbol>[^\s\w\x00-\x7f]+)"
)
NUMERAL: Final = re.compile(
    rf"[{''.join(NUMERALS)}]?[十百][{''.join(NUMERALS)}]?|[{''.join(NUMERALS)}]"
)
QUOTES: Final = str.maketrans({"’": "'", "‘": "'", "ʼ": "'", "`": "'", "´": "'"})
GAPS: Final = frozenset(GAP.split())
GAPS_MAX: Final = 3


@dataclass(frozen=True, slots=True)
class Segment:
    """A stretch of the prompt and what it means; `term` is None for words not in the lexicon.

    Attributes:
        text: As the user wrote it.
        han: Whether it is Chinese, where an adverb stands before its verb.
        inner: Side words that stood inside the phrase ("raises his right hand").
        start: Where it begins in the normalised prompt.
    """

    text: str
    term: Term | None
    han: bool = False
    inner: tuple[Trait, ...] = ()
    start: int = 0

    @property
    def end(self) -> int:
        """Where it ends in the normalised prompt."""
        return self.start + len(self.text)


def normalise(prompt: str) -> str:
    """Returns the prompt in Unicode form NFKC: full-width letters and digits become plain ones."""
    return unicodedata.normalize("NFKC", prompt)


def segments(prompt: str) -> list[Segment]:
    """Cuts a normalised prompt into segments in reading order; blanks and controls are left out."""
    matched = prompt.translate(QUOTES)
    found: list[Segment] = []
    words: list[re.Match[str]] = []
    for token in TOKEN.finditer(matched):
        if token.lastgroup == "word":
            words.append(token)
            continue
        _english(prompt, words, found)
        words = []
        text = prompt[token.start() : token.end()]
        if token.lastgroup == "han":
            _chinese(text, token.start(), found)
        elif token.lastgroup == "number":
            found.append(Segment(text, Number(float(text)), start=token.start()))
        elif token.lastgroup == "stop":
            mark = Mark("then" if text in {"->", "→"} else "stop")
            found.append(Segment(text, mark, start=token.start()))
        elif token.lastgroup == "comma":
            found.append(Segment(text, Mark("comma"), start=token.start()))
        elif any(unicodedata.category(c) in {"So", "Sk", "Sm"} for c in text):
            found.append(Segment(text, None, start=token.start()))
    _english(prompt, words, found)
    return found


def _lower(word: str) -> str:
    low = word.lower()
    return low.removesuffix("'s") if low != "let's" else low


def _english(prompt: str, tokens: list[re.Match[str]], found: list[Segment]) -> None:
    words = [_lower(token.group()) for token in tokens]
    at = 0
    while at < len(words):
        end, term, inner = _phrase(words, at)
        start = tokens[at].start()
        text = prompt[start : tokens[end - 1].end()]
        found.append(Segment(text, term, inner=inner, start=start))
        at = end


def _phrase(words: list[str], at: int) -> tuple[int, Term | None, tuple[Trait, ...]]:
    """Returns where the longest phrase from `at` ends, its term and the side words inside it."""
    root = english_index()
    node: Node | None = root.then.get(words[at])
    best: tuple[int, Term | None, tuple[Trait, ...]] = (at + 1, None, ())
    inner: tuple[Trait, ...] = ()
    gaps = 0
    here = at
    while node is not None:
        here += 1
        if node.term is not None:
            best = (here, node.term, inner)
        following: Node | None = None
        while here < len(words):
            following = node.then.get(words[here])
            if following is not None or words[here] not in GAPS or gaps >= GAPS_MAX:
                break
            side = root.then[words[here]].term if words[here] in root.then else None
            inner = (*inner, side) if isinstance(side, Trait) else inner
            gaps += 1
            here += 1
        if here >= len(words):
            break
        node = following
    return best


def _chinese(text: str, start: int, found: list[Segment]) -> None:
    simplified = "".join(SIMPLIFIED.get(c, c) for c in text)
    index = chinese_index()
    unknown = at = 0
    while at < len(text):
        term, end = _longest(simplified, at, index.get(simplified[at], ((), {})))
        unread = isinstance(term, Thing) or (isinstance(term, Limb) and unknown < at)
        if term is not None and not unread:
            if unknown < at:
                found.append(Segment(text[unknown:at], None, han=True, start=start + unknown))
            found.append(Segment(text[at:end], term, han=True, start=start + at))
            unknown = end
        at = end
    if unknown < len(text):
        found.append(Segment(text[unknown:], None, han=True, start=start + unknown))


def _longest(
    text: str, at: int, entry: tuple[tuple[int, ...], dict[str, Term]]
) -> tuple[Term | None, int]:
    lengths, forms = entry
    for length in lengths:
        term = forms.get(text[at : at + length])
        if term is not None and at + length <= len(text):
            return term, at + length
    numeral = NUMERAL.match(text, at)
    if numeral is not None:
        return Number(_value(numeral.group())), numeral.end()
    return None, at + 1


def _value(numeral: str) -> float:
    """Returns the value of a Chinese numeral of at most three characters, such as 二十五."""
    for mark, worth in (("十", 10), ("百", 100)):
        if mark in numeral:
            before, _, after = numeral.partition(mark)
            rest = NUMERALS[after] if after else 0
            return (NUMERALS[before] if before else 1) * worth + rest * (1 if worth == 10 else 10)
    return NUMERALS[numeral]
