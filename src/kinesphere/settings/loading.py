"""Settings from arguments, KINESPHERE_* variables and a TOML file, or every reason why not."""

import difflib
import os
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from kinesphere.settings.model import Settings, allowed

PREFIX: Final = "KINESPHERE_"
CONFIG_VARIABLE: Final = "KINESPHERE_CONFIG"
CLIENT_VARIABLE: Final = "KINESPHERE_URL"
KEY_VARIABLES: Final = ("KINESPHERE_API_KEY", "KINESPHERE_API_KEY_FILE")
CONFIG_FILE: Final = "kinesphere.toml"

# What Kubernetes puts into every pod of a namespace with a Service whose name begins so.
_SERVICE_LINK: Final = re.compile(
    r"KINESPHERE_(\w+_)?(SERVICE_(HOST|PORT)|PORT_\d+_(TCP|UDP))\w*=.*|\w+=(tcp|udp)://.*"
)
_NO_SETTINGS: Final = frozenset({CONFIG_VARIABLE, CLIENT_VARIABLE, *KEY_VARIABLES})
_SERVICE_HINT: Final = (
    "Kubernetes sets it for a Service called kinesphere; put enableServiceLinks: false in the pod"
)


@dataclass(frozen=True, slots=True)
class Problem:
    """One setting that is not right.

    Attributes:
        name: The setting as the reader wrote it, with the place it stands in.
        problem: What is wrong with it.
        allowed: What would be right; may be empty.
    """

    name: str
    problem: str
    allowed: str = ""

    def __str__(self) -> str:
        allowed = f" (allowed: {self.allowed})" if self.allowed else ""
        return f"{self.name} {self.problem}{allowed}"


class SettingsError(Exception):
    """The settings cannot be used. `problems` has them all, and `str` gives a line for each."""

    def __init__(self, *problems: Problem) -> None:
        super().__init__(*problems)
        self.problems = problems

    def __str__(self) -> str:
        return "\n".join(str(problem) for problem in self.problems)


def load_settings(environ: Mapping[str, str] | None = None, **overrides: object) -> Settings:
    """The settings from `overrides`, the environment and the file, in this order.

    Args:
        environ: The environment; that of the process when None. An empty variable counts as not
            set.
        overrides: Settings by name, as from the command line. None counts as not given.

    Raises:
        SettingsError: with everything that is wrong, not just the first.
    """
    environ = os.environ if environ is None else environ
    given: dict[str, object] = {}
    source: dict[str, str] = {}
    problems: list[Problem] = []
    layers = (_from_file(environ), _from_environment(environ), _from_arguments(overrides))
    for values, spelt, unknown in layers:
        given |= values
        source |= spelt
        problems += unknown
    try:
        settings = Settings.model_validate(given)
    except ValidationError as error:
        problems += [_problem(detail, source) for detail in error.errors()]
    if problems:
        raise SettingsError(*problems)
    return settings


_Layer = tuple[dict[str, object], dict[str, str], list[Problem]]


def _from_file(environ: Mapping[str, str]) -> _Layer:
    named = environ.get(CONFIG_VARIABLE, "")
    path = Path(named or CONFIG_FILE)
    try:
        table = tomllib.loads(path.read_text("utf-8"))
    except FileNotFoundError:
        if not named:
            return {}, {}, []
        raise SettingsError(Problem(CONFIG_VARIABLE, f"names {path}, which is not there")) from None
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise SettingsError(Problem(str(path), f"cannot be read as TOML: {error}")) from None
    return _sorted(table, {name: f"{name} (in {path})" for name in table})


def _from_environment(environ: Mapping[str, str]) -> _Layer:
    found = {
        name: value
        for name, value in environ.items()
        if name.upper().startswith(PREFIX) and name not in _NO_SETTINGS and value
    }
    values: dict[str, object] = {}
    spelt: dict[str, str] = {}
    problems: list[Problem] = []
    for variable, value in found.items():
        name = variable.removeprefix(PREFIX).lower()
        if name in Settings.model_fields and variable == PREFIX + name.upper():
            values[name], spelt[name] = value, variable
        elif _SERVICE_LINK.fullmatch(f"{variable}={value}"):
            problems.append(Problem(variable, f"is not a setting; {_SERVICE_HINT}"))
        else:
            names = [PREFIX + field.upper() for field in Settings.model_fields]
            problems.append(_unknown(variable, variable, [*names, CONFIG_VARIABLE]))
    return values, spelt, problems


def _from_arguments(overrides: Mapping[str, object]) -> _Layer:
    given = {name: value for name, value in overrides.items() if value is not None}
    return _sorted(given, {name: name for name in given})


def _sorted(values: Mapping[str, object], spelt: Mapping[str, str]) -> _Layer:
    """`values` by whether they name a setting."""
    known = {name: value for name, value in values.items() if name in Settings.model_fields}
    unknown = [
        _unknown(spelt[name], name, list(Settings.model_fields))
        for name in values
        if name not in known
    ]
    return known, {name: spelt[name] for name in known}, unknown


def _unknown(shown: str, name: str, names: list[str]) -> Problem:
    # Upper case, so that a wrong case is near; a low cutoff, as a far guess beats none.
    near = difflib.get_close_matches(name.upper(), [n.upper() for n in names], n=1, cutoff=0.5)
    right = {n.upper(): n for n in names}
    hint = f"; did you mean {right[near[0]]}?" if near else ""
    return Problem(shown, f"is not a setting{hint}")


def _problem(detail: ErrorDetails, source: Mapping[str, str]) -> Problem:
    name, *inner = (str(part) for part in detail["loc"])
    inside = "".join(f" {part}:" for part in inner if part != "[key]")
    cause = detail.get("ctx", {}).get("error")
    what = str(cause) if cause is not None else f"is not right: {detail['msg']}"
    shown = source.get(name, name)
    if name == "port" and str(detail["input"]).startswith("tcp://"):
        return Problem(shown, f"is not a port; {_SERVICE_HINT}", allowed(name))
    return Problem(shown, f"{inside} {what}".strip(), allowed(name))
