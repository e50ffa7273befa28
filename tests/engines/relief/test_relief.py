"""relief as the platform runs it: shape, then texture, on pictures of every kind."""

import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import skimage.data
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from kinesphere.core.failures import Failure
from kinesphere.engines.relief.cutout import cut_out
from kinesphere.engines.relief.engine import Shape, Texture
from kinesphere.engines.relief.modelling import modelled as solid_model
from kinesphere.engines.relief.painting import painted
from kinesphere.engines.relief.solid import Solid, solid_of
from kinesphere.formats import mesh_glb
from kinesphere.formats.mesh import MESH_FORMATS, Mesh
from kinesphere.formats.picture import decode
from kinesphere.ports import Made, Outcome, Work
from kinesphere.quality.mesh import judge_mesh
from kinesphere.quality.topology import closed
from kinesphere.worker.products import Product, product
from tests import pictures
from tests.judges.node import Judge, node_judge

__all__ = ["node_judge"]
PICTURES = Path(__file__).parent / "pictures"
DEPTHS = {"mug": 0.6, "bottle": 0.2, "chair": 0.45, "teapot": 0.5, "mushroom": 0.8, "duck": 0.4}
"""Depth over the longer side that each thing has at least; the solids are in `still_life`."""
Inputs = dict[str, bytes]


def run(engine: Shape | Texture, inputs: Inputs, **request: Any) -> Outcome:
    work = Work({"texture": True, "format": "glb", "seed": 0, **request}, inputs)
    (outcome,) = engine.run([work], lambda *told: None, lambda index: False)
    return outcome


def files(outcome: Outcome) -> Inputs:
    assert isinstance(outcome, Made), outcome
    assert isinstance(outcome.asset, tuple)
    return {file.name: file.data for file in outcome.asset}


def modelled(picture: bytes, **request: Any) -> Mesh:
    (data,) = files(run(Shape(), {"picture": picture}, texture=False, **request)).values()
    return mesh_glb.decode(data)


def horse() -> bytes:
    draw: Callable[[], NDArray[np.bool_]] = skimage.data.horse
    silhouette = draw()
    return pictures.encoded(Image.fromarray(silhouette.astype(np.uint8) * 255))


@pytest.mark.parametrize("picture", [pictures.png(), pictures.jpeg(), pictures.cut_out(), horse()])
def test_every_shape_is_closed_and_stands_on_the_ground(picture: bytes) -> None:
    mesh = modelled(picture)
    assert closed(mesh.faces.astype(np.int64))
    assert mesh.vertices[:, 1].min() == 0.0
    assert np.ptp(mesh.vertices, axis=0).max() <= 1.2
    assert judge_mesh(mesh)["normals_inward"].value == 0.0


@pytest.mark.parametrize("path", sorted(PICTURES.glob("*.jpg")), ids=lambda path: path.stem)
def test_every_thing_is_solid_and_well_formed(path: Path) -> None:
    picture = path.read_bytes()
    outcome = run(Shape(), {"picture": picture})
    first = files(outcome)
    assert isinstance(outcome, Made)
    mask = outcome.notes["mask"]
    assert isinstance(mask, dict)
    assert mask["method"] == "backdrop"
    second = files(run(Texture(), {"picture": picture, **first}))
    mesh = mesh_glb.decode(second["mesh.glb"])
    report = judge_mesh(mesh)
    assert report.verdict != "fail", report.as_dict()
    for name in ("open_edges", "nonmanifold_edges", "pinched_vertices", "floaters"):
        assert report[name].verdict == "pass"
    width, height, depth = np.ptp(mesh.vertices, axis=0)
    assert depth > DEPTHS.get(path.stem, 0.15) * max(width, height)


@pytest.mark.parametrize("name", ["mug", "chair"])
def test_the_khronos_validator_has_nothing_to_say(
    name: str, tmp_path: Path, node_judge: Judge
) -> None:
    picture = (PICTURES / f"{name}.jpg").read_bytes()
    first = files(run(Shape(), {"picture": picture}))
    second = files(run(Texture(), {"picture": picture, **first}))
    for file, data in (*first.items(), *second.items()):
        if file.endswith(".glb"):
            (tmp_path / file).write_bytes(data)
            issues = node_judge("gltf_report.mjs", tmp_path / file)["issues"]
            assert issues["numErrors"] == issues["numWarnings"] == 0, issues["messages"]


@pytest.mark.parametrize("faces", [500, 4000, 30_000, 90_000])
def test_faces_are_as_many_as_asked_and_still_closed(faces: int) -> None:
    mesh = modelled(horse(), faces=faces)
    assert len(mesh.faces) == pytest.approx(faces, rel=0.05)
    assert closed(mesh.faces.astype(np.int64))


def sieve() -> bytes:
    plate = Image.new("RGBA", (400, 400), (0, 0, 0, 0))
    plate.paste((120, 120, 130, 255), (10, 10, 390, 390))
    for x in range(30, 370, 40):
        for y in range(30, 370, 40):
            plate.paste((0, 0, 0, 0), (x, y, x + 22, y + 22))
    return pictures.encoded(plate)


def test_faces_out_of_reach_give_the_nearest_mesh_and_a_note() -> None:
    outcome = run(Shape(), {"picture": sieve()}, texture=False, faces=500)
    assert isinstance(outcome, Made), outcome
    mesh = mesh_glb.decode(files(outcome)["mesh.glb"])
    assert closed(mesh.faces.astype(np.int64))
    assert len(mesh.faces) > 525
    assert outcome.notes["faces_asked"] == 500
    assert outcome.notes["faces"] == len(mesh.faces)


def test_a_mug_is_as_deep_as_wide_and_keeps_the_hole_of_its_handle() -> None:
    mesh = modelled(pictures.png())
    # The drawn body is 48 of 60 high.
    body = 48.0 / 60.0 * np.ptp(mesh.vertices[:, 1])
    assert np.ptp(mesh.vertices[:, 2]) == pytest.approx(body, rel=0.08)
    edges = len(mesh.faces) * 3 // 2
    assert len(mesh.vertices) - edges + len(mesh.faces) == 0


def crossings(mesh: Mesh, x: float, z: float) -> list[float]:
    """Heights at which the upright line through a point meets the surface, from below."""
    corners = mesh.vertices[mesh.faces].astype(np.float64)
    a, b, c = np.moveaxis(corners[..., [0, 2]] - [x, z], 1, 0)
    pairs = ((b, c), (c, a), (a, b))
    areas = np.stack([p[:, 0] * q[:, 1] - p[:, 1] * q[:, 0] for p, q in pairs], axis=1)
    met = (areas > 0.0).all(axis=1) | (areas < 0.0).all(axis=1)
    weights = areas[met] / areas[met].sum(axis=1, keepdims=True)
    return sorted((weights * corners[met][..., 1]).sum(axis=1))


CUPS = ("mug", "teacup", "beaker")


@pytest.mark.parametrize("name", CUPS)
@pytest.mark.parametrize("faces", [1500, pytest.param(20_000, marks=pytest.mark.slow)])
def test_a_cup_is_carved(name: str, faces: int) -> None:
    cutout = cut_out(decode((PICTURES / f"{name}.jpg").read_bytes(), 10_000_000))
    model = solid_model(cutout, faces)
    mesh = model.mesh
    assert "opening" in model.cues
    assert closed(mesh.faces.astype(np.int64))
    assert len(mesh.faces) == pytest.approx(faces, rel=0.05)
    # Slightly beside the axis, where vertices may lie.
    below, floor = crossings(mesh, model.projection.cup[0] + 0.0031, 0.0017)
    rim = float(mesh.vertices[:, 1].max())
    assert 0.0 <= below < 0.02
    assert 0.08 * rim < floor < 0.25 * rim


@pytest.mark.parametrize(
    "path",
    sorted(path for path in PICTURES.glob("*.jpg") if path.stem not in CUPS),
    ids=lambda path: path.stem,
)
def test_nothing_else_is_carved(path: Path) -> None:
    solid = solid_in(path.stem)
    assert solid.vessel is None or not solid.vessel.hollow
    assert ("lid" in solid.cues) == (path.stem == "tin")


def solid_in(name: str) -> Solid:
    """The solid of one of the drawn pictures, on a coarse grid."""
    cutout = cut_out(decode((PICTURES / f"{name}.jpg").read_bytes(), 10_000_000))
    return solid_of(cutout.mask, cutout.colours, 96)[0]


def test_a_lid_is_flat() -> None:
    cutout = cut_out(decode((PICTURES / "tin.jpg").read_bytes(), 10_000_000))
    vertices = solid_model(cutout, 4000).mesh.vertices
    width, height, depth = np.ptp(vertices, axis=0)
    # Drawn 0.8 wide and 0.75 high.
    assert depth == pytest.approx(width, rel=0.03)
    assert height == pytest.approx(0.75 / 0.8 * width, rel=0.08)
    around = np.hypot(vertices[:, 0], vertices[:, 2])
    top = vertices[(around < 0.4 * width) & (vertices[:, 1] > 0.5 * height), 1]
    assert np.ptp(top) < 0.02 * height


@pytest.mark.parametrize("name", ["chair", "table"])
def test_furniture_stands_on_four_straight_legs(name: str) -> None:
    solid = solid_in(name)
    assert len(solid.posts) == 4
    mesh = modelled((PICTURES / f"{name}.jpg").read_bytes(), faces=8000)
    points = mesh.vertices.astype(np.float64)
    shins = points[points[:, 1] < 0.25 * points[:, 1].max()]
    middle = (shins[:, [0, 2]].max(axis=0) + shins[:, [0, 2]].min(axis=0)) / 2.0
    quarters = (shins[:, [0, 2]] > middle) @ [1, 2]
    radius = max(post.radius for post in solid.posts) / 96.0
    for quarter in range(4):
        leg = shins[quarters == quarter]
        assert len(leg) > 20, quarter
        # Seen from the side it neither bends nor swells: as deep as wide, all along.
        assert np.ptp(leg[:, 2]) < 2.6 * radius, quarter


def bus() -> Image.Image:
    draw = Image.new("RGBA", (500, 260), (0, 0, 0, 0))
    pen = ImageDraw.Draw(draw)
    pen.rounded_rectangle((20, 30, 480, 200), 14, fill=(40, 130, 60, 255))
    for x in (110, 390):
        pen.ellipse((x - 28, 175, x + 28, 231), fill=(30, 30, 30, 255))
    return draw


def test_what_fills_a_rectangle_is_a_box() -> None:
    cutout = cut_out(decode(pictures.encoded(bus()), 10_000_000))
    solid, scale = solid_of(cutout.mask, cutout.colours, 120)
    assert "box" in solid.cues
    half = np.sqrt(np.maximum(solid.height, 0.0)) * scale
    middle = half[round(80 / scale)]
    inner = middle[round(80 / scale) : round(400 / scale)]
    # As deep as high, and flat from end to end.
    assert inner.min() > 0.9 * inner.max()
    assert inner.max() == pytest.approx(85.0, rel=0.1)
    assert "box" not in solid_in("duck").cues


def test_the_inside_of_a_cup_shows_what_its_opening_shows() -> None:
    picture = decode((PICTURES / "beaker.jpg").read_bytes(), 10_000_000)
    cutout = cut_out(picture)
    model = solid_model(cutout, 8000)
    mesh = painted(model.mesh, picture, cutout, model.projection)
    assert mesh.texture is not None
    with Image.open(io.BytesIO(mesh.texture.jpeg)) as file:
        atlas = np.asarray(file.convert("RGB")).astype(np.int64)
    inside = mesh.texture.corners[model.projection.cavity(mesh)]
    uv = mesh.texture.points[np.unique(inside)]
    size = np.array([atlas.shape[1], atlas.shape[0]])
    x, y = np.clip((uv * size).astype(np.int64), 0, size - 1).T
    # Its band is red all around the outside; the inside is yellow throughout.
    green = atlas[y, x, 1] > 0.5 * atlas[y, x, 0]
    assert green.mean() > 0.98


@pytest.mark.parametrize("form", MESH_FORMATS)
def test_the_second_stage_paints_the_first_ones_shape(form: str) -> None:
    picture = pictures.png()
    first = files(run(Shape(), {"picture": picture}, format=form))
    assert list(first) == ["shape.glb", "object.png"]
    bare = mesh_glb.decode(first["shape.glb"])
    second = files(run(Texture(), {"picture": picture, **first}, format=form))
    ((name, data),) = second.items()
    assert name == f"mesh{MESH_FORMATS[form].extension}"
    mesh = MESH_FORMATS[form].decode(data)
    assert len(mesh.faces) == len(bare.faces)
    report = judge_mesh(mesh)
    assert report.verdict == "pass", report.as_dict()
    assert ("texture_spread" in [m.name for m in report.measures]) == (form in ("glb", "obj"))


def test_equal_work_gives_equal_bytes() -> None:
    first, again = (run(Shape(), {"picture": pictures.png()}) for _ in range(2))
    assert files(first) == files(again)


def test_the_callers_mask_is_obeyed() -> None:
    mask = Image.new("L", (256, 256))
    mask.paste(255, (60, 60, 160, 200))
    inputs = {"picture": pictures.png(), "mask": pictures.encoded(mask)}
    outcome = run(Shape(), inputs)
    assert isinstance(outcome, Made)
    assert outcome.notes["mask"] == {"method": "mask", "confidence": 1.0}
    with Image.open(io.BytesIO(files(outcome)["object.png"])) as kept:
        assert kept.getbbox() == (60, 60, 160, 200)


def icons() -> dict[str, Image.Image]:
    """A disc and a star of one colour on paper, and a badge of two without any."""
    disc, star = (Image.new("RGB", (400, 400), "white") for _ in range(2))
    ImageDraw.Draw(disc).ellipse((60, 60, 340, 340), fill=(220, 20, 30))
    turn = np.arange(10) * np.pi / 5.0
    reach = np.where(np.arange(10) % 2, 72.0, 170.0)
    points = np.stack([200.0 + reach * np.sin(turn), 200.0 - reach * np.cos(turn)], axis=1)
    corners = [(x, y) for x, y in points.tolist()]
    ImageDraw.Draw(star).polygon(corners, fill="black")
    badge = Image.new("RGBA", (400, 400), (0, 0, 0, 0))
    draw = ImageDraw.Draw(badge)
    draw.rounded_rectangle((40, 40, 360, 360), 60, fill=(30, 120, 220, 255))
    draw.polygon(corners, fill="white")
    return {"disc": disc, "star": star, "badge": badge}


@pytest.mark.parametrize(("name", "depth"), [("disc", 1.0), ("star", 0.5), ("badge", 1.0)])
@pytest.mark.parametrize("form", ["glb", "obj"])
def test_flat_drawings_are_inflated(name: str, depth: float, form: str) -> None:
    picture = pictures.encoded(icons()[name])
    first = files(run(Shape(), {"picture": picture}, faces=8000))
    second = run(Texture(), {"picture": picture, **first}, format=form)
    accepted = product(second, form)
    assert isinstance(accepted, Product), accepted
    mesh = MESH_FORMATS[form].decode(accepted.files[0].data)
    report = judge_mesh(mesh)
    assert report.verdict == "pass"
    assert ("texture_spread" in [m.name for m in report.measures]) == (name == "badge")
    width, _, deep = np.ptp(mesh.vertices, axis=0)
    assert deep / width == pytest.approx(depth, abs=0.12)


def nothing() -> dict[str, Image.Image]:
    draw = np.random.default_rng(0)
    dot = Image.new("RGB", (256, 256), "white")
    dot.paste((0, 0, 0), (100, 100, 104, 104))
    return {
        "blank": Image.new("RGB", (256, 256), (90, 120, 150)),
        "transparent": Image.new("RGBA", (256, 256), (255, 0, 0, 0)),
        "noise": Image.fromarray(draw.integers(0, 256, (256, 256, 3), dtype=np.uint8)),
        "dot": dot,
    }


@pytest.mark.parametrize("name", ["blank", "transparent", "noise", "dot"])
def test_a_picture_without_an_object_is_refused(name: str) -> None:
    outcome = run(Shape(), {"picture": pictures.encoded(nothing()[name])})
    assert isinstance(outcome, Failure)
    assert outcome.code == "IMAGE_REJECTED"


def test_a_damaged_picture_is_refused() -> None:
    outcome = run(Shape(), {"picture": pictures.png()[:500]})
    assert isinstance(outcome, Failure)
    assert outcome.code == "IMAGE_REJECTED"
