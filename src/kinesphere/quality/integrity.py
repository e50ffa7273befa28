"""Whether a clip is whole: shapes, finite numbers, true rotations, bones of constant length."""

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from kinesphere.formats.clip import Clip, Floats
from kinesphere.formats.rotation import deviation, lengths
from kinesphere.quality.report import Check, Measure

WHOLE: Final = Check(
    "integrity", "", None, 0.0, "definition of a clip: finite numbers, two frames, right shapes"
)
ROTATIONS: Final = Check("rotations", "", 1e-4, 1e-2, "numeric: float32 keeps |RᵀR - 1| under 1e-6")
BONES: Final = Check("bone_length", "%", 0.1, 1.0, "numeric: bones are rigid")

FURTHEST: Final = 1e5
"""Metres from the origin beyond which a coordinate counts as broken."""
LARGEST_ENTRY: Final = 1e2
"""Size beyond which an entry of a rotation matrix counts as broken."""


def whole(clip: Clip) -> Measure:
    """Counts what is structurally wrong: wrong shapes, too few frames, broken numbers.

    The value is the number of broken numbers, or of structural faults. Any fails. Every other
    check may rely on a clip that passes this one.
    """
    structural = _structural_faults(clip)
    if structural:
        return WHOLE.measure(float(structural))
    bad_root = _broken(clip.translation, FURTHEST)
    bad_turn = _broken(clip.rotation, LARGEST_ENTRY)
    bad_offset = _broken(clip.skeleton.offsets, FURTHEST)
    count = sum(map(np.count_nonzero, (bad_root, bad_turn, bad_offset)))
    if not count:
        return WHOLE.measure(0.0)
    faults = np.asarray(np.any(bad_turn, axis=(2, 3)))
    root = clip.skeleton.parents.index(-1)
    faults[:, root] |= np.any(bad_root, axis=1)
    faults |= bad_offset.any(axis=1)
    return WHOLE.measure(float(count), faults, clip.skeleton.names)


def rotations(clip: Clip) -> Measure:
    """Largest deviation of any rotation from orthonormality, or of its determinant from 1."""
    error = deviation(clip.rotation.astype(np.float64, copy=False))
    return ROTATIONS.measure(float(error.max()), error > 1e-4, clip.skeleton.names)


def bone_length(clip: Clip, positions: Floats) -> Measure:
    """Largest deviation of a bone's length from its length at rest, in per cent."""
    skeleton = clip.skeleton
    children = [j for j, parent in enumerate(skeleton.parents) if parent >= 0]
    rest = lengths(skeleton.offsets)
    # A bone of no length has no relative drift: some BVH stack two joints on one spot.
    children = [j for j in children if rest[j] > 1e-6]
    if not children:
        return BONES.measure(0.0)
    parents = [skeleton.parents[j] for j in children]
    length = lengths(positions.take(children, axis=1) - positions.take(parents, axis=1))
    drift = 100.0 * np.abs(length / rest[children] - 1.0)
    names = tuple(skeleton.names[j] for j in children)
    return BONES.measure(float(drift.max()), drift > 0.1, names)


def _broken(values: Floats, limit: float) -> NDArray[np.bool_]:
    # Written so that NaN, which compares with nothing, counts as broken too.
    return np.asarray(~(np.abs(values) <= limit))


def _structural_faults(clip: Clip) -> int:
    skeleton = clip.skeleton
    joints = len(skeleton.names)
    faults = [
        joints == 0 or len(set(skeleton.names)) != joints,
        not _is_tree(skeleton.parents, joints),
        not _is_array(skeleton.offsets, (joints, 3)),
        not _is_array(clip.translation, (None, 3)),
        not _is_array(clip.rotation, (None, joints, 3, 3)),
        not 1.0 <= clip.fps <= 1000.0,
    ]
    if not any(faults):
        faults.append(clip.frames < 2 or clip.rotation.shape[0] != clip.frames)
    return sum(faults)


def _is_tree(parents: tuple[int, ...], joints: int) -> bool:
    if len(parents) != joints or list(parents).count(-1) != 1:
        return False
    return all(-1 <= parent < joint for joint, parent in enumerate(parents))


def _is_array(value: Any, shape: tuple[int | None, ...]) -> bool:
    # A clip may come from a plug-in that mypy has never seen, so its arrays are looked at.
    return (
        isinstance(value, np.ndarray)
        and value.dtype.kind == "f"
        and value.ndim == len(shape)
        and all(want is None or have == want for have, want in zip(value.shape, shape, strict=True))
    )
