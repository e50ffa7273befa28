"""Poses as the Virtual Motion Capture protocol has them: Open Sound Control over UDP, for Unity.

Unity's axes are left-handed: our x becomes -x, and a turn (x, y, z, w) becomes (x, -y, -z, w).
Bones have Unity's names for a humanoid. A VRM 0 model in its T-pose has no rotation in any bone,
as our figure has none, so ours are its local rotations as they are.

The root carries how far the hips are from where they rest. So a receiver that takes positions of
bones shows the same as one that takes their rotations alone, which those with another model do.

Sources: https://protocol.vmc.info/marionette-spec, Open Sound Control 1.0.
"""

import struct
from collections.abc import Iterator, Sequence
from typing import Final

from kinesphere.formats.frames import Frame

BONES: Final = {
    "Pelvis": "Hips",
    "Spine1": "Spine", "Spine2": "Chest", "Spine3": "UpperChest", "Neck": "Neck", "Head": "Head",
    "L_Hip": "LeftUpperLeg", "L_Knee": "LeftLowerLeg", "L_Ankle": "LeftFoot", "L_Foot": "LeftToes",
    "R_Hip": "RightUpperLeg", "R_Knee": "RightLowerLeg", "R_Ankle": "RightFoot",
    "R_Foot": "RightToes",
    "L_Collar": "LeftShoulder", "L_Shoulder": "LeftUpperArm", "L_Elbow": "LeftLowerArm",
    "L_Wrist": "LeftHand",
    "R_Collar": "RightShoulder", "R_Shoulder": "RightUpperArm", "R_Elbow": "RightLowerArm",
    "R_Wrist": "RightHand",
}  # fmt: skip
"""Unity's HumanBodyBones of our joints."""

DATAGRAM: Final = 1_400
"""Bytes of a datagram: Ethernet's 1,500 less the headers, with room for a tunnel's."""

# OSC 1.0: "immediately".
_BUNDLE: Final = b"#bundle\0" + struct.pack(">Q", 1)

Vector = tuple[float, float, float]


class Performer:
    """Writes the frames of one figure as datagrams.

    Args:
        names: Joints of the figure; those that Unity has no bone for are left out.
        offsets: m from the parent's joint in the T-pose, the root's from the ground.
    """

    def __init__(self, names: Sequence[str], offsets: Sequence[Vector]) -> None:
        self._bones = [
            (joint, _bone(BONES[name]), _mirrored(offsets[joint]))
            for joint, name in enumerate(names)
            if name in BONES
        ]
        self._rest = offsets[0]
        self._root = b"/VMC/Ext/Root/Pos\0\0\0,sfffffff\0\0\0root\0\0\0\0"

    def datagrams(self, frame: Frame, seconds: float) -> list[bytes]:
        """A frame, sent `seconds` after the first, as bundles of OSC messages."""
        return list(_bundled(self._messages(frame, seconds)))

    def _messages(self, frame: Frame, seconds: float) -> Iterator[bytes]:
        yield b"/VMC/Ext/OK\0,i\0\0" + struct.pack(">i", 1)
        yield b"/VMC/Ext/T\0\0,f\0\0" + struct.pack(">f", seconds)
        x, y, z = (here - rest for here, rest in zip(frame.root, self._rest, strict=True))
        yield self._root + struct.pack(">7f", -x, y, z, 0.0, 0.0, 0.0, 1.0)
        for joint, head, place in self._bones:
            x, y, z, w = frame.turns[4 * joint : 4 * joint + 4]
            yield head + struct.pack(">7f", *place, x, -y, -z, w)


def _bone(name: str) -> bytes:
    """All of a bone's message but its numbers."""
    return _text("/VMC/Ext/Bone/Pos") + _text(",sfffffff") + _text(name)


def _text(text: str) -> bytes:
    data = text.encode("ascii") + b"\0"
    return data + bytes(-len(data) % 4)


def _mirrored(place: Vector) -> Vector:
    return -place[0], place[1], place[2]


def _bundled(messages: Iterator[bytes]) -> Iterator[bytes]:
    """Bundles of as many messages as a datagram holds."""
    bundle = _BUNDLE
    for message in messages:
        element = struct.pack(">i", len(message)) + message
        if len(bundle) + len(element) > DATAGRAM:
            yield bundle
            bundle = _BUNDLE
        bundle += element
    yield bundle
