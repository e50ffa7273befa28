"""Pools, policies and traces from files, and what is said of wrong ones."""

import re
from pathlib import Path
from textwrap import dedent

import numpy as np
import pytest

from kinesphere.core.scaling.look_ahead import LookAhead
from kinesphere.core.scaling.values import Warm
from kinesphere.elastic.policies import FileInvalid, PolicyFile, read
from kinesphere.elastic.simulator.files import PoolsFile
from kinesphere.elastic.simulator.traces import Row, Trace, prepared, read_trace

TRACES = Path(__file__).parent / "traces"


def written(folder: Path, name: str, text: str) -> Path:
    path = folder / name
    path.write_text(dedent(text), "utf-8")
    return path


def test_a_pools_file(tmp_path: Path) -> None:
    path = written(
        tmp_path,
        "pools.toml",
        """
        [workload]
        hours = 2
        starts_at = "06:30"
        day = "sat"
        [[pools]]
        name = "mesh"
        fixed = 1.5
        per_job = 0.5
        batch_limit = 8
        cold_start = 45
        on_demand = 1
        tiers = [{name = "a10", price = 1.2}, {name = "spot", price = 0.4, spot = true}]
        """,
    )
    file = read(path, PoolsFile)
    pool = file.pools[0].pool()
    assert pool.service.batch_seconds(8) == 5.5
    assert [(t.name, t.spot) for t in pool.tiers] == [("a10", False), ("spot", True)]
    assert file.epoch == (2 * 24 + 6.5) * 3600.0


def test_a_policy_file(tmp_path: Path) -> None:
    path = written(
        tmp_path,
        "policy.toml",
        """
        policy = "look-ahead"
        minimum = 2
        maximum = 6
        utc_offset_hours = 1
        [settings]
        slack_share = 0.5
        [[warm]]
        start = "08:00"
        end = "18:30"
        replicas = 3
        days = ["mon", "sun"]
        [pools.lite]
        policy = "keda-queue"
        settings = {waiting = 5, hpa = {stabilise_down = 60}}
        """,
    )
    file = read(path, PolicyFile)
    policy = file.of("mesh").made(0.0)
    assert isinstance(policy, LookAhead)
    assert policy.slack_share == 0.5
    assert policy.limits.warm == (Warm(28_800.0, 66_600.0, 3, (0, 6)),)
    assert policy.limits.utc_offset == 3600.0
    assert file.of("lite").made(0.0).name == "keda-queue"


@pytest.mark.parametrize(
    ("kind", "text", "told"),
    [
        (PoolsFile, "pools = 3", "pools: "),
        (PoolsFile, "[[pools]]\nname='a'\n[[pools]]\nname='a'", "two pools have one name"),
        (PoolsFile, "[[pools]]\nname='a'\nspeed=2", "pools.0.speed: Extra inputs"),
        (PoolsFile, "[[pools]]\nname='a'\nper_job=0", "jobs take no time"),
        (PoolsFile, "[[pools]]\nname='a'\ntiers=[]", "tiers is empty"),
        (PoolsFile, "[[pools]]\nname='a'\ncold_start=-1", "pools.0.cold_start: Input should be"),
        (PoolsFile, "[[pools]\nname='a'", "not TOML"),
        (PolicyFile, "policy='luck'", "no policy is named 'luck': look-ahead, keda-queue"),
        (PolicyFile, "minimum=9", "minimum is over maximum"),
        (PolicyFile, "[settings]\nfoo=1", "look-ahead has no setting 'foo': interval, "),
        (PolicyFile, "[settings]\nslack_share='x'", "slack_share"),
        (PolicyFile, "[settings]\ninterval=0", "interval must be over 0"),
        (PolicyFile, "[[warm]]\nstart='25:00'\nend='08:00'\nreplicas=1", "warm.0.start"),
    ],
)
def test_what_is_wrong_with_a_file(
    tmp_path: Path, kind: type[PoolsFile] | type[PolicyFile], text: str, told: str
) -> None:
    path = tmp_path / "x.toml"
    path.write_text(text, "utf-8")
    with pytest.raises(FileInvalid) as caught:
        read(path, kind)
    assert str(path) in str(caught.value)
    assert told in str(caught.value)


def test_no_file_and_no_text(tmp_path: Path) -> None:
    with pytest.raises(FileInvalid, match="No such file"):
        read(tmp_path / "none.toml", PoolsFile)
    (tmp_path / "x.toml").write_bytes(b"\xff\xfe")
    with pytest.raises(FileInvalid, match="not UTF-8"):
        read(tmp_path / "x.toml", PoolsFile)


def test_a_csv_trace(tmp_path: Path) -> None:
    path = written(
        tmp_path,
        "trace.csv",
        """\
        # from a gateway
        at,seconds,deadline,user,priority,pool,estimate
        7.5,2,,,,,
        0.5,3.5,60,anna,9,mesh,3
        """,
    )
    assert read_trace(path) == Trace(
        (Row(0.5, 3.5, 60.0, "anna", 9, "mesh", 3.0), Row(7.5, 2.0)), 7.5
    )
    assert read_trace(written(tmp_path, "t.csv", "t\n1\n3\n")).rows == (Row(1.0), Row(3.0))


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "names no column `at`"),
        ("seconds\n1\n", "names no column `at`"),
        ("at,colour\n1,red\n", "no column is named 'colour'"),
        ("at\n\n", "no arrivals"),
        ("at,user\n,anna\n", "row 2: no time"),
        ("at\n1\nx\n", "row 3: could not convert"),
        ("at\n-1\n", "row 2: at -1 is not a finite number"),
        ("at\ninf\n", "row 2: at inf is not a finite number"),
        ("at,priority\n1,10\n", "row 2: priority 10"),
        ("at\n0\n", "it lasts no time"),
    ],
)
def test_what_is_wrong_with_a_csv_trace(tmp_path: Path, text: str, told: str) -> None:
    with pytest.raises(FileInvalid) as caught:
        read_trace(written(tmp_path, "trace.csv", text))
    assert told in str(caught.value)


def test_npz_traces(tmp_path: Path) -> None:
    trace = read_trace(TRACES / "azure_llm_code_1h.npz")
    assert (len(trace.rows), trace.duration) == (8819, 3600.0)
    np.savez(tmp_path / "bad.npz", x=np.zeros(3))
    np.savez(tmp_path / "nan.npz", t=np.array([1.0, np.nan]), duration=3.0)
    (tmp_path / "text.npz").write_text("no archive")
    for name in ("bad", "nan", "text"):
        with pytest.raises(FileInvalid, match=name):
            read_trace(tmp_path / f"{name}.npz")
    with pytest.raises(FileInvalid, match="No such file"):
        read_trace(tmp_path / "none.csv")


def pools_file(**workload: object) -> PoolsFile:
    return PoolsFile.model_validate(
        {
            "workload": workload,
            "pools": [
                {"name": "mesh", "per_job": 10.0, "spread": 0.5, "deadline": {"plus": 5.0}},
                {"name": "lite", "fixed": 1.0, "per_job": 1.0, "estimates": "exact"},
            ],
        }
    )


def test_a_trace_is_stretched_then_thinned_then_filled_in() -> None:
    trace = Trace(tuple(Row(float(i)) for i in range(3600)), 3600.0)
    arrivals, duration = prepared(trace, pools_file(hours=4, load=1.5, seed=3))
    assert duration == 14_400.0
    assert len(arrivals) == pytest.approx(1.5 * 14_400.0 / 10.0, rel=0.05)
    assert all(a.at % 4.0 == 0.0 for a in arrivals)
    mean = sum(a.seconds for a in arrivals) / len(arrivals)
    assert mean == pytest.approx(10.0, rel=0.05)
    assert all(a.deadline == pytest.approx(a.at + 2.0 * a.seconds + 5.0) for a in arrivals)
    assert {a.estimate for a in arrivals} == {None}
    assert prepared(trace, pools_file(hours=4, load=1.5, seed=3))[0] == arrivals
    assert prepared(trace, pools_file(hours=4, load=1.5, seed=4))[0] != arrivals


def test_what_a_trace_says_is_kept() -> None:
    trace = Trace((Row(1.0, 3.0, 9.0, "anna", 2, "lite"), Row(2.0, pool="lite")), 10.0)
    first, second = prepared(trace, pools_file())[0]
    assert (first.at, first.seconds, first.deadline) == (1.0, 3.0, 10.0)
    assert (first.user, first.priority, first.pool, first.estimate) == ("anna", 2, "lite", 3.0)
    assert (second.seconds, second.deadline) == (1.0, None)


def test_a_trace_that_does_not_fit_its_pools() -> None:
    with pytest.raises(FileInvalid, match="jobs for pool 'big'"):
        prepared(Trace((Row(0.0, pool="big"),), 10.0), pools_file())
    with pytest.raises(FileInvalid, match="fewer hours"):
        prepared(Trace((Row(0.0),), 10.0), pools_file(load=5.0))
    with pytest.raises(FileInvalid, match="no job is left"):
        prepared(Trace((Row(0.0),), 1e9), pools_file(load=1e-12))


def test_the_files_in_the_documentation_are_right(tmp_path: Path) -> None:
    text = (Path(__file__).parents[2] / "docs" / "scaling.md").read_text("utf-8")
    hardware, pools, policy = re.findall(r"```toml\n(.*?)```", text, re.DOTALL)
    read(written(tmp_path, "pools.toml", pools), PoolsFile)
    read(written(tmp_path, "policy.toml", policy), PolicyFile)
    found = read(written(tmp_path, "hardware.toml", hardware), PolicyFile)
    assert found.hardware() is None
    choice = found.of("hunyuan3d.shape").hardware()
    assert choice is not None
    assert [tier.name for tier in choice.tiers] == ["l4", "l4-spot", "a100"]
    assert (choice.on_demand, choice.within, choice.memory) == (1, 90.0, 16.0)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ('tiers = [{name = "a", price = 1}, {name = "a", price = 2}]', "two tiers have one name"),
        ('on_demand = 1\ntiers = [{name = "a", price = 1, spot = true}]', "not spot"),
        ('tiers = [{name = "A b", price = 1}]', "name"),
    ],
)
def test_hardware_that_cannot_be(tmp_path: Path, text: str, told: str) -> None:
    with pytest.raises(FileInvalid, match=told):
        read(written(tmp_path, "policy.toml", text), PolicyFile)
