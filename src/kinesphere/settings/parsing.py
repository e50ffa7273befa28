"""How settings that are more than one word are written in the environment."""

import json
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any


def counts(value: object) -> object:
    """`a=2,b=1` or a JSON object, from the environment, as a mapping."""
    if not isinstance(value, str):
        return value
    if value.lstrip().startswith("{"):
        return _json(value)
    pairs = [item.partition("=") for item in value.split(",") if item.strip()]
    found = [name.strip() for name, _, _ in pairs]
    if len(set(found)) < len(found) or not all(equals for _, equals, _ in pairs):
        raise ValueError("is not a list such as choreo=2,relief=1 with each name once")
    return {name.strip(): count.strip() for name, _, count in pairs}


def names(value: object) -> object:
    """`a,b` or a JSON list, from the environment, as a list."""
    if not isinstance(value, str):
        return value
    if value.lstrip().startswith("["):
        return _json(value)
    return [name.strip() for name in value.split(",") if name.strip()]


def decoded(value: object) -> object:
    """JSON from the environment as what it says."""
    return _json(value) if isinstance(value, str) else value


def read_only(value: Mapping[str, int]) -> Mapping[str, int]:
    """The same, which nobody can change."""
    return MappingProxyType(dict(value))


def in_words(text: str) -> dict[str, Any]:
    """What a setting may be, where its bounds do not say it; for the page of settings."""
    return {"allowed": text}


def _json(text: str) -> object:
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        raise ValueError(f"is not valid JSON: {error}") from None
