"""A network that draws each sample to a wave of its own: by its text, its noise and its length."""

from typing import Any

import torch


class HunyuanMotionMMDiT(torch.nn.Module):
    """`most_rows`: rows of a batch beyond which it runs out of memory; 0 for never."""

    def __init__(
        self,
        input_dim: int,
        feat_dim: int,
        output_dim: int | None = None,
        ctxt_input_dim: int = 4096,
        vtxt_input_dim: int = 256,
        num_layers: int = 12,
        num_heads: int = 16,
        mask_mode: str | None = None,
        most_rows: int = 0,
        **kwargs: Any,
    ) -> None:
        super().__init__()
        self.most_rows = most_rows
        self.ctxt_encoder = torch.nn.Linear(ctxt_input_dim, feat_dim)
        self.vtxt_encoder = torch.nn.Linear(vtxt_input_dim, feat_dim)
        self.final_layer = torch.nn.Linear(feat_dim, output_dim or input_dim)

    def forward(
        self,
        x: Any,
        ctxt_input: Any,
        vtxt_input: Any,
        timesteps: Any,
        x_mask_temporal: Any,
        ctxt_mask_temporal: Any,
        **kwargs: Any,
    ) -> Any:
        if self.most_rows and x.shape[0] > self.most_rows:
            raise torch.OutOfMemoryError(f"CUDA out of memory. Tried {x.shape[0]} rows")
        frames = x_mask_temporal.to(x).unsqueeze(-1)
        tokens = ctxt_mask_temporal.to(x).unsqueeze(-1)
        text = (self.ctxt_encoder(ctxt_input.float()) * tokens).sum(1) / tokens.sum(1).clamp(min=1)
        feature = torch.tanh(text + self.vtxt_encoder(vtxt_input.float())[:, 0])
        phase = torch.linspace(0, 12, x.shape[1], device=x.device)[None, :, None]
        wave = torch.sin(phase + self.final_layer(feature)[:, None])
        # What the noise leaves: the mean over the frames that count.
        rest = (x * frames).sum(1, keepdim=True) / frames.sum(1, keepdim=True)
        return wave + 4 * rest - x * (2 + 6 * timesteps[:, None, None])
