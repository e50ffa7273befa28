"""The simulated device takes the time that was stated, and fails as often."""

import json
import subprocess
import sys
import time
from collections.abc import Mapping
from typing import Any

import pytest
from pydantic import ValidationError

from kinesphere.core.failures import Failure
from kinesphere.engines.simulated import model
from kinesphere.engines.simulated.engine import Simulated
from kinesphere.formats.clip import Clip
from kinesphere.formats.mesh import MESH_FORMATS
from kinesphere.ports import Made, Outcome, Work
from kinesphere.quality import judge
from kinesphere.quality.mesh import judge_mesh
from kinesphere.settings import Settings, SettingsError, load_settings
from kinesphere.settings.simulated import SimulatedModel, SimulatedStage


def engine(task: str = "motion", payload: int = 0, **stated: float) -> Simulated:
    """The engine of a model that is stated so, loaded and warm."""
    fields: dict[str, Any] = {"fixed": 0.0, "per_job": 0.0, **stated}
    stage = SimulatedStage.model_validate(fields)
    options: Mapping[str, Any] = (
        model(
            SimulatedModel.model_validate(
                {"name": "gpu", "task": task, "payload": payload, "stages": [stage.model_dump()]}
            )
        )
        .stages[0]
        .options
    )
    made = Simulated(**options)
    made.load("cpu")
    made.warm_up()
    return made


def ran(made: Simulated, *requests: Mapping[str, Any]) -> list[Outcome]:
    return list(made.run([Work(r) for r in requests], lambda *_: None, lambda _: False))


def test_a_batch_takes_the_time_that_was_stated() -> None:
    start = time.monotonic()
    outcomes = ran(engine(fixed=0.1, per_job=0.05, payload=10), *[{}] * 4)
    assert time.monotonic() - start >= 0.3
    assert len(outcomes) == 4


def test_a_motion_passes_the_gate_and_says_what_it_is() -> None:
    (made,) = ran(engine(), {"duration": 2.0})
    assert isinstance(made, Made)
    assert isinstance(made.asset, Clip)
    assert made.asset.duration == pytest.approx(2.0)
    assert made.notes == {"simulated": True}
    assert judge(made.asset, idle_asked=True).verdict == "pass"


def test_faults_bend_an_elbow() -> None:
    (made,) = ran(engine(faults=1.0), {"duration": 1.0})
    assert isinstance(made, Made)
    assert isinstance(made.asset, Clip)
    assert judge(made.asset, idle_asked=True).verdict == "fail"


@pytest.mark.parametrize("wanted", sorted(MESH_FORMATS))
def test_a_mesh_is_solid_in_every_format(wanted: str) -> None:
    (made,) = ran(engine("mesh"), {"format": wanted})
    assert isinstance(made, Made)
    assert isinstance(made.asset, tuple)
    (file,) = made.asset
    assert judge_mesh(MESH_FORMATS[wanted].decode(file.data)).verdict == "pass"


def test_a_payload_has_its_size() -> None:
    (made,) = ran(engine(payload=1_024), {})
    assert isinstance(made, Made)
    assert isinstance(made.asset, tuple)
    assert len(made.asset[0].data) == 1_024


def test_attempts_fail_as_often_as_stated() -> None:
    outcomes = ran(engine(payload=1, failures=0.25), *[{}] * 2_000)
    failed = sum(isinstance(outcome, Failure) for outcome in outcomes)
    assert 400 < failed < 600


def test_a_batch_that_nobody_wants_ends_at_once() -> None:
    start = time.monotonic()
    made = engine(fixed=60.0, payload=1)
    (outcome,) = made.run([Work({})], lambda *_: None, lambda _: True)
    assert isinstance(outcome, Failure)
    assert outcome.code == "CANCELLED"
    assert time.monotonic() - start < 10.0


def test_a_model_is_declared_by_settings() -> None:
    stated = [{"name": "gpu-mesh", "task": "mesh", "stages": [{"name": "shape"}, {"name": "tex"}]}]
    settings = load_settings({"KINESPHERE_SIMULATED": json.dumps(stated)})
    declared = model(settings.simulated[0])
    assert declared.pools == ("gpu-mesh.shape", "gpu-mesh.tex")
    assert declared.simulated
    assert declared.rank < 0


@pytest.mark.parametrize(
    "wrong",
    [{"name": "GPU"}, {"name": "a", "stages": []}, {"name": "a", "stages": [{"crashes": 2}]}, {}],
)
def test_a_wrong_statement_is_told(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        Settings.model_validate({"simulated": [wrong]})
    with pytest.raises(SettingsError, match="KINESPHERE_SIMULATED"):
        load_settings({"KINESPHERE_SIMULATED": json.dumps([wrong])})


def test_longer_clips_take_longer_where_that_is_stated() -> None:
    stated = SimulatedModel.model_validate({"name": "gpu", "grows": 0.5})
    declared = model(stated)
    assert declared.weight({"duration": 10.0}) == pytest.approx(1.5)
    assert model(SimulatedModel(name="gpu")).weight({"duration": 10.0}) == 1.0
    times = {"fixed": 0.0, "per_job": 0.1, "payload": 1}
    options: dict[str, Any] = {**declared.stages[0].options, **times}
    made = Simulated(**options)
    start = time.monotonic()
    ran(made, {"duration": 10.0}, {"duration": 5.0})
    assert time.monotonic() - start >= 0.25


def test_a_child_does_without_the_settings() -> None:
    code = "import sys, kinesphere.engines.simulated.engine; print('pydantic' in sys.modules)"
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert told.stdout.strip() == "False"
