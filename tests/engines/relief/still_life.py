"""Photographs of things that never were: solids described by distances, lit and seen from a side.

`python -m tests.engines.relief.still_life FOLDER` draws the pictures of `pictures/` again.
"""

import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

Floats = NDArray[Any]
Colour = tuple[float, float, float]
Distance = Callable[[Floats], Floats]

SIDE = 400
FAR = 6.0


@dataclass(frozen=True)
class Part:
    """A solid: (N, 3) points to (N,) distances, y up; and its colour."""

    distance: Distance
    colour: Colour


def capsule(a: Sequence[float], b: Sequence[float], ra: float, rb: float | None = None) -> Distance:
    start, along = np.array(a), np.subtract(b, a)
    end = ra if rb is None else rb

    def distance(p: Floats) -> Floats:
        t = np.clip((p - start) @ along / (along @ along), 0.0, 1.0)
        return np.asarray(
            np.linalg.norm(p - start - t[:, None] * along, axis=1) - ra - t * (end - ra)
        )

    return distance


def ellipsoid(centre: Sequence[float], radii: Sequence[float]) -> Distance:
    middle, r = np.array(centre), np.array(radii)

    def distance(p: Floats) -> Floats:
        q = (p - middle) / r
        k = np.linalg.norm(q, axis=1)
        return np.asarray(k * (k - 1.0) / np.maximum(1e-6, np.linalg.norm(q / r, axis=1)))

    return distance


def box(centre: Sequence[float], half: Sequence[float], round_: float = 0.02) -> Distance:
    middle, h = np.array(centre), np.array(half) - round_

    def distance(p: Floats) -> Floats:
        q = np.abs(p - middle) - h
        outer = np.linalg.norm(np.maximum(q, 0.0), axis=1)
        return np.asarray(outer + np.minimum(q.max(axis=1), 0.0) - round_)

    return distance


def turned(profile: Sequence[tuple[float, float]], wall: float = 0.0) -> Distance:
    """A body of revolution about y by its radii at heights; hollow and open where it has a wall."""
    heights, radii = np.array(profile).T

    def distance(p: Floats) -> Floats:
        around = np.hypot(p[:, 0], p[:, 2])
        radius = np.interp(p[:, 1], heights, radii)
        outside = np.maximum(
            np.maximum(heights[0] - p[:, 1], p[:, 1] - heights[-1]), around - radius
        )
        if wall:
            inner = np.maximum(heights[0] + wall - p[:, 1], around - radius + wall)
            outside = np.maximum(outside, -inner)
        return np.asarray(0.7 * outside)

    return distance


def ring(centre: Sequence[float], radius: float, thick: float) -> Distance:
    """A torus in the plane of x and y."""
    middle = np.array(centre)

    def distance(p: Floats) -> Floats:
        q = p - middle
        return np.asarray(np.hypot(np.hypot(q[:, 0], q[:, 1]) - radius, q[:, 2]) - thick)

    return distance


def legs(x: float, z: float, top: float, thick: float, colour: Colour) -> list[Part]:
    return [
        Part(capsule((i * x, thick, j * z), (i * x * 0.9, top, j * z * 0.9), thick), colour)
        for i in (-1, 1)
        for j in (-1, 1)
    ]


BROWN, CREAM, RED, BLUE = (0.45, 0.26, 0.13), (0.93, 0.9, 0.82), (0.8, 0.16, 0.12), (0.15, 0.3, 0.7)
DARK, GREEN, YELLOW = (0.12, 0.11, 0.12), (0.2, 0.5, 0.25), (0.95, 0.75, 0.12)

THINGS: dict[str, tuple[list[Part], float, float]] = {
    # Parts, and the azimuth and elevation of the eye in degrees.
    "mug": (
        [
            Part(turned([(0, 0.36), (0.05, 0.4), (0.85, 0.4)], wall=0.05), BLUE),
            Part(ring((0.46, 0.43, 0), 0.22, 0.05), BLUE),
        ],
        0.0,
        18.0,
    ),
    "teacup": (
        [
            Part(turned([(0, 0.2), (0.08, 0.32), (0.25, 0.4), (0.5, 0.44)], wall=0.04), CREAM),
            Part(ring((-0.44, 0.27, 0), 0.14, 0.035), CREAM),
        ],
        0.0,
        14.0,
    ),
    "beaker": (
        [
            Part(turned([(0, 0.24), (0.95, 0.33)], wall=0.04), YELLOW),
            Part(turned([(0.4, 0.282), (0.6, 0.302)], wall=0.03), RED),
        ],
        0.0,
        25.0,
    ),
    "tin": ([Part(turned([(0, 0.4), (0.75, 0.4)]), RED)], 0.0, 20.0),
    "boot": (
        [
            Part(box((0.05, 0.05, 0), (0.48, 0.05, 0.17), 0.05), DARK),
            Part(capsule((-0.25, 0.2, 0), (0.36, 0.16, 0), 0.16, 0.13), BROWN),
            Part(turned([(0.1, 0.2), (0.85, 0.24)], wall=0.05), BROWN),
        ],
        20.0,
        25.0,
    ),
    "bottle": (
        [
            Part(turned([(0, 0.2), (0.6, 0.22), (0.75, 0.08), (1.0, 0.07)]), GREEN),
            Part(turned([(0.2, 0.222), (0.45, 0.228)]), CREAM),
        ],
        0.0,
        6.0,
    ),
    "chair": (
        [
            Part(box((0, 0.45, 0), (0.25, 0.03, 0.25)), BROWN),
            *legs(0.23, 0.23, 0.45, 0.03, BROWN),
            Part(box((-0.21, 0.72, -0.22), (0.025, 0.28, 0.025)), BROWN),
            Part(box((0.21, 0.72, -0.22), (0.025, 0.28, 0.025)), BROWN),
            Part(box((0, 0.93, -0.22), (0.2, 0.06, 0.02)), RED),
            Part(box((0, 0.72, -0.22), (0.2, 0.04, 0.02)), RED),
        ],
        30.0,
        22.0,
    ),
    "table": (
        [Part(box((0, 0.6, 0), (0.55, 0.03, 0.35)), CREAM), *legs(0.5, 0.3, 0.58, 0.035, BROWN)],
        20.0,
        20.0,
    ),
    "shoe": (
        [
            Part(box((0, 0.05, 0), (0.5, 0.05, 0.16), 0.05), CREAM),
            Part(capsule((-0.3, 0.2, 0), (0.36, 0.12, 0), 0.15, 0.11), RED),
            Part(capsule((-0.33, 0.2, 0), (-0.34, 0.4, 0), 0.15, 0.13), RED),
            Part(ellipsoid((0.02, 0.27, 0), (0.14, 0.05, 0.1)), CREAM),
        ],
        0.0,
        10.0,
    ),
    "horse": (
        [
            Part(ellipsoid((0, 0.75, 0), (0.42, 0.2, 0.17)), BROWN),
            Part(capsule((0.32, 0.82, 0), (0.55, 1.15, 0), 0.12, 0.08), BROWN),
            Part(capsule((0.55, 1.17, 0), (0.74, 1.02, 0), 0.085, 0.055), BROWN),
            *[
                Part(capsule((x, 0.7, z), (x + 0.02, 0.04, z), 0.08, 0.04), colour)
                for x in (-0.32, 0.3)
                for z, colour in ((0.1, BROWN), (-0.1, (0.3, 0.17, 0.09)))
            ],
            Part(capsule((-0.42, 0.8, 0), (-0.58, 0.4, 0), 0.05, 0.04), DARK),
        ],
        -12.0,
        10.0,
    ),
    "duck": (
        [
            Part(ellipsoid((0, 0.25, 0), (0.42, 0.25, 0.28)), YELLOW),
            Part(ellipsoid((0.25, 0.58, 0), (0.2, 0.19, 0.18)), YELLOW),
            Part(ellipsoid((0.46, 0.55, 0), (0.12, 0.04, 0.09)), RED),
            Part(ellipsoid((0.34, 0.64, 0.14), (0.03, 0.03, 0.03)), DARK),
        ],
        -15.0,
        8.0,
    ),
    "teapot": (
        [
            Part(ellipsoid((0, 0.36, 0), (0.4, 0.36, 0.4)), CREAM),
            Part(capsule((0.3, 0.3, 0), (0.62, 0.6, 0), 0.08, 0.045), CREAM),
            Part(ring((-0.42, 0.4, 0), 0.2, 0.04), CREAM),
            Part(ellipsoid((0, 0.76, 0), (0.07, 0.07, 0.07)), BLUE),
        ],
        0.0,
        10.0,
    ),
    "car": (
        [
            Part(box((0, 0.25, 0), (0.6, 0.12, 0.26), 0.08), RED),
            Part(box((-0.05, 0.43, 0), (0.33, 0.12, 0.22), 0.09), (0.35, 0.45, 0.55)),
            *[
                Part(ellipsoid((x, 0.13, z), (0.13, 0.13, 0.06)), DARK)
                for x in (-0.36, 0.36)
                for z in (-0.24, 0.24)
            ],
        ],
        -25.0,
        14.0,
    ),
    "mushroom": (
        [
            Part(turned([(0, 0.16), (0.15, 0.12), (0.5, 0.1)]), CREAM),
            Part(ellipsoid((0, 0.52, 0), (0.42, 0.26, 0.42)), RED),
            *[
                Part(ellipsoid((0.3 * np.sin(a), 0.66, 0.3 * np.cos(a)), (0.06, 0.06, 0.06)), CREAM)
                for a in np.arange(0.4, 6.6, 1.2)
            ],
        ],
        0.0,
        8.0,
    ),
}


def photograph(
    parts: list[Part], azimuth: float, elevation: float, side: int = SIDE
) -> Image.Image:
    """A square picture on a pale backdrop, with light from the upper left and a soft shadow."""
    a, e = np.radians([azimuth, elevation])
    towards = np.array([np.sin(a) * np.cos(e), np.sin(e), np.cos(a) * np.cos(e)])
    right = np.array([np.cos(a), 0.0, -np.sin(a)])
    up = np.cross(towards, right)
    y, x = np.mgrid[0.72 : -0.72 : side * 1j, -0.72 : 0.72 : side * 1j]
    middle = np.array([0.0, 0.45, 0.0])
    start = middle + 3.0 * towards + x.reshape(-1, 1) * right + y.reshape(-1, 1) * up
    # The eye is five metres away, so that what is near is larger.
    way = start - (middle + 8.0 * towards)
    way /= np.linalg.norm(way, axis=1, keepdims=True)
    reach, hit = _march(parts, start, way)
    place = start + reach[:, None] * way
    lamp = np.array([-0.45, 0.75, 0.5]) @ np.stack([right, [0, 1, 0], towards])
    lamp /= np.linalg.norm(lamp)
    height = np.clip(y.reshape(-1) / 1.44 + 0.5, 0.0, 1.0)
    picture = np.repeat((0.88 + 0.08 * height)[:, None], 3, axis=1)
    falls = (way[:, 1] < -1e-3) & ~hit
    ground = start + (-start[:, 1] / np.minimum(way[:, 1], -1e-3))[:, None] * way
    dark = np.zeros(len(start))
    dark[falls] = np.clip(1.0 - _nearest(parts, ground[falls])[0] / 0.12, 0.0, 1.0)
    picture *= 1.0 - 0.22 * dark[:, None] ** 2
    normal = _normals(parts, place[hit])
    colour = np.array([part.colour for part in parts])[_nearest(parts, place[hit])[1]]
    light = 0.4 + 0.6 * np.clip(normal @ lamp, 0.0, 1.0)
    shine = np.clip(normal @ (lamp + towards) / np.linalg.norm(lamp + towards), 0, 1) ** 40
    picture[hit] = colour * light[:, None] + 0.25 * shine[:, None]
    noise = np.random.default_rng(0).normal(0.0, 0.006, picture.shape)
    values = np.clip(picture + noise, 0.0, 1.0).reshape(side, side, 3)
    return Image.fromarray((values * 255.0).astype(np.uint8))


def _nearest(parts: list[Part], points: Floats) -> tuple[Floats, Floats]:
    distances = np.stack([part.distance(points) for part in parts])
    return distances.min(axis=0), distances.argmin(axis=0)


def _march(parts: list[Part], start: Floats, way: Floats) -> tuple[Floats, NDArray[np.bool_]]:
    reach = np.zeros(len(start))
    going = np.arange(len(start))
    for _ in range(120):
        step = _nearest(parts, start[going] + reach[going, None] * way[going])[0]
        reach[going] += 0.9 * step
        going = going[(step > 1e-3) & (reach[going] < FAR)]
    return reach, np.asarray(reach < FAR)


def _normals(parts: list[Part], points: Floats) -> Floats:
    slopes = [
        _nearest(parts, points + 2e-3 * axis)[0] - _nearest(parts, points - 2e-3 * axis)[0]
        for axis in np.eye(3)
    ]
    normal = np.stack(slopes, axis=1)
    return np.asarray(normal / np.maximum(1e-9, np.linalg.norm(normal, axis=1, keepdims=True)))


if __name__ == "__main__":
    for name, (parts, azimuth, elevation) in THINGS.items():
        picture = photograph(parts, azimuth, elevation)
        picture.save(Path(sys.argv[1]) / f"{name}.jpg", quality=88)
