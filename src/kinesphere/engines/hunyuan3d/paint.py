"""The second stage: the shape and the object's picture to a textured mesh."""

from collections.abc import Sequence
from functools import partial
from io import BytesIO
from pathlib import Path
from typing import Final

from PIL import Image

from kinesphere.core.failures import Failure
from kinesphere.engines.gpu.memory import Passes, peak_bytes, release
from kinesphere.engines.hunyuan3d.checkpoint import check_digests
from kinesphere.engines.hunyuan3d.painter import Painter
from kinesphere.engines.hunyuan3d.scratch import scratch
from kinesphere.engines.hunyuan3d.shape import (
    CANCELLED,
    OBJECT,
    SHAPE,
    Abandoned,
    Cancelled,
    Report,
    written,
)
from kinesphere.formats import mesh_glb
from kinesphere.formats.mesh import BadMesh, Mesh
from kinesphere.ports import Made, Outcome, SetUp, Work

PHASES: Final = {
    "delight": (0.0, 0.2),
    "uv": (0.2, 0.5),
    "multiview": (0.5, 0.85),
    "bake": (0.85, 1),
}
"""Parts of the whole, as on an A100: 87 s, of which unwrapping 40,000 faces is a third or so."""


class Paint:
    """Hunyuan3D-2's paint models.

    Args:
        weights: Folder that holds the vendor's repositories.
        repository: The one with the paint models.
        subfolder: Folder of the model in it.
        digests: As `checkpoint.check_digests` takes them.
        offload: As `painter.Painter.load` takes it.
    """

    def __init__(
        self,
        *,
        weights: str,
        repository: str,
        subfolder: str,
        digests: str = "",
        offload: bool = False,
    ) -> None:
        self._root = Path(weights).absolute()
        self._repository = self._root / repository
        self._subfolder = subfolder
        self._digests = digests
        self._offload = offload
        self._painter: Painter
        self._device = "cpu"
        self._passes: Passes

    def load(self, device: str) -> None:
        """Check the files, then bring the vendor's pipelines up. Raises NotLoadable."""
        self._device = device
        check_digests(self._root, self._digests)
        self._painter = Painter.load(
            self._repository, self._subfolder, device, offload=self._offload
        )
        self._passes = Passes(device, 1)

    def warm_up(self) -> None:
        """Nothing: the vendor's pipeline has no shorter run than a whole one, of a minute."""

    def set_up(self) -> SetUp:
        """What the loading took."""
        return SetUp(self._painter.phases)

    def peak_device_bytes(self) -> int:
        """Most memory of the GPU that torch reserved since this was last asked."""
        return peak_bytes(self._device) or 0

    def run(self, batch: Sequence[Work], report: Report, cancelled: Cancelled) -> Sequence[Outcome]:
        """Texture one mesh after the other: the vendor's pipeline takes one."""
        outcomes: list[Outcome] = []
        for index, work in enumerate(batch):
            if cancelled(index):
                outcomes.append(CANCELLED)
                continue
            with scratch():
                outcomes.append(self._made(work, partial(report, index), partial(cancelled, index)))
        return outcomes

    def unload(self) -> None:
        """Give the device back."""
        del self._painter
        release()

    def _made(self, work: Work, report: "partial[None]", cancelled: "partial[bool]") -> Outcome:
        def tell(phase: str, part: float) -> None:
            if cancelled():
                raise Abandoned
            start, end = PHASES[phase]
            report(start + part * (end - start), phase)

        try:
            shape = mesh_glb.decode(work.inputs[SHAPE])
            picture = Image.open(BytesIO(work.inputs[OBJECT]), formats=["PNG"])
            picture.load()
        except (KeyError, OSError, BadMesh) as error:
            return Failure("ENGINE_FAILED", f"The shape cannot be read: {error}.")

        def paint(_some: Sequence[Work]) -> Sequence[Mesh]:
            return [self._painter.paint(shape, picture, tell)]

        try:
            (mesh,) = self._passes.run([work], paint)
        except Abandoned:
            return CANCELLED
        if isinstance(mesh, Failure):
            return mesh
        return Made((written(mesh, work.request.get("format")),), {"textured": True})
