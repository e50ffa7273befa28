"""The playhead and the beat, for whatever is done to them."""

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from kinesphere.core.live import FASTEST, SLOWEST, Beat, Playhead

FRAMES = st.integers(1, 500)


@st.composite
def playheads(draw: st.DrawFn) -> Playhead:
    first = draw(st.integers(0, 1_000))
    head = Playhead(
        end=first + draw(FRAMES),
        first=first,
        playing=draw(st.booleans()),
        loop=draw(st.booleans()),
    )
    return head.paced(draw(st.floats(0.0, 10.0))).sought(draw(st.floats(0.0, 2_000.0)))


@given(playheads(), st.integers(0, 10_000))
def test_it_never_leaves_its_frames(head: Playhead, beats: int) -> None:
    later = head.after(beats)
    assert head.first <= later.position <= head.last
    assert SLOWEST <= later.speed <= FASTEST
    assert later.moving or later.ended or not later.playing


@given(playheads(), st.integers(0, 50), st.integers(0, 50))
def test_beats_missed_are_beats_gone(head: Playhead, one: int, other: int) -> None:
    head = replace(head, loop=False)
    together, apart = head.after(one + other), head.after(one).after(other)
    assert abs(together.position - apart.position) < 1e-6


@given(playheads(), st.integers(1, 50))
def test_what_is_paused_stays(head: Playhead, beats: int) -> None:
    assert replace(head, playing=False).after(beats).position == head.position


@given(FRAMES, st.integers(0, 2_000))
def test_at_its_own_speed_it_shows_each_frame_as_it_is(frames: int, beats: int) -> None:
    assert Playhead(end=frames).after(beats).position == min(beats, frames - 1)
    looping = Playhead(end=frames, loop=True)
    for _ in range(min(beats, 3 * frames)):
        looping = looping.after(1)
    assert looping.position == min(beats, 3 * frames) % frames


@given(playheads(), st.floats(0.0, 2_000.0))
def test_it_lands_where_it_is_sought(head: Playhead, frame: float) -> None:
    found = head.sought(frame).position
    assert found == frame or not head.first <= frame <= head.last


@given(playheads(), st.integers(0, 100), st.integers(0, 100))
def test_more_frames_do_not_move_it(head: Playhead, more: int, gone: int) -> None:
    grown = head.grown(head.end + more, min(head.first + gone, head.last))
    assert grown.position == max(head.position, grown.first)


@given(st.floats(0.001, 0.1), st.lists(st.floats(0.0, 1.0), max_size=30))
def test_as_many_frames_are_due_as_there_was_time_for(period: float, waits: list[float]) -> None:
    beat, now, taken = Beat(period, period), 0.0, 0
    for wait in waits:
        now += wait
        due, beat = beat.taken(now)
        taken += due
        assert beat.next_at > now - 1e-9
    assert abs(taken - now / period) <= 1.0 + 1e-6 * taken
