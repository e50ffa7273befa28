"""The shape of our mannequin: muscles and bones as round cones between the 22 SMPL-H joints.

Measures are metres on a figure 1.70 m tall, after the breadths and depths of Drillis and Contini
(1966) and the mean of men and women in NASA-STD-3000, so that it is of neither sex.
"""

from typing import Final, NamedTuple

Vector = tuple[float, float, float]


class Cone(NamedTuple):
    """A solid of spheres whose centre and radius go linearly from one end to the other.

    Attributes:
        owner: The joint that it moves with.
        start: Joint at the first end, and the offset from it, m.
        end: The same of the other end.
        radii: m, at either end.
        scale: By which its cross-section is stretched along x, y and z.
        blend: m over which it flows into what came before it.
    """

    owner: str
    start: tuple[str, Vector]
    end: tuple[str, Vector]
    radii: tuple[float, float]
    scale: Vector = (1.0, 1.0, 1.0)
    blend: float = 0.03


STATURE: Final = 1.70
CROWN: Final = 0.16
"""m from the head's joint up to the crown."""
SOLE: Final = 0.015
"""m from the ball of the foot down to the ground."""
EYES: Final = (0.0, 0.053, -0.005)
"""m from the head's joint to the middle between the eyes, on the head's axis."""

_ROUND: Final = (1.0, 1.0, 1.0)
_ON: Final = 0.006
"""Blend of a cone that carries on where another ends, where more would swell the seam."""

# fmt: off
LIMBS: Final = (
    # The leg: hip and thigh, glute, kneecap, calf.
    Cone("_Hip", ("_Hip", (-0.014, 0.020, 0.000)), ("_Hip", (-0.004, -0.14, 0.006)),
         (0.080, 0.076), _ROUND, 0.045),
    Cone("_Hip", ("_Hip", (-0.004, -0.14, 0.006)), ("_Knee", (0.0, 0.015, 0.002)),
         (0.076, 0.049), _ROUND, _ON),
    Cone("Pelvis", ("_Hip", (-0.026, 0.030, -0.038)), ("_Hip", (-0.018, -0.026, -0.036)),
         (0.066, 0.062), _ROUND, 0.05),
    Cone("_Knee", ("_Knee", (0.0, 0.010, 0.020)), ("_Knee", (0.0, -0.035, 0.014)),
         (0.029, 0.028), _ROUND, 0.03),
    Cone("_Knee", ("_Knee", (0.0, 0.015, 0.002)), ("_Knee", (0.003, -0.115, -0.014)),
         (0.049, 0.053), _ROUND, _ON),
    Cone("_Knee", ("_Knee", (0.003, -0.115, -0.014)), ("_Ankle", (0.0, 0.06, -0.012)),
         (0.053, 0.032), _ROUND, _ON),
    # The foot, a flat-soled shoe.
    Cone("_Ankle", ("_Ankle", (0.0, 0.06, -0.012)), ("_Ankle", (0.0, -0.026, -0.014)),
         (0.032, 0.038), _ROUND, _ON),
    Cone("_Ankle", ("_Ankle", (0.0, -0.042, -0.028)), ("_Foot", (0.0, 0.006, -0.02)),
         (0.037, 0.037), _ROUND, 0.02),
    Cone("_Ankle", ("_Ankle", (0.0, -0.012, 0.0)), ("_Foot", (0.0, 0.016, -0.01)),
         (0.036, 0.029), _ROUND, 0.03),
    Cone("_Foot", ("_Foot", (0.002, 0.004, -0.015)), ("_Foot", (-0.003, -0.002, 0.050)),
         (0.034, 0.025), (1.25, 1.0, 1.0), 0.025),
    # The arm: the shoulder's cap, biceps, forearm.
    Cone("_Shoulder", ("_Shoulder", (-0.002, -0.008, 0.0)), ("_Shoulder", (0.10, -0.004, 0.0)),
         (0.055, 0.044), _ROUND, 0.045),
    Cone("_Shoulder", ("_Shoulder", (0.10, -0.004, 0.0)), ("_Elbow", (-0.01, 0.0, 0.0)),
         (0.044, 0.0355), _ROUND, _ON),
    Cone("_Elbow", ("_Elbow", (-0.01, 0.0, 0.0)), ("_Elbow", (0.065, 0.0, 0.002)),
         (0.0355, 0.039), _ROUND, _ON),
    Cone("_Elbow", ("_Elbow", (0.065, 0.0, 0.002)), ("_Wrist", (-0.005, 0.0, 0.0)),
         (0.039, 0.025), (1.0, 0.94, 1.06), _ON),
    # The hand, palm down: palm, fingers a little curled, thumb.
    Cone("_Wrist", ("_Wrist", (-0.005, 0.0, 0.0)), ("_Wrist", (0.03, 0.0, 0.0)),
         (0.025, 0.031), (1.0, 0.74, 1.08), _ON),
    Cone("_Wrist", ("_Wrist", (0.035, -0.001, 0.001)), ("_Wrist", (0.075, -0.002, 0.001)),
         (0.037, 0.041), (1.0, 0.44, 1.0), 0.02),
    Cone("_Wrist", ("_Wrist", (0.08, -0.002, 0.001)), ("_Wrist", (0.145, -0.014, 0.001)),
         (0.040, 0.027), (1.0, 0.37, 1.0), 0.012),
    Cone("_Wrist", ("_Wrist", (0.026, -0.004, 0.022)), ("_Wrist", (0.058, -0.014, 0.054)),
         (0.017, 0.014), _ROUND, 0.016),
    Cone("_Wrist", ("_Wrist", (0.058, -0.014, 0.054)), ("_Wrist", (0.088, -0.018, 0.066)),
         (0.014, 0.0105), _ROUND, 0.004),
    # The flank, breast, and what joins neck and arm to them.
    Cone("Pelvis", ("Pelvis", (0.050, -0.02, 0.0)), ("Spine1", (0.036, 0.0, 0.002)),
         (0.094, 0.082), (1.0, 1.0, 1.06), 0.05),
    Cone("Spine1", ("Spine1", (0.036, 0.0, 0.002)), ("Spine2", (0.044, 0.0, 0.002)),
         (0.082, 0.087), (1.0, 1.0, 1.08), 0.025),
    Cone("Spine2", ("Spine2", (0.044, 0.0, 0.002)), ("Spine3", (0.056, 0.0, 0.0)),
         (0.087, 0.094), (1.0, 1.0, 1.08), 0.025),
    Cone("Spine3", ("Spine3", (0.056, 0.0, 0.0)), ("Spine3", (0.070, 0.085, -0.006)),
         (0.094, 0.088), (1.0, 1.0, 1.08), 0.025),
    Cone("Spine3", ("Spine3", (0.046, 0.070, 0.052)), ("Spine3", (0.104, 0.092, 0.034)),
         (0.050, 0.040), (1.0, 1.0, 0.9), 0.035),
    Cone("Spine3", ("Spine3", (0.075, 0.090, -0.046)), ("Spine3", (0.055, -0.02, -0.040)),
         (0.050, 0.045), _ROUND, 0.04),
    Cone("_Collar", ("Spine3", (0.075, 0.105, -0.008)), ("_Shoulder", (-0.035, -0.006, -0.004)),
         (0.064, 0.057), _ROUND, 0.045),
    Cone("_Collar", ("Neck", (0.014, 0.012, -0.020)), ("_Shoulder", (-0.045, 0.026, -0.010)),
         (0.036, 0.026), _ROUND, 0.045),
)
"""Of the left side; a joint's name that starts with `_` gets its side in front."""

MIDDLE: Final = (
    Cone("Pelvis", ("L_Hip", (-0.030, 0.045, 0.0)), ("R_Hip", (0.030, 0.045, 0.0)),
         (0.092, 0.092), (1.0, 1.0, 1.06), 0.03),
    Cone("Pelvis", ("Pelvis", (0.0, -0.062, 0.000)), ("Pelvis", (0.0, 0.0, 0.0)),
         (0.056, 0.09), _ROUND, 0.03),
    Cone("Spine1", ("Spine1", (0.0, 0.0, 0.004)), ("Spine2", (0.0, 0.0, 0.004)),
         (0.086, 0.09), (1.0, 1.0, 1.06), 0.03),
    Cone("Spine3", ("Spine3", (0.0, -0.04, 0.002)), ("Spine3", (0.0, 0.10, -0.008)),
         (0.098, 0.082), (1.0, 1.0, 1.06), 0.03),
    Cone("Spine3", ("Spine3", (0.06, 0.10, -0.010)), ("Spine3", (-0.06, 0.10, -0.010)),
         (0.076, 0.076), _ROUND, 0.03),
    Cone("Neck", ("Neck", (0.0, -0.045, -0.016)), ("Head", (0.0, 0.01, -0.008)),
         (0.058, 0.051), _ROUND, 0.04),
    # The skull, the face and its jaw, the nose.
    Cone("Head", ("Head", (0.0, 0.077, -0.016)), ("Head", (0.0, 0.070, 0.008)),
         (0.083, 0.081), (0.95, 1.0, 1.06), 0.02),
    Cone("Head", ("Head", (0.0, 0.045, 0.030)), ("Head", (0.0, -0.030, 0.046)),
         (0.066, 0.040), (1.0, 1.0, 1.0), 0.03),
    Cone("Head", ("Head", (0.0, 0.032, 0.088)), ("Head", (0.0, 0.014, 0.095)),
         (0.008, 0.010), _ROUND, 0.02),
)
# fmt: on
