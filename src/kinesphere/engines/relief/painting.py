"""The texture of a shape: the photograph on the front, a soft copy of it on the back."""

import io
from dataclasses import dataclass
from typing import Any, Final

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from kinesphere.engines.relief.cutout import Cutout
from kinesphere.engines.relief.views import one_coloured
from kinesphere.formats.mesh import PLAIN, Mesh, Texture
from kinesphere.formats.picture import Picture

# float32; OpenCV does not declare the types that it returns.
Floats = NDArray[Any]
Pixels = NDArray[Any]

CHART: Final = 1024
"""Pixels of the longer side of each chart at most."""
QUALITY: Final = 88
MARGIN: Final = 0.04
"""Of the object's box, on each side, for colours bled outwards."""


@dataclass(frozen=True, slots=True)
class Projection:
    """Where a point of the mesh is seen in the picture: u = a + b X, v = c + d Y + e Z.

    u and v are 0 to 1 from the picture's top left corner.

    `cup` is of a carved cup: X and Z of its axis, Y of its rim and of its floor, and from rim to
    floor the radii of the wall's middle; empty of all else.
    """

    a: float
    b: float
    c: float
    d: float
    e: float
    cup: tuple[float, ...] = ()

    def see(self, vertices: NDArray[np.float32]) -> NDArray[np.float64]:
        """(V, 2) u and v."""
        x, y, z = vertices.T.astype(np.float64)
        return np.stack([self.a + self.b * x, self.c + self.d * y + self.e * z], axis=1)

    def as_list(self) -> list[float]:
        """The five numbers, and those of the cup."""
        return [self.a, self.b, self.c, self.d, self.e, *self.cup]

    @classmethod
    def of_list(cls, numbers: list[float]) -> "Projection":
        """From `as_list`. Raises TypeError, ValueError."""
        a, b, c, d, e, *cup = (float(number) for number in numbers)
        return cls(a, b, c, d, e, tuple(cup))

    def see_behind(self, vertices: NDArray[np.float32]) -> NDArray[np.float64]:
        """(V, 2) u and v for the back: of a cup, where its front shows the same height."""
        if not self.cup:
            return self.see(vertices)
        mirrored = vertices.copy()
        mirrored[:, 2] = self.cup[1] + np.abs(vertices[:, 2] - self.cup[1])
        return self.see(mirrored)

    def see_cavity(self, vertices: NDArray[np.float32]) -> NDArray[np.float64]:
        """(V, 2) u and v within the opening's ellipse, the nearest for what its rim hides."""
        x, z, rim, _, radius, *_ = self.cup
        offset = np.clip(vertices[:, 0] - x, -0.95 * radius, 0.95 * radius)
        seen = self.see(vertices)
        seen[:, 0] = self.a + self.b * (x + offset)
        middle = self.c + self.d * rim + self.e * z
        # Well off the rim, whose light edge would be drawn out to stripes.
        half = 0.7 * abs(self.e) * np.sqrt(radius**2 - offset**2)
        seen[:, 1] = np.clip(seen[:, 1], middle - half, middle + half)
        return seen

    def cavity(self, mesh: Mesh) -> NDArray[np.bool_]:
        """(F,) whether a face is of a cup's inside."""
        if not self.cup:
            return np.zeros(len(mesh.faces), np.bool_)
        x, z, rim, floor, *radii = self.cup
        place = mesh.vertices[mesh.faces].mean(axis=1).astype(np.float64)
        # Up to a wall's thickness under the floor for what smoothing moved.
        deep = (rim - place[:, 1]) / (rim - floor)
        radius = np.interp(deep, np.linspace(0.0, 1.0, len(radii)), radii)
        within = np.hypot(place[:, 0] - x, place[:, 2] - z) < radius
        return np.asarray(within & (deep < 1.05))


def painted(mesh: Mesh, picture: Picture, cutout: Cutout, projection: Projection) -> Mesh:
    """The mesh with its texture.

    Faces turned to the eye show the photograph. The others show it softened, the more the further
    from the outline, where both meet: so there is no seam, and no second face at the back. A cup's
    inside shows what the picture shows within its opening.
    """
    mask = cutout.mask
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    edge = MARGIN * max(np.ptp(rows), np.ptp(columns)) + 2.0
    height, width = mask.shape
    low = np.array([(columns[0] - edge) / width, (rows[0] - edge) / height])
    high = np.array([(columns[-1] + 1 + edge) / width, (rows[-1] + 1 + edge) / height])
    front, cover = _sampled(picture, mask, low, high)
    back = _softened(front, cover)
    side_by_side = front.shape[0] >= front.shape[1]
    atlas = np.concatenate([front, back], axis=1 if side_by_side else 0)
    charts = [projection.see(mesh.vertices), projection.see_behind(mesh.vertices)]
    chart = _hidden(mesh, projection).astype(np.int64)
    if projection.cup:
        charts.append(projection.see_cavity(mesh.vertices))
        chart[projection.cavity(mesh)] = 2
    seen = np.stack([np.clip((one - low) / (high - low), 0.002, 0.998) for one in charts])
    axis = 0 if side_by_side else 1
    seen[:, :, axis] /= 2.0
    seen[1, :, axis] += 0.5
    corners = mesh.faces + (len(mesh.vertices) * chart)[:, None]
    used, again = np.unique(corners, return_inverse=True)
    points = seen.reshape(-1, 2)[used].astype(np.float32)
    jpeg = io.BytesIO()
    # Told from the picture alone, so that a texture which lost its colours is still found out.
    told = {"comment": PLAIN} if one_coloured(cutout.mask, cutout.colours) else {}
    Image.fromarray(atlas).save(jpeg, "JPEG", quality=QUALITY, subsampling=0, **told)
    size = (atlas.shape[1], atlas.shape[0])
    texture = Texture(jpeg.getvalue(), size, points, again.reshape(corners.shape).astype(np.int32))
    return Mesh(mesh.vertices, mesh.faces, texture)


def _hidden(mesh: Mesh, projection: Projection) -> NDArray[np.bool_]:
    """(F,) whether a face is turned away from the eye."""
    towards = np.array([0.0, -projection.e / projection.d, 1.0])
    facing = mesh.normals.astype(np.float64) @ towards
    # The mean of the smooth normals, not the face's own: else the seam would be ragged.
    return np.asarray(facing[mesh.faces].sum(axis=1) < 0.0)


def _sampled(
    picture: Picture, mask: NDArray[np.bool_], low: Any, high: Any
) -> tuple[Pixels, Floats]:
    """The part of the picture between two corners, the object's colours bled over the rest."""
    span = (high - low) * [picture.width, picture.height]
    scale = min(1.0, CHART / float(span.max()))
    size = (max(16, round(span[0] * scale)), max(16, round(span[1] * scale)))
    u = (low[0] + (np.arange(size[0]) + 0.5) / size[0] * (high - low)[0]).astype(np.float32)
    v = (low[1] + (np.arange(size[1]) + 0.5) / size[1] * (high - low)[1]).astype(np.float32)
    grid_u, grid_v = np.meshgrid(u, v)
    colours: Pixels = np.ascontiguousarray(picture.pixels[..., :3])
    if scale < 0.75:
        colours = cv2.resize(colours, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    high_, wide = colours.shape[:2]
    taken = cv2.remap(
        colours, grid_u * wide - 0.5, grid_v * high_ - 0.5, cv2.INTER_LINEAR,
        borderMode=cv2.BORDER_REPLICATE,
    )  # fmt: skip
    # Two pixels within the outline: the ones on it are mixed with the backdrop.
    core = cv2.erode(mask.astype(np.uint8), np.ones((3, 3), np.uint8), iterations=2)
    if core.sum() < 0.5 * mask.sum():
        core = cv2.erode(mask.astype(np.uint8), np.ones((3, 3), np.uint8))
    if core.sum() < 0.3 * mask.sum():
        core = mask.astype(np.uint8)
    height, width = mask.shape
    cover = cv2.remap(
        core.astype(np.float32), grid_u * width - 0.5, grid_v * height - 0.5, cv2.INTER_LINEAR,
        borderValue=0.0,
    )  # fmt: skip
    cover = np.where(cover > 0.99, 1.0, 0.0).astype(np.float32)
    return _bled(taken, cover), cover


def _bled(colours: NDArray[Any], cover: Floats) -> Pixels:
    """The colours where the cover is 1, carried on outwards to where it is 0 (push and pull)."""
    levels: list[tuple[Floats, Floats]] = [(colours.astype(np.float32) * cover[..., None], cover)]
    while min(levels[-1][1].shape) > 2:
        values, weight = levels[-1]
        size = (max(1, weight.shape[1] // 2), max(1, weight.shape[0] // 2))
        levels.append(
            (cv2.resize(values, size, interpolation=cv2.INTER_AREA),
             cv2.resize(weight, size, interpolation=cv2.INTER_AREA))
        )  # fmt: skip
    values, weight = levels[-1]
    filled = values / np.maximum(weight, 1e-6)[..., None]
    for values, weight in reversed(levels[1:-1]):
        wider = cv2.resize(filled, weight.shape[::-1], interpolation=cv2.INTER_LINEAR)
        known = np.minimum(1.0, weight)[..., None]
        own = values / np.maximum(weight, 1e-6)[..., None]
        filled = known * own + (1.0 - known) * wider
    # What is covered at all is covered wholly on the finest level.
    values, weight = levels[0]
    wider = cv2.resize(filled, weight.shape[::-1], interpolation=cv2.INTER_LINEAR)
    filled = np.asarray(cv2.copyTo(values, (weight > 0.0).astype(np.uint8), wider))
    filled += 0.5
    return np.asarray(np.clip(filled, 0, 255, out=filled), dtype=np.uint8)


def _softened(front: Pixels, cover: Floats) -> Pixels:
    """The back: the front blurred, more with the distance to the outline."""
    within = cv2.distanceTransform(cover.astype(np.uint8), cv2.DIST_L2, 5)
    side = max(front.shape)
    strength = np.clip(within / (0.08 * side), 0.0, 1.0)[..., None]
    small = cv2.resize(front, None, fx=0.125, fy=0.125, interpolation=cv2.INTER_AREA)
    soft = cv2.GaussianBlur(small, (0, 0), 0.05 * max(small.shape))
    size = (front.shape[1], front.shape[0])
    soft = cv2.resize(soft, size, interpolation=cv2.INTER_LINEAR)
    return np.asarray(front * (1.0 - strength) + soft * strength, dtype=np.uint8)
