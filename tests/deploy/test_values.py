"""The values that the chart takes are the settings that the program has."""

import re
import tomllib
from typing import Any

import pytest
from deploy.helm import refresh

from kinesphere.cli.deploy import HEADER
from kinesphere.deploy import chart
from kinesphere.deploy.schema import OWNED, settable
from kinesphere.settings import Settings
from tests.deploy.conftest import CHART, ROOT, Manifests

RELEASE = chart.Release()


def test_what_is_made_from_other_files_is_so_still() -> None:
    """`python -m deploy.helm.refresh` makes it anew."""
    wanted = refresh.files()
    assert set((CHART / "files").glob("*/*")) < set(wanted)
    for path, text in wanted.items():
        assert path.read_text("utf-8") == text, path


def test_every_setting_is_a_value_a_secret_or_the_charts_own() -> None:
    asked = {name for name in chart.defaults()["secrets"]["keys"] if not name.startswith("s3_")}
    assert settable() | asked | OWNED == set(Settings.model_fields)
    assert not settable() & (asked | OWNED)


@pytest.mark.parametrize(
    ("values", "told"),
    [
        ({"settings": {"max_qeue": 5}}, "max_qeue"),
        ({"settings": {"max_queue": "many"}}, "max_queue"),
        ({"settings": {"database_url": "postgresql://me:secret@db/x"}}, "database_url"),
        ({"pools": {"choreo": {"resources": {"cpu": "1", "memory": "lots"}}}}, "memory"),
        ({"pools": {"mine": {"enabled": True}}}, "mine"),
        ({"scaling": {"by": "hand"}}, "by"),
        ({"api": {"canary": {"weight": 101}}}, "weight"),
        ({"apis": {}}, "apis"),
    ],
)
def test_a_value_that_means_nothing_is_refused(values: dict[str, Any], told: str) -> None:
    with pytest.raises(chart.ChartError, match=told):
        chart.rendered(values, RELEASE)


def test_a_setting_of_every_kind_reaches_the_process() -> None:
    from kinesphere.deploy.verification import containers, environment
    from kinesphere.settings import load_settings

    given = {
        "max_queue": 1_000_000,
        "prompt_log": True,
        "heartbeat_seconds": 0.5,
        "log_level": "warning",
        "fetch_allow": ["store.internal:9000"],
        "rate_limit_routes": {"/v1/meshes": 2},
        "hunyuan3d_options": {"octree": 256},
    }
    made = chart.documents(chart.rendered({"settings": given}, RELEASE))
    told = [environment(c) for _, c in containers(made) if c["name"] == "api"]
    settings = load_settings(told[0])
    assert settings.max_queue == 1_000_000
    assert settings.prompt_log is True
    assert settings.heartbeat_seconds == 0.5
    assert settings.log_level == "warning"
    assert settings.fetch_allow == {"store.internal:9000"}
    assert dict(settings.rate_limit_routes) == {"/v1/meshes": 2}
    assert settings.hunyuan3d_options.octree == 256
    assert settings.models == ("choreo", "relief")


def test_the_plain_manifests_are_what_the_chart_makes(manifests: dict[str, Manifests]) -> None:
    """`python -m deploy.helm.refresh` makes them anew."""
    for name, folder in refresh.PLAIN.items():
        there = {path.name: path.read_text() for path in folder.glob("*.yaml")}
        assert there == {n: HEADER + text for n, text in manifests[name].items()}


def test_versions_agree() -> None:
    from kinesphere.version import __version__

    text = (CHART / "Chart.yaml").read_text()
    assert re.findall(r"^(?:appV|v)ersion: (.+)$", text, re.MULTILINE) == [__version__] * 2
    package = tomllib.loads((ROOT / "pyproject.toml").read_text())
    wheel = package["tool"]["hatch"]["build"]["targets"]["wheel"]
    assert wheel["sources"]["deploy/helm/kinesphere"] == "kinesphere/deploy/chart"
