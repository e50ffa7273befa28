"""A dark visor that follows a face, so that one sees where the figure looks."""

from typing import Final

import numpy as np

from kinesphere.formats.clip import Floats
from kinesphere.formats.isosurface import Field, Indices, normals

COLUMNS: Final = 19
ROWS: Final = 5
WIDTH: Final = np.radians(78.0)
"""Half of the angle around the head's axis."""
HEIGHT: Final = 0.024
"""m, half of it, in the middle."""
STANDS_OUT: Final = 0.004
DEPTH: Final = 0.007
REACH: Final = 0.25
"""m from the head's axis within which its surface is sought."""
_HALVINGS: Final = 24


def visor(field: Field, centre: Floats, scale: float) -> tuple[Floats, Floats, Indices]:
    """A closed lens half sunk into a face.

    Args:
        field: Of the solid whose face it is, which looks along +Z.
        centre: (3,) m, on the head's axis at the height of the eyes.
        scale: By which measures of a figure 1.70 m tall are multiplied.

    Returns:
        Points (V, 3) m, unit normals (V, 3) and triangles (F, 3).
    """
    across, up = np.meshgrid(np.linspace(-1.0, 1.0, COLUMNS), np.linspace(-1.0, 1.0, ROWS))
    angle = (WIDTH * across).ravel()
    directions = np.stack((np.sin(angle), np.zeros_like(angle), np.cos(angle)), axis=1)
    # Lower towards the temples, as goggles are.
    height = HEIGHT * np.sqrt(1.0 - 0.75 * across**4)
    origins = centre + np.stack((0.0 * angle, scale * (height * up).ravel(), 0.0 * angle), axis=1)
    near, far = np.zeros(len(angle)), np.full(len(angle), REACH * scale)
    for _ in range(_HALVINGS):
        middle = 0.5 * (near + far)
        inside = field(origins + middle[:, None] * directions) < 0.0
        near, far = np.where(inside, middle, near), np.where(inside, far, middle)
    rim = np.maximum(np.abs(across), np.abs(up)).ravel() == 1.0
    outwards = scale * np.where(rim, 0.5 * STANDS_OUT, STANDS_OUT)
    outer = origins + (near + outwards)[:, None] * directions
    inner = origins + (near - scale * DEPTH)[:, None] * directions
    facing = normals(field, origins + near[:, None] * directions)
    return np.concatenate((outer, inner)), np.concatenate((facing, -facing)), _lens()


def _lens() -> Indices:
    """Triangles of a front and a back grid and the rim between them."""
    number = np.arange(ROWS * COLUMNS).reshape(ROWS, COLUMNS)
    low, right = number[:-1, :-1].ravel(), number[:-1, 1:].ravel()
    high, corner = number[1:, :-1].ravel(), number[1:, 1:].ravel()
    front = np.concatenate((np.stack((low, right, corner), 1), np.stack((low, corner, high), 1)))
    edge = np.concatenate((number[0], number[1:, -1], number[-1, -2::-1], number[-2:0:-1, 0]))
    after, back = np.roll(edge, -1), number.size
    rim = np.concatenate(
        (np.stack((edge, edge + back, after + back), 1), np.stack((edge, after + back, after), 1))
    )
    return np.concatenate((front, front[:, ::-1] + back, rim))
