"""relief on photographs: with their own alpha, as they were taken, and on busy backdrops."""

from typing import Final

import numpy as np
import pytest
import skimage.data
from PIL import Image

from kinesphere.core.failures import Failure
from kinesphere.core.jobs import Json
from kinesphere.engines.relief.cutout import cut_out as found_in
from kinesphere.engines.relief.engine import Shape, Texture
from kinesphere.engines.relief.finding import DOUBTFUL
from kinesphere.engines.relief.modelling import modelled
from kinesphere.formats import mesh_glb
from kinesphere.formats.picture import decode
from kinesphere.ports import Made, Work
from kinesphere.quality.mesh import judge_mesh
from kinesphere.quality.topology import closed
from tests.engines.relief.scenes import BACKDROPS, CUT_OUTS, Scene, cut_out, overlap, placed, whole
from tests.pictures import encoded

PIXELS: Final = 10_000_000
SOLID: Final = 0.6
"""Overlap from which a mask is of the right object, most of it: half is the usual bar for a hit."""
FACES: Final = 6000


def share_found(scene: Scene) -> float:
    return overlap(found_in(decode(scene.data, PIXELS)).mask, scene.mask)


@pytest.mark.parametrize("name", CUT_OUTS)
def test_every_cut_out_gives_a_closed_mesh_of_sane_depth(name: str) -> None:
    scene = cut_out(name)
    cutout = found_in(decode(scene.data, PIXELS))
    assert cutout.method == "alpha"
    # The largest part of the alpha without its specks: loose hairs and drops are left out.
    assert overlap(cutout.mask, scene.mask) > 0.98
    model = modelled(cutout, FACES)
    assert "opening" not in model.cues
    mesh = model.mesh
    assert closed(mesh.faces.astype(np.int64))
    width, height, depth = np.ptp(mesh.vertices, axis=0)
    assert 0.02 * max(width, height) < depth < 1.1 * max(width, height)
    assert judge_mesh(mesh).verdict != "fail"


@pytest.mark.parametrize(
    ("name", "least"),
    [("coffee", 0.85), ("flower", 0.9), ("camera", SOLID), ("rocket", 0.5)],
)
def test_objects_are_found_in_photographs_as_they_were_taken(name: str, least: float) -> None:
    # The outlines are drawn coarsely, and the rocket's is eight pixels wide where one is 6 %.
    assert share_found(whole(name)) > least


@pytest.mark.slow
def test_objects_are_found_on_every_backdrop() -> None:
    everywhere: list[float] = []
    for index, backdrop in enumerate(BACKDROPS):
        shares = [share_found(placed(name, backdrop, index)) for name in CUT_OUTS[index::6]]
        # Thin things on rough ground are lost: the mean has to bear one of them.
        assert np.mean(shares) > SOLID, (backdrop, shares)
        everywhere += shares
    # 0.91 where it was measured; the first of its kind, from one GrabCut, had 0.87.
    assert np.median(everywhere) > 0.85, everywhere


@pytest.mark.parametrize(("name", "backdrop"), [("stethoscope", "gravel"), ("lobster", "brick")])
def test_thin_things_on_rough_ground_are_made_with_doubt(name: str, backdrop: str) -> None:
    picture = placed(name, backdrop, 3).data
    work = Work({"texture": False, "format": "glb", "seed": 0, "faces": 500}, {"picture": picture})
    (outcome,) = Shape().run([work], lambda *told: None, lambda index: False)
    assert isinstance(outcome, Made), outcome
    mask = outcome.notes["mask"]
    assert isinstance(mask, dict)
    assert isinstance(mask["confidence"], float)
    assert mask["confidence"] < DOUBTFUL
    assert "mask" in str(mask["advice"])


def test_a_photographed_cup_is_hollow_and_stands_on_its_saucer() -> None:
    model = modelled(found_in(decode(whole("coffee").data, PIXELS)), FACES)
    assert "opening" in model.cues
    assert closed(model.mesh.faces.astype(np.int64))
    vertices = model.mesh.vertices
    x, z, rim, floor, radius, *_ = model.projection.cup
    around = np.hypot(vertices[:, 0] - x, vertices[:, 2] - z)
    assert floor < 0.4 * rim
    # Nothing stands within the cup, and at the ground it is wider than at the rim.
    within = vertices[around < 0.5 * radius, 1]
    assert not ((within > floor + 0.1 * rim) & (within < 1.1 * rim)).any()
    assert around[vertices[:, 1] < 0.1 * rim].max() > 1.3 * radius


def test_a_cat_whose_face_fills_the_picture_is_made_with_doubt() -> None:
    cutout = found_in(decode(whole("chelsea").data, PIXELS))
    assert cutout.confidence < DOUBTFUL


@pytest.mark.parametrize("name", ["coffee", "firetruck"])
def test_a_photograph_becomes_a_textured_mesh(name: str) -> None:
    scene = whole(name) if name == "coffee" else placed(name, "grass", 5)
    request: dict[str, Json] = {"texture": True, "format": "glb", "seed": 0, "faces": FACES}
    inputs = {"picture": scene.data}
    (shape,) = Shape().run([Work(request, inputs)], lambda *told: None, lambda index: False)
    assert isinstance(shape, Made)
    assert isinstance(shape.asset, tuple)
    inputs |= {file.name: file.data for file in shape.asset}
    (painted,) = Texture().run([Work(request, inputs)], lambda *told: None, lambda index: False)
    assert isinstance(painted, Made)
    assert isinstance(painted.asset, tuple)
    report = judge_mesh(mesh_glb.decode(painted.asset[0].data))
    assert report.verdict != "fail", report.as_dict()
    assert report["open_edges"].verdict == "pass"


@pytest.mark.parametrize("ground", ["brick", "gravel", "grass"])
def test_bare_ground_is_no_object(ground: str) -> None:
    picture = encoded(Image.fromarray(getattr(skimage.data, ground)()))
    (outcome,) = Shape().run(
        [Work({}, {"picture": picture})], lambda *told: None, lambda index: False
    )
    assert isinstance(outcome, Failure)
    assert outcome.code == "IMAGE_REJECTED"


def test_the_same_photograph_gives_the_same_mask() -> None:
    scene = placed("heron", "wood", 3)
    first, again = (found_in(decode(scene.data, PIXELS)) for _ in range(2))
    assert np.array_equal(first.mask, again.mask)
    assert first.confidence == again.confidence
