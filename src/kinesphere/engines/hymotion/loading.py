"""Bringing the vendor's pipeline up from files, strictly: with its own weights or not at all.

The vendor's own loading goes on with random weights where the checkpoint is missing, and ignores
keys that do not fit. Here each of those is an error.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import Any, Final, Literal

import numpy as np

from kinesphere.engines.gpu.files import invalid
from kinesphere.engines.gpu.reading import announce
from kinesphere.engines.hymotion.checkout import Config, Files, Vendor, imported
from kinesphere.engines.hymotion.rig import skeleton_of
from kinesphere.formats.clip import Floats, Skeleton

Precision = Literal["fp32", "tf32", "bf16"]
Encoding = Literal["bf16", "int8", "nf4"]

_RIG_BUFFERS: Final = frozenset(
    f"body_model.{name}"
    for name in ("v_template", "j_template", "skin_weights", "skin_indices", "parents")
)
"""Read from the checkout, so that checkpoints do not have them."""


@dataclass(frozen=True, slots=True)
class Manner:
    """How the model is run: what a profile chooses.

    Attributes:
        precision: Of the sampler's matrix products. Its weights stay in float32.
        compiled: Whether the sampler's network is compiled by torch.
        encoder: Precision of the language model's weights; int8 and nf4 by bitsandbytes.
        encoder_device: Where the text encoders are, "" for the sampler's own device.
    """

    precision: Precision = "tf32"
    compiled: bool = False
    encoder: Encoding = "bf16"
    encoder_device: str = ""


@dataclass(slots=True)
class Loaded:
    """The model on its device.

    Attributes:
        torch: The module, which nothing outside the engine imports.
        pipeline: The vendor's MotionFlowMatching, without its text encoders.
        encoder: The vendor's HYTextModel; None while a quantised one sleeps.
        encoder_again: Makes the encoder anew.
        skeleton: Of the vendor's figure.
        root: (3,) m, its root joint at rest.
    """

    torch: Any
    pipeline: Any
    encoder: Any
    encoder_again: Callable[[], Any]
    skeleton: Skeleton
    root: Floats


def read(files: Files, manner: Manner, device: str) -> Loaded:
    """Everything in main memory, but a quantised encoder, which is made on its device.

    Raises:
        NotLoadable: The files are not those of this model, or something of it is missing.
    """
    encoders = (file for folder in files.encoders.values() for file in sorted(folder.glob("*")))
    announce([files.checkpoint, *encoders])
    torch = import_module("torch")
    config = Config.read(files)
    vendor = imported(files)
    pipeline = _pipeline(torch, vendor, config, files)
    rig = pipeline.body_model
    joints, skin = (_array(each) for each in (rig.j_template, rig.v_template))
    try:
        skeleton = skeleton_of(joints, _array(rig.parents), skin)
    except ValueError as error:
        raise invalid(f"{files.source}: {error}") from None
    again = partial(_encoder, vendor, config, manner, device)
    return Loaded(torch, pipeline, again(), again, skeleton, joints[0])


def place(loaded: Loaded, manner: Manner, device: str) -> None:
    """Bring what was read to its devices."""
    torch, network = loaded.torch, loaded.pipeline.motion_transformer
    come(loaded, manner, device)
    if manner.precision != "fp32":
        torch.set_float32_matmul_precision("high")
    # The module itself would be compiled with its hooks, which are ours and change each time.
    if manner.precision == "bf16":
        network.forward = _in_bfloat16(torch, network.forward, torch.device(device).type)
    if manner.compiled:
        network.forward = torch.compile(network.forward)


def leave(loaded: Loaded, manner: Manner) -> None:
    """Give the devices back and keep the weights in main memory.

    A quantised encoder cannot be moved; it is let go, and read again by `come`.
    """
    loaded.pipeline.to("cpu")
    if manner.encoder == "bf16":
        loaded.encoder.to("cpu")
    else:
        loaded.encoder = None


def come(loaded: Loaded, manner: Manner, device: str) -> None:
    """Bring to its devices what is in main memory."""
    loaded.pipeline.to(device)
    if loaded.encoder is None:
        loaded.encoder = loaded.encoder_again()
    if manner.encoder == "bf16":
        loaded.encoder.to(manner.encoder_device or device)


def _pipeline(torch: Any, vendor: Vendor, config: Config, files: Files) -> Any:
    pipeline = vendor.load_object(
        config.pipeline,
        config.pipeline_args,
        network_module=config.network,
        network_module_args=config.network_args,
    )
    state = _state(torch, files.checkpoint)
    try:
        keys = pipeline.load_state_dict(state, strict=False)
    except (RuntimeError, AttributeError, TypeError) as error:
        raise invalid(f"{files.checkpoint} does not fit {files.config}: {error}") from None
    absent = set(keys.missing_keys) - _RIG_BUFFERS
    if absent or keys.unexpected_keys or not set(keys.missing_keys) >= _RIG_BUFFERS:
        words = [
            f"{kind} {', '.join(sorted(names)[:3])} ({len(names)} in all)"
            for kind, names in (("lacks", absent), ("has unknown", set(keys.unexpected_keys)))
            if names
        ]
        raise invalid(f"{files.checkpoint} {' and '.join(words) or 'carries a rig of its own'}")
    pipeline.eval().requires_grad_(False)
    return pipeline


def _state(torch: Any, path: Path) -> Mapping[str, Any]:
    """The tensors of a checkpoint. Nothing but tensors is unpickled: a pickle can run any code."""
    try:
        checkpoint = torch.load(path, map_location="cpu", weights_only=True)
    except MemoryError:
        raise
    except Exception as error:
        # Bytes that are none raise almost anything: IndexError, EINVAL, UnpicklingError.
        first = str(error).partition("\n")[0]
        raise invalid(f"{path} is not a checkpoint of tensors alone: {first}") from None
    state = checkpoint.get("model_state_dict") if isinstance(checkpoint, dict) else None
    if not isinstance(state, dict) or not state:
        raise invalid(f"{path} has no model_state_dict")
    return state


def _encoder(vendor: Vendor, config: Config, manner: Manner, device: str) -> Any:
    arguments = config.pipeline_args
    layout = vendor.text_encoder.LLM_ENCODER_LAYOUT[arguments["text_encoder_cfg"]["llm_type"]]
    plain = layout["text_encoder_class"]
    if manner.encoder != "bf16":
        where = manner.encoder_device or device
        layout["text_encoder_class"] = _Quantised(plain, manner.encoder, where)
    try:
        encoder = vendor.load_object(
            arguments["text_encoder_module"], arguments["text_encoder_cfg"]
        )
    except OSError as error:
        # What transformers raises for a folder that is not a model's.
        raise invalid(f"the text encoders cannot be loaded: {error}") from error
    finally:
        layout["text_encoder_class"] = plain
    if manner.encoder != "bf16":
        encoder.sentence_emb_text_encoder.to(manner.encoder_device or device)
    return encoder.eval().requires_grad_(False)


@dataclass(frozen=True, slots=True)
class _Quantised:
    """Stands where the vendor's code names the language model's class, and quantises it.

    A quantised model is made on its device and stays there.
    """

    plain: Any
    encoding: Encoding
    device: str

    def from_pretrained(self, path: str, **options: Any) -> Any:
        """The model of a folder, its linear layers quantised."""
        transformers, torch = import_module("transformers"), import_module("torch")
        if self.encoding == "int8":
            manner = transformers.BitsAndBytesConfig(load_in_8bit=True)
        else:
            manner = transformers.BitsAndBytesConfig(
                load_in_4bit=True,
                bnb_4bit_quant_type="nf4",
                bnb_4bit_compute_dtype=torch.bfloat16,
            )
        options |= {"quantization_config": manner, "device_map": {"": self.device}}
        return self.plain.from_pretrained(path, **options)


def _in_bfloat16(torch: Any, forward: Any, kind: str) -> Any:
    def lowered(*args: Any, **kwargs: Any) -> Any:
        with torch.autocast(kind, torch.bfloat16):
            # The integration over the steps goes on in float32.
            return forward(*args, **kwargs).float()

    return lowered


def _array(tensor: Any) -> Floats:
    return np.asarray(tensor.detach().cpu().numpy(), np.float64)
