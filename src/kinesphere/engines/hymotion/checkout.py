"""The vendor's checkout and weights: found, checked for being whole, and imported from where it is.

Nothing of the vendor's is part of this package. Its code resolves paths against the working
directory; here every path is given, and the working directory stays as it is.
"""

import os
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import Any, Final

from kinesphere.engines.gpu.files import check_whole, invalid

RIG: Final = Path("scripts/gradio/static/assets/dump_wooden")
STATS: Final = Path("stats")
ENCODERS: Final[Mapping[str, str]] = {"qwen3": "Qwen3-8B", "clipl": "clip-vit-large-patch14"}
"""Folders of the text encoders' weights, by the names that the configuration has for them."""

_RIG_FILES: Final = (
    "v_template.bin", "j_template.bin", "skinWeights.bin", "skinIndice.bin", "kintree.bin",
    "faces.bin", "joint_names.json",
)  # fmt: skip
_STATS_FILES: Final = ("Mean.npy", "Std.npy")
_OWN: Final = "hymotion/"
"""What the configuration may name to be imported begins with this."""


@dataclass(frozen=True, slots=True)
class Files:
    """Where everything is.

    Attributes:
        source: The checkout: the folder that holds `hymotion/`, `stats/` and `scripts/`.
        config: The model's `config.yml`.
        checkpoint: The model's `latest.ckpt`.
        encoders: Folder of each text encoder by its name in the configuration.
    """

    source: Path
    config: Path
    checkpoint: Path
    encoders: Mapping[str, Path]

    @classmethod
    def find(cls, source: Path, weights: Path, variant: str) -> "Files":
        """The files of a variant, all there and none a Git LFS pointer.

        Args:
            source: The checkout.
            weights: Folder laid out as the vendor's `ckpts`.
            variant: "HY-Motion-1.0" or "HY-Motion-1.0-Lite".

        Raises:
            NotLoadable: A file is missing, or has not been fetched with Git LFS.
        """
        folder = weights / "tencent" / variant
        if not folder.is_dir():
            folder = weights / variant
        files = cls(
            source=source,
            config=folder / "config.yml",
            checkpoint=folder / "latest.ckpt",
            encoders={name: weights / place for name, place in ENCODERS.items()},
        )
        for path in files._needed():
            check_whole(path)
        return files

    def _needed(self) -> Iterator[Path]:
        yield self.source / "hymotion" / "pipeline" / "motion_diffusion.py"
        yield from (self.source / RIG / name for name in _RIG_FILES)
        yield from (self.source / STATS / name for name in _STATS_FILES)
        yield self.config
        yield self.checkpoint
        for folder in self.encoders.values():
            yield folder / "config.json"
            yield from sorted(folder.glob("*.safetensors")) + sorted(folder.glob("*.bin"))


@dataclass(frozen=True, slots=True)
class Vendor:
    """The vendor's modules that are used, imported."""

    diffusion: Any
    text_encoder: Any
    load_object: Any


def imported(files: Files) -> Vendor:
    """Import the vendor's code, its paths pointing into the checkout. Nothing is downloaded.

    Raises:
        NotLoadable: Another package of the same name was imported before.
    """
    # Read when the modules are imported; with any other value they fetch from a hub.
    os.environ["USE_HF_MODELS"] = "0"
    os.environ["HF_HUB_OFFLINE"] = os.environ["TRANSFORMERS_OFFLINE"] = "1"
    if str(files.source) not in sys.path:
        sys.path.insert(0, str(files.source))
    diffusion = import_module("hymotion.pipeline.motion_diffusion")
    text_encoder = import_module("hymotion.network.text_encoders.text_encoder")
    if not Path(diffusion.__file__ or "").is_relative_to(files.source):
        raise invalid(f"hymotion was imported from {diffusion.__file__}, not from {files.source}")
    rig: Any = import_module("hymotion.pipeline.body_model")
    figure = partial(rig.WoodenMesh, model_path=str(files.source / RIG))
    vars(diffusion)["WoodenMesh"] = figure
    for layout in (text_encoder.LLM_ENCODER_LAYOUT, text_encoder.SENTENCE_EMB_LAYOUT):
        for name, entry in layout.items():
            if name in files.encoders:
                entry["module_path"] = str(files.encoders[name])
    return Vendor(diffusion, text_encoder, import_module("hymotion.utils.loaders").load_object)


@dataclass(frozen=True, slots=True)
class Config:
    """What `config.yml` says, with the paths made absolute."""

    pipeline: str
    pipeline_args: dict[str, Any]
    network: str
    network_args: dict[str, Any]

    @classmethod
    def read(cls, files: Files) -> "Config":
        """Read the file without executing anything that it names.

        Raises:
            NotLoadable: It is not a configuration of this model, or names code of others.
        """
        yaml = import_module("yaml")
        try:
            data = yaml.safe_load(files.config.read_text(encoding="utf-8"))
            config = cls(
                data["train_pipeline"],
                dict(data["train_pipeline_args"]),
                data["network_module"],
                dict(data["network_module_args"]),
            )
            modules = config.pipeline, config.network, config.pipeline_args["text_encoder_module"]
            encoder = config.pipeline_args["text_encoder_cfg"]
            encoders = encoder["llm_type"], encoder.get("sentence_emb_type", "clipl")
        except (yaml.YAMLError, UnicodeDecodeError, KeyError, TypeError, ValueError) as error:
            raise invalid(f"{files.config} is no configuration of this model: {error!r}") from error
        for module in modules:
            if not (isinstance(module, str) and module.startswith(_OWN)):
                raise invalid(f"{files.config} names {module!r}, which is not the vendor's code")
        for name in encoders:
            if name not in ENCODERS:
                raise invalid(f"{files.config} names the text encoder {name!r}, which is unknown")
        stats = str(files.source / STATS)
        test = {**config.pipeline_args.get("test_cfg", {}), "mean_std_dir": stats}
        config.pipeline_args.update(test_cfg=test, mean_std_dir=stats)
        return config
