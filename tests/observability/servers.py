"""A real Prometheus and a real Alertmanager, from Debian's packages, on ports of their own."""

import json
import re
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import httpx
import yaml
from deploy.onebox.daemon import Daemon, free_ports
from deploy.onebox.debian import install

DEPLOY: Final = Path(__file__).parents[2] / "deploy" / "observability"
RULES: Final = DEPLOY / "prometheus" / "rules.yml"


def promtool(*words: str) -> str:
    """What promtool prints; AssertionError with it when it is not satisfied."""
    return _run(install("prometheus", "promtool"), *words)


def amtool(*words: str) -> str:
    """What amtool prints; AssertionError with it when it is not satisfied."""
    return _run(install("prometheus-alertmanager", "amtool"), *words)


def _run(*command: str) -> str:
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, f"{' '.join(command)}:\n{done.stdout}{done.stderr}"
    return done.stdout + done.stderr


class Prometheus(Daemon):
    """One Prometheus with our rules, in a hurry: what should last minutes lasts a second."""

    def __init__(self, folder: Path, targets: Sequence[str], alertmanager: str) -> None:
        (port,) = free_ports(1)
        self.url = f"http://127.0.0.1:{port}"
        hurried = re.sub(r"for: \d+m", "for: 1s", RULES.read_text("utf-8"))
        (folder / "rules.yml").write_text(hurried, "utf-8")
        shipped = yaml.safe_load((DEPLOY / "prometheus" / "prometheus.yml").read_text("utf-8"))
        shipped["global"] = {"scrape_interval": "1s", "evaluation_interval": "1s"}
        shipped["scrape_configs"][0]["static_configs"] = [{"targets": list(targets)}]
        managers = shipped["alerting"]["alertmanagers"]
        managers[0]["static_configs"][0]["targets"] = [alertmanager]
        (folder / "prometheus.yml").write_text(yaml.safe_dump(shipped), "utf-8")
        command = [
            install("prometheus", "prometheus"),
            "--config.file=prometheus.yml",
            "--storage.tsdb.path=data",
            "--enable-feature=exemplar-storage",
            f"--web.listen-address=127.0.0.1:{port}",
        ]
        super().__init__(folder, command, lambda: _answers(f"{self.url}/-/ready"))
        self._client = httpx.Client(base_url=f"{self.url}/api/v1/", timeout=30)

    def end(self) -> None:
        """End it, and the connection to it."""
        self._client.close()
        self.kill()

    def query(self, expr: str) -> list[dict[str, Any]]:
        """The series of an instant query. Raises AssertionError for one that is no PromQL."""
        answer = self._client.get("query", params={"query": expr})
        told = answer.json()
        assert told["status"] == "success", f"{expr}: {told.get('error')}"
        result: list[dict[str, Any]] = told["data"]["result"]
        return result

    def get(self, path: str, **parameters: str) -> Any:
        """The data of another question of its API."""
        answer = self._client.get(path, params=parameters)
        return answer.raise_for_status().json()["data"]


class Alertmanager(Daemon):
    """One Alertmanager as shipped, but for whom it tells and how long it waits."""

    def __init__(self, folder: Path, receiver: str) -> None:
        (port,) = free_ports(1)
        self.address = f"127.0.0.1:{port}"
        shipped = (DEPLOY / "alertmanager" / "alertmanager.yml").read_text("utf-8")
        hurried = re.sub(r"group_wait: \d+s", "group_wait: 0s", shipped)
        hurried = hurried.replace("http://127.0.0.1:9099", receiver)
        (folder / "alertmanager.yml").write_text(hurried, "utf-8")
        command = [
            install("prometheus-alertmanager", "prometheus-alertmanager"),
            "--config.file=alertmanager.yml",
            "--storage.path=data",
            "--cluster.listen-address=",
            f"--web.listen-address={self.address}",
        ]
        super().__init__(folder, command, lambda: _answers(f"http://{self.address}/-/ready"))

    def firing(self) -> Mapping[str, dict[str, Any]]:
        """The alerts that amtool sees, by name."""
        words = ["--alertmanager.url", f"http://{self.address}", "alert", "query", "-o", "json"]
        return {alert["labels"]["alertname"]: alert for alert in json.loads(amtool(*words))}


def _answers(url: str) -> bool:
    try:
        return httpx.get(url, timeout=2).status_code == 200
    except httpx.TransportError:
        return False
