"""Logs on their way to Loki, and the search for errors that the documentation gives."""

import json
import re
from pathlib import Path
from typing import Final

import pytest

from kinesphere.adapters.logs import FIELDS
from tests.observability.alloy import Block, NotAlloy, read
from tests.observability.conftest import Watched
from tests.observability.scene import BROKEN
from tests.observability.servers import DEPLOY
from tests.observability.test_tracing import until

PAGE: Final = Path(__file__).parents[2] / "docs" / "operations" / "logs.md"
_UNBOUNDED: Final = {"job_id", "request_id", "trace_id", "user", "prompt_hash"}


def configuration(name: str) -> Block:
    return read((DEPLOY / "alloy" / f"{name}.alloy").read_text("utf-8"))


@pytest.mark.parametrize("source", ["files", "kubernetes"])
def test_a_source_and_the_pipeline_fit_together(source: str) -> None:
    blocks = [*configuration("pipeline").blocks, *configuration(source).blocks]
    known = {f"{block.name}.{block.label}" for block in blocks}
    assert len(known) == len(blocks)
    for block in blocks:
        for name in block.references() - {"sys.env"}:
            assert name.rpartition(".")[0] in known, name


def test_the_pipeline_takes_fields_that_there_are_and_makes_few_labels() -> None:
    process = configuration("pipeline").blocks[0]
    taken = process.inside("stage.json").attributes["expressions"]
    assert set(taken.values()) <= set(FIELDS)
    labels = process.inside("stage.labels").attributes["values"]
    assert not set(labels) & _UNBOUNDED
    kept = process.inside("stage.structured_metadata").attributes["values"]
    used = {
        *labels.values(),
        *kept.values(),
        process.inside("stage.timestamp").attributes["source"],
    }
    assert used == set(taken)


@pytest.mark.parametrize(
    "text", ["a {", "a = ", 'a "b" { c = 1 } }', 'a = "x', "a = [1 2]", "a = {\n b = 1\n}", "a b"]
)
def test_what_is_no_configuration_is_not_read_as_one(text: str) -> None:
    with pytest.raises((NotAlloy, IndexError)):
        read(text)


@pytest.mark.slow
def test_the_error_search_finds_a_failed_job_by_its_keywords(watched: Watched) -> None:
    """Its line filters, that is; what follows them only takes fields out of the lines found."""
    (query,) = re.findall(r'^\{.*job\.failed".*backflip.*$', PAGE.read_text("utf-8"), re.M)
    wanted = re.findall(r"\|= `([^`]+)`", query)
    assert len(wanted) == 2

    def found() -> list[str]:
        lines = watched.scene.server.log.read_text().splitlines()
        return [line for line in lines if all(text in line for text in wanted)]

    until(lambda: bool(found()), "the job has not failed", seconds=60)
    (line,) = map(json.loads, found())
    assert line["job_id"] == watched.failing
    assert line["level"] == "warning"
    assert line["error_code"] == "ENGINE_FAILED"
    assert BROKEN not in watched.scene.server.log.read_text()
