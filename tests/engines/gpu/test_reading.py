"""Weights announced to the system: whatever comes of that, their reader finds them as they are."""

from pathlib import Path

from kinesphere.engines.gpu.reading import announce


def test_what_cannot_be_announced_is_left_to_its_reader(tmp_path: Path) -> None:
    path = tmp_path / "a.safetensors"
    path.write_bytes(b"weights")
    announce([tmp_path / "none", tmp_path, path])
    assert path.read_bytes() == b"weights"
