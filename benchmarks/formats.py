"""Times writing and reading BVH here against pybvh and bvhio, in one run; JSON to standard output.

All write to and read from a file in memory (/dev/shm where there is one), since the other two
take paths only. "From matrices" starts and "to matrices" ends with rotation matrices, which a
generator makes and a viewer needs; kinesphere always does. The clip is 150 frames of 22 joints.
Each figure is over `--repeat` runs, the candidates taking turns, so that a busy machine slows all
of them alike.
"""

import argparse
import json
import platform
import statistics
import tempfile
import warnings
from collections.abc import Callable
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np
import pybvh
from scipy.spatial.transform import Rotation

from kinesphere.formats import bvh, npz
from kinesphere.formats.clip import JOINT_NAMES, Clip
from kinesphere.formats.sheet import contact_sheet
from kinesphere.quality import judge

with warnings.catch_warnings():
    # bvhio imports PyGLM under its former name.
    warnings.simplefilter("ignore", PendingDeprecationWarning)
    import bvhio

FRAMES = 150


def motion() -> Clip:
    """Every joint swings by up to 30 degrees; the root walks."""
    draw = np.random.default_rng(0)
    time = np.arange(FRAMES)[:, None, None] / 30.0
    rates, phases = draw.uniform(1.0, 5.0, (2, 1, len(JOINT_NAMES), 3))
    angles = 30.0 * np.sin(rates * time + phases)
    turns = Rotation.from_euler("ZXY", angles.reshape(-1, 3), degrees=True).as_matrix()
    path = np.linspace([0.0, 0.96, 0.0], [0.0, 0.96, 6.0], FRAMES)
    return Clip(path, turns.reshape(FRAMES, -1, 3, 3))


def alternate(runs: dict[str, Callable[[], Any]], repeat: int) -> dict[str, dict[str, float]]:
    """Milliseconds of each candidate: median and best of `repeat` runs in turns."""
    for run in runs.values():
        run()
    times: dict[str, list[float]] = {name: [] for name in runs}
    for _ in range(repeat):
        for name, run in runs.items():
            start = perf_counter()
            run()
            times[name].append(1e3 * (perf_counter() - start))
    return {
        name: {"median_ms": round(statistics.median(all_), 3), "best_ms": round(min(all_), 3)}
        for name, all_ in times.items()
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeat", type=int, default=30)
    repeat = parser.parse_args().repeat
    clip = motion()
    memory = Path("/dev/shm")
    with tempfile.TemporaryDirectory(dir=memory if memory.is_dir() else None) as folder:
        ours = Path(folder) / "ours.bvh"
        ours.write_bytes(bvh.encode(clip))
        target = Path(folder) / "written.bvh"
        by_pybvh = pybvh.read_bvh_file(ours, world_up="+y")
        places, turns = by_pybvh.to_rotmat()
        by_bvhio = bvhio.readAsBvh(str(ours))
        archive = npz.encode(clip)
        report = {
            "machine": {"python": platform.python_version(), "numpy": np.__version__},
            "clip": {"frames": FRAMES, "joints": len(JOINT_NAMES), "repeat": repeat},
            "bvh_write": alternate(
                {
                    "kinesphere": lambda: target.write_bytes(bvh.encode(clip)),
                    "pybvh, from angles": lambda: pybvh.write_bvh_file(by_pybvh, target),
                    "pybvh, from matrices": lambda: pybvh.write_bvh_file(
                        by_pybvh.from_rotmat(places, turns), target
                    ),
                    "bvhio, from poses": lambda: bvhio.writeBvh(str(target), by_bvhio),
                },
                repeat,
            ),
            "bvh_read": alternate(
                {
                    "kinesphere": lambda: bvh.decode(ours.read_bytes()),
                    "pybvh, to angles": lambda: pybvh.read_bvh_file(ours, world_up="+y"),
                    "pybvh, to matrices": lambda: pybvh.read_bvh_file(
                        ours, world_up="+y"
                    ).to_rotmat(),
                    "bvhio, to poses": lambda: bvhio.readAsBvh(str(ours)),
                },
                repeat,
            ),
            "alone": alternate(
                {
                    "npz_write": lambda: npz.encode(clip),
                    "npz_read": lambda: npz.decode(archive),
                    "judge": lambda: judge(clip),
                    "contact_sheet_8": lambda: contact_sheet(clip),
                },
                max(3, repeat // 5),
            ),
        }
    print(json.dumps(report, indent=2))


if __name__ == "__main__":
    main()
