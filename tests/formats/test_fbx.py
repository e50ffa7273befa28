"""FBX as bytes: the container is whole, the angles have no leaps, nonsense is refused."""

import struct
import zlib
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from kinesphere.formats import fbx
from kinesphere.formats.clip import STANDARD, Clip, Floats, Skeleton
from kinesphere.formats.fbx import TICKS
from kinesphere.formats.motion import BadClip
from tests.formats.motions import standing, tumbling, waving

Tree = list[tuple[str, list[Any], "Tree"]]
ARRAYS = {"i": "<i4", "l": "<i8", "f": "<f4", "d": "<f8"}
SCALARS = {"I": "<i", "L": "<q", "D": "<d", "C": "<?"}


def parsed(data: bytes, start: int = 27, stop: int | None = None) -> Tree:
    """The nodes of a file, read here by hand so that the writer does not judge itself."""
    nodes: Tree = []
    while stop is None or start < stop:
        end, count, size, letters = struct.unpack_from("<IIIB", data, start)
        if end == 0:
            break
        inner = start + 13 + letters
        name = data[start + 13 : inner].decode()
        values, at = [], inner
        for _ in range(count):
            value, at = value_at(data, at)
            values.append(value)
        assert at == inner + size
        nodes.append((name, values, parsed(data, at, end) if at < end else []))
        start = end
    return nodes


def value_at(data: bytes, at: int) -> tuple[Any, int]:
    code = chr(data[at])
    if code in SCALARS:
        (value,) = struct.unpack_from(SCALARS[code], data, at + 1)
        return value, at + 1 + struct.calcsize(SCALARS[code])
    if code in ARRAYS:
        count, packed, size = struct.unpack_from("<III", data, at + 1)
        raw = data[at + 13 : at + 13 + size]
        values = np.frombuffer(zlib.decompress(raw) if packed else raw, ARRAYS[code])
        assert len(values) == count
        return values, at + 13 + size
    (size,) = struct.unpack_from("<I", data, at + 1)
    raw = data[at + 5 : at + 5 + size]
    return (raw.decode() if code == "S" else raw), at + 5 + size


def section(tree: Tree, name: str) -> Tree:
    (found,) = [children for each, _, children in tree if each == name]
    return found


def curves(clip: Clip) -> Floats:
    objects = section(parsed(fbx.encode(clip)), "Objects")
    found = [children for name, _, children in objects if name == "AnimationCurve"]
    return np.array([next(v[0] for n, v, _ in c if n == "KeyValueFloat") for c in found])


def test_sections_come_in_the_usual_order_and_ids_are_unique() -> None:
    tree = parsed(fbx.encode(waving(5)))
    assert [name for name, _, _ in tree] == [
        "FBXHeaderExtension", "FileId", "CreationTime", "Creator", "GlobalSettings", "Documents",
        "References", "Definitions", "Objects", "Connections", "Takes",
    ]  # fmt: skip
    objects = section(tree, "Objects")
    ids = [values[0] for _, values, _ in objects]
    assert len(set(ids)) == len(ids)
    links = section(tree, "Connections")
    assert {id_ for _, values, _ in links for id_ in values[1:3]} <= {0, *ids}


def test_definitions_count_the_objects() -> None:
    tree = parsed(fbx.encode(waving(5)))
    objects = [name for name, _, _ in section(tree, "Objects")]
    counts = {v[0]: c[0][1][0] for n, v, c in section(tree, "Definitions") if n == "ObjectType"}
    assert counts.pop("GlobalSettings") == 1
    assert counts == {name: objects.count(name) for name in objects}


def test_the_time_is_told_everywhere() -> None:
    tree = parsed(fbx.encode(waving(31)))
    ((_, take_values, take),) = [each for each in section(tree, "Takes") if each[0] == "Take"]
    assert take_values == ["Motion"]
    assert [values for name, values, _ in take if name == "LocalTime"] == [[0, TICKS]]
    (stack,) = [c for n, _, c in section(tree, "Objects") if n == "AnimationStack"]
    rows = {values[0]: values[-1] for _, values, _ in section(stack, "Properties70")}
    assert (rows["LocalStart"], rows["LocalStop"]) == (0, TICKS)


def test_angles_have_no_leaps_and_the_root_is_in_centimetres() -> None:
    clip = tumbling(150)
    values = curves(clip)
    assert values.shape == (3 + 3 * len(STANDARD.names), 150)
    np.testing.assert_allclose(values[:3].T, 100.0 * clip.translation, rtol=1e-6, atol=1e-4)
    # Near gimbal lock angles turn fast, yet never the long way round.
    assert np.abs(np.diff(values[3:], axis=1)).max() < 180.0
    assert np.abs(np.diff(curves(waving())[3:], axis=1)).max() < 10.0


def test_weights_of_each_point_sum_to_one() -> None:
    objects = section(parsed(fbx.encode(standing(2))), "Objects")
    (geometry,) = [children for name, _, children in objects if name == "Geometry"]
    points = next(values[0] for name, values, _ in geometry if name == "Vertices")
    total = np.zeros(len(points) // 3)
    for name, values, children in objects:
        if name == "Deformer" and values[-1] == "Cluster":
            row = {each: rest[0] for each, rest, _ in children if rest}
            total[row["Indexes"]] += row["Weights"]
    np.testing.assert_allclose(total, 1.0, atol=1e-9)


def test_the_same_clip_gives_the_same_bytes() -> None:
    clip = waving(20)
    assert fbx.encode(clip) == fbx.encode(Clip(clip.translation, clip.rotation, clip.fps))


@pytest.mark.parametrize("fps", [24.0, 25.0, 29.97, 120.0])
def test_any_frame_rate_is_kept(fps: float) -> None:
    settings = section(parsed(fbx.encode(replace(waving(3), fps=fps))), "GlobalSettings")
    rows = {values[0]: values[-1] for _, values, _ in section(settings, "Properties70")}
    assert rows["CustomFrameRate"] == fps
    assert rows["TimeMode"] == {24.0: 11, 120.0: 1}.get(fps, 14)


@pytest.mark.parametrize("fault", ["empty", "nan", "infinite", "fps", "slow", "name"])
def test_a_clip_without_sense_is_refused(fault: str) -> None:
    clip = standing(3)
    if fault == "empty":
        clip = standing(0)
    elif fault == "fps":
        clip = replace(clip, fps=float("nan"))
    elif fault == "slow":
        clip = replace(clip, fps=0.0)
    elif fault == "nan":
        clip.rotation[1, 3] = np.nan
    elif fault == "infinite":
        clip.translation[1] = np.inf
    else:
        clip = standing(3, 30.0, Skeleton(("a\0b",), (-1,), np.zeros((1, 3)), {}))
    with pytest.raises(BadClip):
        fbx.encode(clip)
