"""Which models are served by which settings, and how."""

from pathlib import Path

import pytest

from kinesphere.core.catalog import Model
from kinesphere.core.fitting import Fitted, Unfit, fit
from kinesphere.engines import hunyuan3d
from kinesphere.engines.catalog import CatalogError, served
from kinesphere.engines.hunyuan3d.finishing import NoSurface, finished
from kinesphere.engines.hunyuan3d.variants import VARIANTS
from kinesphere.engines.simulated.assets import box
from kinesphere.formats import mesh_glb
from kinesphere.settings import SettingsError, load_settings
from kinesphere.wiring.roles import Incomplete, Role, check
from kinesphere.worker.process import Launch

GB = 10**9


def model(name: str = "hunyuan3d-2", **environ: str) -> Model:
    settings = load_settings(
        {
            "KINESPHERE_MODELS": name,
            "KINESPHERE_HUNYUAN3D_WEIGHTS": "/weights",
            **{f"KINESPHERE_{key}": value for key, value in environ.items()},
        }
    )
    found = served(settings).find("mesh", name)
    assert found is not None
    return found


def test_without_weights_none_is_served_and_asking_for_one_says_why() -> None:
    assert not any(m.name.startswith("hunyuan3d") for m in served(load_settings({})).models)
    with pytest.raises(CatalogError, match="hunyuan3d_weights"):
        served(load_settings({"KINESPHERE_MODELS": "hunyuan3d-2mini"}))


def test_those_whose_folder_is_there_are_served(tmp_path: Path) -> None:
    (tmp_path / "Hunyuan3D-2mini" / "hunyuan3d-dit-v2-mini-turbo").mkdir(parents=True)
    catalog = served(load_settings({"KINESPHERE_HUNYUAN3D_WEIGHTS": str(tmp_path)}))
    found = [m for m in catalog.models if m.name.startswith("hunyuan3d")]
    assert [m.name for m in found] == ["hunyuan3d-2mini-turbo"]
    assert catalog.default("mesh") == found[0]


def test_every_variant_has_its_folder_its_steps_and_its_licence() -> None:
    assert len(VARIANTS) == len(set(hunyuan3d.names())) == 9
    turbo = model("hunyuan3d-2mv-turbo")
    options = turbo.stages[0].options
    assert options["folder"] == "Hunyuan3D-2mv/hunyuan3d-dit-v2-mv-turbo"
    assert (options["steps"], options["views"]) == (5, True)
    assert "Tencent" in turbo.licence
    assert turbo.pools == ("hunyuan3d-2mv-turbo.shape",)


def test_options_reach_the_engine_and_change_the_version() -> None:
    plain = model()
    other = model(
        HUNYUAN3D_OPTIONS='{"octree": 256, "flashvdm": "turbo", "batch": 8}',
        HUNYUAN3D_PAINT="turbo",
    )
    assert plain.version != other.version
    shape, texture = other.stages
    assert (shape.options["octree"], shape.options["painted"]) == (256, True)
    assert shape.options["turbo_vae"] == "Hunyuan3D-2/hunyuan3d-vae-v2-0-turbo"
    # FlashVDM takes one job at a time.
    assert (plain.stages[0].batch_limit, shape.batch_limit) == (4, 1)
    assert texture.options["subfolder"] == "hunyuan3d-paint-v2-0-turbo"
    assert other.faces is not None
    assert plain.faces is not None
    # Unwrapping takes minutes for many faces.
    assert other.faces[1] < plain.faces[1]


@pytest.mark.parametrize("wrong", ['{"octree": 4}', '{"steps": 1}', '{"sha256": {"a": "b"}}', "{"])
def test_options_out_of_bounds_are_refused(wrong: str) -> None:
    with pytest.raises(SettingsError):
        model(HUNYUAN3D_OPTIONS=wrong)


def test_the_profile_follows_the_free_memory_unless_it_is_named() -> None:
    profiles = model().stages[0].profiles
    for free, name in ((24 * GB, "fp16"), (6 * GB, "fp16-offload")):
        found = fit(profiles, free, 64 * GB, 4)
        assert isinstance(found, Fitted)
        assert found.profile.name == name
    assert isinstance(fit(profiles, 3 * GB, 64 * GB, 4), Unfit)
    named = model(HUNYUAN3D_OPTIONS='{"profile": "fp16-offload"}').stages[0].profiles
    assert [profile.name for profile in named] == ["fp16-offload"]
    assert model(HUNYUAN3D_OPTIONS='{"profile": "unchecked"}').stages[0].profiles == ()


def test_an_interpreter_is_found_by_pool_or_model_and_must_be_a_program(tmp_path: Path) -> None:
    settings = load_settings({"KINESPHERE_INTERPRETERS": "a.shape=/one,a=/two"})
    assert settings.interpreter_of("a", "a.shape") == Path("/one")
    assert settings.interpreter_of("a", "a.texture") == Path("/two")
    assert settings.interpreter_of("b", "b") is None
    with pytest.raises(Incomplete, match="/one"):
        check(Role.SERVE, settings)


def test_another_interpreter_is_not_led_to_our_packages() -> None:
    environment = {"PYTHONPATH": "/ours", "VIRTUAL_ENV": "/ours", "HOME": "/h"}
    variables = Launch(environment=environment, python=Path("/other/python")).variables()
    assert variables.keys() & environment.keys() == {"HOME"}
    assert Launch(environment=environment).variables()["PYTHONPATH"] == "/ours"


def test_a_surface_without_area_is_none() -> None:
    mesh = mesh_glb.decode(box("glb").data)
    vertices, faces = mesh.vertices.astype(float), mesh.faces.astype(int)
    with pytest.raises(NoSurface):
        finished(vertices * 0.0, faces, 100)
    with pytest.raises(NoSurface):
        finished(vertices * float("nan"), faces, 100)
    again, notes = finished(vertices, faces[:, ::-1], 100)
    # Turned inside out, it is turned back.
    assert (again.faces == faces).all()
    assert notes == {"parts_left_out": 0.0}
