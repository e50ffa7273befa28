"""One server at work, one Prometheus that reads it, one Alertmanager, for every test here."""

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from tests.observability.hints import hints_page
from tests.observability.receivers import Receiver, receiver
from tests.observability.scene import Scene
from tests.observability.servers import Alertmanager, Prometheus

SILENT = "127.0.0.1:9"
"""A target at which nothing listens."""


@dataclass
class Watched:
    """The scene and those who watch it; `failing` is a job that fails for good."""

    scene: Scene
    prometheus: Prometheus
    alertmanager: Alertmanager
    receiver: Receiver
    failing: str


@pytest.fixture(scope="session")
def watched(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Watched]:
    def folder(name: str) -> Path:
        return tmp_path_factory.mktemp(name)

    with ExitStack() as stack:
        heard = stack.enter_context(receiver())
        scene = Scene.begun(folder("scene"), KINESPHERE_OTLP_ENDPOINT=heard.url)
        stack.callback(scene.end)
        alertmanager = Alertmanager(folder("alertmanager"), heard.url)
        alertmanager.start()
        stack.callback(alertmanager.kill)
        hints = stack.enter_context(hints_page())
        targets = [urlsplit(scene.server.url).netloc, urlsplit(hints).netloc, SILENT]
        prometheus = Prometheus(folder("prometheus"), targets, alertmanager.address)
        prometheus.start()
        stack.callback(prometheus.end)
        scene.release()
        failing = scene.fail()
        scene.backlog()
        yield Watched(scene, prometheus, alertmanager, heard, failing)
