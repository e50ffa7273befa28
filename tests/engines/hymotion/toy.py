"""A whole installation of the model at toy size: checkout, rig, statistics, weights of all parts.

`python toy.py FOLDER SOURCE` writes it; SOURCE is the checkout whose code it is for: our double, or
the vendor's. Needs torch, and for the vendor's code also transformers and tokenizers.
"""

import json
import sys
from importlib import import_module
from pathlib import Path
from typing import Any, Final

import numpy as np

from kinesphere.formats.clip import JOINT_NAMES, PARENTS, STANDARD

DOUBLE: Final = Path(__file__).with_name("double")
VARIANT: Final = "HY-Motion-1.0"
MOVED: Final = 0.02
"""How much of the sampler's latent is motion: rad, near enough, and m."""


def lay_out(folder: Path, source: Path = DOUBLE, *, steps: int = 6, **network: Any) -> None:
    """Write `folder`/src and `folder`/weights. Pure files: nothing of `source` is run."""
    checkout = folder / "src"
    checkout.mkdir(parents=True)
    (checkout / "hymotion").symlink_to((source / "hymotion").absolute())
    _rig(checkout / "scripts/gradio/static/assets/dump_wooden")
    _statistics(checkout / "stats")
    model = folder / "weights" / "tencent" / VARIANT
    model.mkdir(parents=True)
    (model / "config.yml").write_text(json.dumps(config(steps, **network)))


def config(steps: int, **network: Any) -> dict[str, Any]:
    """The keys of the vendor's configuration with small numbers; JSON is YAML."""
    return {
        "network_module": "hymotion/network/hymotion_mmdit.HunyuanMotionMMDiT",
        "network_module_args": {
            "apply_rope_to_single_branch": False,
            "ctxt_input_dim": 64,
            "dropout": 0.0,
            "feat_dim": 64,
            "input_dim": 201,
            "mask_mode": "narrowband",
            "mlp_ratio": 2.0,
            "num_heads": 2,
            "num_layers": 3,
            "time_factor": 1000.0,
            "vtxt_input_dim": 32,
            **network,
        },
        "train_pipeline": "hymotion/pipeline/motion_diffusion.MotionFlowMatching",
        "train_pipeline_args": {
            "enable_ctxt_null_feat": True,
            "enable_special_game_feat": True,
            "infer_noise_scheduler_cfg": {"validation_steps": steps},
            "losses_cfg": {"recons": {"name": "SmoothL1Loss", "weight": 1.0}},
            "noise_scheduler_cfg": {"method": "euler"},
            "output_mesh_fps": 30,
            "random_generator_on_gpu": False,
            "test_cfg": {"mean_std_dir": "./stats/", "text_guidance_scale": 5.0},
            "text_encoder_cfg": {"llm_type": "qwen3", "max_length_llm": 128},
            "text_encoder_module": "hymotion/network/text_encoders/text_encoder.HYTextModel",
            "train_cfg": {"cond_mask_prob": 0.1},
            "train_frames": 360,
        },
    }


def _rig(folder: Path) -> None:
    """52 joints in SMPL-H order, each with a small octahedron of skin around it."""
    joints = np.zeros((52, 3))
    joints[0] = STANDARD.offsets[0]
    for joint, parent in enumerate(PARENTS[1:], start=1):
        joints[joint] = joints[parent] + STANDARD.offsets[joint]
    parents, names = list(PARENTS), list(JOINT_NAMES)
    for wrist, side in ((20, 1.0), (21, -1.0)):
        for finger in range(5):
            for knuckle in range(3):
                index = len(parents)
                parents.append(wrist if knuckle == 0 else index - 1)
                names.append(f"{names[wrist][0]}_Finger{finger}{knuckle}")
                reach = side * (0.09 + 0.03 * knuckle)
                joints[index] = joints[wrist] + (reach, 0.0, 0.02 * (finger - 2))
    around = 0.015 * np.concatenate((np.eye(3), -np.eye(3)))
    skin = (joints[:, None] + around).reshape(-1, 3)
    owners = np.repeat(np.arange(52), len(around))
    weights = np.zeros((len(skin), 4))
    weights[:, 0] = 1.0
    faces = np.arange(len(skin) // 3 * 3).reshape(-1, 3)
    arrays: dict[str, tuple[Any, Any]] = {
        "v_template.bin": (skin, np.float32),
        "j_template.bin": (joints, np.float32),
        "skinWeights.bin": (weights, np.float32),
        "skinIndice.bin": (np.tile(owners[:, None], (1, 4)), np.uint16),
        "kintree.bin": (parents, np.int32),
        "faces.bin": (faces, np.uint16),
    }
    folder.mkdir(parents=True)
    for name, (array, kind) in arrays.items():
        np.asarray(array).astype(kind).tofile(folder / name)
    (folder / "joint_names.json").write_text(json.dumps(names))


def _statistics(folder: Path) -> None:
    """The rest pose, and a little motion about it."""
    mean = np.zeros(201)
    # The first two columns of the identity, row by row.
    mean[3:135] = np.tile([1.0, 0.0, 0.0, 1.0, 0.0, 0.0], 22)
    folder.mkdir(parents=True)
    np.save(folder / "Mean.npy", mean)
    np.save(folder / "Std.npy", np.full(201, MOVED))


def fill(folder: Path) -> None:
    """Make the weights: of the text encoders, and a checkpoint of the pipeline, both random."""
    torch = import_module("torch")
    torch.manual_seed(0)
    weights = folder / "weights"
    if (folder / "src" / "hymotion").resolve().parent == DOUBLE.resolve():
        for name, size, rows in (("Qwen3-8B", 64, 97), ("clip-vit-large-patch14", 32, 89)):
            (weights / name).mkdir()
            content = {"hidden_size": size, "vocab_size": rows}
            (weights / name / "config.json").write_text(json.dumps(content))
    else:
        import_module("tests.engines.hymotion.toy_encoders").write(weights)
    from kinesphere.engines.hymotion.checkout import Config, Files, imported

    model = weights / "tencent" / VARIANT
    torch.save({}, model / "latest.ckpt")
    files = Files.find(folder / "src", weights, VARIANT)
    vendor, told = imported(files), Config.read(files)
    pipeline = vendor.load_object(
        told.pipeline,
        told.pipeline_args,
        network_module=told.network,
        network_module_args=told.network_args,
    )
    state = {k: v for k, v in pipeline.state_dict().items() if not k.startswith("body_model.")}
    torch.save({"model_state_dict": state}, model / "latest.ckpt")


if __name__ == "__main__":
    place, code = Path(sys.argv[1]), Path(sys.argv[2])
    lay_out(place, code)
    fill(place)
