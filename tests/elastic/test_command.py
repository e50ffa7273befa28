"""`kinesphere simulate`, and what it writes."""

import asyncio
import json
import re
import sqlite3
from html.parser import HTMLParser
from io import BytesIO
from pathlib import Path

import pytest
from PIL import Image
from typer.testing import CliRunner, Result

from kinesphere.adapters.feed_embedded import EmbeddedFeed
from kinesphere.adapters.ledger_sql import SqlLedger
from kinesphere.cli.app import app
from kinesphere.core.jobs import Cancel, Finish
from kinesphere.elastic.policies import FileInvalid
from kinesphere.elastic.simulator.files import PoolsFile
from kinesphere.elastic.simulator.history import read_history
from tests.clock import VirtualClock
from tests.core.jobs import new_job

TRACE = Path(__file__).parent / "traces" / "azure_llm_code_1h.npz"
POOLS = """
[workload]
hours = 2
load = 1.25
[[pools]]
name = "mesh"
spread = 0.35
estimates = "exact"
deadline = {times = 2, plus = 10}
"""


@pytest.fixture
def pools(tmp_path: Path) -> Path:
    path = tmp_path / "pools.toml"
    path.write_text(POOLS, "utf-8")
    return path


def run(*arguments: str | Path) -> Result:
    return CliRunner().invoke(app, ["simulate", *map(str, arguments)])


class Tags(HTMLParser):
    """Every tag with its attributes, and the text."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.text += data


def test_one_policy_with_its_files(tmp_path: Path, pools: Path) -> None:
    policy = tmp_path / "policy.toml"
    policy.write_text('policy = "keda-queue"\nmaximum = 4\nsettings = {busy = 0.8}\n', "utf-8")
    figures, page, plot = (tmp_path / "out" / name for name in ("a.json", "a.html", "a.png"))
    done = run(
        "--trace", TRACE, "--policy", policy, "--pools", pools,
        "--json", figures, "--html", page, "--plot", plot,
    )  # fmt: skip
    assert done.exit_code == 0, done.output
    assert "keda-queue (policy.toml)" in done.output

    (line,) = json.loads(figures.read_text("utf-8"))
    assert line["policy"] == "keda-queue"
    assert line["jobs"] > 80
    assert 0.0 < line["met"] < 1.0
    assert line["steps"][0]["reason"].startswith("1 replica")
    assert max(step["wanted"] for step in line["steps"]) == 4

    tags = Tags()
    tags.feed(page.read_text("utf-8"))
    names = {tag for tag, _ in tags.tags}
    assert {"svg", "table", "path"} <= names
    assert not names & {"script", "link", "img", "iframe"}
    assert not re.search(r"(src|href|url\()", page.read_text("utf-8"))
    assert "GPU-hours" in tags.text

    with Image.open(BytesIO(plot.read_bytes())) as image:
        assert (image.format, image.size) == ("PNG", (1200, 150))
        assert len(set(image.convert("RGB").get_flattened_data())) > 3


def test_rivals_stand_side_by_side(pools: Path) -> None:
    done = run("--trace", TRACE, "--pools", pools, "--rivals")
    assert done.exit_code == 0, done.output
    told = [line.split("  ")[0].strip() for line in done.output.splitlines()]
    for label in ("look-ahead", "keda", "knative", "threshold", "hpa-cpu", "clairvoyant"):
        assert label in told


TIERS = [
    'tiers = [{name = "a10", price = 1.0}, {name = "spot", price = 0.4, spot = true}]',
    'tiers = [{name = "slow", price = 0.1, speed = 0.1}, {name = "old", price = 0.2, speed = 0.2}]',
]


@pytest.mark.parametrize(("tiers", "told"), [(TIERS[0], "and"), (TIERS[1], "no mix within")])
def test_hardware_for_the_mean_load(tmp_path: Path, tiers: str, told: str) -> None:
    pools = tmp_path / "pools.toml"
    pools.write_text(f"{POOLS}on_demand = 1\n{tiers}\n", "utf-8")
    done = run("--trace", TRACE, "--pools", pools)
    assert done.exit_code == 0, done.output
    line = done.output.splitlines()[-1]
    assert line.startswith("mesh: ")
    assert told in line
    assert ("the cheapest hardware for the mean load is 1 of a10 and " in line) == (told == "and")


@pytest.mark.parametrize("missing", ["both", "none"])
def test_either_a_trace_or_a_ledger(tmp_path: Path, pools: Path, missing: str) -> None:
    given = () if missing == "none" else ("--trace", TRACE, "--from-ledger", tmp_path)
    done = run("--pools", pools, *given)
    assert done.exit_code == 2
    assert "either --trace or --from-ledger" in done.output


def test_a_wrong_file_is_named(tmp_path: Path, pools: Path) -> None:
    policy = tmp_path / "policy.toml"
    policy.write_text("policy = 'luck'\n", "utf-8")
    done = run("--trace", TRACE, "--pools", pools, "--policy", policy)
    assert done.exit_code == 2
    assert "policy.toml: no policy is named 'luck'" in done.output


def test_a_folder_that_cannot_be_written(tmp_path: Path, pools: Path) -> None:
    (tmp_path / "file").write_text("")
    done = run("--trace", TRACE, "--pools", pools, "--json", tmp_path / "file" / "a.json")
    assert done.exit_code == 1


async def served(data: Path) -> None:
    """A ledger of two motions in one batch, a mesh of two stages, and a job that was cancelled."""
    clock = VirtualClock(1_000_000.0)
    ledger = await SqlLedger.open(f"sqlite:///{data / 'ledger.db'}", clock, EmbeddedFeed())
    now = clock.now()
    made = [
        new_job(id="a", pools=("choreo",), user="anna", created_at=now, ready_at=now),
        new_job(
            id="b", pools=("choreo",), priority=7, deadline=now + 60.0, created_at=now, ready_at=now
        ),
        new_job(id="c", pools=("relief.shape", "relief.texture"), created_at=now, ready_at=now),
        new_job(id="d", pools=("choreo",), priority=0, created_at=now, ready_at=now),
    ]
    for job in made:
        await ledger.submit(job)
    await ledger.apply("d", Cancel())
    clock.tick(5.0)
    motions = await ledger.claim("choreo", "w1", 8, 60.0)
    (shape,) = await ledger.claim("relief.shape", "w2", 8, 60.0)
    clock.tick(4.0)
    for job in motions:
        await ledger.apply(job.id, Finish(job.token, ()))
    clock.tick(6.0)
    await ledger.apply("c", Finish(shape.token, ()))
    clock.tick(1.0)
    (texture,) = await ledger.claim("relief.texture", "w2", 8, 60.0)
    clock.tick(3.0)
    await ledger.apply("c", Finish(texture.token, ()))
    await ledger.close()


LEDGER_POOLS = """
pools = [
    {name = "choreo", fixed = 1, batch_limit = 4},
    {name = "relief.shape"},
    {name = "relief.texture"},
]
"""


def test_what_a_ledger_has_served_is_replayed(tmp_path: Path) -> None:
    asyncio.run(served(tmp_path))
    before = (tmp_path / "ledger.db").read_bytes()
    pools = tmp_path / "pools.toml"
    pools.write_text(LEDGER_POOLS, "utf-8")
    figures = tmp_path / "a.json"
    done = run("--from-ledger", tmp_path, "--pools", pools, "--json", figures)
    assert done.exit_code == 0, done.output
    assert json.loads(figures.read_text("utf-8"))[0]["jobs"] == 4
    assert (tmp_path / "ledger.db").read_bytes() == before


def test_rows_of_a_ledger(tmp_path: Path) -> None:
    asyncio.run(served(tmp_path))
    file = PoolsFile.model_validate({"pools": [{"name": "choreo", "fixed": 1.0}]})
    trace = read_history(tmp_path, file)
    assert (trace.began, trace.duration) == (1_000_000.0, 19.0)
    rows = {(row.pool, row.user, row.priority): row for row in trace.rows}
    assert len(rows) == 4
    first = rows["choreo", "anna", 5]
    # A batch of 4 s, 1 s of it fixed, shared by two.
    assert (first.at, first.seconds, first.deadline) == (0.0, 1.5, None)
    second = next(row for row in trace.rows if row.priority == 7)
    assert (second.seconds, second.deadline) == (1.5, 60.0)
    shape, texture = sorted(
        (row for row in trace.rows if row.pool.startswith("relief")), key=lambda row: row.at
    )
    assert (shape.at, shape.seconds) == (0.0, 10.0)
    assert (texture.at, texture.seconds) == (15.0, 3.0)


def test_no_ledger(tmp_path: Path) -> None:
    file = PoolsFile.model_validate({"pools": [{"name": "choreo"}]})
    with pytest.raises(FileInvalid, match="no ledger there"):
        read_history(tmp_path, file)
    (tmp_path / "ledger.db").write_text("no database")
    with pytest.raises(FileInvalid, match="not a ledger"):
        read_history(tmp_path, file)
    empty = tmp_path / "empty?#.db"
    with sqlite3.connect(empty) as made:
        made.execute("CREATE TABLE events (seq, job_id, at, kind, data)")
        made.execute("CREATE TABLE jobs (id, document)")
    made.close()
    with pytest.raises(FileInvalid, match="no job in it was finished"):
        read_history(empty, file)
