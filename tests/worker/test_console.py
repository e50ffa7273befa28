from hypothesis import given
from hypothesis import strategies as st

from kinesphere.worker.console import LINES_A_SECOND, LONGEST_LINE, Console


def test_lines_come_whole_however_they_were_cut() -> None:
    console = Console()
    assert console.feed(b"one\ntw", 0.0) == ["one"]
    assert console.feed(b"o\r\n\nthree", 0.0) == ["two"]
    assert console.end() == ["three"]


def test_a_long_line_is_cut() -> None:
    console = Console()
    (line,) = console.feed(b"x" * (LONGEST_LINE + 7) + b"\n", 0.0)
    assert line == "x" * LONGEST_LINE + "…"
    assert console.end() == ["[0 lines, 7 bytes left out]"]


def test_a_flood_is_cut_and_counted_in_the_next_second() -> None:
    console = Console()
    assert len(console.feed(b"line\n" * (LINES_A_SECOND + 50), 0.0)) == LINES_A_SECOND
    assert console.feed(b"more\n", 1.5) == ["[50 lines, 200 bytes left out]", "more"]


@given(st.lists(st.binary(max_size=200)), st.floats(0.0, 10.0))
def test_anything_may_be_printed(pieces: list[bytes], pace: float) -> None:
    console = Console()
    told = [line for turn, piece in enumerate(pieces) for line in console.feed(piece, turn * pace)]
    told += console.end()
    assert all(len(line) <= LONGEST_LINE + 1 for line in told)
