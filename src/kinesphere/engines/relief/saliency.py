"""What of a photograph stands out, by superpixels and how they hang on to the picture's border.

After Zhu et al. (2014): a region that touches the border along much of its own size is background;
one that differs from much background nearby is the object; both are reconciled by least squares.
"""

from dataclasses import dataclass, replace
from importlib import import_module
from typing import Any, Final

import cv2
import numpy as np
from numpy.typing import NDArray

from kinesphere.engines.relief.views import Floats, Pixels, lab

Indices = NDArray[np.int64]
_slic: Any = import_module("skimage.segmentation").slic

SIDE: Final = 200
"""Pixels of the longer side of what superpixels are made from."""
SUPERPIXELS: Final = 220
TEXTURE: Final = 0.8
"""Weight of a region's roughness beside its colour, both in units of Lab."""
REACH: Final = 7.0
"""Steps of colour, in Lab, over which regions hang together."""
NEAR: Final = 0.35
"""Deviation of the nearness that counts for contrast, as a share of the picture's longer side."""
CENTRE: Final = 0.45
"""Deviation of the prior that the object is in the middle, in the same."""
LINK: Final = 0.1
"""Least pull of neighbouring regions towards each other, beside that of like ones."""


def saliency(colours: Pixels) -> tuple[Floats, Floats]:
    """What stands out of uint8 sRGB of at most `SIDE`, from 0, background, to 1, the object.

    Returns:
        Two maps, (h, w) float32: with the whole border taken for background, and without its lower
        side, by which portraits and things on a table are often cut.
    """
    regions, below = _regions(colours)
    apart = np.linalg.norm(regions.features[:, None] - regions.features[None], axis=2)
    all_round = _standing_out(regions, apart)
    upper = replace(regions, border=regions.border - below)
    return all_round, _standing_out(upper, apart)


def _standing_out(regions: "_Regions", apart: Floats) -> Floats:
    kin = np.exp(-(_geodesic(apart, regions) ** 2) / (2.0 * REACH**2))
    hold = (kin @ regions.border) / np.sqrt(kin @ regions.area)
    background = 1.0 - np.exp(-(hold**2) / 2.0)
    far = np.linalg.norm(regions.places[:, None] - regions.places[None], axis=2)
    near = np.exp(-(far**2) / (2.0 * NEAR**2))
    contrast = (apart * near) @ (background * regions.area)
    contrast = np.clip(contrast / max(1e-9, float(np.percentile(contrast, 98))), 0.0, 1.0)
    off_centre = np.linalg.norm(regions.places - regions.middle, axis=1)
    chosen = contrast * (1.0 - background) * np.exp(-(off_centre**2) / (2.0 * CENTRE**2))
    chosen = chosen / max(1e-9, float(chosen.max()))
    links = np.where(regions.touching, np.exp(-(apart**2) / (2.0 * REACH**2)) + LINK, 0.0)
    system = np.diag(background + chosen + links.sum(axis=1) + 1e-6) - links
    values = np.linalg.solve(system, chosen)
    values = np.clip((values - values.min()) / max(1e-9, float(np.ptp(values))), 0.0, 1.0)
    return np.asarray(values[regions.labels], dtype=np.float32)


@dataclass(frozen=True, slots=True)
class _Regions:
    """N superpixels.

    Attributes:
        labels: (h, w) which one a pixel is of.
        features: (N, 4) mean Lab and roughness.
        area: (N,) pixels.
        border: (N,) pixels on the picture's border.
        places: (N, 2) centres, in shares of the longer side.
        middle: (2,) the picture's centre in the same.
        touching: (N, N) whether two are neighbours.
    """

    labels: Indices
    features: Floats
    area: Floats
    border: Floats
    places: Floats
    middle: Floats
    touching: NDArray[np.bool_]


def _regions(colours: Pixels) -> tuple[_Regions, Floats]:
    """The superpixels, and how many pixels of the lower border each has."""
    height, width = colours.shape[:2]
    values = lab(colours)
    labels = _slic(
        colours, n_segments=SUPERPIXELS, compactness=10.0, sigma=0.8, start_label=0,
        max_num_iter=5, channel_axis=-1,
    )  # fmt: skip
    labels = np.unique(labels, return_inverse=True)[1].reshape(height, width)
    count = int(labels.max()) + 1
    flat = labels.ravel()
    area = np.bincount(flat, minlength=count).astype(np.float64)
    light = values[..., 0]
    mean = cv2.blur(light, (7, 7))
    rough = np.sqrt(np.maximum(cv2.blur(light * light, (7, 7)) - mean * mean, 0.0)) * TEXTURE
    stack = np.concatenate([values, rough[..., None]], axis=2).reshape(-1, 4)
    sums = [np.bincount(flat, stack[:, channel], count) for channel in range(4)]
    y, x = np.mgrid[:height, :width]
    longest = float(max(height, width))
    places = [np.bincount(flat, axis.ravel(), count) / area / longest for axis in (x, y)]
    rim = np.concatenate([labels[0], labels[-1], labels[:, 0], labels[:, -1]])
    touching = np.zeros((count, count), dtype=np.bool_)
    for one, two in ((labels[1:], labels[:-1]), (labels[:, 1:], labels[:, :-1])):
        touching[one, two] = touching[two, one] = True
    np.fill_diagonal(touching, False)
    regions = _Regions(
        labels=labels,
        features=np.stack(sums, axis=1) / area[:, None],
        area=area,
        border=np.bincount(rim, minlength=count).astype(np.float64),
        places=np.stack(places, axis=1),
        middle=np.array([width, height]) / longest / 2.0,
        touching=touching,
    )
    return regions, np.bincount(labels[-1], minlength=count).astype(np.float64)


def _geodesic(apart: Floats, regions: _Regions) -> Floats:
    """(N, N) least sum of steps of colour on the way from one region to another.

    Steps as small as a region's usual step to its likest neighbour are free, and regions on the
    border are neighbours of each other, so that an object does not part the background.
    """
    linked = regions.touching | np.outer(regions.border > 0, regions.border > 0)
    steps = np.where(regions.touching, apart, np.inf)
    free = float(np.mean(steps.min(axis=1)))
    ways = np.where(linked, np.maximum(0.0, apart - free), np.inf)
    np.fill_diagonal(ways, 0.0)
    for middle in range(len(ways)):
        np.minimum(ways, ways[:, middle, None] + ways[None, middle], out=ways)
    return np.asarray(ways)
