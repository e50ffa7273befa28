"""The API's own document: what FastAPI writes, with what holds for every route, and examples."""

from collections.abc import Iterator, Mapping
from typing import Any, Final

from fastapi import FastAPI

from kinesphere.http.bodies import MeshRequest, MotionRequest, ValidationRequest
from kinesphere.http.errors import MEDIA_TYPE, documented
from kinesphere.http.examples import example
from kinesphere.http.limits import EXEMPT, header_examples

Json = dict[str, Any]

EVERYWHERE: Final = (
    "MALFORMED_REQUEST",
    "HOST_FORBIDDEN",
    "HEADERS_TOO_LARGE",
    "INTERNAL",
    "TOO_MANY_CONNECTIONS",
)
"""Codes that any route may answer with."""

_READ_BY_ROUTES: Final = (MeshRequest, MotionRequest, ValidationRequest)
"""Bodies that their routes read themselves: in several media types, or sooner than FastAPI."""

_WITH_A_BODY: Final = ("REQUEST_TIMEOUT", "BODY_TOO_LARGE")
_PROBLEM: Final = {"$ref": "#/components/schemas/Problem"}
_RETRY_AFTER: Final = {
    "description": "Seconds after which to try again.",
    "schema": {"type": "integer"},
    "example": 1,
}
_TEXTS: Final = {
    "text/event-stream": 'id: 12\nevent: succeeded\ndata: {"job_id": "01KAZ6…"}\n',
    "text/plain": 'kinesphere_jobs_accepted_total{pool="choreo",model="choreo"} 3.0\n',
    "application/octet-stream": "HIERARCHY\nROOT Pelvis\n{\n",
}


def complete(app: FastAPI) -> None:
    """Have `app` describe itself wholly. After everything else that adds to the document."""
    plain = app.openapi
    done = False

    def completed() -> Json:
        nonlocal done
        document = plain()
        if not done:
            done = True
            for body in _READ_BY_ROUTES:
                schema = body.model_json_schema(ref_template="#/components/schemas/{model}")
                document["components"]["schemas"].setdefault(body.__name__, schema)
            for path, operations in document["paths"].items():
                for operation in operations.values():
                    _operation(operation, path, document["components"])
            for response in document["components"].get("responses", {}).values():
                _response(response, document["components"])
        return document

    app.openapi = completed  # type: ignore[method-assign] # FastAPI's documented way to extend it


def _operation(operation: Json, path: str, components: Json) -> None:
    responses: Json = operation["responses"]
    for status, response in responses.items():
        _problem_type(status, response)
    for number, more in documented(*_codes(operation, path)).items():
        _merge(responses, str(number), more)
    for status, response in responses.items():
        _response(response, components)
        if path not in EXEMPT:
            _headers(status, response)
    if "requestBody" in operation:
        for media in operation["requestBody"]["content"].values():
            _body(media, components["schemas"])
    for parameter in operation.get("parameters", ()):
        _parameter(parameter, components["schemas"])


def _codes(operation: Json, path: str) -> Iterator[str]:
    yield from EVERYWHERE
    if path not in EXEMPT:
        yield "RATE_LIMITED"
    if "{" in path:
        yield "ROUTE_NOT_FOUND"
    if "requestBody" in operation:
        yield from _WITH_A_BODY


def _problem_type(status: str, response: Json) -> None:
    """FastAPI writes a model under the type of the route's own answers; a problem has its own."""
    content: Json = response.get("content", {})
    others = [kind for kind, media in content.items() if media.get("schema") == _PROBLEM]
    for kind in others:
        if kind != MEDIA_TYPE:
            del content[kind]
    if int(status) >= 400 and MEDIA_TYPE in content:
        content[MEDIA_TYPE]["schema"] = _PROBLEM


def _merge(responses: Json, status: str, more: Mapping[str, Any]) -> None:
    found = responses.setdefault(status, {"description": ""})
    if "$ref" in found:
        return
    examples = more["content"][MEDIA_TYPE]["examples"]
    media = found.setdefault("content", {}).setdefault(MEDIA_TYPE, {"schema": _PROBLEM})
    media.setdefault("schema", _PROBLEM)
    media["examples"] = {**media.get("examples", {}), **examples}
    new = [f"`{code}`" for code in examples if f"`{code}`" not in found["description"]]
    found["description"] = " ".join(filter(None, [found["description"], *new]))


def _response(response: Json, components: Json) -> None:
    for kind, media in response.get("content", {}).items():
        if "example" in media or "examples" in media:
            continue
        if kind in _TEXTS:
            media.setdefault("schema", {"type": "string"})
            media["example"] = _TEXTS[kind]
        elif kind == MEDIA_TYPE:
            code = response["description"].strip("`")
            media["examples"] = next(iter(documented(code).values()))["content"][kind]["examples"]
        else:
            media["example"] = example(media["schema"], components["schemas"])


def _headers(status: str, response: Json) -> None:
    if "$ref" in response:
        return
    headers = response.setdefault("headers", {})
    if status.startswith("2") or status == "429":
        for name, described in header_examples().items():
            headers.setdefault(name, described)
    if status in ("429", "503"):
        headers.setdefault("Retry-After", _RETRY_AFTER)


def _body(media: Json, schemas: Json) -> None:
    if "example" not in media and "examples" not in media:
        media["example"] = example(media["schema"], schemas)


def _parameter(parameter: Json, schemas: Json) -> None:
    if parameter.get("required") and "example" not in parameter and "examples" not in parameter:
        parameter["example"] = example(parameter["schema"], schemas, parameter["name"])
