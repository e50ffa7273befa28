"""The weights' folder, looked at before anything of the vendor's is imported.

The vendor's own loading asks a hub for what is missing, imports whatever class a configuration
names, and leaves the picture encoder with random weights where a checkpoint has none. Here each of
those is an error, told before torch is loaded.
"""

import hashlib
import json
import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any, Final

from kinesphere.engines.gpu.files import check_whole, invalid, missing

PARTS: Final = ("model", "vae", "conditioner")
OWN: Final = "hy3dgen.shapegen."
"""What a configuration may name to be imported begins with this."""

_HEADER: Final = struct.Struct("<Q")
_LONGEST_HEADER: Final = 100_000_000
"""Bytes, as the format's own reader allows."""


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A model's folder that is whole.

    Attributes:
        folder: With `config.yaml` and the weights.
        weights: The file of the weights.
        variant: What stands between "model." and the extension, such as "fp16"; None for nothing.
    """

    folder: Path
    weights: Path
    variant: str | None

    @property
    def safetensors(self) -> bool:
        """Whether the weights are safetensors; else a pickle, read as tensors only."""
        return self.weights.suffix == ".safetensors"

    @classmethod
    def find(cls, folder: Path, parts: tuple[str, ...] = PARTS) -> "Checkpoint":
        """The checkpoint in a folder, looked at without loading it.

        Args:
            folder: Absolute; a relative one is looked for elsewhere by the vendor.
            parts: Beginnings of tensor names, each of which must be there; none to look at none.

        Raises:
            NotLoadable: Something is missing, cut off, a Git LFS pointer, or names foreign code.
        """
        if not folder.is_dir():
            raise missing(f"there is no folder {folder}")
        check_config(folder / "config.yaml")
        for extension in ("safetensors", "ckpt"):
            for variant in ("fp16", None):
                path = folder / f"model{'' if variant is None else '.' + variant}.{extension}"
                if path.is_file():
                    found = cls(folder, path, variant)
                    found._check(parts)
                    return found
        raise missing(f"there is no model.fp16.safetensors in {folder}")

    def _check(self, parts: tuple[str, ...]) -> None:
        check_whole(self.weights)
        if not self.safetensors:
            return
        names = tensor_names(self.weights)
        for part in parts:
            if not any(name.startswith(part + ".") for name in names):
                raise invalid(f"{self.weights} holds nothing for the part {part!r}")


def tensor_names(path: Path) -> frozenset[str]:
    """Names of the tensors in a safetensors file that is whole. Raises NotLoadable."""
    size = path.stat().st_size
    with path.open("rb") as file:
        head = file.read(_HEADER.size)
        length = _HEADER.unpack(head)[0] if len(head) == _HEADER.size else 0
        if not 0 < length <= min(_LONGEST_HEADER, size):
            raise invalid(f"{path} is cut off or not a safetensors file")
        text = file.read(length)
    try:
        entries = json.loads(text)
        ends = {n: int(e["data_offsets"][1]) for n, e in entries.items() if n != "__metadata__"}
    except (ValueError, KeyError, TypeError, IndexError, AttributeError) as error:
        raise invalid(f"{path} is cut off or not a safetensors file") from error
    needed = _HEADER.size + length + max(ends.values(), default=0)
    if size != needed:
        raise invalid(f"{path} has {size:,} bytes of {needed:,}: it is cut off or was changed")
    return frozenset(ends)


def check_config(path: Path) -> None:
    """Raise NotLoadable unless a `config.yaml` is there and names the vendor's classes only."""
    if not path.is_file():
        raise missing(f"there is no {path}")
    yaml = import_module("yaml")
    try:
        data = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise invalid(f"{path} is not YAML: {error}") from error
    if not isinstance(data, Mapping):
        raise invalid(f"{path} is no configuration of a model")
    for target in _targets(data):
        if not (isinstance(target, str) and target.startswith(OWN)):
            raise invalid(f"{path} names {target!r}, which is not the vendor's code")


def _targets(data: object) -> Iterator[object]:
    if isinstance(data, Mapping):
        for key, value in data.items():
            if key == "target":
                yield value
            else:
                yield from _targets(value)
    elif isinstance(data, list):
        for value in data:
            yield from _targets(value)


def check_digests(root: Path, digests: str) -> None:
    """Compare files with what is expected of them.

    Args:
        root: Folder of the weights.
        digests: JSON object of SHA-256 in hexadecimal by path below `root`; "" for none.

    Raises:
        NotLoadable: A file is not there, or is another.
    """
    expected: Mapping[str, Any] = json.loads(digests) if digests else {}
    for name, wanted in expected.items():
        path = root / name
        if not path.is_file():
            raise missing(f"there is no {path}, whose digest is given")
        with path.open("rb") as file:
            found = hashlib.file_digest(file, "sha256").hexdigest()
        if found != str(wanted).lower():
            raise invalid(f"{path} has the SHA-256 {found}, not {wanted}")
