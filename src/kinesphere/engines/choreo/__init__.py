"""choreo: text to motion on any CPU, English and Chinese, with no weights.

This module stays light: it is imported in the API process to know what choreo can do.
"""

from typing import Final

from kinesphere.core.catalog import Model, Size, Stage

MODELS: Final = (
    Model(
        name="choreo",
        version="1",
        task="motion",
        title="Procedural choreography on the CPU, English and Chinese",
        stages=(
            Stage(
                name="",
                engine="kinesphere.engines.choreo.engine:Choreo",
                batch_limit=8,
                seconds=(0.0, 0.05),
                load_limit=60.0,
                run_limit=60.0,
            ),
        ),
        formats=("bvh", "fbx", "glb", "npz"),
        durations=(0.5, 30.0),
        # Most of the time goes into reading the prompt and planning, whatever the length.
        size=Size("duration", 4.0, 0.25),
        examine="kinesphere.engines.choreo.examination:examine",
        understand="kinesphere.engines.choreo.reading:understand",
        embedded=True,
    ),
)
