"""Pictures of one simple object, drawn by the tests: right ones and every kind of wrong one."""

import io
import struct
import zlib
from typing import Any

import numpy as np
from PIL import Image, ImageDraw

SIDE = 256


def mug(side: int = SIDE) -> Image.Image:
    """A blue mug with a handle on white."""
    picture = Image.new("RGB", (side * 2, side * 2), "white")
    draw = ImageDraw.Draw(picture)
    unit = side * 2 / 100
    draw.ellipse(
        [55 * unit, 35 * unit, 85 * unit, 70 * unit], outline=(30, 60, 150), width=int(7 * unit)
    )
    draw.rounded_rectangle(
        [20 * unit, 22 * unit, 68 * unit, 82 * unit], 6 * unit, fill=(40, 80, 190)
    )
    draw.rectangle([20 * unit, 45 * unit, 68 * unit, 52 * unit], fill=(240, 200, 60))
    return picture.resize((side, side), Image.Resampling.LANCZOS)


def encoded(picture: Image.Image, form: str = "PNG", **options: Any) -> bytes:
    """The picture as a file."""
    file = io.BytesIO()
    picture.save(file, form, **options)
    return file.getvalue()


def png(side: int = SIDE) -> bytes:
    """The mug as a PNG file."""
    return encoded(mug(side))


def jpeg(**options: Any) -> bytes:
    """The mug as a JPEG file."""
    return encoded(mug(), "JPEG", quality=92, **options)


def cut_out() -> bytes:
    """The mug on nothing: a PNG whose alpha channel says where it is."""
    picture = mug().convert("RGBA")
    picture.putalpha(mask())
    return encoded(picture)


def mask(share: float = 1.0) -> Image.Image:
    """White where the mug is, of which only the left `share` of the picture counts."""
    inside = np.asarray(mug()).min(axis=2) < 235
    inside[:, int(share * SIDE) :] = False
    return Image.fromarray(np.where(inside, 255, 0).astype(np.uint8))


def turned() -> bytes:
    """The mug as a camera held sideways keeps it: turned, with the EXIF word that says so."""
    exif = Image.Exif()
    exif[0x0112] = 6
    return encoded(mug().transpose(Image.Transpose.ROTATE_90), "JPEG", quality=92, exif=exif)


def sixteen_bit() -> bytes:
    """A 16-bit grey PNG of the mug."""
    grey = np.asarray(mug().convert("L")).astype(np.uint16) * 257
    return encoded(Image.fromarray(grey))


def animated() -> bytes:
    """A WebP of two frames, the second brighter."""
    second = mug().point(lambda value: min(255, value + 40))
    return encoded(mug(), "WEBP", save_all=True, append_images=[second], duration=100)


def animated_gif() -> bytes:
    """A GIF of two frames."""
    second = mug().point(lambda value: min(255, value + 40))
    return encoded(mug(), "GIF", save_all=True, append_images=[second], duration=100)


def noise() -> bytes:
    """Nothing but noise."""
    return encoded(
        Image.fromarray(np.random.default_rng(7).integers(0, 256, (SIDE, SIDE, 3), np.uint8))
    )


def blank(colour: str = "white") -> bytes:
    """Nothing at all."""
    return encoded(Image.new("RGB", (SIDE, SIDE), colour))


def transparent() -> bytes:
    """A PNG of which nothing can be seen."""
    return encoded(Image.new("RGBA", (SIDE, SIDE), (40, 80, 190, 0)))


def chunk(kind: bytes, data: bytes) -> bytes:
    """One chunk of a PNG file."""
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def huge(width: int = 60_000, height: int = 60_000) -> bytes:
    """A small PNG file of so many pixels."""
    rows = zlib.compress(bytes(height * (width // 8 + 1)) if width * height < 10**9 else b"", 9)
    header = struct.pack(">IIBBBBB", width, height, 1, 0, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")
    )


def text_bomb() -> bytes:
    """A right PNG with 64 MB of text packed into 64 kB."""
    whole = png()
    text = b"Comment\0\0" + zlib.compress(bytes(64_000_000), 9)
    return whole[:33] + chunk(b"zTXt", text) + whole[33:]


SVG = b"""<?xml version="1.0"?>
<!DOCTYPE svg [<!ENTITY x SYSTEM "file:///etc/passwd">]>
<svg xmlns="http://www.w3.org/2000/svg" width="256" height="256"><text>&x;</text></svg>
"""
