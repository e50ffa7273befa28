"""BVH as text: what is written, that it comes back, and what is refused."""

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from kinesphere.formats import bvh, bvh_text
from kinesphere.formats.clip import STANDARD, Clip, Floats, Skeleton, forward
from kinesphere.formats.motion import BadClip
from tests.formats.motions import standing, tumbling, turned, waving

GOLDEN = Path(__file__).parent / "golden" / "waving.bvh"


def degrees_between(one: Clip, other: Clip) -> float:
    between = np.swapaxes(one.rotation, -1, -2) @ other.rotation
    vectors = Rotation.from_matrix(between.reshape(-1, 3, 3)).as_rotvec(degrees=True)
    return float(np.linalg.norm(vectors, axis=1).max())


def test_the_bytes_are_those_of_the_golden_file() -> None:
    assert bvh.encode(waving(3)) == GOLDEN.read_bytes()


def test_a_clip_comes_back_whole() -> None:
    clip = waving()
    back = bvh.decode(bvh.encode(clip))
    assert back.skeleton.names == STANDARD.names
    assert back.skeleton.parents == STANDARD.parents
    assert back.fps == 30.0
    assert back.skeleton.ends == STANDARD.ends
    np.testing.assert_allclose(back.skeleton.offsets[1:], STANDARD.offsets[1:], atol=1e-8)
    assert degrees_between(clip, back) < 1e-5


@given(seed=st.integers(0, 2**32), frames=st.integers(1, 20), fps=st.floats(1.0, 240.0))
@example(seed=0, frames=1, fps=1.0078125)
@settings(max_examples=40, deadline=None)
def test_any_motion_comes_back(seed: int, frames: int, fps: float) -> None:
    clip = replace(tumbling(frames, seed), fps=fps)
    back = bvh.decode(bvh.encode(clip))
    assert back.fps == pytest.approx(fps, rel=1e-3)
    assert degrees_between(clip, back) < 1e-4
    np.testing.assert_allclose(forward(back)[0], forward(clip)[0], atol=1e-5)
    assert bvh.encode(bvh.decode(bvh.encode(back))) == bvh.encode(back)


right_angles = st.sampled_from([-180.0, -90.0, -89.9999999, 0.0, 89.9999999, 90.0, 180.0])


@given(st.lists(st.tuples(right_angles, right_angles, right_angles), min_size=1, max_size=6))
@example([(30.0, 90.0, 0.0), (30.0, 90.0, 45.0)])
@settings(deadline=None)
def test_gimbal_lock_keeps_the_rotation(angles: list[tuple[float, float, float]]) -> None:
    clip = standing(len(angles))
    clip.rotation[:, 5] = Rotation.from_euler("ZXY", angles, degrees=True).as_matrix()
    assert degrees_between(clip, bvh.decode(bvh.encode(clip))) < 1e-4


def table(data: bytes) -> Floats:
    rows = data.split(b"Frame Time:")[1].split(b"\n")[1:-1]
    return np.array([row.split() for row in rows], dtype=float)


def test_angles_have_no_leaps() -> None:
    # Two turns about each axis, and a swing through the pole where Z and Y would leap by 180.
    clip = standing(100)
    for axis, joint in zip("xyz", ("Head", "L_Hip", "Pelvis"), strict=True):
        clip = turned(clip, joint, axis, np.linspace(0.0, 720.0, 100))
    clip = turned(turned(clip, "R_Elbow", "y", 20.0), "R_Elbow", "x", np.linspace(0.0, 180.0, 100))
    steps = np.abs(np.diff(table(bvh.encode(clip))[:, 3:], axis=0))
    assert steps.max() < 8.0


def test_numbers_have_six_places_and_no_negative_zero() -> None:
    clip = standing(1)
    clip.translation[0] = (-12345.678901234, -1e-12, 0.5)
    words = bvh.encode(clip).split(b"\n")[-2].split()
    assert words[:4] == [b"-1234567.890123", b"0.000000", b"50.000000", b"0.000000"]


FOREIGN = """HIERARCHY
ROOT hips
{
\tOFFSET 1 2 3
\tCHANNELS 6 Yposition Xposition Zposition Yrotation Xrotation Zrotation
\tJOINT left arm
\t{
\t\tOFFSET 10 0 0
\t\tCHANNELS 6 Xposition Yposition Zposition Xrotation Yrotation Zrotation
\t\tEnd Site
\t\t{
\t\t\tOFFSET 5 0 0
\t\t}
\t}
\tJOINT stump { OFFSET 0 -20 0 }
}
MOTION
Frames: 2
Frame Time: 0.0083333
100 0 0  90 0 0   12 0 0 0 0 90
110 0 0  90 0 0   12 0 0 0 0 90
"""


@pytest.mark.parametrize("newline", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("start", ["", "\ufeff", "\n  "])
def test_a_foreign_file_is_understood(newline: str, start: str) -> None:
    clip = bvh.decode((start + FOREIGN).replace("\n", newline).encode())
    assert clip.skeleton.names == ("hips", "left arm", "stump")
    assert clip.skeleton.parents == (-1, 0, 0)
    assert clip.fps == 120.0
    np.testing.assert_allclose(clip.translation, [[0.0, 1.0, 0.0], [0.0, 1.1, 0.0]])
    assert clip.skeleton.ends == {1: (0.05, 0.0, 0.0)}
    np.testing.assert_allclose(clip.skeleton.offsets[:, 0], [0.0, 0.12, 0.0])
    # The lowest point of the rest pose, the stump, touches the ground.
    np.testing.assert_allclose(clip.skeleton.offsets[:, 1], [0.2, 0.0, -0.2])
    positions, _ = forward(clip)
    np.testing.assert_allclose(positions[0, 1], [0.0, 1.0, -0.12], atol=1e-12)


@pytest.mark.parametrize("order", ["XYZ", "XZY", "YXZ", "YZX", "ZXY", "ZYX"])
def test_every_order_of_channels_is_read(order: str) -> None:
    channels = " ".join(f"{axis}rotation" for axis in order)
    text = FOREIGN.replace("Yrotation Xrotation Zrotation", channels).replace("90 0 0 ", "10 20 30")
    expected = Rotation.from_euler(order, [10, 20, 30], degrees=True).as_matrix()
    np.testing.assert_allclose(bvh.decode(text.encode()).rotation[0, 0], expected, atol=1e-12)


def test_zero_position_channels_keep_the_offset() -> None:
    clip = bvh.decode(FOREIGN.replace("12 0 0", "0 0 0").encode())
    assert clip.skeleton.offsets[1, 0] == pytest.approx(0.1)


def nested(depth: int) -> str:
    opening = "".join(
        f"{'JOINT' if j else 'ROOT'} j{j} {{ OFFSET 0 1 0\nCHANNELS 1 Xrotation\n"
        for j in range(depth)
    ).replace("{ OFFSET", "\n{\nOFFSET")
    numbers = " ".join(["1"] * depth)
    return f"HIERARCHY\n{opening}{'}' * depth}\nMOTION\nFrames: 1\nFrame Time: 1\n{numbers}\n"


def test_a_deep_chain_is_no_recursion() -> None:
    assert len(bvh.decode(nested(1024).encode()).skeleton.names) == 1024


def swapped(old: str, new: str) -> str:
    assert old in FOREIGN
    return FOREIGN.replace(old, new, 1)


REFUSED = [
    ("", None),
    ("MOTION\n", 1),
    ("hello", None),
    (swapped("HIERARCHY\n", ""), 1),
    (swapped("MOTION", "motion picture"), None),
    (FOREIGN[:60], None),
    (FOREIGN.split("Frame Time", maxsplit=1)[0], 19),
    (FOREIGN.split("110", maxsplit=1)[0], 20),
    (swapped("110 0 0 ", "110 0 "), 21),
    (swapped("110 0 0 ", "110 0 0 0 "), 21),
    (FOREIGN + "1 2 3\n", 22),
    (FOREIGN + "\n1 2 3 4 5 6 7 8 9 10 11 12\n", 23),
    (swapped("110", "nan"), 21),
    (swapped("110", "inf"), 21),
    (swapped("110", "1-10"), 21),
    (swapped("110", "1e400"), None),
    (swapped("Frames: 2", "Frames: 0"), 18),
    (swapped("Frames: 2", "Frames: two"), 18),
    (swapped("Frames: 2", "Frames: 100001"), 18),
    (swapped("Frames: 2", "Frames: 99999"), 20),
    (swapped("0.0083333", "0"), 19),
    (swapped("0.0083333", "-1"), 19),
    (swapped("0.0083333", "nan"), 19),
    (swapped("OFFSET 1 2 3", "OFFSET 1 2"), 4),
    (swapped("OFFSET 1 2 3", "OFFSET 1 2 x"), 4),
    (swapped("OFFSET 1 2 3", "OFFSET 1 2 1e10"), 4),
    (swapped("\tOFFSET 1 2 3\n", ""), 15),
    (swapped("CHANNELS 6 Y", "CHANNELS 5 Y"), 5),
    (swapped("Yposition", "Wposition"), 5),
    (swapped("\tJOINT left", "CHANNELS 1 Xrotation\nJOINT left"), 6),
    (swapped("stump", "hips"), 15),
    (swapped("JOINT stump", "ROOT stump"), 15),
    (swapped("JOINT stump", "LIMB stump"), 15),
    (swapped("stump {", "stump"), 15),
    (swapped("stump { OFFSET 0 -20 0 }", "stump\nOFFSET 0 0 0\n"), 16),
    (swapped("OFFSET 5 0 0", "CHANNELS 1 Xrotation"), 12),
    (swapped("MOTION", "}\nMOTION"), 17),
    (swapped("}\nMOTION", "MOTION"), 15),
    (swapped("MOTION", "OFFSET 0 0 0\nMOTION"), 17),
    (swapped("12 0 0 0 0 90\n110", "15 0 0 0 0 90\n110"), 6),
    (nested(1025), None),
    (swapped("hips", "hips" + "{" * 100_000), 2),
    (swapped("110", "1 " * 10_000), None),
    (swapped("hips", "h\0ps"), 2),
]


@pytest.mark.parametrize(("text", "line"), REFUSED)
def test_a_bad_file_is_refused_with_its_line(text: str, line: int | None) -> None:
    with pytest.raises(BadClip) as refused:
        bvh.decode(text.encode())
    if line is not None:
        assert refused.value.line == line
        assert str(refused.value).startswith(f"line {line}: ")


def test_text_that_is_not_utf8_is_refused() -> None:
    with pytest.raises(BadClip, match=r"line 2: .*UTF-8"):
        bvh.decode(FOREIGN.encode().replace(b"hips", b"\xff\xfe"))


def test_a_file_beyond_the_limit_is_refused() -> None:
    with pytest.raises(BadClip, match="bytes"):
        bvh.decode(b" " * (bvh_text.MOST_BYTES + 1))


@pytest.mark.parametrize("section", ["HIERARCHY", "Frame Time: 0.0083333"])
def test_millions_of_blank_lines_are_refused(section: str) -> None:
    blank = swapped(section, section + "\n" * (9 * 2**20))
    with pytest.raises(BadClip, match="bytes"):
        bvh.decode(blank.encode())


def test_many_joints_without_channels_are_no_bomb() -> None:
    joints = "".join(f"JOINT j{j} {{ OFFSET 0 1 0 }}\n" for j in range(1000))
    joints = joints.replace("{", "\n{\n").replace("}", "\n}")
    rows = "1\n" * 5000
    text = (
        f"HIERARCHY\nROOT r\n{{\nOFFSET 0 0 0\nCHANNELS 1 Xrotation\n{joints}}}\n"
        f"MOTION\nFrames: 5000\nFrame Time: 1\n{rows}"
    )
    with pytest.raises(BadClip, match="too many"):
        bvh.decode(text.encode())


@given(st.binary(max_size=200) | st.text(max_size=200).map(str.encode))
def test_other_bytes_are_refused(data: bytes) -> None:
    with pytest.raises(BadClip):
        bvh.decode(data)


@given(cut=st.integers(0, len(FOREIGN) - 30), junk=st.text("{}\n 0-.eEJOINT", max_size=9))
@settings(deadline=None)
def test_a_mangled_file_is_read_or_refused(cut: int, junk: str) -> None:
    text = FOREIGN[:cut] + junk + FOREIGN[cut + len(junk) :]
    try:
        clip = bvh.decode(text.encode())
    except BadClip:
        return
    assert np.isfinite(forward(clip)[0]).all()


@pytest.mark.parametrize(
    "clip",
    [
        standing(0),
        replace(standing(2), translation=np.full((2, 3), math.nan)),
        replace(standing(2), rotation=np.full((2, 22, 3, 3), math.inf)),
        replace(standing(2), fps=0.0),
        replace(standing(2), skeleton=replace(STANDARD, offsets=np.full((22, 3), math.nan))),
        replace(standing(2), skeleton=replace(STANDARD, names=("a{", *STANDARD.names[1:]))),
    ],
)
def test_a_clip_that_bvh_cannot_hold_is_refused(clip: Clip) -> None:
    with pytest.raises(BadClip):
        bvh.encode(clip)


def test_our_names_on_another_tree_keep_the_files_order() -> None:
    chain = Skeleton(
        STANDARD.names[::-1], (-1, *range(21)), np.zeros((22, 3)), {21: (0.0, 0.1, 0.0)}
    )
    back = bvh.decode(bvh.encode(standing(2, skeleton=chain)))
    assert back.skeleton.names == chain.names
