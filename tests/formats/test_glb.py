"""GLB as bytes: it comes back, stays small, and what is no clip is refused."""

import json
import struct
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kinesphere.engines.choreo.player import play
from kinesphere.engines.choreo.reading import read
from kinesphere.formats import glb
from kinesphere.formats.clip import STANDARD, Clip, Skeleton, forward
from kinesphere.formats.glb_reading import MOST_BYTES
from kinesphere.formats.motion import BadClip
from tests.formats.motions import standing, tumbling, waving

Document = dict[str, Any]


def opened(data: bytes) -> tuple[Document, bytes]:
    (size,) = struct.unpack_from("<I", data, 12)
    return json.loads(data[20 : 20 + size]), data[28 + size :]


def closed(document: Document, binary: bytes) -> bytes:
    text = json.dumps(document).encode()
    text += b" " * (-len(text) % 4)
    total = 28 + len(text) + len(binary)
    head = struct.pack("<4sIII4s", b"glTF", 2, total, len(text), b"JSON")
    return head + text + struct.pack("<I4s", len(binary), b"BIN\0") + binary


@given(seed=st.integers(0, 2**32), frames=st.integers(1, 20), fps=st.floats(1.0, 240.0))
@settings(max_examples=40, deadline=None)
def test_any_motion_comes_back(seed: int, frames: int, fps: float) -> None:
    clip = replace(tumbling(frames, seed), fps=fps)
    back = glb.decode(glb.encode(clip))
    assert back.fps == fps
    assert back.skeleton.names == STANDARD.names
    assert back.skeleton.parents == STANDARD.parents
    assert back.skeleton.ends == STANDARD.ends
    np.testing.assert_allclose(back.skeleton.offsets, STANDARD.offsets, atol=1e-6)
    np.testing.assert_allclose(back.rotation, clip.rotation, atol=1e-5)
    np.testing.assert_allclose(forward(back)[0], forward(clip)[0], atol=1e-5)


def test_a_figure_of_other_names_comes_back() -> None:
    skeleton = Skeleton(("hip", "膝"), (-1, 0), np.array([[0.0, 1.0, 0.0], [0.0, -0.5, 0.0]]), {})
    back = glb.decode(glb.encode(standing(4, 25.0, skeleton)))
    assert back.skeleton.names == ("hip", "膝")
    assert back.fps == 25.0


def test_it_is_small_and_always_the_same() -> None:
    clip = play(read("dance"), 5.0, 7)
    data = glb.encode(clip)
    assert len(data) < 400_000
    assert glb.encode(Clip(clip.translation, clip.rotation, clip.fps)) == data


def test_quaternions_turn_the_short_way() -> None:
    document, binary = opened(glb.encode(tumbling()))
    turns = [a for a in document["accessors"] if a["type"] == "VEC4" and a["count"] == 150]
    assert len(turns) == len(STANDARD.names)
    for accessor in turns:
        view = document["bufferViews"][accessor["bufferView"]]
        start = view["byteOffset"] + accessor["byteOffset"]
        values = np.frombuffer(binary, "<f4", 600, start).reshape(150, 4)
        assert (np.einsum("ti,ti->t", values[1:], values[:-1]) > 0.9).all()


def test_every_view_is_aligned() -> None:
    document, binary = opened(glb.encode(waving(3)))
    assert document["buffers"][0]["byteLength"] == len(binary)
    assert all(view["byteOffset"] % 4 == 0 for view in document["bufferViews"])


def other(change: Callable[[Document], object]) -> bytes:
    document, binary = opened(glb.encode(waving(5)))
    change(document)
    return closed(document, binary)


def animation(document: Document) -> Document:
    first: Document = document["animations"][0]
    return first


def test_keys_tell_the_frame_rate_where_nothing_else_does() -> None:
    back = glb.decode(other(lambda document: animation(document).pop("extras")))
    assert back.fps == pytest.approx(30.0, rel=1e-5)
    np.testing.assert_allclose(forward(back)[0], forward(waving(5))[0], atol=1e-5)


REFUSED: list[tuple[Callable[[Document], object], str]] = [
    (lambda d: d.pop("skins"), "no skin"),
    (lambda d: d.pop("animations"), "no animation"),
    (lambda d: d.pop("accessors"), "broken"),
    (lambda d: d["asset"].update(generator="Other") or d["nodes"][5].update(name="x"), "no joint"),
    (lambda d: d["nodes"][5].update(name="Pelvis"), "one tree"),
    (lambda d: d["nodes"][5].update(children=[1]), "circle|two parents|one tree"),
    (lambda d: d["nodes"][5].update(scale=[2, 2, 2]), "scaled"),
    (lambda d: d["nodes"][5].update(translation=[0, -1, 0]), "moves against"),
    (lambda d: d["nodes"][6].update(scale=[1, 1, 1.5]), "moves|sheared"),
    (lambda d: d["nodes"].extend([{}] * 5000), "nodes"),
    (lambda d: d["skins"][0].pop("inverseBindMatrices"), "inverse bind"),
    (lambda d: d["skins"][0].update(joints=[1, 1]), "twice"),
    (lambda d: d["skins"][0].update(joints=[900]), "not"),
    (lambda d: animation(d)["samplers"][1].update(interpolation="CUBICSPLINE"), "CUBICSPLINE"),
    (lambda d: animation(d)["samplers"][1].update(output=0), "plain VEC4"),
    (lambda d: animation(d)["extras"].update(fps=1e9), "frames a second"),
    (lambda d: animation(d)["extras"].update(fps="many"), "broken"),
    (lambda d: animation(d)["extras"].update(fps=9e5), "too many"),
    (lambda d: d["accessors"][-1].update(count=10**12), "outside"),
    (lambda d: d["accessors"][-1].update(byteOffset=-16), "outside"),
    (lambda d: d["bufferViews"][-1].update(byteOffset=10**12), "outside"),
    (lambda d: d["bufferViews"][-1].update(byteStride=1), "outside"),
    (lambda d: d.update(nodes=7), "broken"),
    (lambda d: d["nodes"][20].update(extras={"tip": [1e99, 0, 0]}), "tip"),
]


@pytest.mark.parametrize(("change", "why"), REFUSED)
def test_what_is_no_clip_is_refused(change: Callable[[Document], object], why: str) -> None:
    with pytest.raises(BadClip, match=why):
        glb.decode(other(change))


@pytest.mark.parametrize(
    "data",
    [
        b"", b"glTF", b"x" * 100, glb.encode(waving(2))[:-1], glb.encode(waving(2))[:4000],
        b"glTF" + struct.pack("<IIII", 1, 100, 4, 0x4E4F534A) + b"{}  " + bytes(90),
        b"glTF" + struct.pack("<III4s", 2, 24, 4, b"JSON") + b"[]  ",
        b"glTF" + struct.pack("<III4s", 2, 24, 4, b"JSON") + b"{{{{",
    ],
)  # fmt: skip
def test_other_bytes_are_refused(data: bytes) -> None:
    with pytest.raises(BadClip):
        glb.decode(data)


def test_deep_json_and_large_files_are_refused() -> None:
    deep = b"[" * 400_000
    with pytest.raises(BadClip, match="JSON"):
        glb.decode(b"glTF" + struct.pack("<III4s", 2, 20 + len(deep), len(deep), b"JSON") + deep)
    with pytest.raises(BadClip, match="bytes"):
        glb.decode(bytes(MOST_BYTES + 1))


@given(st.integers(0, 3000), st.binary(min_size=1, max_size=8))
@settings(max_examples=80, deadline=None)
def test_a_damaged_file_is_read_or_refused(place: int, damage: bytes) -> None:
    data = bytearray(glb.encode(waving(2)))
    data[place : place + len(damage)] = damage
    with suppress(BadClip):
        glb.decode(bytes(data))


@pytest.mark.parametrize("fault", ["empty", "nan", "infinite", "fps"])
def test_a_clip_without_sense_is_refused(fault: str) -> None:
    clip = standing(3)
    if fault == "empty":
        clip = standing(0)
    elif fault == "fps":
        clip = replace(clip, fps=float("nan"))
    elif fault == "nan":
        clip.rotation[1, 3] = np.nan
    else:
        clip.translation[1] = np.inf
    with pytest.raises(BadClip):
        glb.encode(clip)
