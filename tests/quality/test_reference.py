"""The page of checks is as the checks are."""

from pathlib import Path

from kinesphere.quality.reference import reference

PAGE = Path(__file__).parents[2] / "docs" / "quality.md"


def test_the_page_is_as_the_checks_are() -> None:
    assert PAGE.read_text("utf-8") == reference()
