"""The object of a photograph by a saliency network that the operator supplies as an ONNX file."""

from importlib import import_module
from pathlib import Path
from typing import Any, Final

import cv2
import numpy as np

from kinesphere.engines.relief.views import Flags, Floats, Pixels

RUNTIME: Final = "onnxruntime"
SIDE: Final = 320
"""Pixels of the sides of the network's input, where the file leaves them open."""
_MEAN: Final = np.array([0.485, 0.456, 0.406], np.float32)
_DEVIATION: Final = np.array([0.229, 0.224, 0.225], np.float32)


class NetworkUnusable(Exception):
    """The network cannot be loaded, and why."""


class MaskNetwork:
    """A network of U²-Net's kind (Qin et al. 2020), on the CPU.

    Its first input is (1, 3, h, w) RGB, scaled to the brightest value and normalised as ImageNet
    is; its first output is (1, 1, h, w), 0 to 1, what is the object's.
    """

    def __init__(self, path: Path) -> None:
        """Load the network. Raises NetworkUnusable."""
        if not path.is_file():
            raise NetworkUnusable(f"relief_mask_model names {path}, which is not a file")
        try:
            runtime: Any = import_module(RUNTIME)
        except ImportError as missing:
            raise NetworkUnusable(
                f"relief_mask_model is set, which needs the package {RUNTIME}: "
                "pip install 'kinesphere[masks]'"
            ) from missing
        try:
            self._session = runtime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
            first = self._session.get_inputs()[0]
            self._input, shape = first.name, first.shape
            high, wide = (n if isinstance(n, int) else SIDE for n in shape[2:])
        except Exception as error:
            raise NetworkUnusable(f"{path} is no mask network: {error}") from error
        self._size = (wide, high)

    def mask(self, colours: Pixels) -> tuple[Flags, float]:
        """(h, w) whether a pixel is the object's, and how sure the network is of it, 0 to 1."""
        values: Floats = cv2.resize(colours, self._size, interpolation=cv2.INTER_AREA)
        values = values.astype(np.float32)
        values = (values / max(1.0, float(values.max())) - _MEAN) / _DEVIATION
        given = np.ascontiguousarray(values.transpose(2, 0, 1)[None])
        answer = np.asarray(self._session.run(None, {self._input: given})[0], np.float32)[0, 0]
        size = (colours.shape[1], colours.shape[0])
        likely = cv2.resize(answer, size, interpolation=cv2.INTER_LINEAR)
        found = likely > 0.5
        # The mean over the object of how far it is from a coin's toss.
        sure = float((likely[found] * 2.0 - 1.0).mean()) if found.any() else 0.0
        return np.asarray(found), min(1.0, sure)
