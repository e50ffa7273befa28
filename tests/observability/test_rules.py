"""The alerts, as promtool and amtool judge them; each has a unit test and a page that helps."""

import re
from pathlib import Path
from typing import Any, Final

import pytest
import yaml

from tests.observability.servers import DEPLOY, RULES, amtool, promtool

ROOT: Final = Path(__file__).parents[2]
UNIT_TESTS: Final = Path(__file__).parent / "rules.test.yml"
RUNBOOKS: Final = ROOT / "docs" / "operations" / "runbooks"


def rules() -> list[dict[str, Any]]:
    return [
        rule
        for group in yaml.safe_load(RULES.read_text("utf-8"))["groups"]
        for rule in group["rules"]
    ]


ALERTS: Final = {rule["alert"]: rule for rule in rules() if "alert" in rule}


def test_promtool_is_satisfied() -> None:
    promtool("check", "config", str(DEPLOY / "prometheus" / "prometheus.yml"))
    promtool("check", "rules", str(RULES))
    assert "SUCCESS" in promtool("test", "rules", str(UNIT_TESTS))


def test_amtool_is_satisfied() -> None:
    config = str(DEPLOY / "alertmanager" / "alertmanager.yml")
    assert "SUCCESS" in amtool("check-config", config)
    words = ("config", "routes", "test", f"--config.file={config}")
    for severity, receiver in (("critical", "on-call"), ("warning", "team")):
        assert amtool(*words, f"severity={severity}", "alertname=X").split()[0] == receiver


def test_every_alert_is_tested_to_fire() -> None:
    tested = {
        case["alertname"]
        for test in yaml.safe_load(UNIT_TESTS.read_text("utf-8"))["tests"]
        for case in test["alert_rule_test"]
        if case.get("exp_alerts")
    }
    assert tested == set(ALERTS)


@pytest.mark.parametrize("name", ALERTS)
def test_every_alert_has_its_page(name: str) -> None:
    page = ROOT / ALERTS[name]["annotations"]["runbook"]
    assert page.parent == RUNBOOKS
    text = page.read_text("utf-8")
    assert f"`{name}`" in text.split("\n## ")[0]
    assert "\n## Look\n" in text
    assert "\n## Do\n" in text
    assert f"`{name}`" in (RUNBOOKS / "README.md").read_text("utf-8")


def test_every_page_belongs_to_an_alert() -> None:
    pages = {path.name for path in RUNBOOKS.glob("*.md")} - {"README.md"}
    assert pages == {Path(rule["annotations"]["runbook"]).name for rule in ALERTS.values()}


def test_rules_ask_for_metrics_that_there_are() -> None:
    known = set(re.findall(r"^\| `(\w+)` \|", (ROOT / "docs" / "metrics.md").read_text(), re.M))
    for rule in rules():
        for name in re.findall(r"\b(?:kinesphere|hy_motion|hunyuan3d|redis)_\w+", rule["expr"]):
            assert re.sub(r"_(bucket|sum|count)$", "", name) in known, name
