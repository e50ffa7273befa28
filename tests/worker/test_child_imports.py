"""A replica's process imports what it needs, and starts the sooner for it."""

import subprocess
import sys

import pytest

import kinesphere.ports

_CODE = """
import sys, kinesphere.worker.child
print(*(m for m in ("kinesphere.core.scaling", "kinesphere.core.rollout", "asyncio", "pydantic")
        if m in sys.modules))
"""


def test_a_child_imports_no_policies() -> None:
    done = subprocess.run([sys.executable, "-c", _CODE], capture_output=True, text=True, check=True)
    assert done.stdout.split() == []


def test_every_name_of_the_ports_is_there() -> None:
    assert all(hasattr(kinesphere.ports, name) for name in kinesphere.ports.__all__)
    with pytest.raises(ImportError, match="cannot import name 'Nothing'"):
        exec("from kinesphere.ports import Nothing", {})
