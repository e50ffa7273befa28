"""What the pages about Kubernetes and images tell people to type."""

import base64
import json
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import typer

from kinesphere.cli.app import app
from kinesphere.deploy import chart
from kinesphere.deploy.verification import containers, environment
from tests.deploy.conftest import KUBECTL, ROOT, Documents

PAGES = ROOT / "docs" / "operations"
PAGE = (PAGES / "kubernetes.md").read_text("utf-8")


def commands(page: str) -> Iterator[str]:
    for block in re.findall(r"```sh\n(.*?)```", page, re.DOTALL):
        yield from filter(None, block.replace("\\\n", " ").splitlines())


def named(word: str) -> list[list[str]]:
    """The words of all commands of one program, those in `$( )` and after `--` included."""
    pages = [PAGE, (PAGES / "images.md").read_text("utf-8")]
    found = []
    for line in (line for page in pages for line in commands(page)):
        for part in (*re.findall(r"\$\(([^()]*)\)", line), re.sub(r"\$\([^()]*\)", "x", line)):
            for inner in part.split(" -- "):
                words = shlex.split(inner)
                while words and (words[0] == "env" or "=" in words[0]):
                    words.pop(0)
                if words and words[0] == word:
                    found.append(words)
    return found


def test_every_command_of_ours_is_one() -> None:
    given = named("kinesphere")
    assert len(given) == 8
    for words in given:
        command: Any = typer.main.get_command(app)
        rest = words[1:]
        options: set[str] = set()
        while hasattr(command, "commands"):
            options |= {option for parameter in command.params for option in parameter.opts}
            name = next(each for each in rest if each in command.commands)
            command, rest = command.commands[name], rest[rest.index(name) + 1 :]
        options |= {option for parameter in command.params for option in parameter.opts}
        assert {word for word in words if word.startswith("-")} <= options, words


def test_every_file_and_value_that_helm_is_given_is_there() -> None:
    known = chart.defaults()
    given = named("helm")
    assert len(given) == 3
    for words in given:
        assert (ROOT / words[3]).is_dir()
        for option, value in pairwise(words):
            if option == "--values" and "/" in value:
                assert (ROOT / value).is_file()
            if option == "--set":
                at: Any = known
                for key in value.split("=")[0].split("."):
                    at = at[key]


def test_every_folder_that_is_applied_is_there() -> None:
    folders = re.findall(r"kubectl apply --namespace kinesphere -f ([\w/]+)", PAGE)
    assert folders == ["deploy/kubernetes/trial"]
    assert all(list((ROOT / folder).glob("*.yaml")) for folder in folders)


@pytest.mark.skipif(not KUBECTL.exists(), reason="kubectl is packaged for Linux only")
def test_the_secrets_that_are_made_are_those_that_pods_read(
    documents: dict[str, Documents],
) -> None:
    made = [words for words in named("kubectl") if words[1:4] == ["create", "secret", "generic"]]
    keys = [_made(words) for words in made]
    assert [name for name, _ in keys] == ["kinesphere", "kinesphere", "kinesphere-operator"]
    assert _read(documents["trial"], "kinesphere") <= keys[0][1]
    assert _read(documents["production"], "kinesphere") <= keys[1][1]
    assert keys[2][1] == {"token"}


def _made(words: list[str]) -> tuple[str, set[str]]:
    """What kubectl itself makes of it."""
    command = [str(KUBECTL), *words[1:], "--dry-run=client", "--output=json"]
    environ = {**os.environ, "KUBECONFIG": os.devnull}
    done = subprocess.run(command, capture_output=True, check=True, env=environ, timeout=60)
    secret = json.loads(done.stdout)
    assert all(base64.b64decode(value) for value in secret["data"].values())
    return secret["metadata"]["name"], set(secret["data"])


def _read(documents: Documents, name: str) -> set[str]:
    """Keys of a Secret that containers name."""
    text = json.dumps(documents)
    found = re.findall(r'"secretKeyRef": (\{[^}]*\})', text)
    return {r["key"] for each in found if (r := json.loads(each))["name"] == name}


def test_the_addresses_of_a_trial_are_those_of_its_services(
    documents: dict[str, Documents],
) -> None:
    services = {d["metadata"]["name"] for d in documents["trial"] if d["kind"] == "Service"}
    hosts = set(re.findall(r"(?:@|redis://)(kinesphere-\w+)/", PAGE))
    (told,) = {
        environment(container)["KINESPHERE_ARTIFACTS_URL"]
        for _, container in containers(documents["trial"])
        if container["name"] == "api"
    }
    assert hosts | set(re.findall(r"//(kinesphere-\w+):9000", told)) <= services
    assert len(hosts) == 2


def test_every_engine_of_the_image_is_a_model_of_ours() -> None:
    from kinesphere.engines import hunyuan3d, hymotion

    text = (ROOT / "deploy" / "docker" / "Dockerfile").read_text()
    (told,) = re.findall(r"KINESPHERE_INTERPRETERS='(\{.*\})'", text)
    assert set(json.loads(told)) == {*hymotion.NAMES, *hunyuan3d.names()}


def test_the_manifests_that_are_written_are_those_that_are_pulled(
    documents: dict[str, Documents],
) -> None:
    pulled = {
        Path(container["args"][2]).stem
        for _, container in containers(documents["production"])
        if container.get("args", [])[:2] == ["models", "pull"]
    }
    assert set(re.findall(r"--from-file=(\w+)\.json", PAGE)) == pulled
    settings = next(
        environment(c) for _, c in containers(documents["production"]) if c["name"] == "api"
    )
    weights = (settings[f"KINESPHERE_{name}_WEIGHTS"] for name in ("HYMOTION", "HUNYUAN3D"))
    assert {f"/weights/{name}" for name in pulled} == set(weights)


def test_hadolint_finds_nothing() -> None:
    hadolint = Path(sys.executable).with_name("hadolint")
    file = ROOT / "deploy" / "docker" / "Dockerfile"
    done = subprocess.run([hadolint, file], capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stdout) == (0, "")
