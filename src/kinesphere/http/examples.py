"""Examples for the API's document, made from its schemas: so there is one of everything, and right.

A field's own example goes first, then what fields of its name usually hold, then its default, then
something of its type.
"""

from collections.abc import Mapping
from typing import Any, Final

_TIME: Final = "2026-03-01T12:00:00Z"
_JOB: Final = "01KAZ6T3V9S2Q4W8E0R5Y7T1S3"
_LINK: Final = (
    f"http://127.0.0.1:8000/v1/artifacts/{_JOB}/1/motion.bvh"
    "?Expires=1772370000&Name=motion.bvh&Signature=q83vEjRWeJA"
)

USUAL: Final[Mapping[str, Any]] = {
    "ahead": 2,
    "attempts": 1,
    "batch_limit": 8,
    "batch_seconds": 0.04,
    "code": "limit_elbow",
    "count": 1,
    "detail": "",
    "embedded": True,
    "error": None,
    "fail_at": 5.0,
    "fault": "caller",
    "file": "motion.bvh",
    "finished_at": None,
    "formats": ["bvh", "fbx", "glb", "npz"],
    "deadline": None,
    "image": "(the bytes of mug.png)",
    "index": 0,
    "job_id": _JOB,
    "joints": ["L_Elbow"],
    "key": "ks_7Q2M_hV3x9kPq",
    "label": "build server",
    "languages": ["en", "zh"],
    "last_error": None,
    "licence": "Apache-2.0",
    "mask": "(the bytes of mask.png)",
    "max_cjk": 60,
    "max_duration": 30.0,
    "max_words": 30,
    "measured": True,
    "media_type": "application/x-bvh",
    "min_duration": 0.5,
    "motion_url": _LINK,
    "next_cursor": None,
    "notes": {"understood": ["wave"], "ignored": []},
    "oldest_wait": 0.4,
    "phase": "",
    "pool": "choreo",
    "pools": ["choreo"],
    "preview_url": None,
    "previous": None,
    "priority": 5,
    "progress": 0.0,
    "reason": "the clip has no feet",
    "replicas": 1,
    "request": {"prompt": "wave", "duration": 2.0, "seed": 7, "format": "bvh"},
    "result_url": None,
    "retry": True,
    "revoked_at": None,
    "running": 1,
    "scopes": ["generate"],
    "secret": "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
    "seconds": 1.2,
    "seed": 7,
    "sha256": "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
    "size": 48_213,
    "source": "the range of the joint",
    "stage": 0,
    "started_at": None,
    "state": "queued",
    "status": "queued",
    "task": "motion",
    "task_id": _JOB,
    "title": "Procedural choreography on the CPU",
    "unit": "degrees",
    "url": _LINK,
    "user": "studio-a",
    "value": 1.5,
    "verdict": "pass",
    "version": "1",
    "waiting": 3,
    "warn_at": 2.0,
    "webhook": None,
}

_BY_FORMAT: Final = {"date-time": _TIME, "uri": "https://example.com/", "binary": "(bytes)"}
_BY_TYPE: Final[Mapping[str, Any]] = {
    "string": "choreo",
    "integer": 1,
    "number": 1.0,
    "boolean": False,
    "null": None,
}


def example(schema: Mapping[str, Any], parts: Mapping[str, Any], name: str = "") -> Any:
    """An example of `schema`, which is the field `name`; `parts` are the document's schemas."""
    if "$ref" in schema:
        return example(parts[schema["$ref"].rpartition("/")[2]], parts, name)
    for key in ("examples", "enum"):
        if schema.get(key):
            return schema[key][0]
    if "const" in schema:
        return schema["const"]
    if "allOf" in schema:
        found = [example(part, parts, name) for part in schema["allOf"]]
        return {key: value for part in found for key, value in part.items()}
    choices = schema.get("anyOf") or schema.get("oneOf") or [schema]
    if name in USUAL and any(_fits(USUAL[name], choice, parts) for choice in choices):
        return USUAL[name]
    if schema.get("default") is not None:
        return schema["default"]
    if choices != [schema]:
        return example(choices[0], parts, name)
    return _made(schema, parts, name)


def _made(schema: Mapping[str, Any], parts: Mapping[str, Any], name: str) -> Any:
    match schema.get("type"):
        case "object" if "properties" in schema:
            return {key: example(part, parts, key) for key, part in schema["properties"].items()}
        case "object" if isinstance(schema.get("additionalProperties"), dict):
            return {"choreo": example(schema["additionalProperties"], parts)}
        case "object":
            return {}
        case "array":
            return [example(schema["items"], parts, name)]
        case kind:
            return _BY_FORMAT.get(schema.get("format", ""), _BY_TYPE.get(str(kind)))


def _fits(value: Any, schema: Mapping[str, Any], parts: Mapping[str, Any]) -> bool:
    """Whether a usual value is of the schema's type; what is finer is found out by a test."""
    if "$ref" in schema:
        return _fits(value, parts[schema["$ref"].rpartition("/")[2]], parts)
    kinds: dict[str, tuple[type, ...]] = {
        "string": (str,),
        "integer": (int,),
        "number": (int, float),
        "boolean": (bool,),
        "array": (list,),
        "null": (type(None),),
    }
    kind = schema.get("type")
    if kind == "object":
        return isinstance(value, dict) and "properties" not in schema
    if isinstance(value, bool) and kind != "boolean":
        return False
    if "enum" in schema or "format" in schema or "pattern" in schema:
        return schema.get("format") == "binary" and isinstance(value, str)
    return isinstance(value, kinds.get(str(kind), ()))
