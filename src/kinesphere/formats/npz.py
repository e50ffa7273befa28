"""NumPy archives of a motion, under the names that tools for SMPL-H figures read.

| array | shape | meaning |
| --- | --- | --- |
| poses | (T, 156) | rotation vectors of 52 joints: ours first, then 30 of the hands, all zero |
| trans | (T, 3) | m, the pelvis in the world |
| Rh | (T, 3) | rotation vector of the pelvis, as in poses |
| betas | (1, 16) | shape of the body, all zero |
| gender, mocap_framerate | () | "neutral"; frames a second |
| offsets, ends | (22, 3) | m, our skeleton's rest; other tools ignore them |
"""

import io
import math
import zipfile
import zlib
from typing import Any, Final

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray

from kinesphere.formats.clip import JOINT_NAMES, PARENTS, STANDARD, Clip, Floats, Skeleton
from kinesphere.formats.motion import BadClip
from kinesphere.formats.rotation import EXACT, deviation, from_vector, orthonormal, to_vector

MOST_BYTES: Final = 64 * 2**20
"""Of the file, and of each array in it."""
MOST_FRAMES: Final = 100_000
JOINTS: Final = 52
BODY: Final = len(JOINT_NAMES)
FURTHEST_FROM_ROTATION: Final = 0.1
"""Deviation of a matrix from a rotation beyond which none can be told to be meant."""
_EPOCH: Final = (1980, 1, 1, 0, 0, 0)
_LARGEST: Final = 1e6


def encode(clip: Clip) -> bytes:
    """Write a clip of the 22 SMPL-H joints; the same clip always gives the same bytes.

    Raises:
        BadClip: Other joints, no frame, numbers that are not finite, or matrices that are no
            rotations.
    """
    skeleton = clip.skeleton
    if skeleton.names != JOINT_NAMES or skeleton.parents != PARENTS:
        raise BadClip("an npz holds the 22 SMPL-H joints in their order")
    finite = (clip.translation, clip.rotation, skeleton.offsets)
    if clip.frames < 1 or not all((np.abs(values) < _LARGEST).all() for values in finite):
        raise BadClip("the clip has no frame, or numbers that are not finite")
    matrices = clip.rotation.astype(np.float64, copy=False)
    off = float(deviation(matrices).max())
    if off > FURTHEST_FROM_ROTATION:
        raise BadClip("the clip has matrices that are no rotations")
    turns = to_vector(orthonormal(matrices) if off > EXACT else matrices)
    poses = np.zeros((clip.frames, 3 * JOINTS), dtype=np.float32)
    poses[:, : 3 * BODY] = turns.reshape(clip.frames, -1)
    ends = np.zeros((BODY, 3))
    for joint, tip in skeleton.ends.items():
        ends[joint] = tip
    return _archive(
        {
            "poses": poses,
            "trans": clip.translation.astype(np.float32),
            "Rh": poses[:, :3],
            "betas": np.zeros((1, 16), dtype=np.float32),
            "gender": np.array("neutral"),
            "mocap_framerate": np.array(float(clip.fps)),
            "offsets": skeleton.offsets,
            "ends": ends,
        }
    )


def _archive(arrays: dict[str, NDArray[Any]]) -> bytes:
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, array in arrays.items():
            member = io.BytesIO()
            npy.write_array(member, np.ascontiguousarray(array).reshape(array.shape), (1, 0))
            # A fixed time and system: the bytes are the content's alone.
            info = zipfile.ZipInfo(f"{name}.npy", _EPOCH)
            info.create_system = 3
            archive.writestr(info, member.getvalue(), zipfile.ZIP_DEFLATED, 1)
    return data.getvalue()


def decode(data: bytes) -> Clip:
    """Read `poses`, `trans` and `mocap_framerate`; our own skeleton where the file has none.

    Raises:
        BadClip: No such archive, arrays missing or of other shapes, pickled objects, numbers that
            are not finite, or more than the limits of this module.
    """
    if len(data) > MOST_BYTES:
        raise BadClip(f"{len(data)} bytes are more than {MOST_BYTES}")
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            poses = _array(archive, "poses")
            trans = _array(archive, "trans")
            fps = float(_array(archive, "mocap_framerate").reshape(()))
            has_skeleton = {"offsets.npy", "ends.npy"} <= set(archive.namelist())
            rest = [_array(archive, name) for name in ("offsets", "ends")] if has_skeleton else []
    except BadClip:
        raise
    except (
        zipfile.BadZipFile, zlib.error, EOFError, KeyError, NotImplementedError, OSError,
        RuntimeError, TypeError, ValueError,
    ) as error:  # fmt: skip
        raise BadClip(f"no archive of a motion: {error}") from error
    frames = len(poses) if poses.ndim else 0
    if poses.shape != (frames, 3 * JOINTS) or trans.shape != (frames, 3):
        raise BadClip(f"poses {poses.shape} and trans {trans.shape} are not (T, 156) and (T, 3)")
    if not 1 <= frames <= MOST_FRAMES or not (math.isfinite(fps) and 0.01 <= fps <= 1e4):
        raise BadClip(f"{frames} frames at {fps} a second")
    rotation = from_vector(poses[:, : 3 * BODY].reshape(frames, BODY, 3))
    return Clip(trans, rotation, fps, _skeleton(*rest) if rest else STANDARD)


def _array(archive: zipfile.ZipFile, name: str) -> Floats:
    """An array of finite numbers whose header does not lie about its size."""
    with archive.open(f"{name}.npy") as member:
        content = io.BytesIO(member.read(MOST_BYTES + 1))
    if npy.read_magic(content) != (1, 0):
        raise BadClip(f"{name} is of another version of the npy format")
    shape, fortran, dtype = npy.read_array_header_1_0(content)
    if dtype.kind not in "fiu":
        raise BadClip(f"{name} holds {dtype}, not numbers")
    body = content.read()
    if len(body) > MOST_BYTES or math.prod(shape) * dtype.itemsize != len(body):
        raise BadClip(f"{name} is truncated or too large")
    values = np.frombuffer(body, dtype).reshape(shape, order="F" if fortran else "C")
    if not (np.abs(values) < _LARGEST).all():
        raise BadClip(f"{name} has numbers that are not finite or beyond 1e6")
    return values.astype(np.float64)


def _skeleton(offsets: Floats, ends: Floats) -> Skeleton:
    if offsets.shape != (BODY, 3) or ends.shape != (BODY, 3):
        raise BadClip("offsets and ends are not (22, 3)")
    tips = {
        joint: (float(x), float(y), float(z)) for joint, (x, y, z) in enumerate(ends) if x or y or z
    }
    return Skeleton(JOINT_NAMES, PARENTS, offsets, tips)
