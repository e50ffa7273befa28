"""The API's document: 3.1, whole, and with an example of everything that is right."""

from collections.abc import Iterator
from typing import Any

import httpx
import jsonschema_rs
import pytest

from kinesphere.core.failures import KINDS

Json = dict[str, Any]
NO_BODY = {"101", "204", "304"}


@pytest.fixture(scope="module")
def document(server: Any) -> Json:
    found: Json = httpx.get(server.url + "/openapi.json").json()
    return found


def operations(document: Json) -> Iterator[tuple[str, Json]]:
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            yield f"{method.upper()} {path}", operation


def resolved(document: Json, part: Json) -> Json:
    if "$ref" not in part:
        return part
    found: Any = document
    for name in part["$ref"].removeprefix("#/").split("/"):
        found = found[name]
    return dict(found)


def values(media: Json) -> list[Any]:
    """The examples of one media type."""
    found = [example["value"] for example in media.get("examples", {}).values()]
    return [*found, *([media["example"]] if "example" in media else [])]


def assert_right(document: Json, media: Json, where: str) -> None:
    """Every example there is, of which there is one, fits the schema."""
    found = values(media)
    assert found, f"{where} has no example"
    whole = {**media["schema"], "components": document["components"]}
    judge = jsonschema_rs.Draft202012Validator(whole, validate_formats=True)
    for value in found:
        problems = [f"{e.instance_path}: {e.message}" for e in judge.iter_errors(value)]
        assert not problems, f"{where}: {problems}"


def test_it_is_of_version_3_1_and_every_reference_leads_somewhere(document: Json) -> None:
    assert document["openapi"].startswith("3.1")

    def check(part: Any) -> None:
        if isinstance(part, dict):
            if isinstance(part.get("$ref"), str):
                assert resolved(document, part), part
            for value in part.values():
                check(value)
        elif isinstance(part, list):
            for value in part:
                check(value)

    check(document)


def test_every_operation_has_a_name_of_its_own(document: Json) -> None:
    names = [operation["operationId"] for _, operation in operations(document)]
    assert len(names) == len(set(names))


def test_every_body_that_is_sent_has_a_right_example(document: Json) -> None:
    sent = 0
    for name, operation in operations(document):
        for kind, media in operation.get("requestBody", {}).get("content", {}).items():
            assert_right(document, media, f"{name} {kind}")
            sent += 1
    assert sent >= 7


def test_every_answer_has_a_right_example(document: Json) -> None:
    for name, operation in operations(document):
        for status, part in operation["responses"].items():
            response = resolved(document, part)
            assert response["description"], (name, status)
            if status in NO_BODY:
                assert "content" not in response
                continue
            assert response["content"], (name, status)
            for kind, media in response["content"].items():
                assert_right(document, media, f"{name} {status} {kind}")


def test_every_refusal_is_a_problem_with_an_example_of_each_code(document: Json) -> None:
    seen = set()
    for name, operation in operations(document):
        for status, part in operation["responses"].items():
            response = resolved(document, part)
            if int(status) < 400 or "application/problem+json" not in response["content"]:
                assert int(status) < 400 or name in ("GET /ready", "POST /warmup"), (name, status)
                continue
            media = response["content"]["application/problem+json"]
            assert media["schema"] == {"$ref": "#/components/schemas/Problem"}
            for code, example in media["examples"].items():
                assert example["value"]["error_code"] == code
                assert example["value"]["status"] == int(status)
                assert f"`{code}`" in response["description"], (name, status, code)
                seen.add(code)
    # Those that only jobs tell, or that no route can name beforehand.
    unseen = set(KINDS) - seen
    assert unseen <= {
        "DEADLINE_MISSED", "ENGINE_OUTPUT_INVALID", "IDENTITY_UNAVAILABLE", "LEASE_LOST",
        "METHOD_NOT_ALLOWED", "MODEL_FILES_INVALID", "MODEL_FILES_MISSING", "ORIGIN_FORBIDDEN",
        "QUALITY_REJECTED",
    }  # fmt: skip


def test_every_route_tells_of_what_can_happen_anywhere(document: Json) -> None:
    for name, operation in operations(document):
        probe = name in ("GET /health", "GET /ready", "GET /metrics")
        wanted = {"400", "421", "431", "500", "503"} | (set() if probe else {"429"})
        assert wanted <= set(operation["responses"]), name
        assert "422" in operation["responses"] or not operation.get("parameters"), name


def test_counted_answers_tell_what_is_left(document: Json) -> None:
    motions = document["paths"]["/v1/motions"]["post"]["responses"]
    assert {"RateLimit", "RateLimit-Policy", "RateLimit-Remaining"} <= set(
        motions["202"]["headers"]
    )
    assert "Retry-After" in motions["429"]["headers"]
    assert "headers" not in document["paths"]["/health"]["get"]["responses"]["200"]
