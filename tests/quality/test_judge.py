"""Every check passes a right motion and finds a planted fault on its frame and joint."""

import json
import math
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from kinesphere import quality
from kinesphere.formats.clip import STANDARD, Clip, Floats, Skeleton
from kinesphere.quality import Measure, judge
from tests.formats.motions import standing, tumbling, turned, waving

FRAMES = 60
AT = 30
"""The frame at which a fault is planted."""


def moved(clip: Clip, path: Floats) -> Clip:
    """The clip with (T, 3) m added to the root's path."""
    return replace(clip, translation=clip.translation + path)


def path(x: Any = 0.0, y: Any = 0.0, z: Any = 0.0) -> Floats:
    return np.stack([np.broadcast_to(np.asarray(c, float), (FRAMES,)) for c in (x, y, z)], axis=1)


def only_at(value: float, frames: slice | int = AT) -> Floats:
    values = np.zeros(FRAMES)
    values[frames] = value
    return values


def with_entry(clip: Clip, joint: str, value: Floats | float) -> Clip:
    rotation = clip.rotation.copy()
    rotation[AT, clip.skeleton.names.index(joint)] = value
    return replace(clip, rotation=rotation)


def with_nan(clip: Clip) -> Clip:
    return with_entry(clip, "L_Elbow", math.nan)


def sheared(clip: Clip) -> Clip:
    return with_entry(clip, "L_Elbow", np.eye(3) + 0.2 * np.eye(3, k=1))


def mirrored(clip: Clip) -> Clip:
    return with_entry(clip, "L_Elbow", np.diag([-1.0, 1.0, 1.0]))


def stretched(clip: Clip) -> Clip:
    return with_entry(clip, "L_Shoulder", 1.03 * clip.rotation[AT, 16])


def sliding(clip: Clip) -> Clip:
    slide = np.clip(np.arange(FRAMES) - 20, 0, 25) / clip.fps
    return moved(clip, path(z=slide))


def sunk(clip: Clip) -> Clip:
    return moved(clip, path(y=only_at(-0.10, slice(AT, AT + 6))))


def floating(clip: Clip) -> Clip:
    return moved(clip, path(y=only_at(0.10, slice(20, 60))))


def trembling(clip: Clip) -> Clip:
    frames = np.arange(FRAMES, dtype=np.float64)
    tremor = np.where(frames > 20, 80.0 * (frames % 2), 0.0)
    return turned(clip, "L_Shoulder", "y", tremor)


def bursting(clip: Clip) -> Clip:
    return moved(clip, path(x=0.3 * (np.arange(FRAMES) >= AT)))


def spun(joint: str, degrees: float) -> Callable[[Clip], Clip]:
    """Turned about the body's vertical from one frame on."""
    return lambda clip: turned(clip, joint, "y", degrees * (np.arange(FRAMES) >= AT))


def rushing(clip: Clip) -> Clip:
    return moved(clip, path(z=13.0 * np.maximum(0, np.arange(FRAMES) - 20) / clip.fps))


def frozen(clip: Clip) -> Clip:
    return standing(FRAMES)


@dataclass(frozen=True)
class Fault:
    check: str
    plant: Callable[[Clip], Clip]
    frame: int | None
    joint: str | None
    verdict: str = "fail"

    def __str__(self) -> str:
        return f"{self.check}-{getattr(self.plant, '__name__', '')}"


def bent(joint: str, axis: str, degrees: float) -> Callable[[Clip], Clip]:
    """Turned at one frame, from T-pose."""
    return lambda clip: turned(clip, joint, axis, only_at(degrees))


def limit(name: str, joint: str, axis: str, degrees: float, verdict: str = "fail") -> Fault:
    return Fault(f"limit_{name}", bent(joint, axis, degrees), AT, joint, verdict)


FAULTS = [
    Fault("integrity", with_nan, AT, "L_Elbow"),
    Fault("rotations", sheared, AT, "L_Elbow"),
    Fault("rotations", mirrored, AT, "L_Elbow"),
    Fault("bone_length", stretched, AT, "L_Elbow"),
    Fault("skating", sliding, AT, "R_Foot", "warn"),
    Fault("skating_upright", sliding, AT, "L_Foot"),
    Fault("penetration", sunk, AT, "R_Foot", "warn"),
    Fault("penetration_deep", sunk, AT, "L_Foot"),
    Fault("float", floating, AT, None),
    Fault("jerk_mean", trembling, AT, "L_Wrist"),
    Fault("jerk_p99", trembling, AT, "L_Wrist"),
    Fault("acceleration", trembling, AT, "L_Wrist"),
    Fault("root_speed", rushing, AT, "Pelvis"),
    Fault("rotation_step", spun("Head", 120.0), AT, "Head"),
    Fault("rotation_step", spun("Head", 60.0), AT, "Head", "warn"),
    Fault("pose_jump", bursting, AT, "Pelvis"),
    Fault("static", frozen, None, None),
]

LIMIT_FAULTS = [
    limit("hip", "L_Hip", "x", -155.0),
    limit("hip", "R_Hip", "x", 60.0),
    limit("hip", "R_Hip", "x", 45.0, "warn"),
    limit("hip", "L_Hip", "z", 75.0),
    limit("hip", "R_Hip", "z", 55.0),
    limit("hip", "L_Hip", "y", -75.0),
    limit("knee", "L_Knee", "x", -40.0),
    limit("knee", "R_Knee", "x", 170.0),
    limit("knee", "R_Knee", "z", 45.0),
    limit("knee", "L_Knee", "y", 45.0),
    limit("ankle", "L_Ankle", "x", -50.0),
    limit("ankle", "R_Ankle", "z", 65.0),
    limit("elbow", "L_Elbow", "y", -190.0),
    limit("elbow", "R_Elbow", "y", 190.0),
    limit("elbow", "R_Elbow", "y", -40.0),
    limit("elbow", "L_Elbow", "z", 45.0),
    limit("elbow", "L_Elbow", "x", 110.0),
    limit("wrist", "L_Wrist", "z", -110.0),
    limit("wrist", "R_Wrist", "y", 50.0),
    limit("shoulder", "L_Shoulder", "x", 130.0),
    limit("shoulder", "R_Shoulder", "y", -86.0),
]


@pytest.fixture
def right() -> Clip:
    return waving(FRAMES)


def test_a_right_motion_passes_every_check(right: Clip) -> None:
    report = judge(right)
    assert report.verdict == "pass", [m for m in report.measures if m.verdict != "pass"]
    assert not report.left_out
    assert {fault.check for fault in FAULTS} <= {m.name for m in report.measures}


def test_the_documented_thresholds_are_those_in_force(right: Clip) -> None:
    documented: dict[str, tuple[str, ...]] = {}
    for line in (quality.__doc__ or "").splitlines():
        cells = tuple(cell.strip() for cell in line.split("|")[1:-1])
        if len(cells) == 5:
            documented |= dict.fromkeys(cells[0].split(", "), cells[1:4])
    for measure in judge(right).measures:
        thresholds = ("" if t is None else f"{t:g}" for t in (measure.warn_at, measure.fail_at))
        assert documented[measure.name] == (measure.unit, *thresholds)
    assert set(documented) - {m.name for m in judge(right).measures} == {"measure", "---"}


def found(measure: Measure, fault: Fault) -> None:
    assert measure.verdict == fault.verdict, measure
    if fault.frame is not None:
        assert fault.frame in measure.frames
    if fault.joint is not None:
        assert fault.joint in measure.joints


@pytest.mark.parametrize("fault", FAULTS, ids=str)
def test_a_planted_fault_is_found(right: Clip, fault: Fault) -> None:
    found(judge(fault.plant(right))[fault.check], fault)


@pytest.mark.parametrize("fault", LIMIT_FAULTS, ids=str)
def test_a_joint_beyond_its_range_is_found(fault: Fault) -> None:
    measure = judge(fault.plant(standing(FRAMES)))[fault.check]
    found(measure, fault)
    assert measure.frames == (AT,)
    assert measure.joints == (fault.joint,)


@pytest.mark.parametrize(
    ("joint", "axis", "degrees"),
    [
        ("L_Hip", "x", -120.0),
        ("R_Hip", "x", 28.0),
        ("L_Hip", "z", 44.0),
        ("R_Hip", "z", -44.0),
        ("L_Hip", "y", 55.0),
        ("R_Hip", "y", -55.0),
        ("L_Knee", "x", 138.0),
        ("L_Ankle", "x", 48.0),
        ("R_Ankle", "z", 34.0),
        ("L_Elbow", "y", -148.0),
        ("R_Elbow", "y", 148.0),
        ("L_Elbow", "x", 78.0),
        ("L_Wrist", "z", -78.0),
        ("R_Wrist", "z", 78.0),
        ("L_Shoulder", "z", 90.0),
        ("L_Shoulder", "z", -90.0),
        ("R_Shoulder", "z", -90.0),
        ("L_Shoulder", "y", -120.0),
        ("R_Shoulder", "y", 120.0),
        ("Neck", "x", 48.0),
        ("Head", "y", -78.0),
        ("Spine1", "x", 88.0),
        ("Spine2", "y", 44.0),
    ],
)
def test_a_joint_within_its_range_passes(joint: str, axis: str, degrees: float) -> None:
    report = judge(bent(joint, axis, degrees)(standing(FRAMES)))
    beyond = [m for m in report.measures if m.name.startswith("limit") and m.value]
    assert not beyond


@pytest.mark.parametrize("joints", [("Neck", "Head"), ("Spine1", "Spine2", "Spine3")])
def test_neck_and_trunk_are_judged_as_chains(joints: tuple[str, ...]) -> None:
    clip = standing(FRAMES)
    for joint in joints:
        clip = turned(clip, joint, "z", only_at(72.0 / len(joints)))
    check = "limit_neck" if "Neck" in joints else "limit_trunk"
    found(judge(clip)[check], Fault(check, frozen, AT, joints[-1]))


def test_a_limit_slightly_crossed_for_long_fails(right: Clip) -> None:
    clip = turned(right, "R_Knee", "x", only_at(-24.0, slice(AT, AT + 6)))
    report = judge(clip)
    assert report["limit_knee"].verdict == "warn"
    assert report["limit_share"].verdict == "fail"
    assert report["limit_share"].joints == ("R_Knee",)


def test_kneeling_bends_the_knee_further() -> None:
    clip = turned(standing(FRAMES), "L_Knee", "x", 158.0)
    assert judge(clip)["limit_knee"].verdict == "warn"
    assert judge(moved(clip, path(y=-0.6)))["limit_knee"].verdict == "pass"


def test_a_flight_under_gravity_is_no_float(right: Clip) -> None:
    airtime = np.arange(FRAMES) / right.fps
    height = 4.905 * airtime * (airtime[-1] - airtime)
    assert judge(moved(right, path(y=height)))["float"].verdict == "pass"


def test_resting_on_the_knees_is_no_float(right: Clip) -> None:
    report = judge(moved(turned(right, "L_Hip", "x", -90.0), path(y=-0.85)))
    assert report["float"].value == 0.0


def test_sliding_in_a_spin_only_warns(right: Clip) -> None:
    spinning = turned(sliding(right), "Pelvis", "y", np.linspace(0.0, 600.0, FRAMES))
    report = judge(spinning)
    assert report["skating"].verdict == "warn"
    assert report["skating_upright"].verdict == "pass"


def test_stillness_that_was_asked_for_is_no_fault() -> None:
    report = judge(standing(FRAMES), idle_asked=True)
    assert report.verdict == "pass"
    assert [out.name for out in report.left_out] == ["static"]


@pytest.mark.parametrize("fps", [10.0, 24.0, 60.0, 120.0])
def test_the_frame_rate_does_not_change_the_verdict(fps: float) -> None:
    assert judge(waving(round(3 * fps), fps)).verdict == "pass"


def renamed(skeleton: Skeleton) -> Skeleton:
    return replace(skeleton, names=tuple(f"bone{j}" for j in range(len(skeleton.names))))


def test_another_skeleton_is_judged_by_what_it_has(right: Clip) -> None:
    report = judge(replace(right, skeleton=renamed(STANDARD)))
    assert {out.name for out in report.left_out} == {"skating", "float", "limits"}
    assert all(out.reason for out in report.left_out)
    assert report["jerk_mean"].verdict == "pass"


def test_limits_need_a_t_pose_at_rest(right: Clip) -> None:
    offsets = STANDARD.offsets.copy()
    offsets[18] = (0.0, -0.28, 0.0)
    report = judge(replace(right, skeleton=replace(STANDARD, offsets=offsets)))
    assert [out.name for out in report.left_out] == ["limits"]


def test_a_joint_missing_from_the_skeleton_is_left_out(right: Clip) -> None:
    names = tuple("Skull" if name == "Head" else name for name in STANDARD.names)
    report = judge(replace(right, skeleton=replace(STANDARD, names=names)))
    assert [(out.name, out.reason) for out in report.left_out] == [
        ("limit_neck", "the skeleton has no Head")
    ]


BROKEN: dict[str, Clip] = {
    "one frame": standing(1),
    "no frame": standing(0),
    "a path of other length": replace(standing(9), translation=np.zeros((8, 3))),
    "a flat path": replace(standing(9), translation=np.zeros(27)),
    "quaternions": replace(standing(9), rotation=np.zeros((9, 22, 4))),
    "too few joints": replace(standing(9), rotation=np.zeros((9, 21, 3, 3))),
    "integers": replace(standing(9), translation=np.zeros((9, 3), dtype=int)),
    "no frame rate": standing(9, fps=0.0),
    "a frame rate that is not a number": standing(9, fps=math.nan),
    "an infinite place": replace(standing(9), translation=np.full((9, 3), math.inf)),
    "a huge rotation": replace(standing(9), rotation=np.full((9, 22, 3, 3), 1e300)),
    "a loop in the tree": replace(
        standing(9), skeleton=replace(STANDARD, parents=(-1, 2, 1, *STANDARD.parents[3:]))
    ),
    "no joints": replace(standing(9), skeleton=Skeleton((), (), np.zeros((0, 3)), {})),
}


@pytest.mark.parametrize("clip", BROKEN.values(), ids=BROKEN)
def test_a_broken_clip_fails_and_raises_nothing(clip: Clip) -> None:
    report = judge(clip)
    assert report.verdict == "fail"
    assert [m.name for m in report.measures] == ["integrity"]
    assert report.left_out
    json.dumps(report.as_dict(), allow_nan=False)


def test_frames_at_fault_are_few_and_ascending(right: Clip) -> None:
    frames = judge(rushing(right))["root_speed"].frames
    assert len(frames) == 20
    assert list(frames) == sorted(set(frames))


def test_an_unknown_measure_is_a_key_error(right: Clip) -> None:
    with pytest.raises(KeyError):
        judge(right)["beauty"]


shapes = array_shapes(min_dims=1, max_dims=4, min_side=0, max_side=4)
numbers = st.floats(allow_nan=True, allow_infinity=True, width=64)


@given(
    translation=arrays(np.float64, shapes | st.just((4, 3)), elements=numbers),
    rotation=arrays(np.float64, shapes | st.just((4, 22, 3, 3)), elements=numbers, fill=numbers),
    fps=numbers | st.just(30.0),
)
@settings(max_examples=100, deadline=None)
def test_no_clip_raises(translation: Floats, rotation: Floats, fps: float) -> None:
    report = judge(Clip(translation, rotation, fps))
    json.dumps(report.as_dict(), allow_nan=False)


@given(seed=st.integers(0, 2**32), frames=st.integers(2, 9), fps=st.floats(1.0, 240.0))
@settings(max_examples=30, deadline=None)
def test_any_whole_clip_has_every_measure(seed: int, frames: int, fps: float) -> None:
    report = judge(replace(tumbling(frames, seed), fps=fps))
    assert len(report.measures) == 24
    json.dumps(report.as_dict(), allow_nan=False)
    for measure in report.measures:
        assert measure.value is not None
        bad = -1.0 if measure.lower_is_worse else 1.0
        fails = measure.fail_at is not None and bad * measure.value > bad * measure.fail_at
        assert (measure.verdict == "fail") == fails
        assert measure.verdict == "pass" or measure.source


def test_judging_and_writing_import_no_heavy_library() -> None:
    code = (
        "import sys; from kinesphere.worker import clips; clips.warm_up(['bvh', 'npz']); "
        "heavy = {'scipy', 'numpy.ma', 'PIL'} & set(sys.modules); assert not heavy, heavy"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)


def test_single_precision_is_judged_as_double(right: Clip) -> None:
    single = replace(right, rotation=right.rotation.astype(np.float32))
    for one, other in zip(judge(single).measures, judge(right).measures, strict=True):
        assert one.verdict == other.verdict
        assert one.value == pytest.approx(other.value, abs=0.05)
