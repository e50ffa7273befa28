"""The score: what moves write their motion into, and from which a clip is made."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final

import numpy as np

from kinesphere.engines.choreo.arms import Arm
from kinesphere.engines.choreo.channels import REST, SIDES, TRUNK, UPPER, arm_values, group
from kinesphere.engines.choreo.curves import minimum_jerk, pchips, smooth, window
from kinesphere.engines.choreo.footsteps import Footprint, Swing, settle, track
from kinesphere.engines.choreo.rig import GROUND, Feet
from kinesphere.engines.choreo.script import Action
from kinesphere.engines.choreo.style import Style
from kinesphere.formats.clip import Floats

SIGMA: Final = 1.8
"""Width of the smoothing of channels at 30 frames a second, in frames."""

HIP_WIDTH: Final = 0.1
"""Half distance of the feet of a figure that stands at ease, m."""
BALL_AHEAD: Final = 0.075
"""How far the balls of the feet are ahead of the pelvis of a figure that stands, m."""

OTHER: Final = {"l": "r", "r": "l"}
SIGN: Final = {"l": 1.0, "r": -1.0}


@dataclass(slots=True)
class Layer:
    """Keys and waves of channels; waves are added to what the keys give.

    `offsets` holds the whole turns by which an angle's keys exceed its nominal value.
    """

    keys: dict[str, list[tuple[float, float]]] = field(default_factory=dict)
    waves: dict[str, Floats] = field(default_factory=dict)
    offsets: dict[str, float] = field(default_factory=dict)

    def last(self, channel: str) -> tuple[float, float]:
        """Time (s) and value of a channel's last key."""
        keys = self.keys.get(channel)
        if not keys:
            return 0.0, REST[channel]
        return keys[-1][0], keys[-1][1] - self.offsets.get(channel, 0.0)

    def put(self, channel: str, time: float, value: float, anchor: float) -> None:
        """Add a key; the channel holds its value up to `anchor` s."""
        keys = self.keys.setdefault(channel, [(0.0, REST[channel])])
        value += self.offsets.get(channel, 0.0)
        if keys[-1][0] < anchor - 1e-6:
            keys.append((anchor, keys[-1][1]))
        while len(keys) > 1 and keys[-1][0] >= time - 1e-3 and keys[-1][0] > anchor - 1e-6:
            keys.pop()
        if keys[-1][0] < time - 1e-3:
            keys.append((time, value))
        else:
            keys[-1] = (keys[-1][0], value)

    def curves(self, channels: Iterable[str], times: Floats) -> dict[str, Floats]:
        """Channels at these times."""
        found = {channel: np.full(len(times), REST[channel]) for channel in channels}
        moved: list[str] = []
        knots: list[Floats] = []
        values: list[Floats] = []
        for channel, curve in found.items():
            keys = self.keys.get(channel, ())
            if len(keys) == 1:
                curve[:] = keys[0][1]
            elif keys:
                moved.append(channel)
                key = np.array(keys)
                knots.append(key[:, 0])
                values.append(key[:, 1])
        if moved:
            found.update(zip(moved, pchips(knots, values, times), strict=True))
        for channel in found.keys() & self.waves.keys():
            found[channel] = found[channel] + self.waves[channel]
        return found


@dataclass(frozen=True, slots=True)
class Beat:
    """When and how an action is played.

    Attributes:
        action: What was asked.
        start: s.
        end: s.
        lead: Seconds from the start to the first repetition.
        cycle: Seconds of one repetition.
        reps: Repetitions.
        tail: Seconds from the last repetition to rest.
        size: Factor on amplitudes, styles and chance included.
        side: "l" or "r", the active or leading side.
        both: Whether both sides act.
        style: Manner.
        rng: Chance, the same for the same seed.
        overlay: Whether only the upper body may be moved.
        haste: How many times faster than natural it is played, 1 at least.
    """

    action: Action
    start: float
    end: float
    lead: float
    cycle: float
    reps: int
    tail: float
    size: float
    side: str
    both: bool
    style: Style
    rng: np.random.Generator
    overlay: bool = False
    haste: float = 1.0

    def at(self, rep: float) -> float:
        """Time (s) of the start of repetition `rep`, counted from 0, fractions allowed."""
        return self.start + self.lead + rep * self.cycle

    @property
    def out(self) -> float:
        """Time (s) at which the last repetition ends."""
        return self.at(self.reps)

    @property
    def done(self) -> float:
        """Time (s) at which the action's tail ends; rest follows until `end`."""
        return self.out + self.tail

    @property
    def sides(self) -> tuple[str, ...]:
        """The active sides."""
        return SIDES if self.both else (self.side,)

    @property
    def sign(self) -> float:
        """1 where the active side is the left one, else -1."""
        return SIGN[self.side]


class Score:
    """A motion in the writing.

    Attributes:
        times: (T,) s of the frames.
        base: What the whole body does.
        layer: Where keys go now: the base or an overlay.
        place: Footprint under the pelvis: where the figure stands and whereto it faces.
        feet: Current footprint of either foot.
        stance: Name of the posture at the end of what is written.
        low_side: The side of the knee on the ground, while kneeling: "l", "r" or "b".
        anchor: s, start of the action being written.
    """

    def __init__(self, frames: int, fps: float, rng: np.random.Generator) -> None:
        self.times = np.arange(frames) / fps
        self.fps = fps
        self.base = Layer()
        self.layer = self.base
        self.place = Footprint(0.0, 0.0, 0.0, 0.0)
        self.stance = "stand"
        self.low_side = "r"
        self.anchor = 0.0
        self.first = {
            side: Footprint(
                SIGN[side] * HIP_WIDTH + float(rng.uniform(-0.012, 0.02)) * SIGN[side],
                BALL_AHEAD + float(rng.uniform(-0.03, 0.03)),
                SIGN[side] * float(rng.uniform(4.0, 13.0)),
            )
            for side in SIDES
        }
        self.feet = dict(self.first)
        self.touched: set[str] = set()
        self._swings: dict[str, list[Swing]] = {side: [] for side in SIDES}
        self._overlays: list[tuple[Layer, float, float]] = []
        self._stepped: list[tuple[float, float, float]] = []

    def open(self, start: float) -> None:
        """Begin an action: channels hold what they have until `start` s."""
        self.anchor = start
        self.touched = set()

    def key(self, time: float, values: Mapping[str, float] | None = None, **more: float) -> None:
        """Set channels at a time, s."""
        for channel, value in {**(values or {}), **more}.items():
            self.layer.put(channel, time, value, self.anchor)
            self.touched.add(channel)

    def arm(self, time: float, side: str, arm: Arm) -> None:
        """Set one arm's pose at a time, s."""
        self.key(time, arm_values(side, arm))

    def limb(self, time: float, side: str, **values: float) -> None:
        """Set channels of one side at a time, s; names without prefix."""
        self.key(time, {f"{side}.{name}": value for name, value in values.items()})

    def last(self, channel: str) -> float:
        """The value of a channel's last key."""
        return self.layer.last(channel)[1]

    def unwind(self, channel: str) -> None:
        """Drop whole turns from an angle, so that nothing that follows turns them back."""
        self.layer.offsets[channel] = self.layer.offsets.get(channel, 0.0) + (
            360.0 * round(self.last(channel) / 360.0)
        )

    def wave(self, channel: str, curve: Floats) -> None:
        """Add a curve (T,) to a channel."""
        before = self.layer.waves.get(channel)
        self.layer.waves[channel] = curve if before is None else before + curve

    def world(self, ahead: float, left: float) -> tuple[float, float]:
        """World (x, z) m of a point seen from the place."""
        angle = np.radians(self.place.yaw)
        sine, cosine = float(np.sin(angle)), float(np.cos(angle))
        return (
            self.place.x + ahead * sine + left * cosine,
            self.place.z + ahead * cosine - left * sine,
        )

    def root(self, time: float, ahead: float = 0.0, left: float = 0.0, **values: float) -> None:
        """Put the pelvis over a point seen from the place; other channels as in `key`."""
        x, z = self.world(ahead, left)
        self.key(time, {"x": x, "z": z}, **values)

    def hand(
        self, time: float, side: str, ahead: float, left: float, up: float, *, weight: float = 1.0
    ) -> None:
        """Draw a wrist to a point seen from the place, up m above the ground."""
        x, z = self.world(ahead, left)
        self.limb(time, side, wx=x, wy=up, wz=z, ww=weight)

    def step(
        self,
        side: str,
        start: float,
        end: float,
        ahead: float = 0.0,
        left: float = 0.0,
        *,
        yaw: float = 0.0,
        lift: float = 0.09,
        height: float = GROUND,
        ballistic: bool = False,
    ) -> None:
        """Move a foot to a point seen from the place, from where a foot at ease stands."""
        x, z = self.world(BALL_AHEAD + ahead, SIGN[side] * HIP_WIDTH + left)
        there = Footprint(x, z, self.place.yaw + SIGN[side] * 8.0 + yaw, height)
        self.tread(side, Swing(start, end, there, lift, ballistic))

    def tread(self, side: str, swing: Swing) -> None:
        """Add a swing of a foot."""
        self._swings[side].append(swing)
        self.feet[side] = swing.to

    def offset(self, side: str) -> float:
        """How far (m) a foot is from where it stands at ease."""
        x, z = self.world(BALL_AHEAD, SIGN[side] * HIP_WIDTH)
        foot = self.feet[side]
        return float(np.hypot(foot.x - x, foot.z - z)) + abs(foot.y - GROUND)

    def move(self, ahead: float = 0.0, left: float = 0.0, turn: float = 0.0) -> None:
        """Shift the place, and turn it by degrees to the left."""
        x, z = self.world(ahead, left)
        self.place = Footprint(x, z, self.place.yaw + turn, 0.0)

    def begin_overlay(self, start: float, end: float) -> None:
        """Send what follows to a new layer that governs the upper body in this time, s."""
        self.layer = Layer()
        self._overlays.append((self.layer, start, end))

    def end_overlay(self) -> None:
        """Send what follows to the base again."""
        self.layer = self.base

    def stepped(self, start: float, end: float, beat: float) -> None:
        """Make the upper body move in stops and goes of `beat` s in this time."""
        self._stepped.append((start, end, beat))

    def channels(self, sigma: float = SIGMA) -> dict[str, Floats]:
        """All channels at the frames, overlays laid over, smoothed."""
        upper_times = self._upper_times()
        curves = self.base.curves((name for name in REST if name not in UPPER), self.times)
        curves |= self.base.curves((name for name in REST if name in UPPER), upper_times)
        for layer, start, end in self._overlays:
            self._lay_over(curves, layer, start, end, upper_times)
        table = np.stack(list(curves.values()))
        moving = np.ptp(table, axis=1) > 0.0
        table[moving] = smooth(table[moving], sigma * self.fps / 30.0)
        return dict(zip(curves, table, strict=True))

    def _lay_over(
        self, curves: dict[str, Floats], layer: Layer, start: float, end: float, times: Floats
    ) -> None:
        weight = window(self.times, start, end, 0.35)
        if start <= 1e-6:
            weight = np.maximum(weight, 0.0)
        written = {group(channel) for channel in (*layer.keys, *layer.waves)}
        laid = [channel for channel in REST if channel in UPPER and group(channel) in written]
        for channel, curve in layer.curves(laid, times).items():
            keep = 1.0 if channel in TRUNK else 1.0 - weight
            curves[channel] = keep * curves[channel] + weight * curve

    def _upper_times(self) -> Floats:
        times = self.times
        for start, end, beat in self._stepped:
            share = (self.times - start) / beat
            whole = np.floor(share)
            warped = start + beat * (whole + minimum_jerk((share - whole) * 1.45))
            inside = (self.times >= start) & (self.times < end)
            times = np.where(inside, warped, times)
        return times

    def tracks(self) -> dict[str, Feet]:
        """Both feet at the frames."""
        return {
            side: track(self.first[side], settle(self._swings[side], 2.0 / self.fps), self.times)
            for side in SIDES
        }
