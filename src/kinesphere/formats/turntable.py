"""A turntable: a mesh seen from around in one PNG picture, drawn on the CPU."""

import io
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from kinesphere.formats.mesh import Indices, Mesh, Points, check

Floats = NDArray[np.float64]

VIEW: Final = 320
"""Pixels of the side of one view."""
ELEVATION: Final = 15.0
"""Degrees by which the eye looks down."""
SUPERSAMPLED: Final = 2
BARE: Final = (0.72, 0.73, 0.76)
PAPER: Final = (246, 246, 248)
_MOST_CANDIDATES: Final = 1_500_000


def turntable(
    mesh: Mesh, views: int = 4, *, start: float = 0.0, elevation: float = ELEVATION
) -> bytes:
    """Draw a mesh from `views` sides, evenly around, beginning at `start` degrees.

    Positive angles go to the right of the front: at 90 the eye is on the +X side.

    Returns:
        A PNG file, the views in one row, all at one scale.

    Raises:
        BadMesh: See `mesh.check`.
        ValueError: Not 1 to 16 views.
    """
    if not 1 <= views <= 16:
        raise ValueError(f"a turntable has 1 to 16 views, not {views}")
    check(mesh)
    sheet = Image.new("RGB", (VIEW * views, VIEW), PAPER)
    for index in range(views):
        azimuth = start + 360.0 * index / views
        sheet.paste(view(mesh, azimuth, elevation, VIEW), (VIEW * index, 0))
    png = io.BytesIO()
    sheet.save(png, "PNG")
    return png.getvalue()


def view(mesh: Mesh, azimuth: float, elevation: float, side: int) -> Image.Image:
    """One view in parallel projection, the whole mesh in it from any side.

    Args:
        mesh: Right by `mesh.check`.
        azimuth: Degrees of the eye to the right of the front.
        elevation: Degrees of the eye above the horizon.
        side: Pixels of the square picture.
    """
    pixels = side * SUPERSAMPLED
    vertices = mesh.vertices.astype(np.float64)
    middle = (vertices.min(axis=0) + vertices.max(axis=0)) / 2.0
    reach = float(np.linalg.norm(vertices - middle, axis=1).max()) or 1.0
    turn = _turn(azimuth, elevation)
    placed = (vertices - middle) @ turn.T * (0.48 * pixels / reach)
    screen = np.stack([placed[:, 0] + pixels / 2, pixels / 2 - placed[:, 1], placed[:, 2]], axis=1)
    hits = _drawn(screen, mesh.faces, pixels)
    picture = np.empty((pixels * pixels, 3))
    picture[:] = np.array(PAPER) / 255.0
    picture[hits.pixels] = _colours(mesh, hits) * _light(mesh, hits, turn)[:, None]
    square = (np.clip(picture, 0.0, 1.0) * 255.0 + 0.5).astype(np.uint8)
    whole = Image.fromarray(square.reshape(pixels, pixels, 3))
    return whole.resize((side, side), Image.Resampling.BOX)


@dataclass(frozen=True, slots=True)
class _Hits:
    """What the eye sees: (P,) flat pixels, (P,) their faces and (P, 3) weights of the corners."""

    pixels: NDArray[np.int64]
    faces: NDArray[np.int64]
    weights: Floats


def _turn(azimuth: float, elevation: float) -> Floats:
    """(3, 3) world to eye: right, up, towards the eye."""
    a, e = np.radians([azimuth, elevation])
    towards = np.array([np.sin(a) * np.cos(e), np.sin(e), np.cos(a) * np.cos(e)])
    right = np.array([np.cos(a), 0.0, -np.sin(a)])
    return np.stack([right, np.cross(towards, right), towards])


def _drawn(screen: Floats, faces: Indices, side: int) -> _Hits:
    """The nearest face at every pixel, faces grouped by size so that NumPy does each group."""
    corners = screen[faces]
    low = np.floor(corners[..., :2].min(axis=1)).astype(np.int64)
    high = np.ceil(corners[..., :2].max(axis=1)).astype(np.int64)
    extent = np.maximum(1, (high - low).max(axis=1))
    found: list[tuple[Any, ...]] = []
    cell, smaller = 1, 0
    while cell < 2 * max(side, int(extent.max())):
        chosen = np.flatnonzero((extent <= cell) & (extent > smaller))
        step = max(1, _MOST_CANDIDATES // (cell * cell))
        for begin in range(0, len(chosen), step):
            part = chosen[begin : begin + step]
            found.append(_covered(corners[part], low[part], part, cell, side))
        cell, smaller = cell + max(1, cell // 2), cell
    pixel, face, depth, weights = (np.concatenate(column) for column in zip(*found, strict=True))
    order = np.argsort(depth, kind="stable")
    nearest = np.full(side * side, -1, dtype=np.int64)
    # Of repeated indices the last assignment stays: the nearest to the eye.
    nearest[pixel[order]] = order
    seen = np.flatnonzero(nearest >= 0)
    rows = nearest[seen]
    return _Hits(seen, face[rows], weights[rows])


def _covered(
    corners: Floats, low: NDArray[np.int64], faces: NDArray[np.int64], cell: int, side: int
) -> tuple[Any, ...]:
    """Pixels of cell × cell boxes that lie in their triangles: pixel, face, depth, weights."""
    # Counted from the box's corner, single precision is enough for the weights.
    near = (corners[..., :2] - low[:, None, :]).astype(np.float32)
    a, b, c = (near[:, k, None] for k in range(3))
    offsets = np.stack(np.meshgrid(np.arange(cell), np.arange(cell), indexing="xy"), axis=-1)
    offsets = offsets.reshape(-1, 2)
    centre = (offsets[None] + 0.5).astype(np.float32)
    area = _cross(b - a, c - a)
    # A sliver's area may be too small a number to divide by; its weights are then in no pixel.
    with np.errstate(divide="ignore", over="ignore", invalid="ignore"):
        wa = _cross(b - centre, c - centre) / area
        wb = _cross(c - centre, a - centre) / area
        wc = 1.0 - wa - wb
    inside = (wa >= 0.0) & (wb >= 0.0) & (wc >= 0.0)
    row, column = np.nonzero(inside)
    at = low[row] + offsets[column]
    seen = ((at >= 0) & (at < side)).all(axis=1)
    row, column, at = row[seen], column[seen], at[seen]
    weights = np.stack([wa[row, column], wb[row, column], wc[row, column]], axis=1)
    depth = (weights * corners[row, :, 2]).sum(axis=1)
    return at[:, 1] * side + at[:, 0], faces[row], depth, weights


def _cross(a: NDArray[Any], b: NDArray[Any]) -> NDArray[Any]:
    crossed: NDArray[Any] = a[..., 0] * b[..., 1] - a[..., 1] * b[..., 0]
    return crossed


def _colours(mesh: Mesh, hits: _Hits) -> Floats:
    """(P, 3) colour of the surface, sRGB 0 to 1."""
    texture = mesh.texture
    if texture is None:
        return np.tile(np.array(BARE), (len(hits.pixels), 1))
    with Image.open(io.BytesIO(texture.jpeg), formats=["JPEG"]) as picture:
        pixels = np.asarray(picture.convert("RGB"))
    height, width = pixels.shape[:2]
    points: Points = texture.points[texture.corners[hits.faces]]
    at = (points * hits.weights[..., None]).sum(axis=1) * [width, height]
    column = np.clip(at[:, 0].astype(int), 0, width - 1)
    row = np.clip(at[:, 1].astype(int), 0, height - 1)
    return np.asarray(pixels[row, column] / 255.0)


def _light(mesh: Mesh, hits: _Hits, turn: Floats) -> Floats:
    """(P,) light that comes from beside the eye, and a little from all around."""
    normals = (mesh.normals[mesh.faces[hits.faces]] * hits.weights[..., None]).sum(axis=1) @ turn.T
    normals /= np.maximum(1e-9, np.linalg.norm(normals, axis=1, keepdims=True))
    towards = np.array([-0.35, 0.45, 0.82])
    bare = mesh.texture is None
    lit = np.clip(normals @ (towards / np.linalg.norm(towards)), 0.0, 1.0)
    return np.asarray(0.35 + 0.75 * lit if bare else 0.62 + 0.42 * lit)
