"""From an outline to a solid: how thick each place is, and how far in front.

Cues, each with its reach:

- *local width*: the union of the largest discs within the outline, taken as balls: a leg is as
  thick as it is wide (medial axis, Blum 1967), by a distance transform of weighted points;
- *inflation*: the Poisson equation over the outline, for roundness without creases;
- *symmetry*: rows that mirror in one upright axis are taken for a body of revolution, unless the
  object is drawn in one colour: a star is no spinning top;
- *opening*, *lid*: an ellipse at the top of such a body is carved or flat, see `vessel`;
- *ground contact*: of several feet, those lower in the picture stand nearer to the eye;
- *legs*: four straight ones carry boards of their own thickness;
- *box*: an outline that fills a rectangle is of one with rounded edges;
- *shading*: fine changes of lightness become a small bump of the front.
"""

from dataclasses import dataclass, replace

import numpy as np

from kinesphere.engines.relief.inflation import boxed, continued, inflated
from kinesphere.engines.relief.opening import opening_of
from kinesphere.engines.relief.outline import MARGIN, Flags, Floats, Outline, Pixels, outline_of
from kinesphere.engines.relief.revolution import axis_of, turned
from kinesphere.engines.relief.shading import shaded
from kinesphere.engines.relief.standing import Post, stance_of
from kinesphere.engines.relief.vessel import Vessel, vessel_of
from kinesphere.engines.relief.views import one_coloured


@dataclass(frozen=True, slots=True)
class Solid:
    """A solid by its height over a middle surface, on a grid of pixels, y down.

    Inside where `height - (z - centre)² > 0`, z in pixels towards the eye, or within a post.

    Attributes:
        height: (h, w) squared half thickness, negative outside.
        centre: (h, w) z of the middle surface.
        bump: (h, w) added to the front's half thickness.
        tilt: Sine of the eye's elevation: a point at z is seen z * tilt too low.
        cues: Names of the cues that were used.
        posts: Straight legs.
        vessel: In place of height, centre and bump, where the object is a cup.
    """

    height: Floats
    centre: Floats
    bump: Floats
    tilt: float
    cues: tuple[str, ...]
    posts: tuple[Post, ...] = ()
    vessel: Vessel | None = None


def solid_of(mask: Flags, colours: Pixels, side: int) -> tuple[Solid, float]:
    """The solid of an object on a grid of `side` pixels along its longer side.

    Returns:
        The solid, and the pixels of the mask per pixel of the grid. The grid begins `MARGIN`
        pixels above and left of the object's box.
    """
    outline = outline_of(mask, colours, side)
    axis = None if one_coloured(mask, colours) else axis_of(outline.inside)
    solid = _standing(outline) if axis is None else _turned(outline, axis)
    return solid, outline.scale


def _standing(outline: Outline) -> Solid:
    """A solid that is no body of revolution."""
    stance = stance_of(outline.distance)
    height = np.minimum(inflated(stance.distance), stance.thickest**2)
    cues = ["width", "inflation"] + ["ground"] * bool(stance.tilt) + ["legs"] * bool(stance.posts)
    box = None if stance.tilt else boxed(outline.distance)
    if box is not None:
        height = np.maximum(np.minimum(height, box.max()), box)
        cues.append("box")
    height = continued(height, stance.distance)
    bump = shaded(outline)
    return Solid(height, stance.centre, bump, stance.tilt, (*cues, "shading"), stance.posts)


def _turned(outline: Outline, axis: float) -> Solid:
    """A body of revolution about an upright axis, with what hangs on it."""
    height = inflated(outline.distance)
    nothing = np.zeros_like(height)
    vessel = _vessel(outline, height)
    if vessel is not None:
        cues = ("width", "inflation", "revolution", "opening" if vessel.hollow else "lid")
        return Solid(height, nothing, nothing, vessel.tilt, cues, vessel=vessel)
    height = np.maximum(height, np.where(outline.inside, turned(outline.distance, axis), 0.0))
    cues = ("width", "inflation", "revolution", "shading")
    return Solid(continued(height, outline.distance), nothing, shaded(outline), 0.0, cues)


def _vessel(outline: Outline, height: Floats) -> Vessel | None:
    """The vessel that an outline shows, on its grid."""
    opening = opening_of(outline.mask, outline.colours)
    if opening is None:
        return None
    scale = outline.scale
    x, y = (value / scale - 0.5 + MARGIN for value in (opening.x, opening.y))
    placed = replace(opening, x=x, y=y, a=opening.a / scale, b=opening.b / scale)
    return vessel_of(placed, outline.distance, height)
