"""The formats in which a motion can be written, by name."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib import import_module
from types import MappingProxyType
from typing import Final, cast

from kinesphere.formats.clip import Clip


class BadClip(ValueError):
    """A clip that cannot be written, or bytes that are no clip.

    Attributes:
        line: Of the fault in a text, from 1; None where no line is at fault.
    """

    def __init__(self, message: str, line: int | None = None) -> None:
        super().__init__(message if line is None else f"line {line}: {message}")
        self.line = line


@dataclass(frozen=True, slots=True)
class MotionFormat:
    """One format; its codec is imported when it is first used.

    Attributes:
        name: As callers choose it, in lower case.
        media_type: For HTTP; of these formats GLB alone has a registered one.
        extension: Of files, with the dot.
        codec: Module with `encode`, and `decode` where it can be read.
        readable: Whether it can be read.
    """

    name: str
    media_type: str
    extension: str
    codec: str
    readable: bool

    def encode(self, clip: Clip) -> bytes:
        """Write a clip; the same clip always gives the same bytes.

        Raises:
            BadClip: The format cannot hold the clip.
        """
        return cast("bytes", import_module(self.codec).encode(clip))

    @property
    def decode(self) -> Callable[[bytes], Clip] | None:
        """Reader of the format, None where there is none; raises `BadClip` for other bytes."""
        if not self.readable:
            return None
        return cast("Callable[[bytes], Clip]", import_module(self.codec).decode)


MOTION_FORMATS: Final[Mapping[str, MotionFormat]] = MappingProxyType(
    {
        each.name: each
        for each in (
            MotionFormat("bvh", "application/x-bvh", ".bvh", "kinesphere.formats.bvh", True),
            MotionFormat(
                "fbx", "application/octet-stream", ".fbx", "kinesphere.formats.fbx", False
            ),
            MotionFormat("glb", "model/gltf-binary", ".glb", "kinesphere.formats.glb", True),
            MotionFormat("npz", "application/x-npz", ".npz", "kinesphere.formats.npz", True),
        )
    }
)
