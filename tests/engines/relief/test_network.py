"""A network that the operator supplies finds the object; one that cannot be used says why."""

import sys
from pathlib import Path

import numpy as np
import pytest

from kinesphere.engines import relief
from kinesphere.engines.catalog import discover
from kinesphere.engines.relief.cutout import cut_out
from kinesphere.engines.relief.engine import Shape
from kinesphere.engines.relief.network import MaskNetwork, NetworkUnusable
from kinesphere.formats.picture import decode
from kinesphere.settings import load_settings
from tests.engines.relief.scenes import overlap, placed

SIDE = 32


def varint(number: int) -> bytes:
    high, low = number >> 7, number & 127
    return bytes([low | 128]) + varint(high) if high else bytes([low])


def field(number: int, value: bytes | str | int) -> bytes:
    """One field of a protocol buffer."""
    if isinstance(value, int):
        return varint(number << 3) + varint(value)
    data = value.encode() if isinstance(value, str) else value
    return varint(number << 3 | 2) + varint(len(data)) + data


def tensor(name: str) -> bytes:
    channels = 3 if name == "picture" else 1
    shape = b"".join(field(1, field(1, size)) for size in (1, channels, SIDE, SIDE))
    return field(1, name) + field(2, field(1, field(1, 1) + field(2, shape)))


def red_finder() -> bytes:
    """An ONNX file: the sigmoid of 4 times red less green less blue, a 1 by 1 convolution."""
    weights = np.array([4.0, -2.0, -2.0], np.float32)
    kernel = b"".join(field(1, size) for size in (1, 3, 1, 1)) + field(2, 1)
    kernel += field(8, "kernel") + field(9, weights.tobytes())
    nodes = [
        field(1, "picture") + field(1, "kernel") + field(2, "sum") + field(4, "Conv"),
        field(1, "sum") + field(2, "mask") + field(4, "Sigmoid"),
    ]
    graph = b"".join(field(1, node) for node in nodes) + field(2, "red") + field(5, kernel)
    graph += field(11, tensor("picture")) + field(12, tensor("mask"))
    return field(1, 8) + field(7, graph) + field(8, field(2, 13))


@pytest.fixture
def network(tmp_path: Path) -> Path:
    path = tmp_path / "red.onnx"
    path.write_bytes(red_finder())
    return path


def test_the_network_finds_the_object(network: Path) -> None:
    scene = placed("anthurium", "gravel", 1)
    cutout = cut_out(decode(scene.data, 10_000_000), None, MaskNetwork(network))
    assert cutout.method == "network"
    assert overlap(cutout.mask, scene.mask) > 0.7
    assert 0.5 < cutout.confidence <= 1.0


def test_the_setting_reaches_the_engine(network: Path) -> None:
    settings = load_settings({"KINESPHERE_RELIEF_MASK_MODEL": str(network)})
    assert settings.relief_mask_model == network
    catalog = discover(["relief"], mask_model=settings.relief_mask_model)
    model = catalog.find("mesh", "relief")
    assert model is not None
    assert model.version == "1+red"
    engine = Shape(**{name: str(value) for name, value in model.stages[0].options.items()})
    engine.load("cpu")
    assert model.stages[1].options == {}
    assert relief.with_network(relief.MODELS[0], None) is relief.MODELS[0]


def test_a_network_that_cannot_be_used_says_why(
    network: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(NetworkUnusable, match=r"none\.onnx, which is not a file"):
        Shape(mask_model=str(tmp_path / "none.onnx")).load("cpu")
    broken = tmp_path / "broken.onnx"
    broken.write_bytes(b"no network")
    with pytest.raises(NetworkUnusable, match="is no mask network"):
        MaskNetwork(broken)
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(NetworkUnusable, match=r"kinesphere\[masks\]"):
        MaskNetwork(network)
