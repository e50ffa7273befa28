"""`kinesphere deploy check` asks a cluster, and `render` makes of the answer what it can use."""

import json
from pathlib import Path

import pytest
import yaml
from typer.testing import CliRunner

from kinesphere.cli.app import app
from kinesphere.deploy import chart
from kinesphere.deploy.verification import containers
from tests.deploy import apiserver, recorded
from tests.deploy.conftest import EXAMPLES, KUBECTL

MODELS = "choreo,hymotion,hymotion-lite"


def run(*words: str | Path) -> tuple[int, str]:
    done = CliRunner().invoke(app, ["deploy", *map(str, words)])
    assert done.exception is None or isinstance(done.exception, SystemExit), done.exception
    return done.exit_code, done.output


@pytest.fixture
def rich(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(recorded.install(tmp_path, recorded.RICH)))


def test_a_cluster_that_has_everything(rich: None) -> None:
    code, told = run("check", "--models", MODELS, "--json")
    found = {each["name"]: each for each in json.loads(told)}
    assert {each["level"] for each in found.values()} == {"ok"}
    assert code == 0
    assert found["kubernetes"]["found"] == "1.31"
    assert found["pool hymotion"]["found"] == "3 GPUs of 24 GB and more"
    assert found["keda"]["found"] == "in namespace keda-system"
    assert found["secret"]["found"] == (
        "kinesphere has broker-url, database-url, link-secret, redis-url"
    )


@pytest.mark.slow
@pytest.mark.skipif(not KUBECTL.exists(), reason="kubectl is packaged for Linux only")
def test_kubectl_itself_finds_the_same_over_https(
    rich: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stood_in, real = tmp_path / "stood-in.json", tmp_path / "real.json"
    run("check", "--facts", stood_in)
    with apiserver.serving(tmp_path) as kubeconfig:
        monkeypatch.setenv("PATH", str(KUBECTL.parent))
        monkeypatch.setenv("KUBECONFIG", str(kubeconfig))
        monkeypatch.setenv("HOME", str(tmp_path))
        code, told = run("check", "--context", "here", "--facts", real)
    assert code == 0, told
    assert "kinesphere has broker-url, database-url" in told
    assert "hidden" not in told
    found, wanted = json.loads(real.read_text()), json.loads(stood_in.read_text())
    assert set(wanted.pop("groups")) <= set(found.pop("groups"))
    assert found == wanted


def test_what_was_found_decides_what_is_rendered(rich: None, tmp_path: Path) -> None:
    facts, out, values = tmp_path / "facts.json", tmp_path / "out", tmp_path / "values.yaml"
    run("check", "--models", MODELS, "--facts", facts)
    more = tmp_path / "more.yaml"
    more.write_text("settings: {hymotion_src: /opt/hy-motion}\n")
    code, told = run(
        *("render", "--models", MODELS, "--facts", facts, "--values", more),
        *("--host", "motion.example.com", "--registry", "registry.example.com/kinesphere"),
        *("--artifacts", "s3://motions?region=eu-central-1", "--out", out),
        *("--values-out", values),
    )
    assert code == 0, told
    made = chart.documents({p.name: p.read_text() for p in out.glob("*.yaml")})
    kinds = {d["kind"] for d in made}
    assert {"ScaledObject", "Ingress", "ServiceMonitor"} < kinds
    assert not {"StatefulSet", "VirtualService", "HorizontalPodAutoscaler"} & kinds
    served = {
        d["metadata"]["labels"]["kinesphere.io/pool"]
        for d, c in containers(made)
        if c["name"] == "worker"
    }
    assert served == {"choreo", "hymotion", "hymotion-lite"}
    text = (out / "network.yaml").read_text()
    assert all(namespace in text for namespace in ("edge", "keda-system", "observability"))
    chosen = yaml.safe_load(values.read_text())
    assert chosen["spot"]["nodeSelector"] == {"karpenter.sh/capacity-type": "spot"}
    # Helm makes the same of those values.
    again = chart.rendered(chosen, chart.Release())
    assert {p.name for p in out.glob("*.yaml")} == set(again)


def test_a_second_rendering_leaves_nothing_of_the_first_and_nothing_of_others(
    tmp_path: Path,
) -> None:
    (tmp_path / "own.yaml").write_text("kind: Mine\n")
    run("render", "--values", EXAMPLES / "istio.yaml", "--out", tmp_path)
    assert (tmp_path / "istio.yaml").exists()
    run("render", "--models", "choreo", "--trial", "--out", tmp_path)
    assert not (tmp_path / "istio.yaml").exists()
    assert (tmp_path / "own.yaml").read_text() == "kind: Mine\n"


def test_what_lacks_is_told_with_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(recorded.install(tmp_path, recorded.BARE)))
    code, told = run("check", "--models", MODELS)
    assert code == 1
    for line in (
        "fail kubernetes         1.27",
        "fail gpu operator       none",
        "warn keda               none",
        "warn pool hymotion      no GPU of 24 GB",
        "fail namespace",
    ):
        assert line in told
    assert "kubectl create namespace kinesphere" in told


def test_no_kubectl_no_cluster(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert run("check") == (
        3,
        "error: the cluster cannot be asked: there is no kubectl on the PATH\n",
    )
    recorded.install(tmp_path, {})
    code, told = run("check")
    assert code == 3
    assert "Forbidden" in told


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--models", "nobody"], "the chart has no pools of 'nobody'"),
        (["--models", "hymotion"], "hymotion needs hymotion_src"),
        (["--models", "choreo", "--facts", "FACTS"], "no facts of a cluster"),
    ],
)
def test_what_cannot_work_is_not_written(words: list[str], told: str, tmp_path: Path) -> None:
    facts = tmp_path / "facts.json"
    facts.write_text("{")
    words = [str(facts) if word == "FACTS" else word for word in words]
    code, output = run("render", *words, "--out", tmp_path / "out")
    assert (code, (tmp_path / "out").exists()) == (2, False)
    assert told in output
