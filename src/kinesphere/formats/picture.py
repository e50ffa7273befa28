"""Pictures that callers send: checked before they are decoded, and decoded to one form.

Nothing is believed but the bytes: the kind of file is told by its first bytes, its size by its
header, and what cannot be decoded to the end is refused.
"""

from dataclasses import dataclass
from io import BytesIO
from typing import Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageCms, ImageOps, UnidentifiedImageError

MEDIA_TYPES: Final = {"PNG": "image/png", "JPEG": "image/jpeg", "WEBP": "image/webp"}
"""The kinds that are read, by Pillow's names. Few, because each is a decoder to be trusted."""

SHORTEST_SIDE: Final = 16
LARGEST_PROFILE: Final = 4 << 20
_KINDS: Final = "a PNG, JPEG or WebP picture"

# Pillow warns of large pictures at a number of its own; `decode` looks at the caller's before.
Image.MAX_IMAGE_PIXELS = None


class BadPicture(ValueError):
    """A picture that is not taken. Reads as the end of a sentence that names the picture.

    Attributes:
        code: IMAGE_REJECTED or IMAGE_TOO_LARGE.
        allowed: What would be right.
    """

    def __init__(self, problem: str, allowed: str = _KINDS, code: str = "IMAGE_REJECTED") -> None:
        super().__init__(problem)
        self.code = code
        self.allowed = allowed


@dataclass(frozen=True, slots=True, eq=False)
class Picture:
    """A decoded picture.

    Attributes:
        pixels: (height, width, 4) uint8, sRGB with straight alpha, upright.
        media_type: Of the file.
        frames: Pictures in the file; the first was taken.
    """

    pixels: NDArray[np.uint8]
    media_type: str
    frames: int = 1

    @property
    def width(self) -> int:
        """Pixels from left to right."""
        return int(self.pixels.shape[1])

    @property
    def height(self) -> int:
        """Pixels from top to bottom."""
        return int(self.pixels.shape[0])


def decode(data: bytes, pixels: int) -> Picture:
    """The picture in `data`, which may have at most `pixels` pixels.

    Raises BadPicture.
    """
    try:
        with Image.open(BytesIO(data), formats=tuple(MEDIA_TYPES)) as image:
            kind = str(image.format)
            frames = int(getattr(image, "n_frames", 1))
            _check_size(image.width, image.height, pixels)
            image.load()
            upright = ImageOps.exif_transpose(_in_srgb(image))
            found = np.asarray(upright.convert("RGBA"))
    except UnidentifiedImageError:
        raise BadPicture(f"is not {_KINDS}") from None
    except BadPicture:
        raise
    except MemoryError:
        raise BadPicture("does not fit in memory", code="IMAGE_TOO_LARGE") from None
    except Exception as error:
        # Decoders of damaged files raise whatever they stumble over.
        raise BadPicture(f"is damaged: {type(error).__name__}") from error
    return Picture(found, MEDIA_TYPES[kind], frames)


def _check_size(width: int, height: int, pixels: int) -> None:
    if width * height > pixels:
        problem = f"has {width} x {height} pixels"
        raise BadPicture(problem, f"at most {pixels} pixels", "IMAGE_TOO_LARGE")
    if min(width, height) < SHORTEST_SIDE:
        problem = f"has only {width} x {height} pixels"
        raise BadPicture(problem, f"at least {SHORTEST_SIDE} pixels a side")


def _in_srgb(image: Image.Image) -> Image.Image:
    """The picture in 8 bits, in sRGB where it says what its colours are."""
    if image.mode.startswith(("I", "F")):
        # 16 bits of grey, which a plain conversion would cut off at 255.
        grey = np.asarray(image, dtype=np.float64)
        scale = 65_535.0 if grey.max(initial=0.0) > 255.0 else 255.0
        return _like(image, Image.fromarray((grey / scale * 255.0).round().astype(np.uint8)))
    profile = image.info.get("icc_profile")
    if not profile or len(profile) > LARGEST_PROFILE or image.mode not in ("RGB", "CMYK"):
        return image
    try:
        source = ImageCms.ImageCmsProfile(BytesIO(profile))
        turned = ImageCms.profileToProfile(
            image, source, ImageCms.createProfile("sRGB"), outputMode="RGB"
        )
    except (ImageCms.PyCMSError, OSError):
        # A damaged profile costs the colours' exactness, not the picture.
        return image
    return image if turned is None else _like(image, turned)


def _like(image: Image.Image, turned: Image.Image) -> Image.Image:
    """`turned` with what the file says of the picture's orientation."""
    turned.info["exif"] = image.info.get("exif", b"")
    return turned
