"""What the embedded mesh engine may be given."""

from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, BaseModel, Field

from kinesphere.settings.parsing import in_words


def _absolute(path: Path | None) -> Path | None:
    return None if path is None else path.expanduser().absolute()


class MeshSettings(BaseModel):
    """Settings of `relief`."""

    relief_mask_model: Annotated[Path | None, AfterValidator(_absolute)] = Field(
        default=None,
        description="ONNX file of a saliency network of U²-Net's kind, by which relief finds the "
        "object in photographs; needs the extra kinesphere[masks]. Unset, relief does without "
        "weights, so that results are the same on every machine.",
        json_schema_extra=in_words("a path"),
    )
