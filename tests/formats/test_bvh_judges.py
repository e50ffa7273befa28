"""Readers of other projects place every joint of our BVH where we do."""

import warnings
from pathlib import Path

import numpy as np
import pybvh
import pytest

from kinesphere.formats import bvh
from kinesphere.formats.clip import Clip
from tests.formats.motions import by_name, tumbling, waving
from tests.judges.node import Judge, node_judge

with warnings.catch_warnings():
    # bvhio imports PyGLM under its former name.
    warnings.simplefilter("ignore", PendingDeprecationWarning)
    import bvhio

__all__ = ["node_judge"]
MILLIMETRE = 1e-3


@pytest.fixture(params=["waving", "tumbling"])
def clip(request: pytest.FixtureRequest) -> Clip:
    return waving(51) if request.param == "waving" else tumbling(51)


@pytest.fixture
def written(clip: Clip, tmp_path: Path) -> Path:
    path = tmp_path / "motion.bvh"
    path.write_bytes(bvh.encode(clip))
    return path


def test_pybvh_agrees(clip: Clip, written: Path) -> None:
    read = pybvh.read_bvh_file(written, world_up="+y")
    positions = np.asarray(read.joint_positions())
    assert read.frame_time == pytest.approx(1.0 / clip.fps)
    assert set(read.joint_names) == set(clip.skeleton.names)
    for name, ours in by_name(clip).items():
        theirs = positions[:, read.joint_index[name]] / 100.0
        np.testing.assert_allclose(theirs, ours, atol=MILLIMETRE)


def test_bvhio_agrees(clip: Clip, written: Path) -> None:
    root = bvhio.readAsHierarchy(str(written))
    joints = {joint.Name: joint for joint, _, _ in root.layout()}
    for frame in range(0, clip.frames, 10):
        root.loadPose(frame)
        for name, ours in by_name(clip).items():
            theirs = np.array(joints[name].PositionWorld.to_tuple()) / 100.0
            np.testing.assert_allclose(theirs, ours[frame], atol=MILLIMETRE)


def test_three_agrees(clip: Clip, written: Path, node_judge: Judge) -> None:
    frames = range(0, clip.frames, 10)
    read = node_judge("bvh_positions.mjs", written, f"{1.0 / clip.fps:.9f}", *map(str, frames))
    assert read["duration"] == pytest.approx((clip.frames - 1) / clip.fps)
    for name, ours in by_name(clip).items():
        theirs = np.array([at[name] for at in read["positions"]]) / 100.0
        np.testing.assert_allclose(theirs, ours[list(frames)], atol=MILLIMETRE)
