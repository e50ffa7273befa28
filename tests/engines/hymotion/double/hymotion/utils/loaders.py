"""Objects by the dotted or slashed names that a configuration has for them."""

from importlib import import_module
from typing import Any


def load_object(module_name: str, module_args: dict[str, Any], **extra_args: Any) -> Any:
    path, _, name = module_name.replace("/", ".").rpartition(".")
    return getattr(import_module(path), name)(**{**module_args, **extra_args})
