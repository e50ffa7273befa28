"""hunyuan3d: pictures to meshes by Tencent's Hunyuan3D-2, whose code and weights the user installs.

This module stays light: it is imported in the API process to know what these models can do.
"""

import json
from collections.abc import Sequence
from typing import Final

from kinesphere.core.catalog import Model, Size, Stage
from kinesphere.core.fitting import Profile
from kinesphere.core.requests import SIDES
from kinesphere.engines.hunyuan3d.profiles import PAINT_PROFILES, shape_profiles
from kinesphere.engines.hunyuan3d.variants import (
    PAINT,
    PAINT_REPOSITORY,
    PAINT_TURBO,
    VARIANTS,
    Variant,
)
from kinesphere.settings.hunyuan3d import Hunyuan3dSettings

LICENCE: Final = "Tencent Hunyuan 3D 2.0 Community License"
FEWEST_FACES, MOST_FACES = 500, 500_000
MOST_FACES_PAINTED: Final = 100_000
"""Unwrapping took 27 s for 20,000 faces on one core, and an hour for 400,000 (Hunyuan3D-2 on
GitHub, #170)."""
_FAMILIES: Final = ("hunyuan3d-2mini", "hunyuan3d-2mv", "hunyuan3d-2")


def names() -> tuple[str, ...]:
    """Every model that can be served where there are weights."""
    return tuple(variant.name for variant in VARIANTS)


def configured(settings: Hunyuan3dSettings, wanted: Sequence[str] | None) -> tuple[Model, ...]:
    """The models that the settings describe: those wanted, or those whose folder is there.

    A process that only answers requests may not see the weights, so wanted ones are not looked for.
    """
    root = settings.hunyuan3d_weights
    if root is None:
        return ()
    served = [
        variant
        for variant in VARIANTS
        if (
            variant.name in wanted
            if wanted is not None
            else (root / variant.repository / variant.subfolder).is_dir()
        )
    ]
    return tuple(_model(variant, settings) for variant in served)


def _model(variant: Variant, settings: Hunyuan3dSettings) -> Model:
    options = settings.hunyuan3d_options
    painted = settings.hunyuan3d_paint != "off"
    stages = (_shape(variant, settings), *((_texture(settings),) if painted else ()))
    told = f"o{options.octree}.s{options.steps or variant.steps}.g{options.guidance:g}"
    quick = "" if options.flashvdm == "off" else f".vdm-{options.flashvdm}"
    paint = f".{settings.hunyuan3d_paint}" if painted else ""
    return Model(
        name=variant.name,
        version=f"1+{told}{quick}{paint}",
        task="mesh",
        title=variant.title,
        stages=stages,
        formats=("glb", "obj", "ply", "stl"),
        faces=(FEWEST_FACES, MOST_FACES_PAINTED if painted else MOST_FACES),
        sides=SIDES if variant.views else (),
        # Reducing and encoding grow with the faces; sampling and decoding do not.
        size=Size("faces", float(options.faces), 0.05),
        rank=variant.rank,
        licence=LICENCE,
    )


def _shape(variant: Variant, settings: Hunyuan3dSettings) -> Stage:
    options = settings.hunyuan3d_options
    family = next(name for name in _FAMILIES if variant.name.startswith(name))
    return Stage(
        name="shape",
        engine="kinesphere.engines.hunyuan3d.shape:Shape",
        batch_limit=options.batch if options.flashvdm == "off" else 1,
        seconds=variant.seconds,
        load_limit=1_800.0,
        run_limit=1_800.0,
        options={
            "weights": str(settings.hunyuan3d_weights),
            "folder": f"{variant.repository}/{variant.subfolder}",
            "turbo_vae": f"{variant.turbo_vae_repository}/{variant.turbo_vae}",
            "views": variant.views,
            "painted": settings.hunyuan3d_paint != "off",
            "faces": options.faces,
            "digests": json.dumps(dict(options.sha256)) if options.sha256 else "",
            "steps": options.steps or variant.steps,
            "guidance": options.guidance,
            "octree": options.octree,
            "chunks": options.chunks,
            "flashvdm": options.flashvdm,
            "compiled": options.compile,
            "tf32": options.tf32,
        },
        profiles=_chosen(shape_profiles(family), options.profile),
    )


def _texture(settings: Hunyuan3dSettings) -> Stage:
    options = settings.hunyuan3d_options
    return Stage(
        name="texture",
        engine="kinesphere.engines.hunyuan3d.paint:Paint",
        batch_limit=1,
        # 87 s on an A100 (a user, Hunyuan3D-2 on GitHub, #127).
        seconds=(0.0, 85.0),
        load_limit=1_800.0,
        run_limit=1_800.0,
        options={
            "weights": str(settings.hunyuan3d_weights),
            "repository": PAINT_REPOSITORY,
            "subfolder": PAINT_TURBO if settings.hunyuan3d_paint == "turbo" else PAINT,
            "digests": json.dumps(dict(options.sha256)) if options.sha256 else "",
        },
        profiles=_chosen(PAINT_PROFILES, options.profile),
    )


def _chosen(profiles: tuple[Profile, ...], pinned: str | None) -> tuple[Profile, ...]:
    return tuple(profile for profile in profiles if pinned in (None, profile.name))
