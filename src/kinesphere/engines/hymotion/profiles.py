"""Ways to run the model, best first, and what each takes.

None of these numbers was measured on a GPU by us; a replica replaces them by what it sees.
"""

from typing import Final

from kinesphere.core.fitting import Option, Profile

_GB: Final = 10**9

README: Final = 26 * _GB
README_LITE: Final = 24 * _GB
"""Least GPU memory with one short sample and no rewriter, by the vendor's README."""

SAMPLER: Final = 1_042_868_681 * 4
"""1.0: parameters counted by instantiating the published config.yml, in float32."""
SAMPLER_LITE: Final = 460_000_000 * 4
"""1.0-Lite: "0.46B" by the vendor's README."""

_LINEAR: Final = 36 * (2 * 4096 * 4096 + 2 * 4096 * 1024 + 3 * 4096 * 12_288)
_EMBEDDED: Final = 2 * 151_936 * 4096
"""Qwen3-8B by its published configuration: 36 layers of 4096 with 8 of 32 heads for keys and a feed
forward of 12,288, and two tables of 151,936 tokens. bitsandbytes leaves the tables as they are."""
_CLIP: Final = 123_060_480 * 4
"""Text half of CLIP ViT-L/14, in float32."""

ENCODER_BYTES: Final = {
    "bf16": 2 * (_LINEAR + _EMBEDDED) + _CLIP,
    "int8": _LINEAR + 2 * _EMBEDDED + _CLIP,
    # Half a byte each, and a quantised scale for every 64 of them.
    "nf4": int(0.53 * _LINEAR) + 2 * _EMBEDDED + _CLIP,
}

PER_JOB: Final = 400_000_000
"""A further sample, twice for its guidance: activations of 488 tokens of 1,280, with room to spare.
An estimate; halving the batch when memory runs out has the last word."""
_READING: Final = 4 * _GB
"""Main memory of the process beside the weights that pass through it: torch and its libraries."""


def profiles(*, lite: bool) -> tuple[Profile, ...]:
    """The profiles of 1.0, or of 1.0-Lite."""
    whole, sampler = (README_LITE, SAMPLER_LITE) if lite else (README, SAMPLER)
    said = "the vendor's README"
    counted = f"{said}, less what the text encoder then takes less by count of its parameters"

    def less(encoder: str) -> int:
        return whole - ENCODER_BYTES["bf16"] + ENCODER_BYTES.get(encoder, 0)

    host = sampler + _READING
    kept = ENCODER_BYTES["bf16"]
    rows: tuple[tuple[str, int, int, dict[str, Option], str], ...] = (
        ("bf16", whole, host + kept, {}, said),
        ("int8", less("int8"), host + kept, {"encoder": "int8"}, counted),
        ("nf4", less("nf4"), host + kept, {"encoder": "nf4"}, counted),
        ("encoder-cpu", less("none"), host + kept, {"encoder_device": "cpu"}, counted),
    )
    return tuple(
        Profile(name, device, PER_JOB, host_bytes, options, source)
        for name, device, host_bytes, options, source in rows
    )
