"""What a clause gathers, and the movement it settles on: counts, sides, speeds and styles."""

from typing import Final

from kinesphere.engines.choreo.agreement import contradicts, names_someone
from kinesphere.engines.choreo.drafts import LOCOMOTION, Draft
from kinesphere.engines.choreo.lexicon.terms import (
    Doing,
    Filler,
    Role,
    Tally,
    Trait,
    Unit,
    UnitField,
)
from kinesphere.engines.choreo.segments import Segment

Item = Draft | tuple[Role, int]
Verdict = bool | None
"""Of a segment: shaped the script (True), was ignored (False), is a function word (None)."""

WAITING_MOST: Final = 16
"""Traits that may wait for a movement; a bound keeps reading linear."""


class Attachment:
    """The state of the clause being read, and what of it belongs to which movement.

    Attributes:
        items: Drafts, and between them the marks that order them.
        verdicts: One for each segment.
    """

    def __init__(self, segments: list[Segment]) -> None:
        self.segments = segments
        self.items: list[Item] = []
        self.verdicts: list[Verdict] = [None] * len(segments)
        self._last: Draft | None = None
        self._subject_styles: dict[str, float] = {}
        self._opener = True
        self._power = 1.0
        self._open_clause()
        self._definite = self._copula = self._unlike = False
        self._article: int | None = None

    def _open_clause(self) -> None:
        self._current: Draft | None = None
        self._pending: list[tuple[int, Trait | Tally, float]] = []
        self._number: tuple[int, float] | None = None
        self._not: int | None = None
        self._denied: int | None = None
        self._complement = self._subject = self._light = False

    def _next(self, index: int) -> object:
        return self.segments[index + 1].term if index + 1 < len(self.segments) else Filler()

    def _close(self) -> list[tuple[int, Trait | Tally, float]]:
        """Settles what waits at the end of a clause; returns what the next clause must take."""
        if self._number is not None:
            index, value = self._number
            if self._current is not None and value > 0:
                self._current.measure("count", value)
                self.verdicts[index] = True
            elif value != 1:
                self.verdicts[index] = False
            self._number = None
        waiting, self._pending = self._pending, []
        if not waiting:
            return []
        if self._current is not None:
            for pending in waiting:
                self._apply(self._current, *pending)
            return []
        if self._subject and all(isinstance(t, Trait) and t.adjective for _, t, _ in waiting):
            self._style_subject(waiting)
            return []
        if self._opener or self._last is None:
            for index, _, _ in waiting[:-WAITING_MOST]:
                self.verdicts[index] = False
            return waiting[-WAITING_MOST:]
        self._afterthought(self._last, waiting)
        return []

    def _afterthought(self, last: Draft, waiting: list[tuple[int, Trait | Tally, float]]) -> None:
        """Applies a clause without a verb to the movement before it.

        A second direction or side is the same movement once more: "looks left, then right".
        """
        for index, what, power in waiting:
            if contradicts(last, what):
                doing = self.segments[last.source].term
                if isinstance(doing, Doing):
                    last = Draft.of(doing, last.source)
                    last.weight = dict(self._subject_styles)
                    self._last = last
                    self.items.append(last)
            self._apply(last, index, what, power)

    def _last_words(self) -> None:
        """Gives what still waits at the end of the prompt to the last movement."""
        if self._last is not None and self._pending:
            self._afterthought(self._last, self._pending)
            return
        for index, _, _ in self._pending:
            self.verdicts[index] = False

    def _furnish(self, draft: Draft) -> None:
        """Gives a draft what stood before it and what its subject is like."""
        if self._number is not None:
            index, value = self._number
            draft.measure("count", value)
            self.verdicts[index] = True
            self._number = None
        for pending in self._pending:
            self._apply(draft, *pending)
        self._pending = []
        for style, weight in self._subject_styles.items():
            draft.weight.setdefault(style, weight)

    def _apply(self, draft: Draft, index: int, what: Trait | Tally, power: float) -> None:
        if isinstance(what, Tally):
            draft.measure(what.field, what.value)
            self.verdicts[index] = True
        else:
            self.verdicts[index] = True if draft.take(what, power) else None

    def _style_subject(self, waiting: list[tuple[int, Trait | Tally, float]]) -> None:
        for index, what, power in waiting:
            if isinstance(what, Trait):
                self._subject_styles[str(what.value)] = power
                self.verdicts[index] = True

    def _drop_number(self) -> None:
        if self._number is not None:
            self.verdicts[self._number[0]] = None if self._number[1] == 1 else False
            self._number = None

    def _unit(self, index: int, unit: Unit) -> None:
        if self._number is None and self._article is None:
            return
        at, value = self._number if self._number is not None else (index, 1.0)
        name: UnitField = unit.field
        if name == "strikes":
            if self._current is None or self._current.verb not in {"punch", "kick", "stomp"}:
                self._drop_number()
                return
            name = "count"
        elif name == "pieces":
            if self._current is None or isinstance(self._next(index), Doing):
                self.verdicts[index] = None if value == 1 else True
                self._number = None if value == 1 else self._number
                return
            name = "count"
        self._number = None
        if at != index:
            self.verdicts[at] = True
        if name == "steps":
            self._steps(index, value)
        else:
            self._tally(index, Tally(name, value * unit.scale))

    def _steps(self, index: int, count: float) -> None:
        self.verdicts[index] = True
        if self._current is None or self._current.verb not in LOCOMOTION:
            if self._not is not None:
                return
            draft = Draft(index, "walk", stepping=not self.segments[index].han)
            self._furnish(draft)
            self.items.append(draft)
            self._current = self._last = draft
        self._current.measure("count", count)

    def _tally(self, index: int, tally: Tally) -> None:
        following = self._next(index)
        if self.segments[index].text.lower() == "once" and names_someone(following):
            return
        if self._current is not None:
            self._apply(self._current, index, tally, 1.0)
        else:
            self._pending.append((index, tally, 1.0))
