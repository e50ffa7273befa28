"""One pass of the sampler over several prompts of unlike durations.

The vendor's `generate` has one duration a call. Its network, though, takes a mask of the frames
that count for each sample; here that mask is made per sample, on the way into the network, and each
sample is decoded by itself afterwards. Each then comes out as it would alone.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from kinesphere.engines.hymotion.loading import Loaded
from kinesphere.engines.hymotion.rig import clip_of
from kinesphere.engines.hymotion.texts import Encoded
from kinesphere.formats.clip import Clip


class Abandoned(Exception):
    """Nobody wants any sample of the pass any more."""


@dataclass(frozen=True, slots=True)
class Sample:
    """What one sample is made from.

    Attributes:
        text: The prompt as encoded.
        seed: Of its noise.
        frames: Its length, within what the model takes.
    """

    text: Encoded
    seed: int
    frames: int


def latents(
    loaded: Loaded,
    samples: Sequence[Sample],
    guidance: float | None,
    step: Callable[[], None],
) -> Any:
    """Sample all of them at once: (B, the longest, D), normalised.

    Args:
        loaded: The model.
        samples: At least one.
        guidance: Scale of classifier-free guidance; None for the model's own. Up to 1 there is
            none, and half the work.
        step: Called before each step; what it raises ends the pass and is raised here.
    """
    torch, pipeline = loaded.torch, loaded.pipeline
    lengths = torch.tensor([sample.frames for sample in samples])
    sampled: list[Any] = []

    def before(_module: Any, args: Any, kwargs: dict[str, Any]) -> tuple[Any, dict[str, Any]]:
        step()
        shared = kwargs["x_mask_temporal"]
        rows = torch.arange(shared.shape[1]) < lengths[:, None]
        # With guidance the batch is there twice: unconditioned, then conditioned.
        own = rows.repeat(shared.shape[0] // len(samples), 1)
        return args, {**kwargs, "x_mask_temporal": own.to(shared)}

    def keep(latent: Any, **_: Any) -> dict[str, Any]:
        sampled.append(latent)
        return {}

    longest = int(lengths.max())
    hook = pipeline.motion_transformer.register_forward_pre_hook(before, with_kwargs=True)
    # `generate` would decode every sample at the longest duration.
    pipeline.decode_motion_from_latent = keep
    try:
        pipeline.generate(
            text=[""] * len(samples),
            seed_input=[sample.seed for sample in samples],
            duration_slider=longest / pipeline.output_mesh_fps,
            cfg_scale=guidance,
            hidden_state_dict=_features(loaded, samples),
            length=longest,
        )
    finally:
        del pipeline.decode_motion_from_latent
        hook.remove()
    (latent,) = sampled
    return latent


def decoded(loaded: Loaded, latent: Any, index: int, sample: Sample) -> Clip:
    """The clip of one sample of a pass: smoothed, its lowest point on the ground."""
    pipeline = loaded.pipeline
    with loaded.torch.no_grad():
        motion = pipeline.decode_motion_from_latent(latent[index : index + 1, : sample.frames])
    rotation, translation = (motion[name][0].numpy() for name in ("rot6d", "transl"))
    fps = float(pipeline.output_mesh_fps)
    return clip_of(rotation, translation, loaded.root, loaded.skeleton, fps)


def joints(loaded: Loaded, latent: Any, index: int, sample: Sample) -> "np.ndarray[Any, Any]":
    """The same by the vendor's own figure: (T, 22, 3) m, joints in the world."""
    pipeline, torch = loaded.pipeline, loaded.torch
    with torch.no_grad():
        motion = pipeline.decode_motion_from_latent(latent[index : index + 1, : sample.frames])
        turns, moves = (motion[name][0].to(latent.device) for name in ("rot6d", "transl"))
        # What `decode_motion_from_latent` itself says of the joints lacks the translation.
        posed = pipeline.body_model({"rot6d": turns, "trans": moves})["keypoints3d"]
        placed = posed[:, : turns.shape[1]] + moves[:, None]
    return np.asarray(placed.cpu().numpy(), np.float64)


def _features(loaded: Loaded, samples: Sequence[Sample]) -> dict[str, Any]:
    torch = loaded.torch
    device = next(loaded.pipeline.parameters()).device
    names = {"text_vec_raw": "vector", "text_ctxt_raw": "context", "text_ctxt_raw_length": "length"}
    return {
        theirs: torch.cat([getattr(sample.text, ours) for sample in samples]).to(device)
        for theirs, ours in names.items()
    }
