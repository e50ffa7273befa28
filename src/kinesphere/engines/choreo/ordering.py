"""From drafts and marks to what is played: simultaneity first, then before and after."""

from itertools import islice
from typing import Final

from kinesphere.engines.choreo.attachment import Item, Verdict
from kinesphere.engines.choreo.drafts import Draft
from kinesphere.engines.choreo.lexicon.terms import Role

UPPER_BODY: Final = frozenset(
    {
        "wave", "punch", "clap", "point", "raise_arm", "cheer", "throw", "catch", "salute", "nod",
        "shake_head", "shrug", "cross_arms", "hands_on_hips", "look", "drink", "phone", "pray",
        "push", "pull", "lift", "swing", "guitar", "drum", "scratch_head", "cry", "laugh", "talk",
        "type", "box_guard", "flap", "conduct", "beckon", "blow_kiss",
    }
)  # fmt: skip
"""Verbs that may lie over another action."""
AT_REST: Final = frozenset({"sit", "sit_floor", "lie", "kneel", "crouch", "balance", "fall"})
SILENT: Final = frozenset({"aspect", "beside", "with", "meanwhile"})
"""Joins that, between two whole-body movements, mean no more than one after the other."""
ENDS_CHUNK: Final = frozenset({"comma", "then", "stop", "before", "after", "ensuing"})


def together(items: list[Item], verdicts: list[Verdict]) -> list[Item]:
    """Merges what is done at the same time: the upper-body movement lies over the other.

    Two whole-body movements cannot be merged; they stay a sequence, and the word that asked for
    more is marked as ignored.

    Args:
        items: Drafts and marks in reading order.
        verdicts: One for each segment; changed in place.
    """
    joining = Joining(verdicts)
    for at, item in enumerate(items):
        followed = at + 1 < len(items) and isinstance(items[at + 1], Draft)
        if isinstance(item, Draft):
            joining.draft(item)
        else:
            joining.mark(item, followed)
    return joining.merged


class Joining:
    """Which movements are done at the same time, decided from left to right.

    Attributes:
        merged: Drafts with their overlays, and the marks of order that remain.
    """

    def __init__(self, verdicts: list[Verdict]) -> None:
        self.merged: list[Item] = []
        self._verdicts = verdicts
        self._join: tuple[Role, int] | None = None
        self._opening: tuple[Role, int] | None = None
        self._alternating = False
        self._last: Draft | None = None
        self._first = True

    def draft(self, draft: Draft) -> None:
        """Takes a movement; it joins the one before it if a mark between them said so."""
        if self._join is not None and self._last is not None:
            self._last = _merge(self.merged, self._last, draft, self._join, self._verdicts)
        else:
            self.merged.append(draft)
            self._last = draft
        self._first = False
        self._join, self._opening = _opened(self._opening), None

    def mark(self, mark: tuple[Role, int], followed: bool) -> None:
        """Takes a mark; `followed` says whether a movement comes next."""
        first = self._first
        match mark[0]:
            case "alternating":
                self._join = mark if self._alternating and not first else None
                self._alternating = True
            case "while" | "with" if first or (mark[0] == "while" and _after_then(self.merged)):
                self._opening = mark
            case "while" | "with" | "meanwhile" | "beside":
                self._join = mark
            case "together" if followed:
                self._join, self._opening = (None, mark) if first else (mark, None)
            case "together":
                self._last = _merge_last_two(self.merged, mark, self._verdicts) or self._last
            case "aspect":
                self._join = mark if followed else self._join
            case role:
                self.merged.append(mark)
                self._first |= role == "stop"
                self._alternating = self._alternating and role != "stop"
                self._join = _outlasts(self._join, role)
                self._opening = _outlasts(self._opening, role)


def _opened(opening: tuple[Role, int] | None) -> tuple[Role, int] | None:
    """Returns the join that an opening "with arms raised" leaves once its movement is read."""
    return ("meanwhile", opening[1]) if opening is not None and opening[0] == "with" else opening


def _outlasts(join: tuple[Role, int] | None, role: Role) -> tuple[Role, int] | None:
    """Returns the join if it still waits for a movement after a boundary."""
    if join is None or role in {"stop", "then"} or join[0] in {"with", "beside", "aspect"}:
        return None
    return join


def _after_then(items: list[Item]) -> bool:
    last = items[-1] if items else None
    return isinstance(last, tuple) and last[0] == "then"


def _merge(
    merged: list[Item], first: Draft, second: Draft, mark: tuple[Role, int], verdicts: list[Verdict]
) -> Draft:
    """Puts the second draft together with the last of `merged`; returns which is now last."""
    if second.verb in UPPER_BODY:
        first.overlay += [second, *second.overlay]
        second.overlay = []
        _drop_marks(merged)
        return first
    if first.verb in UPPER_BODY:
        second.overlay = [first, *first.overlay, *second.overlay]
        second.weight = first.weight | second.weight
        first.overlay = []
        _drop_marks(merged)
        merged[-1] = second
        return second
    if mark[0] not in SILENT:
        verdicts[mark[1]] = False
    merged.append(second)
    return second


def _drop_marks(merged: list[Item]) -> None:
    while merged and isinstance(merged[-1], tuple):
        merged.pop()


def _merge_last_two(
    merged: list[Item], mark: tuple[Role, int], verdicts: list[Verdict]
) -> Draft | None:
    backwards = range(len(merged) - 1, -1, -1)
    places = list(islice((at for at in backwards if isinstance(merged[at], Draft)), 2))
    if len(places) == 2:
        second, first = merged[places[0]], merged[places[1]]
        if isinstance(first, Draft) and isinstance(second, Draft):
            del merged[places[0] :]
            return _merge(merged, first, second, mark, verdicts)
    verdicts[mark[1]] = False
    return None


def ordered(items: list[Item]) -> list[Draft]:
    """Returns the drafts in the order in which they are played.

    "A before B", "before B, A" and B之前A give A, B; "A after B", "after B, A" and B之后A
    give B, A.
    """
    played: list[Draft] = []
    sentence: list[Item] = []
    for item in [*items, ("stop", -1)]:
        if isinstance(item, tuple) and item[0] == "stop":
            _play(sentence, played)
            sentence = []
        else:
            sentence.append(item)
    return _resting(played)


def _resting(played: list[Draft]) -> list[Draft]:
    """Lets who sits or lies and then waits do so where they are."""
    kept: list[Draft] = []
    for draft in played:
        if draft.verb == "idle" and kept and kept[-1].verb in AT_REST and not draft.overlay:
            kept[-1].seconds = draft.seconds or kept[-1].seconds
        else:
            kept.append(draft)
    return kept


def _play(sentence: list[Item], played: list[Draft]) -> None:
    """Appends the drafts of one sentence to those played before it."""
    start = chunk = previous = len(played)
    deferred: list[list[Draft]] = []
    final = max((at for at, item in enumerate(sentence) if isinstance(item, Draft)), default=-1)
    at = 0
    while at < len(sentence):
        item = sentence[at]
        at += 1
        if isinstance(item, Draft):
            played.append(item)
            continue
        role = item[0]
        if role in {"comma", "then"}:
            previous, chunk = chunk, len(played)
        elif role == "before" and len(played) == chunk:
            scope, at = _scope(sentence, at)
            deferred.append(scope)
        elif role == "after":
            scope, at = _scope(sentence, at)
            inside = len(played) > chunk
            trailing = start < len(played) and final < at
            where = chunk if inside else previous if trailing else len(played)
            played[where:where] = scope
        elif role == "prior":
            if final >= at:
                deferred.append(played[chunk:])
                del played[chunk:]
        elif role == "ensuing":
            if final >= at:
                previous, chunk = chunk, len(played)
            elif chunk > start:
                played[previous:] = [*played[chunk:], *played[previous:chunk]]
        elif role in {"before_that", "but_first"}:
            rest = [i for i in sentence[at:] if isinstance(i, Draft)]
            where = max(len(played) - 1, 0)
            played[where:where] = rest
            at = len(sentence)
    for scope in reversed(deferred):
        played.extend(scope)


def _scope(sentence: list[Item], at: int) -> tuple[list[Draft], int]:
    """Returns the drafts that an order word at `at - 1` governs, and where they end.

    They reach to the next comma or order word; without one, the first draft alone if more follow
    without a conjunction ("before sitting down he waves").
    """
    scope: list[Draft] = []
    while at < len(sentence):
        item = sentence[at]
        if isinstance(item, tuple):
            if item[0] in ENDS_CHUNK:
                break
        elif scope and isinstance(sentence[at - 1], Draft):
            break
        else:
            scope.append(item)
        at += 1
    return scope, at
