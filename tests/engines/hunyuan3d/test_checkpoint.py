"""Weights that are not whole, or not what they should be, are told before torch loads."""

import hashlib
import json
import struct
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from kinesphere.engines.gpu.files import NotLoadable
from kinesphere.engines.hunyuan3d.checkpoint import Checkpoint, check_digests
from kinesphere.engines.hunyuan3d.shape import Shape

FILE = "model.fp16.safetensors"
PARTS = {"model.a": 4, "vae.b": 8, "conditioner.c": 2}


def safetensors(sizes: Mapping[str, int]) -> bytes:
    """A file of bytes, by the format's description."""
    header, end = {}, 0
    for name, size in sizes.items():
        header[name] = {"dtype": "U8", "shape": [size], "data_offsets": [end, end + size]}
        end += size
    text = json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + bytes(end)


def config(target: str = "hy3dgen.shapegen.models.Hunyuan3DDiT") -> str:
    return f"model:\n  target: {target}\n  params: {{a: 1}}\n"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "config.yaml").write_text(config())
    (tmp_path / FILE).write_bytes(safetensors(PARTS))
    return tmp_path


def code_and_words(folder: Path) -> str:
    with pytest.raises(NotLoadable) as caught:
        Checkpoint.find(folder)
    return str(caught.value)


def test_a_whole_folder_is_found(folder: Path) -> None:
    found = Checkpoint.find(folder)
    assert (found.weights, found.variant, found.safetensors) == (folder / FILE, "fp16", True)


def test_safetensors_are_preferred_to_a_pickle(folder: Path) -> None:
    (folder / "model.fp16.ckpt").write_bytes(b"pickle")
    assert Checkpoint.find(folder).safetensors
    (folder / FILE).rename(folder / "model.safetensors")
    assert Checkpoint.find(folder).variant is None
    (folder / "model.safetensors").unlink()
    assert not Checkpoint.find(folder).safetensors


@pytest.mark.parametrize("lost", [FILE, "config.yaml"])
def test_what_is_missing_is_named(folder: Path, lost: str) -> None:
    (folder / lost).unlink()
    assert code_and_words(folder).startswith("MODEL_FILES_MISSING: there is no ")
    assert lost in code_and_words(folder)


def test_a_missing_folder_is_named_and_nothing_else_is_tried(tmp_path: Path) -> None:
    engine = Shape(weights=str(tmp_path), folder="Hunyuan3D-2/none")
    with pytest.raises(NotLoadable, match=r"MODEL_FILES_MISSING: there is no folder .*/none"):
        engine.load("cpu")


def cut(data: bytes) -> bytes:
    return data[:-3]


def longer(data: bytes) -> bytes:
    return data + b"\0"


def emptied(_data: bytes) -> bytes:
    return b""


def garbled(data: bytes) -> bytes:
    return data[:8] + b"x" * (len(data) - 8)


def pointer(_data: bytes) -> bytes:
    return b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 4\n"


@pytest.mark.parametrize("harm", [cut, longer, emptied, garbled, pointer])
def test_a_file_that_is_not_whole_is_refused(folder: Path, harm: Callable[[bytes], bytes]) -> None:
    (folder / FILE).write_bytes(harm((folder / FILE).read_bytes()))
    assert code_and_words(folder).startswith("MODEL_FILES_INVALID: ")
    assert FILE in code_and_words(folder)


@pytest.mark.parametrize("part", ["model", "vae", "conditioner"])
def test_a_checkpoint_without_a_part_is_refused(folder: Path, part: str) -> None:
    left = {name: size for name, size in PARTS.items() if not name.startswith(part)}
    (folder / FILE).write_bytes(safetensors(left))
    assert f"holds nothing for the part {part!r}" in code_and_words(folder)


@pytest.mark.parametrize(
    "text",
    [
        config("subprocess.Popen"),
        config("hy3dgen.shapegenie.Other"),
        config() + "other:\n- params:\n    target: os.system\n",
        "model:\n  target: [a]\n",
        "just words",
        "a: [unclosed",
    ],
)
def test_a_configuration_that_names_foreign_code_is_refused(folder: Path, text: str) -> None:
    (folder / "config.yaml").write_text(text)
    assert code_and_words(folder).startswith("MODEL_FILES_INVALID: ")


def test_digests_are_compared_where_they_are_given(folder: Path) -> None:
    right = hashlib.sha256((folder / FILE).read_bytes()).hexdigest()
    check_digests(folder, "")
    check_digests(folder, json.dumps({FILE: right.upper()}))
    with pytest.raises(NotLoadable, match=r"MODEL_FILES_INVALID.*SHA-256"):
        check_digests(folder, json.dumps({FILE: "0" * 64}))
    with pytest.raises(NotLoadable, match="MODEL_FILES_MISSING"):
        check_digests(folder, json.dumps({"none": right}))
