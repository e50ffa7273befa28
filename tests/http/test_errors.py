"""One table from code to status, and the page that documents it."""

from pathlib import Path

from kinesphere.core.failures import KINDS
from kinesphere.http.errors import STATUS, documented, status
from kinesphere.http.reference import reference

PAGE = Path(__file__).parents[2] / "docs" / "errors.md"


def test_every_code_has_a_status_and_no_status_lacks_a_code() -> None:
    assert set(STATUS) == set(KINDS)


def test_a_caller_is_at_fault_exactly_where_the_status_says_so() -> None:
    for code, meaning in KINDS.items():
        by_status = 400 <= status(code) < 500
        assert by_status == (meaning.fault.value == "caller") or code == "DEADLINE_MISSED", code


def test_the_page_is_as_the_code_says() -> None:
    assert PAGE.read_text("utf-8") == reference()


def test_running_out_of_device_memory_is_a_503_of_any_size() -> None:
    assert status("OOM_GPU_24GB") == 503


def test_documented_responses_are_grouped_by_status() -> None:
    found = documented("INVALID_REQUEST", "MODEL_UNKNOWN", "JOB_NOT_FOUND")
    assert set(found) == {422, 404}
    assert set(found[422]["content"]["application/problem+json"]["examples"]) == {
        "INVALID_REQUEST",
        "MODEL_UNKNOWN",
    }
