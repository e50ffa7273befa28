"""hymotion: text to motion by Tencent's HY-Motion 1.0 and 1.0-Lite, from the user's own checkout.

This module stays light: it is imported in the API process to know what hymotion can do. Nothing of
the vendor's is part of this package, and its licence is not ours: docs/engines/hymotion.md.
"""

from collections.abc import Sequence
from typing import Final

from kinesphere.core.catalog import Model, Stage
from kinesphere.core.fitting import Option
from kinesphere.engines.hymotion.profiles import profiles
from kinesphere.settings.hymotion import HyMotionSettings

DURATIONS: Final = (0.67, 12.0)
"""Seconds: 20 to 360 frames of a thirtieth."""

FULL, LITE = "hymotion", "hymotion-lite"
NAMES: Final = (FULL, LITE)

_FOLDERS: Final = {FULL: "HY-Motion-1.0", LITE: "HY-Motion-1.0-Lite"}
_TITLES: Final = {
    FULL: "HY-Motion 1.0, 1 billion parameters",
    LITE: "HY-Motion 1.0-Lite, 0.46 billion parameters",
}
_REWRITTEN: Final = 16
"""Prompts that wait for the rewriter at once; it batches them by itself."""


def configured(settings: HyMotionSettings, wanted: Sequence[str] | None) -> tuple[Model, ...]:
    """Those of `wanted` that are ours, or the full one; none where no checkout is named."""
    if settings.hymotion_src is None:
        return ()
    names = [name for name in NAMES if name in (wanted or (FULL,))]
    return tuple(_model(settings, name, paired=len(names) > 1) for name in names)


def _model(settings: HyMotionSettings, name: str, *, paired: bool) -> Model:
    stages = [_sampling(settings, name)]
    if settings.hymotion_rewriter_url is not None:
        stages.insert(0, _rewriting(settings))
    return Model(
        name=name,
        version="+".join(["1.0", *_changes(settings)]),
        task="motion",
        title=f"{_TITLES[name]}, English",
        stages=tuple(stages),
        formats=("bvh", "fbx", "glb", "npz"),
        languages=("en",) if settings.hymotion_rewriter_url is None else ("en", "zh"),
        # The vendor's advice; the encoders' own limits are of tokens, and beyond them is a note.
        max_words=60,
        max_cjk=100,
        durations=DURATIONS,
        # No size: the sampler works on 360 frames, whatever was asked for.
        rank=20 if name == FULL else 10,
        lite_of=FULL if paired and name == LITE else "",
        licence="LicenseRef-Tencent-HY-Motion-1.0-Community",
    )


def _changes(settings: HyMotionSettings) -> list[str]:
    """What makes the same request give other bytes than the published model."""
    told = {
        "steps": settings.hymotion_steps,
        "guidance": settings.hymotion_guidance,
        "precision": settings.hymotion_precision if settings.hymotion_precision != "tf32" else None,
        "profile": settings.hymotion_profile,
        "rewriter": settings.hymotion_rewriter_url and settings.hymotion_rewriter_model,
    }
    return [f"{name}={value}" for name, value in told.items() if value is not None]


def _sampling(settings: HyMotionSettings, name: str) -> Stage:
    source = settings.hymotion_src
    choices = profiles(lite=name == LITE)
    options: dict[str, Option | None] = {
        "source": str(source),
        "weights": str(settings.hymotion_weights or f"{source}/ckpts"),
        "variant": _FOLDERS[name],
        "steps": settings.hymotion_steps,
        "guidance": settings.hymotion_guidance,
        "precision": settings.hymotion_precision,
        "compiled": settings.hymotion_compile,
        "text_cache_bytes": settings.hymotion_text_cache_bytes,
    }
    wanted = next((each for each in choices if each.name == settings.hymotion_profile), None)
    if wanted is not None:
        options |= wanted.options
    return Stage(
        name="" if settings.hymotion_rewriter_url is None else "motion",
        engine="kinesphere.engines.hymotion.engine:HyMotion",
        batch_limit=settings.hymotion_batch_limit,
        # A guess for one current GPU; the platform goes by what it measures.
        seconds=(4.0, 2.0),
        load_limit=1_800.0,
        run_limit=600.0,
        options={name: value for name, value in options.items() if value is not None},
        profiles=choices if wanted is None else (),
    )


def _rewriting(settings: HyMotionSettings) -> Stage:
    key_file = settings.hymotion_rewriter_key_file
    seconds = settings.hymotion_rewriter_seconds
    return Stage(
        name="rewrite",
        engine="kinesphere.engines.hymotion.rewriter:Rewriter",
        batch_limit=_REWRITTEN,
        seconds=(2.0, 0.1),
        load_limit=60.0,
        run_limit=seconds + 30.0,
        options={
            "source": str(settings.hymotion_src),
            "url": str(settings.hymotion_rewriter_url),
            "model": settings.hymotion_rewriter_model,
            "key_file": "" if key_file is None else str(key_file),
            "seconds": seconds,
            "attempts": settings.hymotion_rewriter_attempts,
        },
    )
