"""The vendor's paint pipeline: its files, its phases, and the mesh that comes out of it.

`hy3dgen.texgen` is imported from where the user installed it; its rasteriser must be compiled for
the GPU there. The package on PyPI has neither the rasteriser nor the turbo model.
"""

import json
import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import import_module
from io import BytesIO
from pathlib import Path
from typing import Any, Final

import numpy as np
from PIL import Image

from kinesphere.engines.gpu.files import check_whole, invalid, missing
from kinesphere.engines.hunyuan3d.checkpoint import tensor_names
from kinesphere.engines.hunyuan3d.finishing import placed
from kinesphere.engines.hunyuan3d.variants import DELIGHT, PAINT_TURBO
from kinesphere.formats.mesh import Mesh, Texture

Tell = Callable[[str, float], None]
"""Told the phase and how far it is, 0 to 1; raises to abandon the work."""

DELIGHT_STEPS: Final = 50
PAINT_STEPS: Final = 30
PAINT_TURBO_STEPS: Final = 10
"""Steps that the vendor has fixed in its code."""

QUALITY: Final = 92
"""Of the texture's JPEG."""
_FIRST: Final = ("cuda", "cuda:0")


@dataclass(slots=True)
class Painter:
    """The vendor's pipeline on the first GPU that this process sees. One call at a time."""

    pipeline: Any
    steps: int
    phases: dict[str, float]

    @classmethod
    def load(cls, repository: Path, subfolder: str, device: str, *, offload: bool) -> "Painter":
        """Check the files and bring both diffusion pipelines up. Nothing is downloaded.

        Args:
            repository: With the folders of the delighting and the painting pipeline.
            subfolder: Of the painting one.
            device: "cuda" or "cuda:0": the vendor's code takes the first GPU whatever it is told,
                so that another is chosen by showing the process no other.
            offload: Whether each network is on the GPU only while it works.

        Raises:
            NotLoadable: A file is missing or not whole, or the vendor's package cannot be imported.
        """
        for name in (DELIGHT, subfolder):
            check_pipeline(repository / name)
        if device not in _FIRST:
            raise invalid(f"the paint model runs on the first GPU of its process, not on {device}")
        began = time.monotonic()
        os.environ["HF_HUB_OFFLINE"] = os.environ["TRANSFORMERS_OFFLINE"] = "1"
        try:
            vendor = import_module("hy3dgen.texgen")
        except ImportError as error:
            raise missing(
                f"the vendor's package hy3dgen.texgen cannot be imported under {sys.executable}; "
                f"it needs its compiled rasteriser: {error}"
            ) from error
        pipeline = vendor.Hunyuan3DPaintPipeline.from_pretrained(
            str(repository), subfolder=subfolder
        )
        if offload:
            pipeline.enable_model_cpu_offload()
        steps = PAINT_TURBO_STEPS if subfolder == PAINT_TURBO else PAINT_STEPS
        return cls(pipeline, steps, {"read_weights": time.monotonic() - began})

    def paint(self, mesh: Mesh, picture: Image.Image, tell: Tell) -> Mesh:
        """The mesh with a texture made from the picture of its front.

        Args:
            mesh: Few faces: unwrapping takes half a minute for 20,000 on one core.
            picture: RGBA, the object alone.
            tell: Told of the phases delight, uv, multiview, bake, and of each step of the two
                diffusion pipelines. While a mesh is unwrapped or baked nothing is told.
        """
        trimesh = import_module("trimesh")
        given = trimesh.Trimesh(mesh.vertices, mesh.faces, process=False)
        with self._watched(tell):
            made = self.pipeline(given, picture)
        return _textured(made)

    @contextmanager
    def _watched(self, tell: Tell) -> Iterator[None]:
        """Tell of phases by the two pipelines that the vendor's calls, in this order."""
        models = self.pipeline.models
        kept = dict(models)
        models["delight_model"] = _Phase(
            kept["delight_model"], tell, "delight", "uv", DELIGHT_STEPS
        )
        models["multiview_model"] = _Phase(
            kept["multiview_model"], tell, "multiview", "bake", self.steps
        )
        try:
            yield
        finally:
            models.update(kept)


@dataclass(slots=True)
class _Phase:
    """One of the vendor's models, which tells of each pass of its network."""

    model: Any
    tell: Tell
    during: str
    after: str
    steps: int

    def __call__(self, *given: object) -> object:
        done = 0

        def step(_module: object, _given: object) -> None:
            nonlocal done
            self.tell(self.during, min(1.0, done / self.steps))
            done += 1

        hook = self.model.pipeline.unet.register_forward_pre_hook(step)
        try:
            made: object = self.model(*given)
        finally:
            hook.remove()
        self.tell(self.after, 0.0)
        return made


def check_pipeline(folder: Path) -> None:
    """Raise NotLoadable unless a folder holds a whole pipeline in the form of diffusers."""
    index = folder / "model_index.json"
    if not index.is_file():
        raise missing(f"there is no {index}")
    try:
        parts = json.loads(index.read_text(encoding="utf-8"))
        names = [n for n, part in parts.items() if isinstance(part, list) and part[0] is not None]
    except (ValueError, AttributeError, IndexError) as error:
        raise invalid(f"{index} does not list the parts of a pipeline") from error
    for name in names:
        if not (folder / name).is_dir():
            raise missing(f"there is no folder {folder / name}")
    for path in sorted(folder.rglob("*.safetensors")):
        check_whole(path)
        tensor_names(path)
    for name in ("unet", "vae"):
        if name in names and not any((folder / name).glob("*.safetensors")):
            raise missing(f"there are no safetensors in {folder / name}")


def _textured(made: Any) -> Mesh:
    """The vendor's mesh as ours: seams closed again, the texture a JPEG, v downwards."""
    vertices = np.asarray(made.vertices, dtype=np.float32)
    corners = np.asarray(made.faces, dtype=np.int32)
    points = np.asarray(made.visual.uv, dtype=np.float32)
    if points.shape != (len(vertices), 2):
        raise ValueError(f"the texture has points {points.shape} for {len(vertices)} vertices")
    # Unwrapping doubles the vertices along each seam, bit for bit.
    places, again = np.unique(vertices, axis=0, return_inverse=True)
    file = BytesIO()
    picture = made.visual.material.image.convert("RGB")
    picture.save(file, "JPEG", quality=QUALITY)
    down = np.stack([points[:, 0], 1.0 - points[:, 1]], axis=1).astype(np.float32)
    texture = Texture(file.getvalue(), picture.size, down, corners)
    faces = again.reshape(-1)[corners].astype(np.int32)
    return Mesh(placed(places.astype(np.float64)), np.ascontiguousarray(faces), texture)
