"""Which models are installed: the entry point group `kinesphere.engines`.

An entry point names a module-level tuple of `kinesphere.core.catalog.Model`. The module is
imported in the API process, so it declares its models and imports nothing heavy.
"""

from collections.abc import Sequence
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from typing import Final

from kinesphere.core.catalog import Catalog, Model
from kinesphere.engines import relief, simulated
from kinesphere.settings.simulated import SimulatedModel

GROUP: Final = "kinesphere.engines"


class CatalogError(Exception):
    """The models asked for cannot be served, and why."""


def installed() -> tuple[Model, ...]:
    """Every model that an installed package declares. Raises CatalogError."""
    models: list[Model] = []
    for entry in sorted(entry_points(group=GROUP), key=lambda e: e.name):
        models.extend(_declared(entry))
    _check_names(models)
    return tuple(models)


def discover(
    wanted: Sequence[str] | None,
    stated: Sequence[SimulatedModel] = (),
    mask_model: Path | None = None,
) -> Catalog:
    """The models to serve: those named, or all that are installed or stated to be simulated.

    Where there is a `mask_model`, relief finds objects by that network.

    Raises CatalogError for an unknown name.
    """
    ours = (relief.with_network(model, mask_model) for model in installed())
    found = (*ours, *map(simulated.model, stated))
    _check_names(found)
    if wanted is None:
        return Catalog(found)
    known = ", ".join(sorted({model.name for model in found})) or "none"
    for name in wanted:
        if all(model.name != name for model in found):
            raise CatalogError(f"no installed model is named {name!r}; installed: {known}")
    return Catalog(tuple(model for model in found if model.name in wanted))


def _check_names(models: Sequence[Model]) -> None:
    names = [(model.task, model.name) for model in models]
    for task, name in names:
        if names.count((task, name)) > 1:
            raise CatalogError(f"two models for the task {task} are named {name!r}")


def _declared(entry: EntryPoint) -> tuple[Model, ...]:
    try:
        models = entry.load()
    except Exception as error:
        raise CatalogError(f"the engine {entry.name!r} ({entry.value}) fails: {error}") from error
    if not isinstance(models, tuple) or not all(isinstance(m, Model) for m in models):
        raise CatalogError(f"{entry.value} is not a tuple of kinesphere.core.catalog.Model")
    return models
