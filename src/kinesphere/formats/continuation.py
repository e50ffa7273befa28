"""Motions one after another: each begins where the one before has ended, without a jump.

What differs between the last pose and the first of the next motion fades away while that motion
plays already, and so does the difference in speed (inertialisation, after Bollo, "Inertialization:
High-Performance Animation Transitions in Gears of War", GDC 2018). No pose is ever the mean of
two others, and nothing is held still to be blended from.
"""

from dataclasses import replace
from typing import Final

import numpy as np

from kinesphere.formats.clip import Clip, Floats, forward
from kinesphere.formats.motion import BadClip
from kinesphere.formats.rotation import from_vector, lengths, quaternion_to_vector, to_vector
from kinesphere.formats.rotation import to_quaternion as quaternions

FEET: Final = ("L_Foot", "R_Foot")
FADE: Final = 0.4
"""Seconds in which a small difference fades."""
LONGEST: Final = 1.2
"""Seconds that a large one may take, as from lying to standing."""
SLIDE: Final = 0.45
"""Metres a second at which a joint on the ground may be drawn to its new place: quality counts
0.5 as skating."""
REACH: Final = 3.0
"""Metres a second for a joint in the air."""
GROUND: Final = 0.06
"""Metres: a joint lower than this in either pose is on the ground."""
PEAK: Final = 1.875
"""Largest speed of what fades, in its distance over its time: the quintic's steepest slope."""
NEAR: Final = 0.25
TURNED: Final = 0.5
"""Metres, and radians about the vertical, up to which a film that begins again goes back."""
LEVEL: Final = np.array([1.0, 0.0, 1.0])
FASTEST: Final = 2.0
"""Radians a second of a joint's own speed that are carried on; more would overshoot its range."""


def continued(before: Clip, after: Clip) -> Clip:
    """`after`, moved and turned to go on from the last frame of `before`.

    It stands where `before` has ended, faces where that faced, and has its rate and skeleton. Its
    first frame gives way to the last of `before`, so one frame fewer is returned. `before` may be
    a single frame: then the figure stood still.

    Raises:
        BadClip: The two are of other joints.
    """
    skeleton = before.skeleton
    if (skeleton.names, skeleton.parents) != (after.skeleton.names, after.skeleton.parents):
        raise BadClip("a motion of other joints cannot go on from this one")
    return _faded(before, placed(before, resampled(_on(before, after), before.fps)))


def again(before: Clip, film: Clip) -> Clip:
    """`film` from its beginning, to follow the last frame of `before`, all its frames.

    Where that is nearly where it begins, it begins there; a film that has gone elsewhere, or
    turned, goes on from there. So what stays in its place stays there however often it is seen.
    """
    led = _led(film)
    there = placed(before, led)
    root = film.skeleton.parents.index(-1)
    way = (there.translation[0] - led.translation[0]) * LEVEL
    turn = to_vector(there.rotation[0, root] @ led.rotation[0, root].T)
    stays = lengths(way) < NEAR and lengths(turn) < TURNED
    return _faded(before, led if stays else there)


def _led(film: Clip) -> Clip:
    """`film` with one frame more, before its first, that it would have come from."""
    first, second = film.rotation[0], film.rotation[min(1, film.frames - 1)]
    rotation = first @ np.swapaxes(second, -1, -2) @ first
    translation = film.translation[0] - _speed(film.translation, last=False)
    return replace(
        film,
        translation=np.concatenate((translation[None], film.translation)),
        rotation=np.concatenate((rotation[None], film.rotation)),
    )


def _faded(before: Clip, after: Clip) -> Clip:
    """`after` without its first frame, which the last of `before` fades out of."""
    if after.frames < 2:
        return _cut(after, slice(1, None))
    last = _cut(before, slice(-1, None))
    fade = min(_time(forward(last)[0][0], forward(_cut(after, slice(1)))[0][0]), after.duration)
    weights = _fading(np.arange(1, after.frames) / (fade * before.fps), fade)
    faded = replace(
        after, translation=_moved(before, after, weights), rotation=_turned(before, after, weights)
    )
    return _above_ground(last, after, faded, min(round(fade * before.fps), faded.frames))


def _cut(clip: Clip, part: slice) -> Clip:
    return replace(clip, translation=clip.translation[part], rotation=clip.rotation[part])


def _time(one: Floats, other: Floats) -> float:
    """Seconds to get all joints (J, 3) from one place to the other without haste or slides."""
    grounded = np.minimum(one[:, 1], other[:, 1]) < GROUND
    needed = lengths(other - one) * PEAK / np.where(grounded, SLIDE, REACH)
    return float(np.clip(needed.max(), FADE, LONGEST))


def _above_ground(last: Clip, after: Clip, faded: Clip, frames: int) -> Clip:
    """`faded`, raised in its first `frames` to sink no deeper than what it is made of."""
    sunk = forward(_cut(faded, slice(frames)))[0][..., 1].min(axis=1)
    own = forward(_cut(after, slice(1, frames + 1)))[0][..., 1].min(axis=1)
    floor = np.minimum(0.0, np.minimum(own, forward(last)[0][..., 1].min()))
    translation = faded.translation.copy()
    translation[:frames, 1] += np.maximum(0.0, floor - sunk)
    return replace(faded, translation=translation)


def placed(before: Clip, after: Clip) -> Clip:
    """`after`, whose first frame stands where the last of `before` does, facing alike.

    The turn about the vertical is the one that brings the two root rotations closest. Feet that
    are on the ground in both frames stay there, so that whoever sits gets up over his feet; where
    there are none, it is the root that stays.
    """
    root = before.skeleton.parents.index(-1)
    apart = before.rotation[-1, root] @ after.rotation[0, root].T
    heading = np.arctan2(apart[0, 2] - apart[2, 0], apart[0, 0] + apart[2, 2])
    turn = from_vector(np.array([0.0, heading, 0.0]))
    rotation = after.rotation.copy()
    rotation[:, root] = turn @ rotation[:, root]
    turned = replace(after, translation=after.translation @ turn.T, rotation=rotation)
    way = _support(before, -1, turned, 0) * LEVEL
    return replace(turned, translation=turned.translation + way)


def _support(one: Clip, frame: int, other: Clip, at: int) -> Floats:
    """(3,) m from where the `other` stands in its frame `at` to where the `one` does."""
    root = one.skeleton.parents.index(-1)
    feet = [one.skeleton.names.index(name) for name in FEET if name in one.skeleton.names]
    places = [
        forward(_cut(c, slice(n, n + 1 or None)))[0][0] for c, n in ((one, frame), (other, at))
    ]
    joints = [foot for foot in feet if max(place[foot, 1] for place in places) < GROUND] or [root]
    return np.asarray((places[0] - places[1])[joints].mean(axis=0))


def resampled(clip: Clip, fps: float) -> Clip:
    """The clip at another rate, its joints turning evenly between two of its frames."""
    if clip.fps == fps or clip.frames < 2:
        return replace(clip, fps=fps)
    count = int((clip.frames - 1) / clip.fps * fps + 1e-9) + 1
    at = np.asarray(np.arange(count) * (clip.fps / fps), dtype=np.float64)
    return replace(sampled(clip, at), fps=fps)


def sampled(clip: Clip, at: Floats) -> Clip:
    """The clip at (N,) places counted in its frames, between them too."""
    low = np.clip(at.astype(int), 0, max(clip.frames - 2, 0))
    high = np.minimum(low + 1, clip.frames - 1)
    share = at - low
    step = to_vector(clip.rotation[high] @ np.swapaxes(clip.rotation[low], -1, -2))
    rotation = from_vector(step * share[:, None, None]) @ clip.rotation[low]
    way = clip.translation[high] - clip.translation[low]
    return replace(
        clip, translation=clip.translation[low] + way * share[:, None], rotation=rotation
    )


def _on(before: Clip, after: Clip) -> Clip:
    """`after` on the skeleton of `before`, its way and height as long as that one's legs."""
    heights = [c.skeleton.offsets[c.skeleton.parents.index(-1), 1] for c in (before, after)]
    scale = heights[0] / heights[1] if min(heights) > 0.0 else 1.0
    return replace(after, translation=after.translation * scale, skeleton=before.skeleton)


def _fading(share: Floats, fade: float) -> tuple[Floats, Floats]:
    """Of an offset and of its speed, what is left: quintics that end flat, zero beyond 1."""
    s = np.minimum(share, 1.0)
    offset = 1.0 + s**3 * (-10.0 + s * (15.0 - 6.0 * s))
    speed = s * (1.0 + s**2 * (-6.0 + s * (8.0 - 3.0 * s)))
    return offset, speed * fade


def _moved(before: Clip, after: Clip, weights: tuple[Floats, Floats]) -> Floats:
    apart = before.translation[-1] - after.translation[0]
    speed = _speed(before.translation, last=True) - _speed(after.translation, last=False)
    offset = np.outer(weights[0], apart) + np.outer(weights[1], speed * before.fps)
    return np.asarray(after.translation[1:] + offset)


def _speed(places: Floats, *, last: bool) -> Floats:
    """A frame's way at the end or the beginning of (T, 3) places."""
    if len(places) < 2:
        return np.zeros(3)
    return np.asarray(places[-1] - places[-2] if last else places[1] - places[0])


def _turned(before: Clip, after: Clip, weights: tuple[Floats, Floats]) -> Floats:
    apart = to_vector(before.rotation[-1] @ np.swapaxes(after.rotation[0], -1, -2))
    speed = (_spin(before, last=True) - _spin(after, last=False)) * before.fps
    size = lengths(speed)[:, None]
    speed *= np.minimum(1.0, FASTEST / np.maximum(size, FASTEST))
    offset, carried = weights
    vectors = offset[:, None, None] * apart + carried[:, None, None] * speed
    return np.asarray(from_vector(vectors) @ after.rotation[1:])


def _spin(clip: Clip, *, last: bool) -> Floats:
    """(J, 3) rad a frame that each joint turns by at the end or the beginning."""
    if clip.frames < 2:
        return np.zeros((clip.rotation.shape[1], 3))
    one, other = (clip.rotation[-1], clip.rotation[-2]) if last else clip.rotation[1::-1]
    return quaternion_to_vector(quaternions(one @ np.swapaxes(other, -1, -2)))
