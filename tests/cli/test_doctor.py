"""`kinesphere doctor` says what is, and what to do."""

import json
from pathlib import Path
from typing import Any

from tests.cli.conftest import Run
from tests.servers import ServerProcess


def findings(kinesphere: Run, code: int, **environment: str) -> dict[str, list[dict[str, Any]]]:
    # Every engine is imported as replicas do it; one is enough where they are not what is asked.
    chosen = {"KINESPHERE_MODELS": "choreo"} | environment
    done = kinesphere("doctor", "--json", **chosen)
    assert done.returncode == code, done.stdout
    rows: dict[str, list[dict[str, Any]]] = {}
    for row in json.loads(done.stdout):
        rows.setdefault(row["name"], []).append(row)
    return rows


def test_a_sound_machine(kinesphere: Run, tmp_path: Path) -> None:
    rows = findings(
        kinesphere, 0, KINESPHERE_DATA=str(tmp_path / "data"), KINESPHERE_PORT="0",
        KINESPHERE_LINK_SECRET="s3cret" * 8, KINESPHERE_URL="http://127.0.0.1:1",
    )  # fmt: skip
    for name in ("python", "system", "memory", "sqlite", "gpus", "port 0", "disk"):
        assert name in rows, name
    assert rows["data folder"][0]["level"] == "ok"
    assert rows["write-ahead log"][0]["level"] == "ok"
    assert rows["engine choreo"][0]["level"] == "ok"
    told = " ".join(row["found"] for row in rows["settings"])
    assert "(from KINESPHERE_DATA)" in told
    assert "link_secret = **********" in told
    assert "s3cret" not in json.dumps(rows)
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_cannot_be_written_fails(kinesphere: Run, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    rows = findings(kinesphere, 1, KINESPHERE_DATA=str(tmp_path / "file" / "data"))
    assert rows["data folder"][0]["level"] == "fail"
    assert "--data" in rows["data folder"][0]["advice"]


def test_settings_come_from_a_file_or_are_wrong(kinesphere: Run, tmp_path: Path) -> None:
    (tmp_path / "kinesphere.toml").write_text("max_queue = 7\n")
    rows = findings(kinesphere, 0, KINESPHERE_DATA=str(tmp_path))
    told = [row["found"] for row in rows["settings"]]
    assert "max_queue = 7  (from kinesphere.toml)" in told
    rows = findings(kinesphere, 1, KINESPHERE_PORT="many", KINESPHERE_DATTA="x")
    assert [row["level"] for row in rows["settings"]] == ["fail", "fail"]


def test_who_answers_at_the_port(kinesphere: Run, server: ServerProcess) -> None:
    port = server.url.rpartition(":")[2]
    rows = findings(kinesphere, 0, KINESPHERE_PORT=port)
    assert rows[f"port {port}"][0]["level"] == "warn"
    assert "a Kinesphere server answers there: ready" in rows[f"port {port}"][0]["found"]


def test_lines_for_people(kinesphere: Run) -> None:
    done = kinesphere("doctor", KINESPHERE_PORT="0", KINESPHERE_MODELS="choreo")
    assert done.returncode == 0
    assert all(line.startswith(("ok ", "warn ", " ")) for line in done.stdout.splitlines())
