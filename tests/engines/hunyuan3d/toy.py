"""Writes weights of toy size that the vendor's own code loads: `python toy.py FOLDER`.

Runs in the vendor's environment. Every network is there with a handful of channels, its weights
drawn at random, but for the last layer of the shape decoder, which reads cosines of the place: the
field is a rounded cube, dented by what the networks before make of picture and noise. It is cut so
high that some seeds, which `seeds.json` names, leave no surface.

One repository has the folder layout of the published ones; another takes pictures of four sides.
"""

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import torch
import yaml
from hy3dgen.shapegen.pipelines import (
    Hunyuan3DDiTFlowMatchingPipeline,
    instantiate_from_config,
)
from PIL import Image
from safetensors.torch import save_file

OWN = "hy3dgen.shapegen."
WIDTH, LATENTS, CHANNELS, HEADS, FREQUENCIES = 32, 16, 8, 2, 2
PARTS = ("model", "vae", "conditioner")
SEEDS = 10
STEPS, OCTREE, CHUNKS = 12, 32, 500
"""As the tests run it."""


def configuration(views: bool) -> dict[str, Any]:
    """A `config.yaml` in the vendor's form."""
    dino = {
        "model_type": "dinov2",
        "hidden_size": WIDTH,
        "num_hidden_layers": 1,
        "num_attention_heads": HEADS,
        "mlp_ratio": 2,
        "image_size": 28,
        "patch_size": 14,
        "use_swiglu_ffn": True,
    }
    encoder: dict[str, Any] = {"config": dino, "image_size": 28}
    if views:
        encoder["view_num"] = 4
    sampler = {
        "in_channels": CHANNELS,
        "context_in_dim": WIDTH,
        "hidden_size": WIDTH,
        "mlp_ratio": 2.0,
        "num_heads": HEADS,
        "depth": 1,
        "depth_single_blocks": 1,
        "axes_dim": [WIDTH // HEADS],
        "theta": 10_000,
        "qkv_bias": True,
        "guidance_embed": False,
    }
    decoder = {
        "num_latents": LATENTS,
        "embed_dim": CHANNELS,
        "num_freqs": FREQUENCIES,
        "include_pi": False,
        "heads": HEADS,
        "width": WIDTH,
        "num_decoder_layers": 1,
        "geo_decoder_ln_post": False,
        "qkv_bias": False,
        "qk_norm": True,
        "scale_factor": 1.0,
    }
    kind = "DinoImageEncoderMV" if views else "DinoImageEncoder"
    processor = "MVImageProcessorV2" if views else "ImageProcessorV2"
    return {
        "model": _class("models.Hunyuan3DDiT", sampler),
        "vae": _class("models.ShapeVAE", decoder),
        "conditioner": _class(
            "models.SingleImageEncoder", {"main_image_encoder": {"type": kind, "kwargs": encoder}}
        ),
        "scheduler": _class("schedulers.FlowMatchEulerDiscreteScheduler", {}),
        "image_processor": _class(f"preprocessors.{processor}", {"size": 64, "border_ratio": 0.15}),
        "pipeline": _class("pipelines.Hunyuan3DDiTFlowMatchingPipeline", {}),
    }


def _class(name: str, params: dict[str, Any]) -> dict[str, Any]:
    return {"target": OWN + name, "params": params}


def drawn(config: dict[str, Any], seed: int) -> dict[str, torch.Tensor]:
    """Weights by their names in a file, the field a rounded cube of which nothing is cut off."""
    torch.manual_seed(seed)
    parts = {name: instantiate_from_config(config[name]) for name in PARTS}
    with torch.no_grad():
        decoder = parts["vae"].geo_decoder
        decoder.query_proj.weight[:3] = 0.0
        decoder.query_proj.bias[:3] = 0.0
        for axis in range(3):
            # Features of a place: itself, then its sines, then its cosines, axis by axis.
            column = 3 + 3 * FREQUENCIES + axis * FREQUENCIES + 1
            decoder.query_proj.weight[axis, column] = 1.0
        decoder.output_proj.weight[0, :3] = 1.0
        decoder.output_proj.weight[0, 3:] *= 0.5
        decoder.output_proj.bias[0] = 0.0
    return {
        f"{part}.{name}": value.detach().half().contiguous()
        for part, network in parts.items()
        for name, value in network.state_dict().items()
    }


def write(folder: Path, config: dict[str, Any], weights: dict[str, torch.Tensor]) -> None:
    """One model's folder."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "config.yaml").write_text(yaml.safe_dump(config, sort_keys=False))
    save_file(weights, folder / "model.fp16.safetensors")


def picture() -> Image.Image:
    """A blue square on nothing."""
    drawn = Image.new("RGBA", (64, 64))
    drawn.paste((40, 80, 190, 255), (16, 16, 48, 48))
    return drawn


def highest(folder: Path) -> list[float]:
    """The highest value of the field that each seed gives."""
    pipeline = Hunyuan3DDiTFlowMatchingPipeline.from_pretrained(
        str(folder.parent), subfolder=folder.name, device="cpu", dtype=torch.float32
    )
    seen: list[torch.Tensor] = []
    pipeline.vae.geo_decoder.register_forward_hook(
        lambda _module, _given, made: seen.append(made.amax(dim=(1, 2)))
    )
    pipeline(
        image=[picture()] * SEEDS,
        num_inference_steps=STEPS,
        generator=[torch.Generator("cpu").manual_seed(seed) for seed in range(SEEDS)],
        octree_resolution=OCTREE,
        num_chunks=CHUNKS,
        output_type="mesh",
        enable_pbar=False,
    )
    return [float(value) for value in torch.stack(seen).amax(dim=0)]


def main(root: Path) -> None:
    """Write every model, and which seeds give what."""
    one, four = configuration(views=False), configuration(views=True)
    folder = root / "Hunyuan3D-2" / "hunyuan3d-dit-v2-0"
    weights = drawn(one, 0)
    write(folder, one, weights)
    tops = highest(folder)
    order = np.sort(tops)
    # In the widest gap among the lowest, so that rounding changes no seed's side.
    gap = int(np.argmax(np.diff(order[: SEEDS // 3])))
    level = float(order[gap] + order[gap + 1]) / 2.0
    weights["vae.geo_decoder.output_proj.bias"][0] = -level
    write(folder, one, weights)
    write(root / "Hunyuan3D-2mv" / "hunyuan3d-dit-v2-mv", four, drawn(four, 0))
    picture().save(root / "picture.png")
    seeds = {
        "none": [seed for seed, top in enumerate(tops) if top < level],
        "surface": [int(seed) for seed in np.argsort(tops)[::-1][: SEEDS // 2]],
        "gap": float(order[gap + 1] - order[gap]),
    }
    (root / "seeds.json").write_text(json.dumps(seeds))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
