"""ETAs of a real server with real processes, held against what comes of them."""

import asyncio
from collections.abc import Iterator

import pytest

from tests import openloop, sleepers
from tests.servers import ServerProcess


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    folder = tmp_path_factory.mktemp("eta")
    settings = sleepers.environment(folder / "models", "batches", "stages")
    server = ServerProcess(folder / "data", settings).start()
    yield server
    assert server.stop() == 0


@pytest.mark.slow
@pytest.mark.parametrize(("model", "rate"), [("batches", 3.0), ("stages", 2.5)])
def test_under_steady_load_the_median_error_is_within_a_quarter(
    running: ServerProcess, model: str, rate: float
) -> None:
    found = asyncio.run(openloop.outcomes(running.url, model, rate=rate, seconds=25.0, settle=8.0))
    told = openloop.told(found)
    print(f"{model}: {told}")
    assert told["jobs"] > 20
    assert told["median_error"] <= 0.25
    assert all(each.basis["measured"] for each in found)
