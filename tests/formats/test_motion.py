"""The registry of motion formats."""

import subprocess
import sys

import numpy as np
import pytest

from kinesphere.formats.clip import forward
from kinesphere.formats.motion import MOTION_FORMATS
from tests.formats.motions import waving


@pytest.mark.parametrize("name", MOTION_FORMATS)
def test_every_format_writes_and_reads_what_it_says(name: str) -> None:
    form = MOTION_FORMATS[name]
    clip = waving(12)
    data = form.encode(clip)
    assert form.name == name
    assert form.extension.startswith(".")
    assert form.encode(clip) == data
    if form.decode is not None:
        np.testing.assert_allclose(forward(form.decode(data))[0], forward(clip)[0], atol=1e-5)


def test_naming_the_formats_imports_no_codec() -> None:
    code = (
        "import sys; from kinesphere.formats.motion import MOTION_FORMATS; "
        "assert not [m.codec for m in MOTION_FORMATS.values() if m.codec in sys.modules]"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)
