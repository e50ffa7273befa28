"""The chart: where it is, what it holds, and what it makes of values."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path, PurePosixPath
from typing import Any, Final

Values = Mapping[str, Any]
Document = Mapping[str, Any]

_PACKAGED: Final = Path(__file__).with_name("chart")
_CHECKOUT: Final = Path(__file__).parents[3] / "deploy" / "helm" / "kinesphere"
_PACKAGES: Final = ("helm_python", "yaml")


class ChartError(Exception):
    """The chart cannot be rendered, and why."""


@dataclass(frozen=True, slots=True)
class Release:
    """Under which name, and into which namespace."""

    name: str = "kinesphere"
    namespace: str = "kinesphere"


def folder() -> Path:
    """The chart that belongs to this version: in the package, or in the checkout beside it."""
    return _PACKAGED if _PACKAGED.is_dir() else _CHECKOUT


def defaults() -> dict[str, Any]:
    """The chart's own values. Raises ChartError."""
    with _loaded() as chart:
        return dict(chart.values)


def rendered(values: Values, release: Release) -> dict[str, str]:
    """Manifests by file name, such as `api.yaml`, those without a resource left out.

    Raises ChartError, with Helm's own words: also for values that the schema refuses.
    """
    from helm_python import HelmError  # noqa: PLC0415 - of the extra `deploy`

    with _loaded() as chart:
        try:
            chart.validate_schema(dict(values))
            made = chart.render(dict(values), name=release.name, namespace=release.namespace)
        except HelmError as error:
            raise ChartError(str(error)) from None
    names = {PurePosixPath(path).name: text for path, text in made.items()}
    return {
        name: tidy
        for name, text in sorted(names.items())
        if name.endswith(".yaml") and (tidy := _tidy(text))
    }


def documents(manifests: Mapping[str, str]) -> list[Document]:
    """Every resource of some manifests."""
    import yaml  # noqa: PLC0415 - of the extra `deploy`

    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    return [
        document
        for text in manifests.values()
        for document in yaml.load_all(text, loader)
        if document
    ]


def read(paths: Sequence[Path]) -> list[dict[str, Any]]:
    """Files of values, in this order. Raises ChartError."""
    _need()
    import yaml  # noqa: PLC0415 - of the extra `deploy`

    found = []
    for path in paths:
        try:
            value = yaml.safe_load(path.read_text("utf-8"))
        except (OSError, ValueError, yaml.YAMLError) as error:
            raise ChartError(f"{path}: {error}") from None
        if not isinstance(value, dict):
            raise ChartError(f"{path}: no table of values")
        found.append(value)
    return found


def written(values: Values) -> str:
    """Values as YAML."""
    import yaml  # noqa: PLC0415 - of the extra `deploy`

    return str(yaml.safe_dump(dict(values), sort_keys=False, allow_unicode=True))


def merged(first: Values, second: Values) -> dict[str, Any]:
    """Both, the second over the first, tables into tables, as Helm merges files of values."""
    result = dict(first)
    for name, value in second.items():
        before = result.get(name)
        both = isinstance(before, Mapping) and isinstance(value, Mapping)
        result[name] = merged(before, value) if both else value  # type: ignore[arg-type]  # both
    return result


def _tidy(text: str) -> str:
    """Without the documents that hold nothing but comments."""
    parts = [part.strip() for part in f"\n{text}".split("\n---\n")]
    kept = [
        "\n".join(line.rstrip() for line in part.splitlines()) + "\n"
        for part in parts
        if any(line.strip() and not line.lstrip().startswith("#") for line in part.splitlines())
    ]
    return "---\n".join(kept)


def _need() -> None:
    if any(find_spec(package) is None for package in _PACKAGES):
        raise ChartError("rendering needs more packages: pip install 'kinesphere[deploy]'")


def _loaded() -> Any:
    _need()
    from helm_python import Chart, HelmError  # noqa: PLC0415 - of the extra `deploy`

    try:
        return Chart.load(folder())
    except HelmError as error:
        raise ChartError(f"{folder()}: {error}") from None
