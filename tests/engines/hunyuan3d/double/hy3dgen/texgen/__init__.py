"""A double of the vendor's paint pipeline: its signatures and its habits, none of its arithmetic.

The real one needs a rasteriser compiled for a GPU. What is kept of it: a class method that takes
the repository and the name of a subfolder, two models that each hold a diffusion pipeline with a
network, called once a step; a mesh that is unwrapped, so that vertices are doubled along a seam;
positions scaled and moved; a texture with v upwards; random generators seeded anew for everybody.
"""

import random
import tempfile
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import trimesh
from PIL import Image

SIZE = 64
Hook = Callable[[object, object], None]


class _Network:
    def __init__(self) -> None:
        self.hooks: dict[int, Hook] = {}

    def register_forward_pre_hook(self, hook: Hook) -> SimpleNamespace:
        key = len(self.hooks)
        self.hooks[key] = hook
        return SimpleNamespace(remove=lambda: self.hooks.pop(key))

    def __call__(self, given: object) -> None:
        for hook in tuple(self.hooks.values()):
            hook(self, given)


class _Model:
    def __init__(self, steps: int) -> None:
        self.pipeline = SimpleNamespace(
            unet=_Network(), offloaded=False, enable_model_cpu_offload=self._offload
        )
        self._steps = steps

    def _offload(self, gpu_id: int | None = None, device: str = "cuda") -> None:
        self.pipeline.offloaded = True

    def __call__(self, image: Any, *_given: object) -> Any:
        random.seed(0)
        for _ in range(self._steps):
            self.pipeline.unet(image)
        return image


class Hunyuan3DPaintPipeline:
    """The vendor's class of this name."""

    last: "Hunyuan3DPaintPipeline"

    @classmethod
    def from_pretrained(
        cls, model_path: str, subfolder: str = "hunyuan3d-paint-v2-0-turbo"
    ) -> "Hunyuan3DPaintPipeline":
        assert subfolder in ("hunyuan3d-paint-v2-0", "hunyuan3d-paint-v2-0-turbo")
        assert (Path(model_path) / subfolder).is_dir()
        cls.last = cls(10 if subfolder.endswith("turbo") else 30)
        return cls.last

    def __init__(self, steps: int) -> None:
        self.models = {"delight_model": _Model(50), "multiview_model": _Model(steps)}
        self.faces_seen = 0

    def enable_model_cpu_offload(self, gpu_id: int | None = None, device: str = "cuda") -> None:
        for model in self.models.values():
            model.pipeline.enable_model_cpu_offload(gpu_id=gpu_id, device=device)

    def __call__(self, mesh: Any, image: Any) -> Any:
        with tempfile.NamedTemporaryFile(suffix=".obj", delete=False) as left:
            left.write(b"left behind")
        image = self.models["delight_model"](image)
        assert image.mode == "RGBA"
        self.faces_seen = len(mesh.faces)
        # Every face apart, as an unwrapping that cuts each edge.
        corners = np.asarray(mesh.faces).reshape(-1)
        vertices = np.asarray(mesh.vertices)[corners] * 0.5 - 0.25
        self.models["multiview_model"](image, [], [])
        uv = np.stack([vertices[:, 0] + 0.5, vertices[:, 1] + 0.5], axis=1)
        texture = Image.fromarray(
            np.linspace(0, 255, SIZE * SIZE * 3).reshape(SIZE, SIZE, 3).astype(np.uint8)
        )
        painted = trimesh.Trimesh(vertices, np.arange(len(corners)).reshape(-1, 3), process=False)
        visual: Any = trimesh.visual
        material = visual.texture.SimpleMaterial(image=texture, diffuse=(255, 255, 255))
        painted.visual = visual.TextureVisuals(uv=uv, image=texture, material=material)
        return painted
