"""Lets PyPI's torchvision be imported beside a CPU build of torch.

torchvision's own operators are compiled for CUDA in PyPI's wheel. Beside a CPU build they do not
load, and its Python code then describes operators that are not there. Declared, they are; nothing
here calls them. Installed into the environment, and run when an interpreter starts: it waits for
the import, because torch takes seconds to load.
"""

import sys
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec

OPERATORS = ("nms", "qnms")
_kept: list[object] = []


class _Before(MetaPathFinder):
    def find_spec(self, name: str, path: object = None, target: object = None) -> ModuleSpec | None:
        if name == "torchvision":
            sys.meta_path.remove(self)
            import torch

            library = torch.library.Library("torchvision", "DEF")
            for operator in OPERATORS:
                boxes = "(Tensor dets, Tensor scores, float iou_threshold) -> Tensor"
                library.define(operator + boxes)
            _kept.append(library)
        return None


sys.meta_path.insert(0, _Before())
