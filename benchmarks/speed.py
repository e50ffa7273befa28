"""How long the embedded engines compute: processor time of one process, on one core.

A prompt to BVH is read, played, judged and written as a replica does it; a picture before a plain
backdrop becomes a textured GLB of about 20,000 points, and is judged. Each figure is the processor
time (and beside it the wall's) of one run, the least and the median of `--repeat` runs: on a busy
machine the least says what the work costs. JSON to standard output.

    OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 python benchmarks/speed.py [--repeat 20]
"""

import argparse
import io
import json
import platform
import statistics
import time
from collections.abc import Callable
from typing import Any

import cv2
import numpy as np
from PIL import Image

from kinesphere.engines.choreo.player import play
from kinesphere.engines.choreo.reading import read
from kinesphere.engines.relief.cutout import cut_out
from kinesphere.engines.relief.modelling import modelled
from kinesphere.engines.relief.painting import painted
from kinesphere.formats import bvh, mesh_glb
from kinesphere.formats.mesh import Mesh
from kinesphere.formats.picture import decode
from kinesphere.quality import judge
from kinesphere.quality.mesh import judge_mesh

PROMPTS = (
    "a tired man walks in a circle, then waves twice",
    "一个舞者旋转跳跃后单膝跪地",
    "she runs forward, jumps and bows",
    "挥手",
)
PIXELS = 1024

Times = dict[str, list[tuple[float, float]]]


def timed(found: Times, name: str, work: Callable[[], Any]) -> Any:
    """What `work` gives; its processor and wall time are noted."""
    wall, cpu = time.perf_counter(), time.process_time()
    made = work()
    spent = 1e3 * (time.process_time() - cpu), 1e3 * (time.perf_counter() - wall)
    found.setdefault(name, []).append(spent)
    return made


def motion(found: Times, prompt: str, seed: int) -> None:
    """One clip of 5 s, as a replica of choreo makes it."""

    def whole() -> None:
        parts: Times = found
        script = timed(parts, "read", lambda: read(prompt))
        clip = timed(parts, "play", lambda: play(script, 5.0, seed))
        timed(parts, "judge", lambda: judge(clip))
        timed(parts, "write BVH", lambda: bvh.encode(clip))

    timed(found, "text to BVH", whole)


def vase() -> bytes:
    """A picture of a lit vase before a plain backdrop, PNG."""
    y, x = np.mgrid[-1 : 1 : PIXELS * 1j, -1 : 1 : PIXELS * 1j]
    radius = 0.42 + 0.16 * np.sin(3.2 * y + 0.6)
    inside = (np.abs(x) < radius) & (np.abs(y) < 0.85)
    light = 0.55 + 0.45 * np.sqrt(np.maximum(0.0, 1.0 - ((x / radius + 0.35) / 1.4) ** 2))
    stripes = 1.0 - 0.25 * (np.sin(22.0 * y) > 0.4)
    pixels = np.full((PIXELS, PIXELS, 3), 236.0)
    pixels[inside] = ((light * stripes)[..., None] * [176.0, 74.0, 52.0])[inside]
    file = io.BytesIO()
    Image.fromarray(pixels.astype(np.uint8)).save(file, "PNG")
    return file.getvalue()


def textured(picture: bytes) -> Mesh:
    """The mesh of a picture, as relief makes it by itself."""
    seen = decode(picture, 64_000_000)
    cutout = cut_out(seen)
    model = modelled(cutout, None)
    return painted(model.mesh, seen, cutout, model.projection)


def mesh(found: Times, picture: bytes) -> int:
    """One mesh, as replicas of relief's two stages make it; how many points it has."""
    points = 0

    def whole() -> None:
        nonlocal points
        seen = timed(found, "decode", lambda: decode(picture, 64_000_000))
        cutout = timed(found, "cut out", lambda: cut_out(seen))
        model = timed(found, "shape", lambda: modelled(cutout, None))
        textured = timed(
            found, "paint", lambda: painted(model.mesh, seen, cutout, model.projection)
        )
        timed(found, "judge", lambda: judge_mesh(textured))
        timed(found, "write GLB", lambda: mesh_glb.encode(textured))
        points = len(model.mesh.vertices)

    timed(found, "picture to GLB", whole)
    return points


def summed(found: Times) -> dict[str, dict[str, float]]:
    """Milliseconds of each part."""
    return {
        name: {
            "cpu_least_ms": round(min(cpu for cpu, _ in times), 2),
            "cpu_median_ms": round(statistics.median(cpu for cpu, _ in times), 2),
            "wall_median_ms": round(statistics.median(wall for _, wall in times), 2),
        }
        for name, times in found.items()
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeat", type=int, default=20)
    repeat = parser.parse_args().repeat
    cv2.setNumThreads(1)
    motions: dict[str, Times] = {prompt: {} for prompt in PROMPTS}
    meshes: Times = {}
    picture, points = vase(), 0
    for warm in (True, False):
        for times in motions.values():
            times.clear()
        meshes.clear()
        for number in range(2 if warm else repeat):
            for prompt, times in motions.items():
                motion(times, prompt, number)
            if number % 4 == 0:
                points = mesh(meshes, picture)
    report = {
        "machine": {"python": platform.python_version(), "numpy": np.__version__},
        "motion, 5 s": {prompt: summed(times) for prompt, times in motions.items()},
        "mesh": {"points": points, **summed(meshes)},
    }
    print(json.dumps(report, indent=2, ensure_ascii=False))


if __name__ == "__main__":
    main()
