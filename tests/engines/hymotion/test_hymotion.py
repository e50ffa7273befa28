"""hymotion with the vendor's interfaces, their arithmetic ours: in an engine's process, over HTTP.

The cases themselves run under another Python, one that has torch.
"""

import json
import os
import subprocess
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import pytest

from kinesphere.engines.catalog import CatalogError, served
from kinesphere.formats.motion import MOTION_FORMATS
from kinesphere.settings import Settings
from tests.engines.hunyuan3d import environment
from tests.engines.hymotion import toy
from tests.engines.hymotion.service import LONG_WINDED, Service
from tests.servers import ServerProcess
from tests.waiting import wait_until

pytestmark = pytest.mark.timeout(500)  # torch is imported twice, and once its wheel is unpacked

ROOT = Path(__file__).parents[3]
LITE = "HY-Motion-1.0-Lite"
POINTER = b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 4171474724\n"


@pytest.fixture(scope="module")
def python() -> Path:
    return environment.installed()


@pytest.fixture(scope="module")
def installation(python: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """A toy installation in which every case was run, and what was printed about them."""
    folder = tmp_path_factory.mktemp("hymotion") / "toy"
    done = subprocess.run(
        [python, "-m", "tests.engines.hymotion.cases", folder],
        env={**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"},
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=300.0,
        check=False,
    )
    assert done.stdout, done.stderr[-4000:]
    return folder, done.stdout


@pytest.mark.slow
def test_the_engine_does_with_the_double_what_it_must(installation: tuple[Path, str]) -> None:
    told = [json.loads(line) for line in installation[1].splitlines()]
    assert len(told) == 24
    for case in told:
        assert not case["error"], f"{case['case']}:\n{case['error']}"


@pytest.fixture(scope="module")
def service() -> Iterator[Service]:
    with Service() as running:
        yield running


@pytest.fixture(scope="module")
def server(
    python: Path,
    installation: tuple[Path, str],
    service: Service,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[ServerProcess]:
    """Both variants behind a rewriter: memory for two samples, and 1.0-Lite only as pointers."""
    folder = installation[0]
    models = folder / "weights" / "tencent"
    (models / LITE).mkdir()
    for name in (toy.VARIANT, LITE):
        config = json.dumps(toy.config(6, most_rows=4))
        (models / name / "config.yml").write_text(config)
    (models / LITE / "latest.ckpt").write_bytes(POINTER)
    key = folder / "key"
    key.write_text("told-to-nobody\n")
    given = {
        "MODELS": "hymotion,hymotion-lite",
        "HYMOTION_SRC": folder / "src",
        "HYMOTION_WEIGHTS": folder / "weights",
        "HYMOTION_PROFILE": "bf16",
        "HYMOTION_STEPS": "60",
        "HYMOTION_REWRITER_URL": service.url,
        "HYMOTION_REWRITER_KEY_FILE": key,
        "HYMOTION_REWRITER_SECONDS": "1",
        "INTERPRETERS": f"hymotion.motion={python},hymotion-lite.motion={python}",
        "DEVICES": "cpu",
        "REPLICAS": "hymotion-lite.rewrite=0",
    }
    data = tmp_path_factory.mktemp("hymotion-server") / "data"
    server = ServerProcess(data, {f"KINESPHERE_{name}": str(v) for name, v in given.items()})
    server.start(ready=False)
    yield server
    server.kill()


def pools(http: httpx.Client) -> dict[str, dict[str, Any]]:
    return {each["name"]: each for each in http.get("/v1/pools").json()["items"]}


def ask(http: httpx.Client, **body: Any) -> dict[str, Any]:
    answer = http.post("/v1/motions", json={"model": "hymotion", **body})
    assert answer.status_code == 202, answer.text
    job: dict[str, Any] = answer.json()
    return job


def ended(http: httpx.Client, job: dict[str, Any]) -> dict[str, Any]:
    with http.stream("GET", f"/v1/jobs/{job['id']}/events") as events:
        for _ in events.iter_lines():
            pass
    done: dict[str, Any] = http.get(f"/v1/jobs/{job['id']}").json()
    return done


@pytest.mark.slow
async def test_over_http(server: ServerProcess, service: Service) -> None:
    with httpx.Client(base_url=server.url, timeout=60.0) as http:
        await wait_until(
            lambda: pools(http)["hymotion.motion"]["replicas"].get("ready") == 1,
            f"the model is ready: {server.log}",
            seconds=200.0,
            pause=0.5,
        )
        a_weight_that_was_not_fetched_is_told(http)
        made = a_mixed_batch_in_every_format(http)
        assert service.authorised == {"Bearer told-to-nobody"}
        every_step_is_seen_and_a_cancellation_obeyed(http)
        a_rewriter_that_fails_costs_a_note(http)
        what_the_model_cannot_do_is_refused(http)
    logged = server.log.read_text()
    assert "MODEL_FILES_INVALID" in logged
    assert not any(word in logged for word in ("told-to-nobody", LONG_WINDED, *made))


def a_weight_that_was_not_fetched_is_told(http: httpx.Client) -> None:
    detail = pools(http)["hymotion-lite.motion"]["detail"]
    assert "MODEL_FILES_INVALID" in detail and "git lfs pull" in detail


def a_mixed_batch_in_every_format(http: httpx.Client) -> list[str]:
    """Jobs of unlike durations and prompts; in memory for two, they run in passes of two."""
    prompts = [
        f"someone quietly practises figure {word}" for word in ("one", "two", "three", "six")
    ]
    forms = list(MOTION_FORMATS)
    with ThreadPoolExecutor(4) as several:
        jobs = several.map(
            lambda n: ask(
                http, prompt=prompts[n], duration=(1, 2.5, 6, 12)[n], seed=n, format=forms[n]
            ),
            range(4),
        )
        done = list(several.map(lambda job: ended(http, job), jobs))
    for number, job in enumerate(done):
        assert job["state"] == "succeeded", job
        assert job["notes"]["frames"] == (30, 75, 180, 360)[number]
        assert job["notes"]["rewriter"]["prompt"] == f"A person: {prompts[number]}"
        assert job["notes"]["rewriter"]["suggested_duration"] == 3.0
        file = job["artifacts"][-1]
        data = http.get(file["url"]).content
        read = MOTION_FORMATS[forms[number]].decode
        assert file["name"] == f"motion.{forms[number]}"
        assert read is None or read(data).frames == job["notes"]["frames"]
    return prompts


def every_step_is_seen_and_a_cancellation_obeyed(http: httpx.Client) -> None:
    job = ask(http, prompt="walk", duration=3, seed=1)
    phases = []
    with http.stream("GET", f"/v1/jobs/{job['id']}/events") as events:
        for line in events.iter_lines():
            if line.startswith("data:") and "phase" in line:
                phases.append(json.loads(line[5:])["phase"])
            if any(phase.startswith("step ") for phase in phases):
                break
    assert phases[0] == "rewriting the prompt", phases
    assert http.delete(f"/v1/jobs/{job['id']}").json()["state"] == "cancelled"
    # The same child makes the next.
    after = ended(http, ask(http, prompt="walk", duration=3, seed=2))
    assert after["state"] == "succeeded"
    assert pools(http)["hymotion.motion"]["members"][0]["last_error"] == ""


def a_rewriter_that_fails_costs_a_note(http: httpx.Client) -> None:
    done = ended(http, ask(http, prompt=LONG_WINDED, duration=1, seed=1))
    assert done["state"] == "succeeded"
    rewriter = done["notes"]["rewriter"]
    assert rewriter == {"used": False, "reason": "it did not answer within 1 s"}


def what_the_model_cannot_do_is_refused(http: httpx.Client) -> None:
    for body, code in (
        ({"prompt": "walk", "duration": 12.5}, "INVALID_REQUEST"),
        ({"prompt": "walk", "duration": 0.5}, "INVALID_REQUEST"),
        ({"prompt": " ".join(["walk"] * 61), "duration": 5}, "PROMPT_TOO_LONG"),
    ):
        answer = http.post("/v1/motions", json={"model": "hymotion", **body})
        assert answer.json()["error_code"] == code


def test_nothing_is_served_that_nobody_asked_for() -> None:
    assert "hymotion" not in {model.name for model in served(Settings()).models}
    with pytest.raises(CatalogError, match="needs hymotion_src"):
        served(Settings(models=("hymotion",)))


def test_the_settings_say_what_is_served() -> None:
    base: dict[str, Any] = {"hymotion_src": "/vendor"}
    (model,) = served(Settings(models=("hymotion",), **base)).models
    assert model.pools == ("hymotion",) and not model.embedded
    (stage,) = model.stages
    assert stage.options["weights"] == "/vendor/ckpts"
    assert [each.name for each in stage.profiles] == ["bf16", "int8", "nf4", "encoder-cpu"]
    needs = [each.device_bytes for each in stage.profiles]
    assert needs == sorted(needs, reverse=True) and needs[0] == 26 * 10**9
    full, lite = served(Settings(models=("hymotion", "hymotion-lite"), **base)).models
    assert (full.lite_of, lite.lite_of) == ("", "hymotion")
    more = {**base, "hymotion_profile": "nf4", "hymotion_guidance": 1.0, "hymotion_steps": 20}
    (told,) = served(Settings(models=("hymotion",), **more)).models
    assert told.version != model.version
    assert told.stages[0].profiles == ()
    assert told.stages[0].options["encoder"] == "nf4"
