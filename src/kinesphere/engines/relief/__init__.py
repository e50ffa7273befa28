"""relief: picture to closed textured mesh on any CPU, with no weights.

This module stays light: it is imported in the API process to know what relief can do.
"""

from typing import Final

from kinesphere.core.catalog import Model, Stage

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
        embedded=True,
    ),
)
