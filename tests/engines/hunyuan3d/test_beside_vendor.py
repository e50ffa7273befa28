"""The engine beside the vendor's own code at toy size, in an environment that has it."""

import json
import re
from pathlib import Path

import pytest

from tests.engines.hunyuan3d import environment

INSIDE = Path(__file__).with_name("inside.py")
CHECKS = re.findall(r"^@check\ndef (\w+)", INSIDE.read_text(), re.MULTILINE)

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]


@pytest.fixture(scope="module")
def results() -> dict[str, str]:
    """What each check found: "", or its error."""
    python = environment.installed()
    # More threads than cores that are free wait for each other.
    one = ("env", "OMP_NUM_THREADS=1")
    printed = environment.run(*one, python, INSIDE, environment.WEIGHTS, seconds=600)
    found: dict[str, str] = json.loads(printed.splitlines()[-1])
    return found


@pytest.mark.parametrize("name", CHECKS)
def test(name: str, results: dict[str, str]) -> None:
    assert not results[name], results[name]
