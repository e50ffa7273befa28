"""The vendor's shape pipeline: brought up from files, told apart into steps, one batch at a time.

`hy3dgen` is imported from where the user installed it, and torch with it, only by `Sculptor.load`.
"""

import os
import pickle
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from typing import Any, Final, Literal

import numpy as np

from kinesphere.engines.gpu.files import invalid, missing
from kinesphere.engines.gpu.reading import announce
from kinesphere.engines.hunyuan3d.checkpoint import PARTS, Checkpoint
from kinesphere.engines.hunyuan3d.finishing import Faces, Floats

Precision = Literal["float16", "bfloat16", "float32"]
FlashVdm = Literal["off", "own", "turbo"]
Tell = Callable[[float], None]
"""Told how far a phase is, 0 to 1; raises to abandon it."""

BOUNDS: Final = 1.01
"""Half the side of the cube that the field is read in, as the vendor has it."""


@dataclass(frozen=True, slots=True)
class Manner:
    """How the pipeline is run.

    Attributes:
        steps: Of the sampler.
        guidance: Scale of classifier-free guidance.
        octree: Cells of the field along each side.
        chunks: Points of the field that are computed at once.
        precision: Of the weights; on a CPU float16 means float32, which is the faster there.
        flashvdm: Reads the field near the surface only, by the model's own decoder or by the
            distilled one.
        compiled: Whether torch compiles the three networks; not where they are offloaded.
        tf32: Whether float32 products may be rounded to 10 bits of mantissa.
        offload: Whether only the network that works is on the device.
    """

    steps: int
    guidance: float
    octree: int
    chunks: int
    precision: Precision = "float16"
    flashvdm: FlashVdm = "off"
    compiled: bool = False
    tf32: bool = False
    offload: bool = False


@dataclass(slots=True)
class Sculptor:
    """The vendor's pipeline on its device. Its scheduler has state: one call at a time."""

    pipeline: Any
    torch: Any
    manner: Manner
    phases: dict[str, float] = field(default_factory=dict)

    @classmethod
    def load(
        cls, checkpoint: Checkpoint, turbo_vae: Checkpoint | None, manner: Manner, device: str
    ) -> "Sculptor":
        """Read the weights and bring them to `device`. Nothing is downloaded.

        Raises:
            NotLoadable: The vendor's package is not installed, or the weights do not fit its code.
        """
        began = time.monotonic()
        announce([checkpoint.weights])
        torch, vendor = _imported(checkpoint.folder.parent.parent)
        if manner.tf32:
            torch.set_float32_matmul_precision("high")
        precision = manner.precision
        if device == "cpu" and precision == "float16":
            precision = "float32"
        dtype = getattr(torch, precision)
        pipeline = _read(vendor, torch, checkpoint, dtype)
        if manner.flashvdm != "off":
            if turbo_vae is not None:
                pipeline.vae = _read_vae(vendor, turbo_vae, dtype)
            # The vendor would fetch the distilled decoder from a hub.
            pipeline.enable_flashvdm(mc_algo="mc", replace_vae=False)
        was_read = time.monotonic()
        if manner.offload:
            _offload(pipeline, torch.device(device))
        else:
            pipeline.to(device)
        if manner.compiled and not manner.offload:
            # What moves a network between two passes is nothing that can be compiled.
            pipeline.compile()
        phases = {"read_weights": was_read - began, "to_device": time.monotonic() - was_read}
        return cls(pipeline, torch, manner, phases)

    def make(
        self,
        pictures: Sequence[object],
        seeds: Sequence[int],
        sampled: Tell,
        decoded: Tell,
        *,
        steps: int | None = None,
        octree: int | None = None,
    ) -> list[tuple[Floats, Faces] | None]:
        """A raw surface for each picture; None where the field of one has no surface.

        Args:
            pictures: RGBA pictures; or dictionaries of them by side, all of the same sides.
            seeds: One for each picture.
            sampled: Told after each step of the sampler.
            decoded: Told after each chunk of the fields.
            steps: Other than the manner's.
            octree: Other than the manner's.
        """
        manner = self.manner
        steps = manner.steps if steps is None else steps
        octree = manner.octree if octree is None else octree
        chunks = -(-((octree + 1) ** 3) // manner.chunks)
        # On the CPU, so that a seed gives the same noise whatever the device.
        noise = [self.torch.Generator("cpu").manual_seed(seed) for seed in seeds]
        with self._watched(decoded, chunks if manner.flashvdm == "off" else None):
            made = self.pipeline(
                image=list(pictures),
                num_inference_steps=steps,
                guidance_scale=manner.guidance,
                generator=noise,
                box_v=BOUNDS,
                octree_resolution=octree,
                num_chunks=manner.chunks,
                output_type="trimesh",
                enable_pbar=False,
                callback=lambda step, _time, _outputs: sampled((step + 1) / steps),
                callback_steps=1,
            )
        return [None if mesh is None else _arrays(mesh) for mesh in made]

    @contextmanager
    def _watched(self, decoded: Tell, chunks: int | None) -> Iterator[None]:
        """Tell of each chunk of the fields, for which the vendor has no callback."""
        done = 0

        def seen(_module: object, _given: object, _kept: object, _made: object) -> None:
            nonlocal done
            done += 1
            decoded(min(1.0, done / chunks) if chunks else 0.0)

        decoder = self.pipeline.vae.geo_decoder
        hook = decoder.register_forward_hook(seen, with_kwargs=True)
        try:
            yield
        finally:
            hook.remove()


def _imported(weights: Path) -> tuple[Any, Any]:
    """Torch and the vendor's package, neither of which may reach for a hub from here on."""
    os.environ["HF_HUB_OFFLINE"] = os.environ["TRANSFORMERS_OFFLINE"] = "1"
    os.environ["HY3DGEN_MODELS"] = str(weights)
    try:
        return import_module("torch"), import_module("hy3dgen.shapegen")
    except ImportError as error:
        raise missing(
            f"the vendor's package hy3dgen cannot be imported under {sys.executable}: {error}"
        ) from error


def _read(vendor: Any, torch: Any, checkpoint: Checkpoint, dtype: Any) -> Any:
    if not checkpoint.safetensors:
        try:
            # Tensors only: nothing in the pickle is executed.
            held = torch.load(checkpoint.weights, map_location="meta", weights_only=True)
        except (pickle.UnpicklingError, RuntimeError, EOFError, OSError) as error:
            raise invalid(f"{checkpoint.weights} is cut off or holds more than tensors") from error
        absent = [p for p in PARTS if not isinstance(held, Mapping) or p not in held]
        if absent:
            raise invalid(f"{checkpoint.weights} holds nothing for {', '.join(absent)}")
    try:
        return vendor.Hunyuan3DDiTFlowMatchingPipeline.from_pretrained(
            str(checkpoint.folder.parent),
            subfolder=checkpoint.folder.name,
            device="cpu",
            dtype=dtype,
            use_safetensors=checkpoint.safetensors,
            variant=checkpoint.variant,
        )
    except (RuntimeError, KeyError, TypeError, ValueError, AttributeError) as error:
        raise invalid(f"{checkpoint.weights} does not fit the vendor's code: {error}") from error


def _read_vae(vendor: Any, checkpoint: Checkpoint, dtype: Any) -> Any:
    models = import_module(f"{vendor.__name__}.models")
    try:
        return models.ShapeVAE.from_pretrained(
            str(checkpoint.folder.parent),
            subfolder=checkpoint.folder.name,
            device="cpu",
            dtype=dtype,
            use_safetensors=checkpoint.safetensors,
            variant=checkpoint.variant,
        )
    except (RuntimeError, KeyError, TypeError, ValueError) as error:
        raise invalid(f"{checkpoint.weights} does not fit the vendor's code: {error}") from error


def _offload(pipeline: Any, device: Any) -> None:
    """Keep the networks in main memory, and only the one that works on the device.

    The vendor's own `enable_model_cpu_offload` fails for want of `components`.
    """
    pipeline.device = device
    resident: list[Any] = []

    def bring(module: Any, _given: object) -> None:
        if resident and resident[0] is not module:
            resident.pop().to("cpu")
        if not resident:
            module.to(device)
            resident.append(module)

    for part in (pipeline.conditioner, pipeline.model, pipeline.vae):
        part.register_forward_pre_hook(bring)


def _arrays(mesh: Any) -> tuple[Floats, Faces]:
    vertices = np.asarray(mesh.vertices, dtype=np.float64)
    return vertices, np.asarray(mesh.faces, dtype=np.int64)
