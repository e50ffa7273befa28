"""Kubernetes' own schemas, and those of custom resources."""

import json
from collections.abc import Iterator
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any

import jsonschema
import referencing
import yaml

from kinesphere.deploy.chart import Document

CRDS = Path(__file__).parent / "crds"
_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_SCHEMAS = files("kubernetes_validate").joinpath("kubernetes-json-schema")


def versions() -> list[str]:
    """Every version of Kubernetes from 1.28 on whose schemas are here, oldest first."""
    found = {name.name.split("-")[0] for name in _SCHEMAS.iterdir() if name.name.startswith("v")}
    numbers = {tuple(int(part) for part in name[1:].split(".")): name for name in found}
    return [numbers[number] for number in sorted(numbers) if number >= (1, 28)]


@cache
def _definitions(version: str) -> Any:
    text = _SCHEMAS.joinpath(f"{version}-local-strict", "_definitions.json").read_text()
    return referencing.Resource.from_contents(json.loads(text))


@cache
def _standard(version: str, kind: str, api: str) -> jsonschema.Draft202012Validator | None:
    group, _, number = api.rpartition("/")
    name = "-".join(filter(None, (kind.lower(), group.split(".")[0], number)))
    schema = _SCHEMAS.joinpath(f"{version}-local-strict", f"{name}.json")
    if not schema.is_file():
        return None
    registry = _definitions(version) @ referencing.Registry()
    return jsonschema.Draft202012Validator(json.loads(schema.read_text()), registry=registry)


@cache
def _custom(kind: str, api: str) -> jsonschema.Draft202012Validator | None:
    group, _, number = api.rpartition("/")
    for path in CRDS.glob(f"*.{group}.yaml"):
        spec = yaml.load(path.read_text(), _LOADER)["spec"]
        if spec["names"]["kind"] != kind:
            continue
        served = {v["name"]: v["schema"]["openAPIV3Schema"] for v in spec["versions"]}
        schema = _closed(served[number])
        schema["properties"] |= {"apiVersion": {}, "kind": {}, "metadata": {"type": "object"}}
        return jsonschema.Draft202012Validator(schema)
    return None


def _closed(schema: Any) -> Any:
    """The API server drops fields that a schema does not name; here they are wrong."""
    if not isinstance(schema, dict):
        return schema
    closed = {
        name: [_closed(each) for each in value] if isinstance(value, list) else _closed(value)
        for name, value in schema.items()
    }
    properties = schema.get("properties")
    named = isinstance(properties, dict) and "type" in schema
    if named and not schema.get("x-kubernetes-preserve-unknown-fields"):
        closed.setdefault("additionalProperties", False)
    return closed


def is_custom(document: Document) -> bool:
    """Whether a resource is judged by the schema of a project."""
    return _custom(document["kind"], document["apiVersion"]) is not None


def custom_faults(document: Document) -> Iterator[str]:
    """What is wrong with a custom resource; nothing of one that is Kubernetes' own."""
    judge = _custom(document["kind"], document["apiVersion"])
    return _told(document, judge) if judge is not None else iter(())


def standard_faults(document: Document, version: str) -> Iterator[str]:
    """What a cluster of this version would refuse of a resource; nothing of a custom one."""
    kind, api = document["kind"], document["apiVersion"]
    if _custom(kind, api) is not None:
        return
    judge = _standard(version, kind, api)
    if judge is None:
        yield f"{kind} {api} is not known to {version}"
        return
    yield from _told(document, judge)


def _told(document: Document, judge: jsonschema.Draft202012Validator) -> Iterator[str]:
    for error in judge.iter_errors(document):
        name = f"{document['kind']} {document['metadata']['name']}"
        yield f"{name}: {error.json_path}: {error.message}"
