import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from kinesphere.settings import Settings, SettingsError, allowed, load_settings
from kinesphere.settings.reference import reference

PAGE = Path(__file__).parent.parent / "docs" / "settings.md"


@pytest.fixture(autouse=True)
def _nothing_set(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in [name for name in os.environ if name.startswith("KINESPHERE_")]:
        monkeypatch.delenv(name)


def refusal(environ: dict[str, str] | None = None, **overrides: object) -> str:
    with pytest.raises(SettingsError) as caught:
        load_settings(environ or {}, **overrides)
    return str(caught.value)


def test_defaults_need_nothing() -> None:
    settings = load_settings({})
    assert (settings.host, settings.port) == ("127.0.0.1", 8000)
    assert settings.data.is_absolute()
    assert settings.replicas_of("choreo") == 1


def test_arguments_before_environment_before_file_before_default(tmp_path: Path) -> None:
    (tmp_path / "kinesphere.toml").write_text("port = 1\nlease_seconds = 11\nmax_queue = 12\n")
    settings = load_settings(
        {"KINESPHERE_PORT": "2", "KINESPHERE_LEASE_SECONDS": "22"}, port=3, host=None
    )
    assert (settings.port, settings.lease_seconds, settings.max_queue) == (3, 22.0, 12)
    assert settings.poll_seconds == 2.0


def test_the_environment_of_the_process_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KINESPHERE_PORT", "1234")
    assert load_settings().port == 1234


def test_the_file_may_be_named(tmp_path: Path) -> None:
    path = tmp_path / "other.toml"
    path.write_text("port = 7\n")
    assert load_settings({"KINESPHERE_CONFIG": str(path)}).port == 7
    assert "which is not there" in refusal({"KINESPHERE_CONFIG": str(tmp_path / "no.toml")})


def test_a_broken_file_is_named_with_the_line(tmp_path: Path) -> None:
    (tmp_path / "kinesphere.toml").write_text("port = \n")
    assert re.search(r"kinesphere\.toml cannot be read as TOML: .*line 1", refusal())


@pytest.mark.parametrize(
    "text", ["choreo=2,relief=1", " choreo = 2 , relief=1,", '{"choreo":2,"relief":1}']
)
def test_replicas_in_the_environment(text: str) -> None:
    settings = load_settings({"KINESPHERE_REPLICAS": text})
    assert dict(settings.replicas) == {"choreo": 2, "relief": 1}
    assert settings.replicas_of("hunyuan3d.shape") == 1


@pytest.mark.parametrize(
    "text", ["choreo", "choreo=2,choreo=3", "choreo=-1", "choreo=x", "=1", "{1}"]
)
def test_replicas_that_make_no_sense(text: str) -> None:
    line = refusal({"KINESPHERE_REPLICAS": text})
    assert line.startswith("KINESPHERE_REPLICAS ")
    assert "choreo=2,relief=1" in line


@pytest.mark.parametrize("text", ["choreo,relief", '["choreo", "relief"]'])
def test_models_in_the_environment(text: str) -> None:
    assert load_settings({"KINESPHERE_MODELS": text}).models == ("choreo", "relief")


def test_unknown_names_are_refused_with_the_nearest(tmp_path: Path) -> None:
    assert refusal({"KINESPHERE_LEASE_SECOND": "3"}) == (
        "KINESPHERE_LEASE_SECOND is not a setting; did you mean KINESPHERE_LEASE_SECONDS?"
    )
    assert "did you mean KINESPHERE_CONFIG?" in refusal({"KINESPHERE_CONFG": "x"})
    assert "did you mean KINESPHERE_PORT?" in refusal({"kinesphere_port": "1"})
    assert "did you mean max_queue?" in refusal(max_queu=3)
    (tmp_path / "kinesphere.toml").write_text("Port = 3\n")
    assert refusal() == "Port (in kinesphere.toml) is not a setting; did you mean port?"


@given(st.sampled_from(sorted(Settings.model_fields)), st.data())
def test_a_name_with_a_letter_missing_finds_its_way(name: str, data: st.DataObject) -> None:
    gap = data.draw(st.integers(0, len(name) - 1))
    wrong = name[:gap] + name[gap + 1 :]
    if wrong not in Settings.model_fields:
        assert f"did you mean {name}?" in refusal({}, **{wrong: 1})


def test_what_kubernetes_injects_is_explained() -> None:
    injected = {
        "KINESPHERE_PORT": "tcp://10.0.0.1:80",
        "KINESPHERE_SERVICE_HOST": "10.0.0.1",
        "KINESPHERE_SERVICE_PORT_HTTP": "80",
        "KINESPHERE_PORT_80_TCP_ADDR": "10.0.0.1",
        "KINESPHERE_API_PORT": "tcp://10.0.0.1:80",
        "KINESPHERE_API_SERVICE_PORT": "80",
    }
    lines = refusal(injected).split("\n")
    assert len(lines) == len(injected)
    assert all("enableServiceLinks: false" in line for line in lines)


def test_every_problem_is_told_at_once() -> None:
    lines = refusal({"KINESPHERE_PORT": "99999", "KINESPHERE_NO": "1"}, lease_seconds=0).split("\n")
    assert len(lines) == 3
    assert any(line.startswith("KINESPHERE_PORT ") and "0 to 65,535" in line for line in lines)
    assert any(line.startswith("lease_seconds ") and "1 to 3,600" in line for line in lines)


@pytest.mark.parametrize("host", ["127.0.0.1", "127.3.2.1", "::1", "localhost"])
def test_loopback_is_served(host: str) -> None:
    assert load_settings({}, host=host).host == host


@pytest.mark.parametrize(
    "host", ["0.0.0.0", "::", "192.168.1.2", "example.com", "localhost.evil", ""]
)
def test_other_hosts_are_refused_without_authentication(host: str) -> None:
    assert "no authentication configured" in refusal(host=host)


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.2", "motion.internal"])
def test_other_hosts_are_served_with_authentication(host: str) -> None:
    assert load_settings({}, host=host, authentication="keys").host == host


def test_the_refusal_of_a_host_says_how_to_let_others_in() -> None:
    told = refusal({"KINESPHERE_HOST": "0.0.0.0"})
    assert told.startswith("KINESPHERE_HOST ")
    assert "kinesphere keys create" in told
    assert "KINESPHERE_AUTHENTICATION=keys" in told


def test_what_is_wrong_with_authentication_is_told_instead_of_the_host() -> None:
    told = refusal(host="0.0.0.0", authentication="kes")
    assert told.startswith("authentication ")
    assert "host" not in told


def test_oidc_needs_its_issuer_and_audience() -> None:
    told = refusal(authentication="oidc").split("\n")
    assert [line.split()[0] for line in told] == ["oidc_issuer", "oidc_audience"]
    given = {"oidc_issuer": "https://a/b", "oidc_audience": "x,y"}
    settings = load_settings({}, authentication="keys,oidc,keys", **given)
    assert settings.authentication == ("keys", "oidc")
    assert settings.oidc_audience == ("x", "y")


@pytest.mark.parametrize(
    "url", ["http://login.example.com", "ftp://a", "https://u:p@a", "https://a?b", "login", ""]
)
def test_an_issuer_is_https(url: str) -> None:
    assert refusal(authentication="oidc", oidc_issuer=url, oidc_audience="x").startswith("oidc_i")


def test_an_issuer_may_be_http_on_loopback_or_where_that_is_allowed() -> None:
    for url, allowed_to in (("http://127.0.0.1:9", False), ("http://login.example.com", True)):
        given = {"oidc_issuer": url, "oidc_audience": "x", "oidc_allow_http": allowed_to}
        assert load_settings({}, authentication="oidc", **given).oidc_issuer == url


def test_an_empty_variable_counts_as_not_set() -> None:
    assert load_settings({"KINESPHERE_PORT": "", "KINESPHERE_MODELS": ""}) == load_settings({})


def test_the_variable_of_the_client_is_passed_over() -> None:
    given = {
        "KINESPHERE_URL": "http://other:1",
        "KINESPHERE_API_KEY": "k",
        "KINESPHERE_API_KEY_FILE": "f",
    }
    assert load_settings(given) == load_settings({})


def test_nothing_can_be_changed_later() -> None:
    settings = load_settings({}, replicas={"choreo": 2})
    with pytest.raises(ValidationError):
        settings.port = 1
    with pytest.raises(TypeError):
        settings.replicas["choreo"] = 3  # type: ignore[index]


def test_secrets_are_not_shown() -> None:
    secret = "s" * 32
    settings = load_settings({"KINESPHERE_LINK_SECRET": secret})
    assert settings.link_secret is not None
    assert settings.link_secret.get_secret_value() == secret
    assert secret not in repr(settings)
    assert "hunter2" not in refusal({"KINESPHERE_LINK_SECRET": "hunter2"})


def test_data_is_absolute_wherever_the_server_goes_later(tmp_path: Path) -> None:
    assert load_settings({}, data="files").data == tmp_path / "files"
    assert load_settings({}, data="~/files").data == Path.home() / "files"


def test_retention_of_zero_is_for_ever() -> None:
    assert load_settings({}, retention_days=0).retention_days is None


@pytest.mark.parametrize("url", ["ftp://a", "motion.example.com", "https://u:p@a/", "https://a/?b"])
def test_public_url_must_be_an_address(url: str) -> None:
    assert refusal(public_url=url).startswith("public_url ")


def test_public_url_loses_its_last_slash() -> None:
    assert load_settings({}, public_url="https://a/b/").public_url == "https://a/b"


def test_every_setting_says_what_it_is_and_what_is_allowed() -> None:
    for name, field in Settings.model_fields.items():
        assert field.description is not None, name
        assert len(field.description) > 40, name
        assert allowed(name), name


def test_the_page_is_the_reference() -> None:
    assert PAGE.read_text("utf-8") == reference()


def test_the_example_of_the_page_loads(tmp_path: Path) -> None:
    example = re.search(r"```toml\n(.*?)```", reference(), re.DOTALL)
    assert example is not None
    (tmp_path / "kinesphere.toml").write_text(example[1])
    settings = load_settings({})
    assert (settings.port, settings.replicas_of("choreo")) == (8080, 2)


def test_importing_the_settings_brings_no_web_framework() -> None:
    code = "import kinesphere.settings, sys; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not {"fastapi", "pydantic_settings", "platformdirs", "numpy"} & set(done.stdout.split())


@pytest.mark.parametrize("name", Settings.model_fields)
def test_every_setting_is_read_somewhere(name: str) -> None:
    source = Path(__file__).parents[1] / "src" / "kinesphere"
    readers = [p for p in source.rglob("*.py") if p.parent.name != "settings"]
    # The mapping of replicas is read through the method that knows its default.
    attribute = "replicas_of" if name == "replicas" else name
    assert any(re.search(rf"settings\.{attribute}\b", p.read_text("utf-8")) for p in readers)
