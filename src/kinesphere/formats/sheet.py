"""A contact sheet: a motion's poses side by side in one PNG picture."""

import io
from bisect import bisect_right
from functools import lru_cache
from typing import Final

import numpy as np
from PIL import Image, ImageDraw, ImageFilter, ImageFont

from kinesphere.formats.clip import Clip, Floats, forward
from kinesphere.formats.mannequin import LEFT, RIGHT, Body, body_of, paint

CELL: Final = (208, 300)
"""Pixels of one pose, width and greatest height."""
STAMP: Final = 30
"""Pixels under a pose for its time."""
HEADER: Final = 46
"""Pixels over the poses for title and legend."""
MARGIN: Final = 12
SUPERSAMPLED: Final = 3
GRID: Final = 0.5
"""Metres between the lines on the ground."""
LINE: Final = 1.2
"""Pixels of width of a line on the ground."""
INK: Final = (52, 54, 62)
FAINT: Final = (128, 131, 140)
MOST_CELLS: Final = 96
FURTHEST: Final = 1e6
"""Metres from the origin; beyond, a pixel of ground is finer than its numbers."""

Font = ImageFont.FreeTypeFont | ImageFont.ImageFont

_CJK_FONTS: Final = (
    "NotoSansCJK-Regular.ttc",
    "NotoSansSC-Regular.otf",
    "SourceHanSansSC-Regular.otf",
    "wqy-microhei.ttc",
    "wqy-zenhei.ttc",
    "DroidSansFallbackFull.ttf",
    "PingFang.ttc",
    "Hiragino Sans GB.ttc",
    "msyh.ttc",
    "simhei.ttf",
)


def contact_sheet(
    clip: Clip,
    *,
    columns: int = 8,
    rows: int = 1,
    title: str = "",
    azimuth: float = -40.0,
    elevation: float = 14.0,
    trails: bool = False,
) -> bytes:
    """Draw a motion as a sheet of poses, evenly spaced in time, the first and last included.

    Left limbs are blue and right ones orange. Each cell follows the figure over a grid of
    half a metre; all cells have one scale, so that the largest pose fits.

    Args:
        clip: Finite, at least one frame, of any skeleton.
        columns: Poses a row.
        rows: Rows, read like a page.
        title: Written above, in as many of its characters as the fonts at hand can show: Chinese
            needs one of the usual Chinese fonts on the system.
        azimuth: Degrees by which the eye is to the left of a figure that faces +Z.
        elevation: Degrees by which it looks down, 1 to 90.
        trails: Whether to draw the hands' paths since the pose before.

    Returns:
        A PNG file.

    Raises:
        ValueError: No frame, a joint 1,000 km away or not finite, no or too many cells, or
            an eye that does not look down.
    """
    if columns < 1 or rows < 1 or columns * rows > MOST_CELLS:
        raise ValueError(f"a sheet has 1 to {MOST_CELLS} cells, not {columns} x {rows}")
    if not 1.0 <= elevation <= 90.0:
        raise ValueError(f"a sheet is drawn from 1 to 90 degrees above, not {elevation}")
    positions, rotations = forward(clip)
    if clip.frames < 1 or not (np.abs(positions) < FURTHEST).all():
        raise ValueError("a clip without frames, or not finite, cannot be drawn")
    cells = min(columns * rows, clip.frames)
    chosen = np.round(np.linspace(0, clip.frames - 1, cells)).astype(int)
    columns = min(columns, cells)
    body = body_of(clip.skeleton)
    ends = np.stack([body.posed(positions[t], rotations[t]) for t in chosen])
    view = _view(azimuth, elevation)
    centres = positions[chosen, 0] * [1.0, 0.0, 1.0]
    framing = _Framing(view, ends - centres[:, None, None], body)
    rows = -(-cells // columns)
    pitch = framing.height + STAMP
    size = (2 * MARGIN + columns * CELL[0], HEADER + rows * pitch + MARGIN)
    sheet = Image.new("RGB", size, "white")
    hands = [j for j, name in enumerate(clip.skeleton.names) if name in ("L_Wrist", "R_Wrist")]
    for cell, frame in enumerate(chosen):
        since = chosen[max(cell - 1, 0)]
        paths = positions[since : frame + 1][:, hands] if trails else positions[:0, hands]
        corner = (MARGIN + cell % columns * CELL[0], HEADER + cell // columns * pitch)
        sheet.paste(_cell(framing, ends[cell], body, centres[cell], paths), corner)
        middle = (corner[0] + CELL[0] / 2, corner[1] + framing.height + 6)
        stamp = f"{frame / clip.fps:.2f} s"
        ImageDraw.Draw(sheet).text(middle, stamp, FAINT, _font(15), anchor="mt")
    _header(sheet, title)
    png = io.BytesIO()
    sheet.save(png, "PNG")
    return png.getvalue()


def _view(azimuth: float, elevation: float) -> Floats:
    """(3, 3) world to eye: right, up and towards the eye."""
    a, e = np.radians([azimuth, elevation])
    towards = np.array([np.cos(e) * np.sin(a), np.sin(e), np.cos(e) * np.cos(a)])
    right = np.array([np.cos(a), 0.0, -np.sin(a)])
    return np.stack([right, np.cross(towards, right), towards])


class _Framing:
    """The projection shared by all cells: parallel, one scale, the origin's place in a cell."""

    def __init__(self, view: Floats, ends: Floats, body: Body) -> None:
        seen = ends @ view.T
        half = max(1e-3, float((np.abs(seen[..., 0]) + body.radii).max()))
        top = max(0.5 * half, float((seen[..., 1] + body.radii).max()))
        # The ground needs room in front of the feet, to be seen as a plane.
        room = 0.095 * max(top, half)
        bottom = min(-room, float((seen[..., 1] - body.radii).min()) - 0.2 * room)
        width, height = (side * SUPERSAMPLED for side in CELL)
        self.view = view
        self.scale = min(0.94 * width / (2.0 * half), 0.97 * height / (top - bottom))
        # Wide poses leave no empty paper above.
        self.height = min(CELL[1], int(np.ceil((top - bottom) * self.scale / SUPERSAMPLED / 0.97)))
        height = self.height * SUPERSAMPLED
        self.size = (width, height)
        self.origin = np.array([width / 2.0, height + bottom * self.scale])

    def project(self, points: Floats) -> Floats:
        """Points (..., 3) m around the cell's centre to pixels: right, down, towards the eye."""
        seen = points @ self.view.T * self.scale
        return np.stack(
            (self.origin[0] + seen[..., 0], self.origin[1] - seen[..., 1], seen[..., 2]), axis=-1
        )

    def ground(self, above: int) -> tuple[Floats, Floats]:
        """What is seen of the plane y = 0 under the first `above` rows of a cell.

        Returns:
            For each pixel its x and z, (H, W, 2) m, and the change of both along a row and down a
            column, (2, 2) m a pixel.
        """
        # Of a point on the ground the eye's up axis sees only the horizontal part.
        flat = self.view[:2][:, [0, 2]] * np.array([[self.scale], [-self.scale]])
        steps = np.linalg.inv(flat).T
        width, height = self.size
        right = (np.arange(width) - self.origin[0])[None, :, None]
        down = (np.arange(above, height) - self.origin[1])[:, None, None]
        return right * steps[0] + down * steps[1], steps


def _cell(
    framing: _Framing, ends: Floats, body: Body, centre: Floats, paths: Floats
) -> Image.Image:
    picture = _ground(framing, centre)
    local = ends - centre
    picture *= 1.0 - 0.34 * _shadow(framing, local, body)[..., None]
    _trails(picture, framing, paths - centre)
    paint(picture, framing.project(local), body, framing.scale)
    big = Image.fromarray((picture * 255.0 + 0.5).astype(np.uint8))
    return big.resize((CELL[0], framing.height), Image.Resampling.BOX)


def _ground(framing: _Framing, centre: Floats) -> Floats:
    """White paper with the grid of the ground, fading away from the figure."""
    reach = 0.5 * framing.size[0] / framing.scale
    width, height = framing.size
    picture = np.ones((height, width, 3))
    above = max(0, int(framing.origin[1] - reach * framing.scale * framing.view[2, 1]))
    points, steps = framing.ground(above)
    fade = np.clip(1.0 - (points**2).sum(axis=-1) / reach**2, 0.0, 1.0)
    lines = np.zeros(fade.shape)
    for axis, start in enumerate(centre[[0, 2]]):
        distance = np.abs((points[..., axis] + start + GRID / 2) % GRID - GRID / 2)
        pixels = distance / np.linalg.norm(steps[:, axis])
        lines = np.maximum(lines, np.clip(LINE * SUPERSAMPLED / 2 + 0.5 - pixels, 0.0, 1.0))
    tone = 1.0 - fade * (0.045 + 0.19 * lines)
    picture[above:] = tone[..., None]
    return picture


def _shadow(framing: _Framing, ends: Floats, body: Body) -> Floats:
    """Soft shadow (H, W) 0 to 1 of light from straight above, fainter the higher the part."""
    width, height = framing.size
    small = 3
    mask = Image.new("L", (width // small, height // small))
    draw = ImageDraw.Draw(mask)
    feet = framing.project(ends * [1.0, 0.0, 1.0]) / small
    order = np.argsort(-ends[..., 1].mean(axis=1))
    for cone in order:
        tone = int(255 * np.clip(1.0 - 0.38 * ends[cone, :, 1].mean(), 0.25, 1.0))
        radius = float(body.radii[cone].mean()) * framing.scale / small
        a, b = feet[cone, 0, :2], feet[cone, 1, :2]
        for t in np.linspace(0.0, 1.0, 12):
            x, y = a + t * (b - a)
            flat = radius * abs(framing.view[1, 1] - 1.0) ** 0.5
            draw.ellipse((x - radius, y - flat, x + radius, y + flat), fill=tone)
    soft = mask.filter(ImageFilter.GaussianBlur(0.022 * framing.scale / small))
    return np.asarray(soft.resize(framing.size, Image.Resampling.BILINEAR)) / 255.0


def _trails(picture: Floats, framing: _Framing, paths: Floats) -> None:
    """Draw the hands' paths (T, 2, 3) m, stronger towards the present."""
    layer = Image.fromarray((picture * 255.0 + 0.5).astype(np.uint8))
    draw = ImageDraw.Draw(layer)
    for hand, colour in zip(range(paths.shape[1]), (LEFT, RIGHT), strict=False):
        dots = framing.project(paths[:, hand])[:, :2]
        for t in range(len(dots) - 1):
            strength = 0.15 + 0.45 * (t + 1) / len(dots)
            tint = tuple(int(255 - strength * (255 - c)) for c in colour)
            draw.line([tuple(dots[t]), tuple(dots[t + 1])], tint, 2 * SUPERSAMPLED)
    if paths.shape[0] > 1:
        picture[:] = np.asarray(layer) / 255.0


def _dot(colour: tuple[int, int, int], size: int) -> Image.Image:
    big = Image.new("RGB", (8 * size, 8 * size), "white")
    ImageDraw.Draw(big).ellipse((0, 0, 8 * size - 1, 8 * size - 1), fill=colour)
    return big.resize((size, size), Image.Resampling.BOX)


def _header(sheet: Image.Image, title: str) -> None:
    draw = ImageDraw.Draw(sheet)
    middle = HEADER // 2 + 2
    x = sheet.width - MARGIN - 8.0
    for label, colour in (("right", RIGHT), ("left", LEFT)):
        draw.text((x, middle), label, FAINT, _font(15), anchor="rm")
        x -= draw.textlength(label, _font(15)) + 18.0
        sheet.paste(_dot(colour, 12), (int(x), middle - 6))
        x -= 16.0
    text, font = _showable(title.strip(), 21)
    room = x - 2 * MARGIN - 8
    if draw.textlength(text, font) > room:
        lengths = range(len(text))
        fits = bisect_right(lengths, room, key=lambda n: draw.textlength(text[:n] + "…", font))
        text = text[: max(0, fits - 1)].rstrip() + "…"
    draw.text((MARGIN + 8, middle), text, INK, font, anchor="lm")


@lru_cache(maxsize=8)
def _font(size: int) -> Font:
    return ImageFont.load_default(size)


@lru_cache(maxsize=2)
def _cjk_font(size: int) -> Font | None:
    for name in _CJK_FONTS:
        try:
            return ImageFont.truetype(name, size)
        except OSError:
            continue
    return None


def _showable(text: str, size: int) -> tuple[str, Font]:
    """The text as far as a font at hand can show it, and that font."""
    font = _font(size)
    if not all(_has(font, character) for character in set(text)):
        font = _cjk_font(size) or font
    lacking = {character for character in set(text) if not _has(font, character)}
    shown = "".join(character for character in text if character not in lacking)
    return " ".join(shown.split()), font


def _has(font: Font, character: str) -> bool:
    # A font draws the same box for every character that it lacks; U+FFFFE is one that all lack.
    missing, glyph = font.getmask("\U000ffffe"), font.getmask(character)
    return character.isspace() or glyph.size != missing.size or bytes(glyph) != bytes(missing)
