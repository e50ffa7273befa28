"""The chart, rendered once for each set of values."""

import sys
from pathlib import Path

import pytest
import yaml

from kinesphere.deploy import chart

ROOT = Path(__file__).parents[2]
CHART = ROOT / "deploy" / "helm" / "kinesphere"
KUBECTL = Path(sys.executable).with_name("kubectl")
EXAMPLES = ROOT / "deploy" / "helm" / "examples"

Manifests = dict[str, str]
Documents = list[chart.Document]


@pytest.fixture(scope="session")
def manifests() -> dict[str, Manifests]:
    """Files by name, of every example."""
    return {
        path.stem: chart.rendered(yaml.safe_load(path.read_text()), chart.Release())
        for path in sorted(EXAMPLES.glob("*.yaml"))
    }


@pytest.fixture(scope="session")
def documents(manifests: dict[str, Manifests]) -> dict[str, Documents]:
    """Resources, of every example."""
    return {name: chart.documents(files) for name, files in manifests.items()}
