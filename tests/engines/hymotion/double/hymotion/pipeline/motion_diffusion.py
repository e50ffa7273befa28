"""The pipeline: noise by seed, Euler steps through the network, and decoding with the rig."""

from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import torch
from hymotion.pipeline.body_model import WoodenMesh, rot6d_to_rotation_matrix
from hymotion.utils.loaders import load_object


class MotionFlowMatching(torch.nn.Module):
    def __init__(
        self,
        network_module: str,
        network_module_args: dict[str, Any],
        text_encoder_module: str,
        text_encoder_cfg: dict[str, Any],
        noise_scheduler_cfg: dict[str, Any] | None = None,
        infer_noise_scheduler_cfg: dict[str, Any] | None = None,
        mean_std_dir: str | None = None,
        losses_cfg: dict[str, Any] | None = None,
        train_cfg: dict[str, Any] | None = None,
        test_cfg: dict[str, Any] | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__()
        self.motion_transformer = load_object(network_module, network_module_args)
        self._network_module_args = dict(network_module_args)
        self._text_encoder = text_encoder_module, text_encoder_cfg
        vector, context = (network_module_args[f"{name}_input_dim"] for name in ("vtxt", "ctxt"))
        for name in ("null", "special_game"):
            ending = "input" if name == "null" else "feat"
            self.register_parameter(f"{name}_vtxt_feat", _noise(vector))
            self.register_parameter(f"{name}_ctxt_{ending}", _noise(context))
        self.body_model = WoodenMesh()
        folder = Path(mean_std_dir or (test_cfg or {}).get("mean_std_dir", ""))
        for name in ("mean", "std"):
            values = np.load(folder / f"{name.capitalize()}.npy")
            self.register_buffer(name, torch.from_numpy(values).float())
        self.output_mesh_fps = kwargs.get("output_mesh_fps", 30)
        self.train_frames = kwargs.get("train_frames", 360)
        self.uncondition_mode = kwargs.get("uncondition_mode", False)
        self.enable_ctxt_null_feat = kwargs.get("enable_ctxt_null_feat", False)
        self.validation_steps = (infer_noise_scheduler_cfg or {})["validation_steps"]
        self.text_guidance_scale = (test_cfg or {}).get("text_guidance_scale", 1)

    def load_in_demo(
        self, ckpt_name: str, build_text_encoder: bool = True, allow_empty_ckpt: bool = False
    ) -> None:
        raise AssertionError("it goes on with random weights when the checkpoint is missing")

    @torch.no_grad()
    def encode_text(self, text: dict[str, list[str]]) -> dict[str, Any]:
        raise AssertionError("it encodes equal prompts again and again")

    @torch.no_grad()
    def generate(
        self,
        text: str | list[str],
        seed_input: list[int],
        duration_slider: float,
        cfg_scale: float | None = None,
        use_special_game_feat: bool = False,
        hidden_state_dict: dict[str, Any] | None = None,
        length: int | None = None,
    ) -> dict[str, Any]:
        device, repeat = next(self.parameters()).device, len(seed_input)
        if length is None:
            length = round(duration_slider * self.output_mesh_fps)
        length = max(min(length, self.train_frames), min(self.train_frames, 20))
        assert isinstance(text, list) and len(text) == repeat
        assert hidden_state_dict is not None
        vector, context = (hidden_state_dict[f"text_{name}_raw"] for name in ("vec", "ctxt"))
        tokens = hidden_state_dict["text_ctxt_raw_length"]
        assert vector.ndim == context.ndim == 3 and tokens.shape == (repeat,)
        heard = torch.arange(context.shape[1]) < tokens[:, None]
        shown = torch.arange(self.train_frames).expand(repeat, -1) < length
        scale = self.text_guidance_scale if cfg_scale is None else cfg_scale
        guided = scale > 1.0
        if guided:
            vector = torch.cat((self.null_vtxt_feat.expand_as(vector), vector))
            silent = self.null_ctxt_input.expand_as(context)
            context = torch.cat((silent if self.enable_ctxt_null_feat else context, context))
            heard, shown = torch.cat((heard, heard)), torch.cat((shown, shown))
        x = torch.cat([self._drawn(seed) for seed in seed_input]).to(device)
        times = torch.linspace(0, 1, self.validation_steps + 1, device=device)
        for now, then in pairwise(times):
            rows = torch.cat((x, x)) if guided else x
            flow = self.motion_transformer(
                x=rows,
                ctxt_input=context,
                vtxt_input=vector,
                timesteps=now.expand(rows.shape[0]),
                x_mask_temporal=shown,
                ctxt_mask_temporal=heard,
            )
            if guided:
                plain, told = flow.chunk(2)
                flow = plain + scale * (told - plain)
            x = x + (then - now) * flow
        decoded = self.decode_motion_from_latent(x[:, :length], should_apply_smooothing=True)
        return {**decoded, "text": text}

    def decode_motion_from_latent(
        self, latent: Any, should_apply_smooothing: bool = True
    ) -> dict[str, Any]:
        motion = latent * torch.where(self.std < 1e-3, 0.0, self.std) + self.mean
        batch, frames = motion.shape[:2]
        moves = motion[..., :3].clone()
        turns = motion[..., 3:135].reshape(batch, frames, 22, 6)
        for sample in range(batch):
            posed = self.body_model({"rot6d": turns[sample], "trans": moves[sample]})
            moves[sample, :, 1] -= posed["vertices"][..., 1].min()
        return {
            "latent_denorm": motion.cpu(),
            "rot6d": turns.cpu(),
            "transl": moves.cpu(),
            "root_rotations_mat": rot6d_to_rotation_matrix(turns[:, :, 0].contiguous()).cpu(),
        }

    def _drawn(self, seed: int) -> Any:
        generator = torch.Generator().manual_seed(seed)
        shape = (1, self.train_frames, self._network_module_args["input_dim"])
        return torch.randn(shape, generator=generator)


def _noise(size: int) -> torch.nn.Parameter:
    return torch.nn.Parameter(torch.randn(1, 1, size))
