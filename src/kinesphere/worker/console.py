"""What a child prints, cut down to what a log can bear."""

from typing import Final

LONGEST_LINE: Final = 2_000
LINES_A_SECOND: Final = 100


class Console:
    """Splits raw output into lines, at most LINES_A_SECOND of them, each of limited length.

    Nothing is kept but one partial line, so a child may print any amount at any rate. What was
    left out is told as a count, in the next second in which there is room, or by `end`.
    """

    def __init__(self) -> None:
        self._partial = b""
        self._cut = False
        self._window = float("-inf")
        self._told = 0
        self._lines_dropped = 0
        self._bytes_dropped = 0

    def feed(self, data: bytes, now: float) -> list[str]:
        """The lines to log once `data` was printed at `now` (s, monotonic)."""
        *whole, rest = data.split(b"\n")
        told: list[str] = []
        for line in whole:
            self._take(line, now, told)
            self._flush(told)
        self._take(rest, now, told)
        return told

    def end(self) -> list[str]:
        """What is left to log when the output has ended."""
        told: list[str] = []
        if self._partial:
            told.append(self._text())
        self._tell_dropped(told)
        return told

    def _take(self, piece: bytes, now: float, told: list[str]) -> None:
        if now - self._window >= 1.0:
            self._window, self._told = now, 0
            self._tell_dropped(told)
        room = LONGEST_LINE - len(self._partial)
        self._partial += piece[:room]
        if len(piece) > room:
            self._cut = True
            self._bytes_dropped += len(piece) - room

    def _flush(self, told: list[str]) -> None:
        if self._told < LINES_A_SECOND:
            if self._partial:
                told.append(self._text())
                self._told += 1
        else:
            self._lines_dropped += 1
            self._bytes_dropped += len(self._partial)
        self._partial, self._cut = b"", False

    def _text(self) -> str:
        return self._partial.decode("utf-8", "replace").rstrip("\r") + ("…" if self._cut else "")

    def _tell_dropped(self, told: list[str]) -> None:
        if self._bytes_dropped or self._lines_dropped:
            told.append(f"[{self._lines_dropped} lines, {self._bytes_dropped} bytes left out]")
            self._lines_dropped = self._bytes_dropped = 0
