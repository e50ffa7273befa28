"""`kinesphere models manifest`, `pull`, `verify` and `list`, from a folder to a folder."""

import json
from pathlib import Path

from tests.cli.conftest import Run


def test_weights_from_a_download_to_use(kinesphere: Run, tmp_path: Path) -> None:
    download, cache = tmp_path / "download", tmp_path / "cache"
    (download / "dit").mkdir(parents=True)
    (download / "dit" / "model.safetensors").write_bytes(bytes(10_000))
    (download / "config.json").write_text("{}")
    here = {"KINESPHERE_WEIGHTS": str(cache), "KINESPHERE_MODELS": "choreo"}

    made = kinesphere("models", "manifest", download, "--name", "shape", "--from", download)
    assert made.returncode == 0, made.stderr
    manifest = tmp_path / "shape.json"
    manifest.write_text(made.stdout)
    pulled = kinesphere("models", "pull", manifest, **here)
    assert (pulled.returncode, pulled.stdout.strip()) == (0, str(cache / "shape")), pulled.stderr
    assert (cache / "shape" / "config.json").read_text() == "{}"

    listed = json.loads(kinesphere("models", "list", "--json", **here).stdout)
    (row,) = listed["weights"]
    assert (row["name"], row["files"], row["size"], row["whole"]) == ("shape", 2, 10_002, True)

    (cache / "shape").resolve().joinpath("config.json").write_text("[]")
    verified = kinesphere("models", "verify", **here)
    assert verified.returncode == 1
    assert "shape: wrong\n  config.json has SHA-256" in verified.stdout
    assert kinesphere("models", "pull", "shape", **here).returncode == 0, "by its name"
    assert kinesphere("models", "verify", "shape", **here).stdout == "shape: right\n"

    (download / "model.ckpt").write_bytes(b"PK\x03\x04")
    refused = kinesphere("models", "manifest", download, "--name", "shape")
    assert refused.returncode == 2
    assert "can run code" in refused.stderr
