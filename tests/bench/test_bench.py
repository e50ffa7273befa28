"""Loads: what is drawn, what is counted, and one against a real server."""

import json
import subprocess
import sys
from collections import Counter
from pathlib import Path
from xml.etree import ElementTree

import pytest

from kinesphere.bench import outcomes, scenarios
from kinesphere.bench.outcomes import (
    Busy,
    Outcome,
    over_time,
    percentile,
    summary,
    sustained,
    utilisation,
)
from kinesphere.bench.plot import svg
from kinesphere.bench.scenarios import SCENARIOS
from kinesphere.bench.workload import Draw, Kind, Workload, parse_mix
from kinesphere.settings import Settings


def outcome(seconds: float, state: str = "succeeded", clip: float | None = 5.0) -> Outcome:
    return Outcome("motion", clip, 0.0, seconds, state, "" if state == "succeeded" else "CODE")


def test_percentiles_are_values_that_were_seen() -> None:
    values = [float(n) for n in range(1, 101)]
    assert [percentile(values, level) for level in (50, 95, 99, 100)] == [50, 95, 99, 100]
    assert percentile([7.0], 95) == 7.0
    assert percentile([], 95) is None


def test_latencies_are_told_apart_at_three_seconds_of_motion() -> None:
    found = [outcome(1.0, clip=2.9), outcome(2.0, clip=3.0), outcome(9.0, "failed"), outcome(4.0)]
    figures = summary(found, [], 10.0)
    assert figures["by_kind"]["motion under 3 s"]["p95"] == 1.0
    assert figures["by_kind"]["motion from 3 s"]["p95"] == 4.0
    assert figures["success"] == 0.75
    assert figures["throughput"] == 0.3
    assert figures["errors"] == {"CODE": 1}


def test_what_was_refused_is_no_failure_and_what_has_no_end_is_lost() -> None:
    figures = summary([outcome(1.0), outcome(1.0, "refused"), outcome(9.0, "lost")], [], 1.0)
    assert (figures["accepted"], figures["success"], figures["lost"]) == (2, 0.5, 1)


def test_utilisation_is_by_ready_replicas() -> None:
    samples = [Busy(0.0, "a", 0, 0), Busy(1.0, "a", 1, 2), Busy(2.0, "a", 2, 2)]
    assert utilisation(samples) == {"a": 0.75}


def test_what_a_closed_loop_sustains_is_told_without_its_rise_and_its_end() -> None:
    load = Workload(60.0, users=8, ramp=5.0, think=1.0)
    found = [Outcome("motion", 5.0, at, 9.0 if at < 5.0 else 3.0, "succeeded") for at in range(9)]
    assert sustained(found, load) == 2.0
    assert sustained(found, Workload(60.0, rate=1.0)) is None
    assert sustained(found[:5], load) is None


def test_a_scenario_at_another_speed_tells_the_same_times() -> None:
    slow = SCENARIOS["motions-50"]
    fast = scenarios.at_speed(slow, 4.0)
    assert fast.workload.seconds == slow.workload.seconds / 4.0
    (stage,) = fast.settings["simulated"][0]["stages"]
    assert (stage["fixed"], stage["per_job"], stage["batch_limit"]) == (0.8, 0.0025, 64)
    Settings.model_validate(dict(fast.settings))
    (told,) = outcomes.at_speed([Outcome("motion", 5.0, 1.0, 0.5, "succeeded")], 4.0)
    assert (told.at, told.seconds) == (4.0, 2.0)


def test_the_same_seed_asks_for_the_same() -> None:
    load = Workload(1.0, users=1, mix=(Kind("motion", 3.0), Kind("mesh", 1.0)))
    first, second = Draw(load), Draw(load)
    asked = [first.request() for _ in range(400)]
    assert asked == [second.request() for _ in range(400)]
    counts = Counter(request.task for request in asked)
    assert 250 < counts["motion"] < 350
    assert len({request.fields["seed"] for request in asked}) == 400


def test_repeats_are_exact() -> None:
    draw = Draw(Workload(1.0, users=1, repeat=0.5))
    asked = [draw.request() for _ in range(400)]
    assert 150 < len({request.fields["seed"] for request in asked}) < 250


def test_an_open_loop_keeps_its_rate() -> None:
    draw = Draw(Workload(1.0, rate=10.0))
    at = 0.0
    for _ in range(2_000):
        at += draw.gap(at)
    assert 180 < at < 220


@pytest.mark.parametrize("wrong", ["dance", "motion=x", "motion=-1", "motion=0"])
def test_a_mix_that_is_none(wrong: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        parse_mix(wrong)


def test_a_load_has_users_or_a_rate() -> None:
    for wrong in ({}, {"users": 1, "rate": 1.0}):
        with pytest.raises(ValueError, match="either users"):
            Workload(1.0, **wrong)  # type: ignore[arg-type]


def test_the_plot_is_one_picture_with_every_served_request() -> None:
    found = [outcome(0.5 + n / 10) for n in range(50)]
    picture = ElementTree.fromstring(svg("a < b", found, summary(found, [], 5.5)))
    lines = picture.findall("{http://www.w3.org/2000/svg}polyline")
    assert len(lines) == 2
    bins = over_time(found, 10)
    width = bins[0]["at"] * 2
    assert round(sum(each["throughput"] * width for each in bins)) == 50


@pytest.mark.parametrize("name", sorted(SCENARIOS))
def test_scenarios_are_settings_that_a_server_takes(name: str) -> None:
    scenario = SCENARIOS[name]
    settings = Settings.model_validate(dict(scenario.settings))
    (model,) = settings.simulated
    assert scenario.workload.model == model.name
    assert sum(settings.replicas.values()) >= 4
    assert scenario.assumptions.endswith(".")


@pytest.mark.slow
def test_a_scenario_is_served_by_a_server_of_its_own(tmp_path: Path) -> None:
    out = tmp_path / "figures.json"
    ran = subprocess.run(
        [
            *(sys.executable, "-m", "kinesphere", "bench", "--scenario", "motions-50"),
            *("--duration", "16", "--speed", "4", "--json", out, "--plot", tmp_path / "load.svg"),
            *("--out", tmp_path / "server"),
        ],
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr
    figures = json.loads(out.read_text())
    assert figures["success"] == 1.0
    assert figures["lost"] == 0
    assert figures["served"] >= 50
    assert figures["utilisation"]["a10"] > 0.1
    assert figures["speed"] == 4.0
    assert figures["sustained"] > 1.0
    assert "12.4" in ran.stdout
    (folder,) = (tmp_path / "server").iterdir()
    assert [path.name for path in folder.iterdir()] == ["server.log"]
    ElementTree.parse(tmp_path / "load.svg")
