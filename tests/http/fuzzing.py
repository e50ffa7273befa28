"""Requests made from the API's own document, and what may not come back."""

from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import schemathesis
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis.errors import Unsatisfiable
from schemathesis import Case, GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.core.result import Ok
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

CHECKS: Any = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
]
PATIENCE = 60.0
"""Seconds in which anything is answered."""


def operations(url: str) -> Iterator[Any]:
    """Every operation of the document that the server at `url` gives."""
    schema = schemathesis.openapi.from_url(url + "/openapi.json")
    for found in schema.get_all_operations():
        assert isinstance(found, Ok), found
        yield found.ok()


def attack(operation: Any, mode: GenerationMode, requests: int, number: int) -> Counter[int]:
    """Send that many right or wrong requests; what came back, by status.

    `number` is the seed: the same number sends the same requests.
    None is sent where no request of this kind can be made: what has no parameters cannot be asked
    wrongly. Raises schemathesis' FailureGroup for an answer that is wrong.
    """
    statuses: Counter[int] = Counter()

    @seed(number)
    @given(case=operation.as_strategy(generation_mode=mode))
    @settings(
        max_examples=requests,
        deadline=None,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    def send(case: Case[Any]) -> None:
        response = case.call(timeout=PATIENCE)
        statuses[response.status_code] += 1
        case.validate_response(response, checks=CHECKS)

    with suppress(Unsatisfiable):
        send()
    return statuses
