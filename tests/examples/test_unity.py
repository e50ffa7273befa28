"""The sample for Unity, as far as it can be judged without Unity."""

import re
import subprocess
from pathlib import Path

import pytest
from deploy.onebox.debian import install

from kinesphere.formats.vmc import BONES

SAMPLE = Path(__file__).parents[2] / "examples" / "unity" / "KinesphereLive.cs"
STANDINS = Path(__file__).with_name("UnityEngine.cs")


@pytest.mark.slow
def test_it_compiles_without_a_warning(tmp_path: Path) -> None:
    command = [install("mono-mcs", "mcs"), "-warnaserror", "-nowarn:169,649,414", "-target:library"]
    done = subprocess.run(
        [*command, f"-out:{tmp_path / 'sample.dll'}", str(SAMPLE), str(STANDINS)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_it_turns_the_bones_that_vmc_names() -> None:
    rows = re.findall(r'\{ "(\w+)", HumanBodyBones\.(\w+) \}', SAMPLE.read_text("utf-8"))
    assert dict(rows) == BONES
