"""NumPy archives: the names of SMPL-H tools, the same bytes always, nothing trusted."""

import io
import math
import zipfile
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kinesphere.formats import npz
from kinesphere.formats.clip import STANDARD, Clip, forward
from kinesphere.formats.motion import BadClip
from tests.formats.motions import standing, tumbling, waving


def test_the_arrays_are_those_of_smplh_tools() -> None:
    with np.load(io.BytesIO(npz.encode(waving(5))), allow_pickle=False) as arrays:
        shapes = {name: arrays[name].shape for name in arrays.files}
        assert str(arrays["gender"]) == "neutral"
        assert float(arrays["mocap_framerate"]) == 30.0
        assert not arrays["poses"][:, 66:].any()
        np.testing.assert_array_equal(arrays["poses"][:, :3], arrays["Rh"])
    assert shapes == {
        "poses": (5, 156),
        "trans": (5, 3),
        "Rh": (5, 3),
        "betas": (1, 16),
        "gender": (),
        "mocap_framerate": (),
        "offsets": (22, 3),
        "ends": (22, 3),
    }


@given(seed=st.integers(0, 2**32), frames=st.integers(1, 20))
@settings(max_examples=25, deadline=None)
def test_any_motion_comes_back(seed: int, frames: int) -> None:
    clip = tumbling(frames, seed)
    data = npz.encode(clip)
    back = npz.decode(data)
    assert data == npz.encode(clip)
    assert back.skeleton.ends == STANDARD.ends
    np.testing.assert_allclose(forward(back)[0], forward(clip)[0], atol=1e-5)


def archive(**changes: Any) -> bytes:
    arrays: dict[str, Any] = {
        "poses": np.zeros((4, 156)),
        "trans": np.zeros((4, 3)),
        "mocap_framerate": 60,
    } | changes
    data = io.BytesIO()
    np.savez(data, **{name: value for name, value in arrays.items() if value is not None})
    return data.getvalue()


def test_a_foreign_archive_gets_our_skeleton() -> None:
    clip = npz.decode(archive())
    assert clip.fps == 60.0
    assert clip.skeleton is STANDARD


def lying() -> bytes:
    """An archive whose header promises more numbers than there are."""
    data = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(archive())) as old, zipfile.ZipFile(data, "w") as new:
        for name in old.namelist():
            new.writestr(name, old.read(name).replace(b"(4, 156)", b"(9999999, 156)"))
    return data.getvalue()


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"PK\x03\x04 no archive",
        archive()[:-30],
        archive(poses=None),
        archive(poses=np.zeros((4, 72))),
        archive(trans=np.zeros((5, 3))),
        archive(trans=np.full((4, 3), math.nan)),
        archive(poses=np.array([{}], dtype=object)),
        archive(mocap_framerate=[1, 2]),
        archive(mocap_framerate=0),
        archive(poses=np.zeros((0, 156)), trans=np.zeros((0, 3))),
        archive(offsets=np.zeros((3, 3)), ends=np.zeros((22, 3))),
        lying(),
    ],
)
def test_a_bad_archive_is_refused(data: bytes) -> None:
    with pytest.raises(BadClip):
        npz.decode(data)


def test_an_archive_beyond_the_limit_is_refused() -> None:
    with pytest.raises(BadClip, match="bytes"):
        npz.decode(bytes(npz.MOST_BYTES + 1))


@given(st.integers(0, 900), st.integers(0, 255))
@settings(deadline=None)
def test_a_mangled_archive_is_read_or_refused(at: int, value: int) -> None:
    data = bytearray(npz.encode(standing(2)))
    data[at] = value
    try:
        npz.decode(bytes(data))
    except BadClip:
        return


@pytest.mark.parametrize(
    "clip",
    [
        standing(0),
        replace(standing(2), translation=np.full((2, 3), math.nan)),
        replace(standing(2), skeleton=replace(STANDARD, names=STANDARD.names[::-1])),
    ],
)
def test_a_clip_that_npz_cannot_hold_is_refused(clip: Clip) -> None:
    with pytest.raises(BadClip):
        npz.encode(clip)


def test_matrices_that_are_no_rotations_are_refused() -> None:
    mirrored = standing(2)
    mirrored.rotation[1, 4] = np.diag([-1.0, 1.0, 1.0])
    for clip in (mirrored, replace(standing(2), rotation=np.zeros((2, 22, 3, 3)))):
        with pytest.raises(BadClip, match="no rotations"):
            npz.encode(clip)


def test_single_precision_is_written_as_the_nearest_rotation() -> None:
    clip = waving(5)
    single = replace(clip, rotation=clip.rotation.astype(np.float32))
    back = npz.decode(npz.encode(single))
    np.testing.assert_allclose(back.rotation, clip.rotation, atol=1e-6)
