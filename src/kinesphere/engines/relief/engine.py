"""relief as two engines: the shape of a picture's object, then its texture."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Final

import numpy as np

from kinesphere.core.failures import Failure
from kinesphere.core.jobs import Json
from kinesphere.engines.relief.cutout import Cutout, NoObject, cut_out
from kinesphere.engines.relief.finding import mask_notes, png
from kinesphere.engines.relief.modelling import modelled
from kinesphere.engines.relief.network import MaskNetwork
from kinesphere.engines.relief.painting import Projection, painted
from kinesphere.engines.relief.surface import TOLERANCE
from kinesphere.engines.relief.views import reduced
from kinesphere.formats import mesh_glb
from kinesphere.formats.mesh import MESH_FORMATS, BadMesh, Mesh
from kinesphere.formats.picture import BadPicture, Picture, decode
from kinesphere.ports import File, Made, Outcome, Work

MOST_PIXELS: Final = 64_000_000
SHAPE: Final = "shape.glb"
MASK: Final = "object.png"
_KEPT: Final = "relief"
Report = Callable[[int, float, str], None]
Cancelled = Callable[[int], bool]


class _Stage:
    """What both stages share: work after work, and refusals as failures."""

    def load(self, device: str) -> None:
        """Nothing to load: importing this module brought all that is needed."""

    def warm_up(self) -> None:
        """Nothing to warm."""

    def run(self, batch: Sequence[Work], report: Report, cancelled: Cancelled) -> Sequence[Outcome]:
        """Make one outcome for each picture."""
        outcomes: list[Outcome] = []
        for index, work in enumerate(batch):
            if cancelled(index):
                outcomes.append(Failure("CANCELLED", "Cancelled before it was begun."))
                continue
            try:
                outcomes.append(self._make(work, lambda *told, i=index: report(i, *told)))
            except NoObject as nothing:
                outcomes.append(Failure("IMAGE_REJECTED", str(nothing)))
            except BadPicture as bad:
                outcomes.append(Failure(bad.code, f"The picture {bad}."))
        return outcomes

    def unload(self) -> None:
        """Nothing to give back."""

    def _make(self, work: Work, tell: Callable[[float, str], None]) -> Outcome:
        raise NotImplementedError


class Shape(_Stage):
    """Picture to closed mesh; needs no device.

    Args:
        mask_model: ONNX file of the network that finds objects in photographs; "" for none.
    """

    def __init__(self, mask_model: str = "") -> None:
        self._mask_model = mask_model
        self._network: MaskNetwork | None = None

    def load(self, device: str) -> None:  # noqa: ARG002 - the network runs on the CPU
        """Load the network, where there is one. Raises NetworkUnusable."""
        if self._mask_model:
            self._network = MaskNetwork(Path(self._mask_model))

    def warm_up(self) -> None:
        """Model one disc, so that lazily loaded libraries are there."""
        y, x = np.mgrid[-1:1:96j, -1:1:96j]
        pixels = np.full((96, 96, 4), 255, np.uint8)
        pixels[x * x + y * y < 0.5] = (200, 40, 40, 255)
        modelled(cut_out(Picture(pixels, "image/png")), 2000)

    def _make(self, work: Work, tell: Callable[[float, str], None]) -> Outcome:
        tell(0.05, "looking")
        picture, mask = _pictures(work.inputs)
        cutout = cut_out(picture, mask, self._network)
        tell(0.4, "shaping")
        faces = work.request.get("faces")
        model = modelled(cutout, faces if isinstance(faces, int) else None)
        notes: dict[str, Json] = {
            "mask": mask_notes(cutout),
            "cues": list(model.cues),
            "vertices": len(model.mesh.vertices),
            "faces": len(model.mesh.faces),
        }
        if isinstance(faces, int) and abs(len(model.mesh.faces) - faces) > TOLERANCE * faces:
            notes["faces_asked"] = faces
        tell(0.95, "writing")
        if work.request.get("texture") is False:
            return Made((_written(model.mesh, work.request),), notes)
        facts = {_KEPT: model.projection.as_list()}
        data = mesh_glb.encode(model.mesh, facts)
        shape = File(SHAPE, MESH_FORMATS["glb"].media_type, data)
        return Made((shape, File(MASK, "image/png", png(cutout))), notes)


class Texture(_Stage):
    """Shape and picture to textured mesh; needs no device."""

    def _make(self, work: Work, tell: Callable[[float, str], None]) -> Outcome:
        tell(0.05, "looking")
        picture, _ = _pictures(work.inputs)
        try:
            mesh = mesh_glb.decode(work.inputs[SHAPE])
            kept = mesh_glb.extras(work.inputs[SHAPE])[_KEPT]
            projection = Projection.of_list(kept)
            cutout = _kept(work.inputs[MASK], picture)
        except (KeyError, TypeError, ValueError, BadMesh, BadPicture) as error:
            return Failure("ENGINE_FAILED", f"The shape cannot be read: {error}.")
        tell(0.3, "painting")
        textured = painted(mesh, picture, cutout, projection)
        tell(0.9, "writing")
        return Made((_written(textured, work.request),), {})


def _pictures(inputs: Mapping[str, bytes]) -> tuple[Picture, Picture | None]:
    picture = decode(inputs["picture"], MOST_PIXELS)
    mask = decode(inputs["mask"], MOST_PIXELS) if "mask" in inputs else None
    return picture, mask


def _written(mesh: Mesh, request: Mapping[str, Json]) -> File:
    form = MESH_FORMATS[str(request.get("format", "glb"))]
    return File(f"mesh{form.extension}", form.media_type, form.encode(mesh))


def _kept(data: bytes, picture: Picture) -> Cutout:
    mask = decode(data, MOST_PIXELS).pixels[..., 0] >= 128
    colours = reduced(picture.pixels, max(mask.shape))[..., :3]
    return Cutout(mask, colours, 1.0, "mask")
