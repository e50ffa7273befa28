"""How well relief finds the object in photographs: intersection over union with the true mask.

`python -m benchmarks.cutouts [FOLDER]`; with a folder, contact sheets of what was found are put
there.
"""

import sys
import time
from pathlib import Path

import numpy as np
from PIL import Image
from tests.engines.relief.scenes import CUT_OUTS, Scene, overlap, scenes
from tests.engines.relief.scenes import cut_out as own

from kinesphere.engines.relief.cutout import NoObject, cut_out
from kinesphere.formats.picture import decode

MOST_PIXELS = 10_000_000
TILE = 200


def found(scene: Scene) -> tuple[float, str, Image.Image]:
    """The overlap, a line about it, and the picture with what was not found darkened."""
    picture = decode(scene.data, MOST_PIXELS)
    begun = time.perf_counter()
    tile = Image.fromarray(np.ascontiguousarray(picture.pixels[..., :3]))
    try:
        cutout = cut_out(picture, None)
    except NoObject as nothing:
        tile.thumbnail((TILE, TILE))
        return 0.0, f"{scene.name:28} 0.000  refused: {nothing}", tile
    taken = time.perf_counter() - begun
    share = overlap(cutout.mask, scene.mask)
    mask = Image.fromarray(cutout.mask).resize(tile.size)
    dark = Image.blend(tile, Image.new("RGB", tile.size, (0, 0, 120)), 0.75)
    tile = Image.composite(tile, dark, mask)
    tile.thumbnail((TILE, TILE))
    line = f"{scene.name:28} {share:.3f}  {cutout.confidence:.2f}  {cutout.method:10} {taken:.2f} s"
    return share, line, tile


def measured(title: str, chosen: list[Scene], folder: Path | None) -> None:
    """Print every overlap and their mean."""
    results = [found(scene) for scene in chosen]
    print(f"## {title}", *(line for _, line, _ in results), sep="\n")
    shares = np.array([share for share, _, _ in results])
    print(f"mean {shares.mean():.3f}, median {np.median(shares):.3f}, least {shares.min():.3f}\n")
    if folder is not None:
        sheet = Image.new("RGB", (8 * TILE, TILE * -(-len(results) // 8)))
        for index, (_, _, tile) in enumerate(results):
            sheet.paste(tile, (index % 8 * TILE, index // 8 * TILE))
        sheet.save(folder / f"{title.replace(' ', '_')}.png")


if __name__ == "__main__":
    where = Path(sys.argv[1]) if sys.argv[1:] else None
    everything = list(scenes())
    measured("whole photographs", [s for s in everything if " on " not in s.name], where)
    measured("on backdrops", [s for s in everything if " on " in s.name], where)
    measured("with alpha", [own(name) for name in CUT_OUTS], where)
