"""A comparison as one PNG: what each policy paid for, over the time of the trace."""

import itertools
from collections.abc import Sequence
from io import BytesIO
from typing import Final

from PIL import Image, ImageDraw, ImageFont

from kinesphere.elastic.simulator.comparison import Compared
from kinesphere.elastic.simulator.measures import curve
from kinesphere.elastic.simulator.page import BINS, arrivals_in_bins

WIDTH: Final = 1200
ROW: Final = 150
LEFT: Final = 50
TOP: Final = 34
INK: Final = (28, 35, 48)
DIM: Final = (107, 116, 132)
LINE: Final = (215, 220, 228)
PAID: Final = (157, 183, 232)
READY: Final = (42, 95, 196)
JOBS: Final = (217, 138, 43)


def png(lines: Sequence[Compared]) -> bytes:
    """The picture's bytes: a row for each line, on one scale of replicas."""
    image = Image.new("RGB", (WIDTH, max(ROW * len(lines), 1)), (255, 255, 255))
    draw = ImageDraw.Draw(image)
    most = max([line.measures.replicas_max for line in lines] + [1])
    for row, line in enumerate(lines):
        _row(draw, row * ROW, line, most)
    out = BytesIO()
    image.save(out, "PNG")
    return out.getvalue()


def _row(draw: ImageDraw.ImageDraw, top: int, line: Compared, most: int) -> None:
    m, end = line.measures, line.result.ended
    base, height = top + ROW - 10, ROW - TOP - 10

    def x(at: float) -> float:
        return LEFT + (WIDTH - LEFT - 10) * at / end

    def y(share: float) -> float:
        return base - height * share

    told = (
        f"{line.label}: {m.met:.1%} of deadlines met, {m.gpu_hours:.1f} GPU-hours, "
        f"{m.starts_per_hour:.1f} starts an hour"
    )
    draw.text((LEFT, top + 8), told, fill=INK, font=ImageFont.load_default(15))
    paid = [*curve(line.result), (end, 0)]
    for (began, n), (ended, _) in itertools.pairwise(paid):
        if n:
            draw.rectangle((x(began), y(n / most), x(ended), base), fill=PAID)
    for n in sorted({0, (most + 1) // 2, most}):
        draw.line((LEFT, y(n / most), WIDTH - 10, y(n / most)), fill=LINE)
        draw.text((LEFT - 22, y(n / most) - 7), str(n), fill=DIM, font=ImageFont.load_default(12))
    ready = [*curve(line.result, ready=True), (end, 0)]
    for (began, n), (ended, after) in itertools.pairwise(ready):
        draw.line((x(began), y(n / most), x(ended), y(n / most)), fill=READY)
        draw.line((x(ended), y(n / most), x(ended), y(after / most)), fill=READY)
    counts = arrivals_in_bins(line.result)
    peak = max([*counts, 1])
    points = [(x((i + 0.5) * end / BINS), y(0.9 * n / peak)) for i, n in enumerate(counts)]
    draw.line(points, fill=JOBS)
