"""The compose file says nothing that the program does not know."""

import difflib
import re
from pathlib import Path
from typing import Any

import pytest
import typer
import yaml

from kinesphere.cli.app import app
from kinesphere.engines.catalog import discover
from kinesphere.settings import load_settings
from kinesphere.wiring.roles import Role, check

DEPLOY = Path(__file__).parents[2] / "deploy"
COMPOSE: dict[str, Any] = yaml.safe_load((DEPLOY / "compose" / "compose.yaml").read_text())
OURS = {n: s for n, s in COMPOSE["services"].items() if s.get("image") == "kinesphere:cpu"}
SECRET = "0" * 64


def filled(value: object) -> str:
    return re.sub(r"\$\{[^}]*\}", SECRET, str(value))


@pytest.mark.parametrize("name", sorted(OURS))
def test_settings_are_known_and_enough(name: str) -> None:
    environ = {n: filled(v) for n, v in OURS[name]["environment"].items()}
    settings = load_settings({n: v for n, v in environ.items() if n.startswith("KINESPHERE_")})
    role = OURS[name]["command"][0]
    if role != "db":
        check(Role(role), settings)


@pytest.mark.parametrize("name", sorted(OURS))
def test_commands_are_commands(name: str) -> None:
    words = OURS[name]["command"]
    command = typer.main.get_command(app)
    for word in words[:2] if words[0] == "db" else words[:1]:
        command = command.commands[word]  # type: ignore[attr-defined]
    known = {option for parameter in command.params for option in parameter.opts}
    assert {word for word in words if word.startswith("--")} <= known


def test_every_pool_has_a_worker() -> None:
    served = {s["command"][2] for s in OURS.values() if s["command"][0] == "worker"}
    assert served == set(discover(None).pools())


def test_the_two_configurations_of_nginx_differ_in_the_upstream_only() -> None:
    one = (DEPLOY / "nginx" / "kinesphere.conf").read_text().splitlines()
    other = (DEPLOY / "compose" / "nginx.conf").read_text().splitlines()
    changed = [line for line in difflib.ndiff(one[1:], other[1:]) if line[0] in "+-"]
    assert len(changed) == 2
    assert all("weight=1" in line for line in changed)


def test_every_secret_is_asked_for() -> None:
    given = (DEPLOY / "compose" / "example.env").read_text()
    used = set(re.findall(r"\$\{(\w+)", (DEPLOY / "compose" / "compose.yaml").read_text()))
    assert used == set(re.findall(r"^(\w+)=", given, re.MULTILINE))
