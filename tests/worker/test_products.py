from typing import Any, cast

import numpy as np
import pytest

from kinesphere.core.failures import Failure
from kinesphere.formats.clip import Clip
from kinesphere.formats.mesh import MESH_FORMATS, Mesh
from kinesphere.ports import File, Made, Outcome
from kinesphere.worker.products import LONGEST_DETAIL, Product, product, raised
from tests.worker import engines

GOOD = File("asset.bin", "model/gltf-binary", b"glTF")


def test_finished_files_pass_as_they_are() -> None:
    made = product(Made((GOOD,), {"faces": 7}), "bvh")
    assert made == Product((GOOD,), {"faces": 7})


def test_a_clip_is_judged_and_encoded() -> None:
    made = product(Made(engines.clip()), "bvh")
    assert isinstance(made, Product)
    (file,) = made.files
    assert file.name == "motion.bvh"
    assert file.data.startswith(b"HIERARCHY")
    quality = cast("dict[str, Any]", made.notes["quality"])
    assert quality["verdict"] != "fail"
    assert quality["measures"]


def test_stillness_is_no_fault_where_it_was_asked_for() -> None:
    clip = engines.clip()
    clip.rotation[:] = clip.rotation[0]
    unasked, asked = product(Made(clip), "bvh"), product(Made(clip, still=True), "bvh")
    assert isinstance(unasked, Failure)
    assert "static" in unasked.detail
    assert isinstance(asked, Product)


def test_an_unknown_format_is_the_callers_fault() -> None:
    made = product(Made(engines.clip()), "doc")
    assert isinstance(made, Failure)
    assert made.code == "INVALID_REQUEST"


def test_notes_become_plain_json() -> None:
    made = product(Made((GOOD,), {"figure": float("nan"), "pair": cast("Any", (1, 2))}), "bvh")
    assert isinstance(made, Product)
    assert made.notes == {"figure": None, "pair": [1, 2]}


def test_the_engines_own_failure_passes() -> None:
    failure = Failure("OOM_GPU_24GB", "too long a motion")
    assert product(failure, "bvh") == failure


@pytest.mark.parametrize(
    "outcome",
    [
        None,
        "made",
        Made(()),
        Made(cast("Any", "clip")),
        Made(cast("Any", [GOOD])),
        Made(cast("Any", ("file",))),
        Made((GOOD, GOOD)),
        Made((File("../up", "text/plain", b""),)),
        Made((File("", "text/plain", b""),)),
        Made((File("text", "text/plain", cast("Any", "text")),)),
        Made((GOOD,), cast("Any", [1])),
        Made((GOOD,), {"array": cast("Any", np.zeros(3))}),
        Made((GOOD,), {"broken": "\ud800"}),
        Failure("NO_SUCH_CODE", ""),
        Failure(cast("Any", 7), ""),
        Failure("CANCELLED", "not asked"),
    ],
    ids=repr,
)
def test_anything_else_is_invalid(outcome: object) -> None:
    made = product(cast("Outcome", outcome), "bvh")
    assert isinstance(made, Failure)
    assert made.code == "ENGINE_OUTPUT_INVALID"


@pytest.mark.parametrize("fault", ["numbers", "frames", "kind"])
def test_a_clip_that_is_not_whole_is_rejected(fault: str) -> None:
    clip = engines.clip()
    if fault == "numbers":
        clip.translation[3, 1] = np.inf
    elif fault == "frames":
        clip = Clip(clip.translation[:-1], clip.rotation)
    else:
        clip = Clip(clip.translation, cast("Any", None))
    made = product(Made(clip), "bvh")
    assert isinstance(made, Failure)
    assert made.code == "QUALITY_REJECTED"


def test_details_are_short_and_can_be_sent() -> None:
    failure = raised(ValueError("\ud800" * 1000))
    assert len(failure.detail) <= LONGEST_DETAIL
    assert failure.detail.encode()


def test_a_mesh_is_judged_and_a_broken_one_is_not_delivered() -> None:
    corners = np.array([[0, 0, 0], [1, 0, 0], [0, 1, 0], [0, 0, 1]], dtype=np.float32)
    faces = np.array([[0, 2, 1], [0, 1, 3], [0, 3, 2], [1, 2, 3]], dtype=np.int32)
    whole = Mesh(corners, faces)
    file = File("mesh.stl", "model/stl", MESH_FORMATS["stl"].encode(whole))
    made = product(Made((file,)), "stl")
    assert isinstance(made, Product)
    assert made.files == (file,)
    quality = made.notes["quality"]
    assert isinstance(quality, dict)
    assert quality["verdict"] == "pass"

    inside_out = Mesh(corners, faces[:, ::-1].copy())
    turned = File("mesh.stl", "model/stl", MESH_FORMATS["stl"].encode(inside_out))
    rejected = product(Made((turned,)), "stl")
    assert isinstance(rejected, Failure)
    assert rejected.code == "QUALITY_REJECTED"
    assert "normals_inward" in rejected.detail

    garbled = product(Made((File("mesh.glb", "model/gltf-binary", b"glTF"),)), "glb")
    assert isinstance(garbled, Failure)
    assert garbled.code == "ENGINE_OUTPUT_INVALID"
