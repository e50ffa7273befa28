"""Weights mapped and read ahead: the same bytes, whatever becomes of the reading ahead."""

import json
import struct
import threading
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kinesphere.engines.gpu import reading
from kinesphere.engines.gpu.reading import NotSafetensors, mapped, read_ahead


def written(path: Path, tensors: dict[str, tuple[str, list[int], bytes]]) -> Path:
    """A safetensors file, by the format's description."""
    header: dict[str, Any] = {"__metadata__": {"format": "pt"}}
    body = b""
    for name, (dtype, shape, data) in tensors.items():
        offsets = [len(body), len(body) + len(data)]
        header[name] = {"dtype": dtype, "shape": shape, "data_offsets": offsets}
        body += data
    text = json.dumps(header).encode()
    path.write_bytes(struct.pack("<Q", len(text)) + text + body)
    return path


@settings(deadline=None, max_examples=30)
@given(st.dictionaries(st.text(min_size=1, max_size=8), st.binary(max_size=300), max_size=6))
def test_every_tensor_has_its_bytes(tensors: dict[str, bytes]) -> None:
    tensors.pop("__metadata__", None)
    told = {name: ("U8", [len(data)], data) for name, data in tensors.items()}
    path = written(Path("/dev/shm") / f"kinesphere-test-{threading.get_ident()}", told)
    try:
        with mapped(path, 2) as found:
            assert {name: bytes(t.data) for name, t in found.items()} == tensors
            assert all(t.shape == (len(t.data),) for t in found.values())
    finally:
        path.unlink()


def test_parts_are_read_ahead_and_the_map_is_let_go(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reading, "PART", 1_000)
    data = bytes(range(250)) * 100
    path = written(tmp_path / "a.safetensors", {"w": ("F16", [125, 100], data)})
    before = threading.active_count()
    with mapped(path) as found:
        tensor = found["w"]
        assert (tensor.dtype, tensor.shape) == ("F16", (125, 100))
        assert bytes(tensor.data) == data
    assert threading.active_count() == before
    with pytest.raises(ValueError, match="released"):
        bytes(tensor.data)


def test_what_cannot_be_read_ahead_is_left_to_the_reader(tmp_path: Path) -> None:
    with read_ahead([tmp_path / "none", tmp_path]):
        pass
    with pytest.raises(FileNotFoundError), mapped(tmp_path / "none"):
        pass


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"1234567",
        struct.pack("<Q", 10**12),
        struct.pack("<Q", 2) + b"[]",
        struct.pack("<Q", 3) + b"{,}",
        struct.pack("<Q", 10) + b'{"a": {}}',
    ],
)
def test_what_is_no_safetensors_file_is_told(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "a.safetensors"
    path.write_bytes(data)
    with pytest.raises(NotSafetensors), mapped(path):
        pass


def test_a_file_that_was_cut_off_is_told(tmp_path: Path) -> None:
    path = written(tmp_path / "a.safetensors", {"w": ("U8", [9], b"123456789")})
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(NotSafetensors, match="not all there"), mapped(path):
        pass
