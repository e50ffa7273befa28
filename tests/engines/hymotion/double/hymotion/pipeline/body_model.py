"""A rig that is posed by its 52 joints; its skin moves with the joint that each vertex names."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import torch


def rot6d_to_rotation_matrix(rot6d: Any) -> Any:
    columns = rot6d.view(*rot6d.shape[:-1], 3, 2)
    first = torch.nn.functional.normalize(columns[..., 0], dim=-1)
    second = columns[..., 1] - (first * columns[..., 1]).sum(-1, keepdim=True) * first
    second = torch.nn.functional.normalize(second, dim=-1)
    return torch.stack((first, second, torch.linalg.cross(first, second)), dim=-1)


class WoodenMesh(torch.nn.Module):
    def __init__(self, model_path: str = "scripts/gradio/static/assets/dump_wooden") -> None:
        super().__init__()
        folder = Path(model_path)

        def numbers(name: str, kind: Any, width: int) -> Any:
            return (
                np.fromfile(folder / name, kind)
                .reshape(-1, width)
                .squeeze(-1 if width == 1 else ())
            )

        for name, file, kind, width in (
            ("v_template", "v_template.bin", np.float32, 3),
            ("j_template", "j_template.bin", np.float32, 3),
            ("skin_weights", "skinWeights.bin", np.float32, 4),
            ("skin_indices", "skinIndice.bin", np.uint16, 4),
            ("parents", "kintree.bin", np.int32, 1),
        ):
            array = numbers(file, kind, width)
            whole = np.issubdtype(array.dtype, np.integer)
            self.register_buffer(name, torch.tensor(array.astype(np.int64) if whole else array))
        self.joint_names = json.loads((folder / "joint_names.json").read_text())

    def forward(self, params: dict[str, Any], fast_forward: bool = False) -> dict[str, Any]:
        turns = rot6d_to_rotation_matrix(params["rot6d"])
        frames = turns.shape[0]
        hands = torch.eye(3).expand(frames, 52 - turns.shape[1], 3, 3)
        turns = torch.cat((turns, hands.to(turns)), dim=1)
        world, places = [turns[:, 0]], [self.j_template[0].expand(frames, 3)]
        for joint in range(1, 52):
            parent = int(self.parents[joint])
            bone = self.j_template[joint] - self.j_template[parent]
            places.append(places[parent] + world[parent] @ bone)
            world.append(world[parent] @ turns[:, joint])
        turned, posed = torch.stack(world, 1), torch.stack(places, 1)
        owners = self.skin_indices[:, 0]
        rest = self.v_template - self.j_template[owners]
        skin = posed[:, owners] + torch.einsum("tvij,vj->tvi", turned[:, owners], rest)
        moved = skin + params["trans"][:, None] if "trans" in params else skin
        return {"vertices": moved, "vertices_wotrans": skin, "keypoints3d": posed}
