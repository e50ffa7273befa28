"""Photographs with the true outline of their object: whole ones, and cut-outs put on backdrops."""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Final

import cv2
import numpy as np
import skimage.data
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from tests.pictures import encoded

FOLDER: Final = Path(__file__).parent / "photographs"
CUT_OUTS: Final = tuple(sorted(path.stem for path in FOLDER.glob("*.webp")))
WHOLE: Final = ("astronaut", "camera", "chelsea", "coffee", "flower", "rocket")
"""Photographs with a busy background of their own; outlines drawn by hand, coarsely."""
BACKDROPS: Final = ("brick", "wall", "gravel", "wood", "grass")
SIDE: Final = 400

Flags = NDArray[np.bool_]
Pixels = NDArray[Any]


@dataclass(frozen=True)
class Scene:
    """A picture file and which of its pixels, (h, w), are the object's."""

    name: str
    data: bytes
    mask: Flags


def scenes() -> Iterator[Scene]:
    """Every whole photograph, and every cut-out on two of the backdrops."""
    for name in WHOLE:
        yield whole(name)
    for index, name in enumerate(CUT_OUTS):
        for step in (0, 2):
            yield placed(name, BACKDROPS[(index + step) % len(BACKDROPS)], seed=2 * index + step)


def whole(name: str) -> Scene:
    """A photograph as it was taken."""
    if name == "flower":
        picture = Image.open(FOLDER / "flower.jpg").convert("RGB")
    else:
        draw: Callable[[], Pixels] = getattr(skimage.data, name)
        picture = Image.fromarray(draw()).convert("RGB")
    outline = [(x * picture.width, y * picture.height) for x, y in _outlines()[name]]
    mask = Image.new("L", picture.size)
    ImageDraw.Draw(mask).polygon(outline, fill=255)
    return Scene(name, encoded(picture, "JPEG", quality=92), np.asarray(mask) > 0)


def cut_out(name: str) -> Scene:
    """An object with its own alpha channel."""
    picture = Image.open(FOLDER / f"{name}.webp").convert("RGBA")
    return Scene(name, encoded(picture), np.asarray(picture)[..., 3] >= 128)


def placed(name: str, backdrop: str, seed: int) -> Scene:
    """A cut-out on a backdrop, with a soft shadow, one light and one camera's noise for both."""
    return composed(Image.open(FOLDER / f"{name}.webp").convert("RGBA"), name, backdrop, seed)


def composed(thing: Image.Image, name: str, backdrop: str, seed: int) -> Scene:
    """See `placed`."""
    draw = np.random.default_rng(seed)
    scale = SIDE * draw.uniform(0.5, 0.75) / max(thing.size)
    size = (max(1, round(thing.width * scale)), max(1, round(thing.height * scale)))
    thing = thing.resize(size, Image.Resampling.LANCZOS)
    height, width = SIDE, SIDE * 5 // 4
    left = round((width - thing.width) * draw.uniform(0.35, 0.65))
    top = round((height - thing.height) * draw.uniform(0.35, 0.65))
    layer = Image.new("RGBA", (width, height))
    layer.paste(thing, (left, top))
    pixels = np.asarray(layer).astype(np.float32) / 255.0
    alpha = pixels[..., 3:]
    ground = _backdrop(backdrop, height, width, draw)
    shifted = np.roll(alpha[..., 0], (6, 4), axis=(0, 1))
    ground *= 1.0 - 0.3 * cv2.GaussianBlur(shifted, (0, 0), 7.0)[..., None]
    mixed = ground * (1.0 - alpha) + pixels[..., :3] * alpha
    mixed = cv2.GaussianBlur(mixed, (0, 0), 0.6) + draw.normal(0.0, 0.012, mixed.shape)
    picture = Image.fromarray((np.clip(mixed, 0.0, 1.0) * 255.0).astype(np.uint8))
    data = encoded(picture, "JPEG", quality=90)
    return Scene(f"{name} on {backdrop}", data, alpha[..., 0] >= 0.5)


def overlap(found: Flags, true: Flags) -> float:
    """Intersection over union, with `found` sized to `true`."""
    size = (true.shape[1], true.shape[0])
    sized = cv2.resize(found.astype(np.uint8), size, interpolation=cv2.INTER_NEAREST) > 0
    return float((sized & true).sum() / max(1, (sized | true).sum()))


def _backdrop(name: str, height: int, width: int, draw: np.random.Generator) -> Pixels:
    """(height, width, 3) of a wall, a table, or one of scikit-image's photographed grounds."""
    y, x = np.mgrid[0 : 1 : height * 1j, 0 : 1 : width * 1j].astype(np.float32)
    if name == "wall":
        light = 0.55 + 0.35 * np.exp(-3.0 * ((x - 0.25) ** 2 + (y - 0.1) ** 2))
        rough = cv2.GaussianBlur(draw.normal(0.0, 0.1, (height, width)), (0, 0), 3.0)
        return np.asarray((light + rough)[..., None] * [0.92, 0.9, 0.82], np.float32)
    if name == "wood":
        bend = cv2.GaussianBlur(draw.normal(0.0, 1.0, (height, width)), (0, 0), 30.0) * 12.0
        grain = np.sin(55.0 * y + bend) * 0.5 + np.sin(140.0 * y + 2.0 * bend) * 0.25
        streak = cv2.GaussianBlur(draw.normal(0.0, 1.0, (height, width)), (0, 0), 12.0, None, 0.8)
        tone = 0.75 + 0.1 * grain + 0.25 * streak
        return np.asarray(tone[..., None] * [0.72, 0.5, 0.32], np.float32)
    shot: Callable[[], Pixels] = getattr(skimage.data, name)
    tint = {"brick": [1.0, 0.72, 0.6], "gravel": [0.95, 0.93, 0.9], "grass": [0.65, 0.9, 0.45]}
    grey = cv2.resize(shot()[:410, :512].astype(np.float32) / 255.0, (width, height))
    return np.asarray((0.15 + 0.85 * grey)[..., None] * tint[name], np.float32)


@cache
def _outlines() -> dict[str, list[tuple[float, float]]]:
    read: dict[str, list[tuple[float, float]]] = json.loads(
        (FOLDER / "outlines.json").read_text("utf-8")
    )
    return read
