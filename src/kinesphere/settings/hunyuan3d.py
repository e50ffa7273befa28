"""Hunyuan3D-2: where its weights are, and how it is run."""

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field

from kinesphere.settings.parsing import decoded, in_words

Digest = Annotated[str, Field(pattern=r"^[0-9A-Fa-f]{64}$")]


def _fixed(digests: Mapping[str, str]) -> Mapping[str, str]:
    return MappingProxyType(dict(digests))


def _absolute(path: Path | None) -> Path | None:
    return None if path is None else path.expanduser().absolute()


class Hunyuan3dOptions(BaseModel):
    """How the models of Hunyuan3D-2 are run.

    Attributes:
        steps: Steps of the sampler; unset, as the vendor's examples: 50, 30 for the fast models,
            5 for the turbo ones.
        guidance: Scale of classifier-free guidance; 5 is the vendor's default. 0 and more cost a
            second pass a step, but for the distilled models.
        octree: Cells of the field along each side. 384 is the vendor's default; time and memory of
            decoding grow with its third power.
        chunks: Points of the field that are computed at once. 8,000 is the vendor's default; more
            are faster and take more memory.
        faces: Most triangles where the caller does not say; as many as the vendor reduces to.
        batch: Jobs in one pass at most; fewer where memory does not allow it. 4, because the gain
            is in the sampler, which is the shorter half.
        profile: Which way to run it: fp16 or fp16-offload; unset, the first that fits the device.
            unchecked is fp16 whatever memory there is, for models of other sizes.
        flashvdm: Read the field near the surface only: off, own (with the model's decoder), or
            turbo (with the distilled one, whose folder must be there). One job at a time.
        compile: Whether torch compiles the networks: minutes more to load.
        tf32: Whether float32 products may be rounded to 10 bits of mantissa.
        sha256: Expected digests of files, by path below the folder of weights.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    steps: Annotated[int, Field(ge=2, le=200)] | None = None
    guidance: Annotated[float, Field(ge=-1.0, le=20.0)] = 5.0
    octree: Annotated[int, Field(ge=16, le=512)] = 384
    chunks: Annotated[int, Field(ge=1_000, le=1_000_000)] = 8_000
    faces: Annotated[int, Field(ge=500, le=500_000)] = 40_000
    batch: Annotated[int, Field(ge=1, le=32)] = 4
    profile: Literal["fp16", "fp16-offload", "unchecked"] | None = None
    flashvdm: Literal["off", "own", "turbo"] = "off"
    compile: bool = False
    tf32: bool = False
    sha256: Annotated[Mapping[str, Digest], AfterValidator(_fixed)] = Field(
        default_factory=lambda: MappingProxyType({})
    )


class Hunyuan3dSettings(BaseModel):
    """Settings of `hunyuan3d`."""

    hunyuan3d_weights: Annotated[Path | None, AfterValidator(_absolute)] = Field(
        default=None,
        description="Folder with the repositories Hunyuan3D-2, Hunyuan3D-2mini and Hunyuan3D-2mv "
        "as they are downloaded. Unset, none of these models is served: their licence is not for "
        "everybody (docs/engines/hunyuan3d.md). Set, those in `models`, or all whose folder is "
        "there.",
        json_schema_extra=in_words("a path"),
    )
    hunyuan3d_paint: Literal["off", "standard", "turbo"] = Field(
        default="off",
        description="Whether the meshes are textured in a second stage, and by which of the two "
        "paint models. off, because it needs the vendor's compiled rasteriser and another 16 GB "
        "of GPU memory.",
        json_schema_extra=in_words("off, standard, turbo"),
    )
    hunyuan3d_options: Annotated[Hunyuan3dOptions, BeforeValidator(decoded)] = Field(
        default_factory=Hunyuan3dOptions,
        description="How the models are run: steps, guidance, octree, chunks, faces, batch, "
        "profile, flashvdm, compile, tf32, sha256. Unset, as the vendor runs them.",
        json_schema_extra=in_words(
            "a table [hunyuan3d_options] in the file; in the environment JSON such as "
            '{"octree": 256}'
        )
        | {"shown": "as the vendor has them"},
    )
