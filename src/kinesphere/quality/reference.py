"""The page `docs/quality.md`, written from the checks themselves."""

import sys
from typing import Final

import numpy as np

from kinesphere.formats.clip import STANDARD, Clip
from kinesphere.quality.judgement import judge
from kinesphere.quality.mesh import CHECKS
from kinesphere.quality.report import Check, Measure

_HEAD: Final = """\
# Quality

<!-- Written by kinesphere.quality.reference from the checks; a test holds the two together. -->

Every result is judged before it is committed. One that fails a check is not delivered: it is made
again with another seed where the caller chose none, at most three times in all, and else the job
fails with `QUALITY_REJECTED` and the checks that failed. Warnings are delivered, told in the job's
`notes.quality`, and counted in the metrics `kinesphere_quality_*`.

`POST /validate` judges a job, or a file that is sent: a motion as BVH, GLB or NPZ, a mesh as GLB,
OBJ in a ZIP, PLY or STL:

```
curl -X POST http://127.0.0.1:8000/validate -F file=@motion.bvh
```

It answers with every measure: its value, its thresholds, its verdict, and the frames and joints at
fault.

## Motions

Joint limits are measured by swing and twist about the joint, not by Euler angles. Shares run from
0 to 1. Checks that need named joints are left out, and said to be, for skeletons that lack them.

| measure | unit | warns beyond | fails beyond | source |
| --- | --- | --- | --- | --- |
"""

_MESHES: Final = """
## Meshes

Checks of a closed surface are left out for one that is open, and those of a texture where there is
none. A texture of one colour is no fault where its file says, in the comment of its JPEG, that what
it shows is of one.

| measure | unit | warns beyond | fails beyond | source |
| --- | --- | --- | --- | --- |
"""


def reference() -> str:
    """The whole page, in Markdown."""
    still = np.broadcast_to(np.eye(3), (8, len(STANDARD.names), 3, 3)).copy()
    report = judge(Clip(np.tile(STANDARD.offsets[0], (8, 1)), still), idle_asked=False)
    motions = "".join(_row(measure) for measure in report.measures)
    return _HEAD + motions + _MESHES + "".join(_row(check) for check in CHECKS)


def _row(measure: Measure | Check) -> str:
    side = "below " if measure.lower_is_worse else ""
    limits = [
        "-" if limit is None else f"{side}{limit:g}" for limit in (measure.warn_at, measure.fail_at)
    ]
    return (
        f"| `{measure.name}` | {measure.unit or '-'} | {limits[0]} | {limits[1]} "
        f"| {measure.source} |\n"
    )


if __name__ == "__main__":
    sys.stdout.write(reference())
