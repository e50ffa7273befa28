"""relief: picture to closed textured mesh on any CPU, with no weights.

This module stays light: it is imported in the API process to know what relief can do.
"""

from dataclasses import replace
from pathlib import Path
from typing import Final

from kinesphere.core.catalog import Model, Size, Stage

MODELS: Final = (
    Model(
        name="relief",
        version="1",
        task="mesh",
        title="Silhouette, symmetry and shading to a closed mesh on the CPU",
        stages=(
            Stage(
                name="shape",
                engine="kinesphere.engines.relief.engine:Shape",
                batch_limit=1,
                seconds=(0.0, 0.5),
                load_limit=60.0,
                run_limit=60.0,
            ),
            Stage(
                name="texture",
                engine="kinesphere.engines.relief.engine:Texture",
                batch_limit=1,
                seconds=(0.0, 0.3),
                load_limit=60.0,
                run_limit=60.0,
            ),
        ),
        formats=("glb", "obj", "ply", "stl"),
        faces=(500, 90_000),
        # The shape takes 0.14 s with 500 faces, 1.5 s with the 37,000 that a picture asks for by
        # itself, 4 s with 90,000.
        size=Size("faces", 37_000.0, 0.9),
        find="kinesphere.engines.relief.finding:find",
        embedded=True,
    ),
)


def with_network(model: Model, path: Path | None) -> Model:
    """Give relief the network in an ONNX file to find objects by; other models stay as they are.

    Its version names the file, because the same picture then gives another mesh.
    """
    if path is None or model not in MODELS:
        return model
    shape, *rest = model.stages
    return replace(
        model,
        version=f"{model.version}+{path.stem}",
        stages=(replace(shape, options={"mask_model": str(path)}), *rest),
    )
