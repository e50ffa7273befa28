"""Which models are installed: the entry point group `kinesphere.engines`.

An entry point names a module-level tuple of `kinesphere.core.catalog.Model`. The module is
imported in the API process, so it declares its models and imports nothing heavy.
"""

from collections.abc import Sequence
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from typing import Final

from kinesphere.core.catalog import Catalog, Model
from kinesphere.engines import hunyuan3d, hymotion, relief, simulated
from kinesphere.settings import Settings
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


def served(settings: Settings) -> Catalog:
    """The models that the settings have this installation serve. Raises CatalogError."""
    wanted = settings.models
    configured = (
        *hunyuan3d.configured(settings, wanted),
        *hymotion.configured(settings, wanted),
    )
    for name in wanted or ():
        if name in hunyuan3d.names() and settings.hunyuan3d_weights is None:
            raise CatalogError(f"{name} needs hunyuan3d_weights, the folder of its weights")
        if name in hymotion.NAMES and settings.hymotion_src is None:
            raise CatalogError(f"{name} needs hymotion_src, the vendor's checkout")
    return discover(wanted, settings.simulated, settings.relief_mask_model, configured)


def discover(
    wanted: Sequence[str] | None,
    stated: Sequence[SimulatedModel] = (),
    mask_model: Path | None = None,
    configured: Sequence[Model] = (),
) -> Catalog:
    """The models to serve: those named, or all that are installed, configured or simulated.

    Where there is a `mask_model`, relief finds objects by that network. `configured` are models
    whose weights the settings name.

    Raises CatalogError for an unknown name.
    """
    ours = (relief.with_network(model, mask_model) for model in installed())
    found = (*ours, *configured, *map(simulated.model, stated))
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
