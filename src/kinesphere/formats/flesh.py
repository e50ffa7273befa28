"""The implicit solid of our mannequin on a skeleton, and which joints move its surface."""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from kinesphere.formats import anatomy
from kinesphere.formats.clip import Floats, Skeleton
from kinesphere.formats.isosurface import Indices
from kinesphere.formats.visor import visor

BONES_A_POINT: Final = 4
FULL: Final = 255
"""The sum of a point's weights."""
SOFTNESS: Final = 0.012
"""m by which a bone must be further from a point for its weight to fall to 1/e."""


def scale_of(at: dict[str, Floats]) -> float:
    """How many times taller a figure is than 1.70 m, from where its joints are."""
    height = float(at["Head"][1] - at["L_Foot"][1])
    return height / (anatomy.STATURE - anatomy.CROWN - anatomy.SOLE)


class Flesh:
    """The implicit solid of a figure of our joints."""

    def __init__(self, skeleton: Skeleton, rest: Floats) -> None:
        self.at = at = dict(zip(skeleton.names, rest, strict=True))
        place = {name: joint for joint, name in enumerate(skeleton.names)}
        self.scale = scale_of(at)
        self.floor = min(at["L_Foot"][1], at["R_Foot"][1]) - anatomy.SOLE * self.scale
        cones = [(cone, "", 1.0) for cone in anatomy.MIDDLE]
        cones += [
            (c, side, sign) for side, sign in (("L", 1.0), ("R", -1.0)) for c in anatomy.LIMBS
        ]
        self.cones = [cone for cone, _, _ in cones]
        self.owners = np.array([place[_sided(cone.owner, side)] for cone, side, _ in cones])
        self.ends = np.array(
            [
                [
                    at[_sided(name, side)] + self.scale * np.multiply(offset, (sign, 1.0, 1.0))
                    for name, offset in (cone.start, cone.end)
                ]
                for cone, side, sign in cones
            ]
        )

    def distance(self, cone: int, points: Floats) -> Floats:
        """About the distance (N,) m of points to one cone's surface."""
        scale = np.array(self.cones[cone].scale)
        start, end = self.ends[cone] / scale
        radius, last = np.multiply(self.cones[cone].radii, self.scale)
        axis = end - start
        away = points / scale - start
        along = np.clip(away @ axis / max(1e-12, axis @ axis), 0.0, 1.0)
        away -= along[:, None] * axis
        length = np.sqrt(np.einsum("ni,ni->n", away, away))
        return np.asarray((length - radius - along * (last - radius)) * scale.min())

    def field(self, points: Floats) -> Floats:
        """About the distance (N,) m to the skin, negative inside."""
        order = np.argsort(points[:, 0], kind="stable")
        ordered = points[order]
        total = np.full(len(points), 1.0)
        for cone in range(len(self.cones)):
            low, high = self.bounds(cone, self.scale * 0.03)
            first, last = np.searchsorted(ordered[:, 0], (low[0], high[0]))
            inner = ordered[first:last, 1:]
            near = first + np.flatnonzero(((inner > low[1:]) & (inner < high[1:])).all(axis=1))
            joined = self.joined(cone, total[order[near]], ordered[near])
            total[order[near]] = joined
        return _smooth_largest(total, self.floor - points[:, 1], 0.006 * self.scale)

    def bounds(self, cone: int, margin: float) -> tuple[Floats, Floats]:
        """Opposite corners of a box around a cone, m."""
        reach = max(self.cones[cone].radii) * self.scale * np.array(self.cones[cone].scale) + margin
        return self.ends[cone].min(axis=0) - reach, self.ends[cone].max(axis=0) + reach

    def joined(self, cone: int, total: Floats, points: Floats) -> Floats:
        """The union, with a soft seam, of a solid and a cone."""
        blend = self.cones[cone].blend * self.scale
        return -_smooth_largest(-total, -self.distance(cone, points), blend)

    def sampled(self, axes: tuple[Floats, Floats, Floats]) -> Floats:
        """The field on a grid, right near the surface and positive elsewhere."""
        total = np.full([len(axis) for axis in axes], 1.0)
        for cone in range(len(self.cones)):
            low, high = self.bounds(cone, self.scale * 0.05)
            window = tuple(
                slice(*np.searchsorted(axis, (a, b)))
                for axis, a, b in zip(axes, low, high, strict=True)
            )
            grid = np.meshgrid(*(a[w] for a, w in zip(axes, window, strict=True)), indexing="ij")
            points = np.stack(grid, axis=-1).reshape(-1, 3)
            part = total[window]
            total[window] = self.joined(cone, part.ravel(), points).reshape(part.shape)
        floor = self.floor - axes[1][None, :, None]
        return _smooth_largest(total, np.broadcast_to(floor, total.shape), 0.006 * self.scale)

    def weights(self, points: Floats) -> tuple[Indices, NDArray[np.uint8]]:
        """Joints and weights of points, (N, 4) each: a joint weighs by how near its cones are."""
        joints = int(self.owners.max()) + 1
        near = np.full((len(points), joints), np.inf)
        for cone, owner in enumerate(self.owners):
            near[:, owner] = np.minimum(near[:, owner], self.distance(cone, points))
        share = np.exp((near.min(axis=1, keepdims=True) - near) / (SOFTNESS * self.scale))
        chosen = np.argsort(-share, axis=1, kind="stable")[:, :BONES_A_POINT]
        return _whole(chosen, np.take_along_axis(share, chosen, axis=1))

    def visor(self) -> tuple[Floats, Floats, Indices]:
        """Points, normals and triangles of the face's visor."""
        centre = self.at["Head"] + self.scale * np.array(anatomy.EYES)
        return visor(self.field, centre, self.scale)

    def axes(self) -> tuple[Floats, Floats, Floats]:
        """Planes of the grid, closer where hands, face and feet need them."""
        s, at = self.scale, self.at
        corners = np.array([self.bounds(cone, 0.03 * s) for cone in range(len(self.cones))])
        low, high = corners[:, 0].min(axis=0), corners[:, 1].max(axis=0)
        low[1] = self.floor - 0.03 * s
        wrist = min(abs(at["L_Wrist"][0]), abs(at["R_Wrist"][0])) - 0.01 * s
        arm = (at["L_Shoulder"][1] + at["R_Shoulder"][1]) / 2.0
        x = _planes(
            low[0], high[0], 0.024 * s, [(-9.0, -wrist, 0.0125 * s), (wrist, 9.0, 0.0125 * s)]
        )
        y = _planes(
            low[1], high[1], 0.025 * s,
            [
                (-9.0, at["L_Ankle"][1] + 0.03 * s, 0.014 * s),
                (arm - 0.07 * s, arm + 0.06 * s, 0.0145 * s),
                (arm + 0.06 * s, 9.0, 0.0140 * s),
            ],
        )  # fmt: skip
        z = _planes(low[2], high[2], 0.019 * s, [(-0.06 * s, 0.13 * s, 0.0155 * s)])
        return x, y, z


def _sided(name: str, side: str) -> str:
    return side + name if name.startswith("_") else name


def _smooth_largest(one: Floats, other: Floats, blend: float) -> Floats:
    """The larger of two fields, its crease rounded over a width by a parabola."""
    overlap = np.maximum(blend - np.abs(one - other), 0.0)
    return np.asarray(np.maximum(one, other) + overlap * overlap / (4.0 * blend))


def _whole(joints: Indices, share: Floats) -> tuple[Indices, NDArray[np.uint8]]:
    """Shares, the largest first, as whole numbers that sum to 255."""
    share = np.where(share < 0.02 * share[:, :1], 0.0, share)
    weights = np.rint(FULL * share / share.sum(axis=1, keepdims=True)).astype(np.int64)
    weights[:, 0] += FULL - weights.sum(axis=1)
    return np.where(weights > 0, joints, 0), weights.astype(np.uint8)


def _planes(low: float, high: float, step: float, fine: list[tuple[float, float, float]]) -> Floats:
    """Ascending coordinates from low to high, with finer steps in some ranges."""
    places = np.linspace(low, high, 2001)
    steps = np.full(places.shape, step)
    for first, last, smaller in fine:
        steps[(places >= first) & (places <= last)] = smaller
    count = np.concatenate(([0.0], np.cumsum(np.diff(places) / (0.5 * (steps[1:] + steps[:-1])))))
    return np.interp(np.linspace(0.0, count[-1], int(np.ceil(count[-1])) + 1), count, places)
