"""One motion after another: continuous, on the ground, and no more skating than its parts."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kinesphere.engines.choreo.player import play
from kinesphere.engines.choreo.reading import read
from kinesphere.formats.clip import Clip, Floats, Skeleton, forward
from kinesphere.formats.continuation import REACH, continued, placed, resampled
from kinesphere.formats.motion import BadClip
from kinesphere.formats.reel import Reel
from kinesphere.formats.rotation import from_vector
from kinesphere.quality import judge
from tests.formats.poses import clip_of

STANDING = ("a man walks forward", "jump", "wave", "spin around", "kick")
LOW = ("sit down", "lies down")


@pytest.fixture(scope="module")
def clips() -> dict[str, Clip]:
    return {prompt: play(read(prompt), 2.0, 1) for prompt in (*STANDING, *LOW)}


def after(one: Clip, other: Clip) -> Clip:
    return replace(
        one,
        translation=np.concatenate((one.translation, other.translation)),
        rotation=np.concatenate((one.rotation, other.rotation)),
    )


def part(clip: Clip, frames: slice) -> Clip:
    return replace(clip, translation=clip.translation[frames], rotation=clip.rotation[frames])


def step(clip: Clip) -> float:
    """Largest way of a joint from one frame to the next, m."""
    places = forward(clip)[0]
    return float(np.linalg.norm(np.diff(places, axis=0), axis=-1).max())


def measured(clip: Clip, name: str) -> float:
    value = judge(clip)[name].value
    assert value is not None
    return value


def test_motions_go_on_without_jump_sinking_or_more_skating(clips: dict[str, Clip]) -> None:
    for one in STANDING:
        for other in STANDING:
            joined = after(clips[one], continued(clips[one], clips[other]))
            pair = clips[one], clips[other]
            seam = part(joined, slice(pair[0].frames - 2, pair[0].frames + 15))
            assert step(seam) <= max(map(step, pair)) + REACH / 30.0, (one, other)
            for measure, more in (("skating", 0.02), ("penetration", 0.001)):
                own = max(measured(clip, measure) for clip in pair)
                assert measured(joined, measure) <= own + more, (one, other, measure)
            assert judge(joined).verdict != "fail", (one, other)


@pytest.mark.parametrize("low", LOW)
def test_who_is_low_gets_up(clips: dict[str, Clip], low: str) -> None:
    joined = after(clips[low], continued(clips[low], clips["wave"]))
    assert step(joined) < REACH / 30.0 + step(clips["wave"])
    assert measured(joined, "penetration") < 0.001
    assert judge(joined).verdict != "fail"


def test_what_is_cut_short_keeps_its_speed(clips: dict[str, Clip]) -> None:
    cut = part(clips["a man walks forward"], slice(0, 31))
    joined = after(cut, continued(cut, clips["wave"]))
    speed = np.diff(joined.translation[:, 2])
    assert abs(speed[30] - speed[29]) < 0.25 * speed[29]
    held = part(cut, slice(-1, None))
    first = continued(held, clips["wave"]).translation[0] - held.translation[0]
    assert np.linalg.norm(first) < 0.25 * speed[29]


turns = st.floats(-3.1, 3.1)
ways = st.floats(-50.0, 50.0)


@given(turns, ways, ways)
@settings(max_examples=8, deadline=None)
def test_where_a_motion_was_made_does_not_matter(yaw: float, x: float, z: float) -> None:
    one, other = play(read("wave"), 1.0, 2), play(read("jump"), 1.0, 3)
    turn = from_vector(np.array([0.0, yaw, 0.0]))
    rotation = other.rotation.copy()
    rotation[:, 0] = turn @ rotation[:, 0]
    elsewhere = replace(
        other, translation=other.translation @ turn.T + np.array([x, 0.0, z]), rotation=rotation
    )
    plain, moved = continued(one, other), continued(one, elsewhere)
    assert np.allclose(plain.translation, moved.translation, atol=1e-6)
    assert np.allclose(plain.rotation, moved.rotation, atol=1e-6)


@given(st.floats(10.0, 120.0))
@settings(max_examples=8, deadline=None)
def test_another_rate_is_the_same_motion(fps: float) -> None:
    clip = play(read("wave"), 1.0, 2)
    again = resampled(clip, fps)
    assert abs((again.frames - 1) / fps - (clip.frames - 1) / clip.fps) < 1.0 / fps
    assert np.allclose(again.rotation[0], clip.rotation[0], atol=1e-9)
    assert step(again) <= step(clip) * max(1.0, clip.fps / fps) * 1.05


def test_it_begins_where_the_other_ended_facing_alike(clips: dict[str, Clip]) -> None:
    walked = clips["spin around"]
    begun = placed(walked, clips["wave"])

    def facing(rotation: Floats) -> Floats:
        level: Floats = rotation[:, 2] * np.array([1.0, 0.0, 1.0])
        return np.asarray(level / np.linalg.norm(level))

    assert facing(begun.rotation[0, 0]) @ facing(walked.rotation[-1, 0]) > 0.999
    apart = (begun.translation[0] - walked.translation[-1])[[0, 2]]
    assert np.linalg.norm(apart) < 0.1


def test_another_skeleton_is_put_on_ours_and_other_joints_are_refused() -> None:
    clip = play(read("wave"), 1.0, 2)
    small = replace(clip.skeleton, offsets=0.5 * clip.skeleton.offsets)
    child = replace(clip, skeleton=small, translation=0.5 * clip.translation)
    assert np.allclose(continued(clip, child).translation, continued(clip, clip).translation)
    names = ("Root", *clip.skeleton.names[1:])
    other = Skeleton(names, clip.skeleton.parents, clip.skeleton.offsets, {})
    with pytest.raises(BadClip):
        continued(clip, replace(clip, skeleton=other))


def test_a_film_is_seen_again_without_a_jump(clips: dict[str, Clip]) -> None:
    for name, stays in (("wave", True), ("jump", True), ("walk", False)):
        clip = clips.get(name) or play(read(name), 2.0, 1)
        reel = Reel(clip)
        count = reel.end
        seen = [np.stack([reel.pose(frame) for frame in range(count)])]
        for _ in range(3):
            reel.repeat()
            assert reel.end == count
            seen.append(np.stack([reel.pose(frame) for frame in range(count)]))
        rows = np.concatenate(seen)
        assert step(clip_of(rows, clip)) <= step(clip) + REACH / 30.0, name
        gone = np.linalg.norm(rows[-1, [0, 2]] - rows[count - 1, [0, 2]])
        assert gone < 1e-6 if stays else gone > 1.0, name
        if stays:
            # What has faded in is what it was, however often it is seen.
            assert np.allclose(seen[3][40:, :3], seen[0][40:, :3], atol=1e-5)


def test_a_reel_grows_is_cut_and_forgets_its_beginning(clips: dict[str, Clip]) -> None:
    wave, jump = clips["wave"], clips["jump"]
    reel = Reel(wave, longest=3.0)
    assert np.allclose(reel.pose(7)[:3], wave.translation[7], atol=1e-6)
    assert (reel.first, reel.end) == (0, 60)
    between = reel.pose(7.5)
    assert np.allclose(between[:3], (reel.pose(7)[:3] + reel.pose(8)[:3]) / 2, atol=1e-6)
    assert np.allclose(np.linalg.norm(between[3:].reshape(-1, 4), axis=1), 1.0, atol=1e-6)

    added = reel.append(jump, still=False)
    assert (added.first, added.end) == (60, 119)
    assert (reel.first, reel.end) == (29, 119), "three seconds are kept"
    rows = np.stack([reel.pose(frame) for frame in range(reel.first, reel.end)])
    turned = np.einsum(
        "tji,tji->tj", *(rows[s, 3:].reshape(89, 22, 4) for s in (slice(1, None), slice(-1)))
    )
    assert turned.min() > 0.9, "no quaternion changes its sign"
    assert step(clip_of(rows, wave)) <= max(step(wave), step(jump)) + REACH / 30.0

    reel.cut(70)
    assert reel.end == 71
    assert np.array_equal(reel.pose(500), reel.pose(70))
