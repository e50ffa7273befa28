"""Ways to run Hunyuan3D-2 and the memory that each takes, by whose word.

None of these was measured on a GPU by this project: the figures are the vendor's own, or counted
from parameters. Where the platform has measured a profile on a device, it goes by that instead.
"""

from typing import Final

from kinesphere.core.fitting import Profile

_GB: Final = 10**9
_HALF: Final = 2
"""Bytes of a weight in half precision."""

CONDITIONER, DECODER = 1_136_000_000, 328_000_000
"""Parameters of the picture encoder and of the shape decoder, counted by building them."""
SAMPLER: Final = {"hunyuan3d-2mini": 559_000_000}
"""Parameters of the sampler, counted likewise; the others' 1.1 billion are the README's."""
_SAMPLER: Final = 1_100_000_000

_READING: Final = 3
"""Times the weights that reading takes in main memory: the file, and networks built in float32."""

_JOB: Final = 500_000_000
"""Bytes of a further job: (384 + 1)^3 field values in float32, 0.23 GB, and as much to compute."""

_README: Final = "the vendor's README, 6 GB for shapes; a further job estimated by its field"
_COUNTED: Final = "counted by parameters in half precision, and 2 GB for the pass"


def shape_profiles(family: str) -> tuple[Profile, ...]:
    """Of the shape models: all on the device; or one of the three parts at a time.

    `family` is the name of the model that the variant was distilled from.
    """
    sampler = SAMPLER.get(family, _SAMPLER)
    whole = (sampler + CONDITIONER + DECODER) * _HALF
    largest = max(sampler, CONDITIONER, DECODER) * _HALF
    mini = family in SAMPLER
    return (
        Profile(
            name="fp16",
            device_bytes=whole + 2 * _GB if mini else 6 * _GB,
            per_job_bytes=_JOB,
            host_bytes=_READING * whole,
            options={"precision": "float16", "offload": False},
            source=_COUNTED if mini else _README,
        ),
        Profile(
            name="fp16-offload",
            device_bytes=largest + 2 * _GB,
            per_job_bytes=_JOB,
            host_bytes=_READING * whole,
            options={"precision": "float16", "offload": True},
            source=_COUNTED,
        ),
    )


PAINT_PROFILES: Final = (
    Profile(
        name="fp16",
        device_bytes=16 * _GB,
        host_bytes=12 * _GB,
        options={"offload": False},
        source="the vendor's README, 16 GB for shape and texture together",
    ),
    Profile(
        name="fp16-offload",
        device_bytes=8 * _GB,
        host_bytes=12 * _GB,
        options={"offload": True},
        source="estimated: the larger of two pipelines, and 2,048 pixel textures",
    ),
)
"""Of the paint model: both of its pipelines on the device, or the one that works."""
