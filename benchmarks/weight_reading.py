"""How fast a file of weights is read: by plain reads, by its map, and by its map once announced.

    python benchmarks/weight_reading.py --gigabytes 4 --folder /tmp --out out/weight_reading.json

Before each run the file is put out of the page cache, so every run reads the disk. Where the
machine's storage has a cache below the system's own, the first run pays for the others: the order
turns from round to round, and the median counts.
"""

import argparse
import json
import mmap
import os
import statistics
import time
from pathlib import Path

from kinesphere.engines.gpu.reading import announce

READ = 1 << 20
PART = 16 << 20


def plain(path: Path) -> int:
    """Sequential reads into one buffer."""
    total, buffer = 0, bytearray(READ)
    with path.open("rb", buffering=0) as file:
        while count := file.readinto(buffer):
            total += count
    return total


def by_map(path: Path) -> int:
    """Copies out of the map, as a loader does to another place."""
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as whole:
        return sum(len(whole[start : start + READ]) for start in range(0, len(whole), READ))


def announced(path: Path) -> int:
    """The map of a file that the system was told of."""
    announce([path])
    return by_map(path)


def forget(path: Path) -> None:
    """Put the file out of the page cache."""
    with path.open("rb") as file:
        os.fsync(file.fileno())
        os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--gigabytes", type=float, default=4.0)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--folder", type=Path, default=Path("/tmp"))
    parser.add_argument("--out", type=Path)
    arguments = parser.parse_args()
    path = arguments.folder / "kinesphere-weights.bin"
    ways = {"plain": plain, "map": by_map, "announced": announced}
    try:
        block = os.urandom(PART)
        with path.open("wb") as file:
            for _ in range(int(arguments.gigabytes * 1e9) // PART):
                file.write(block)
        size = path.stat().st_size
        took: dict[str, list[float]] = {name: [] for name in ways}
        names = list(ways)
        for number in range(arguments.rounds):
            for name in names[number:] + names[:number]:
                forget(path)
                start = time.perf_counter()
                assert ways[name](path) == size
                took[name].append(time.perf_counter() - start)
    finally:
        path.unlink(missing_ok=True)
    median = {name: statistics.median(times) for name, times in took.items()}
    rows = {
        name: {
            "seconds": [round(t, 3) for t in took[name]],
            "gb_per_second": round(size / 1e9 / median[name], 2),
            "times_plain": round(median["plain"] / median[name], 2),
        }
        for name in ways
    }
    found = {"bytes": size, "cpus": os.cpu_count(), "load": os.getloadavg()[0], "ways": rows}
    print(json.dumps(found, indent=2))
    if arguments.out:
        arguments.out.parent.mkdir(parents=True, exist_ok=True)
        arguments.out.write_text(json.dumps(found, indent=2) + "\n")


if __name__ == "__main__":
    main()
