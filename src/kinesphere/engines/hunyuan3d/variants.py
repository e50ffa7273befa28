"""The published shape models of Hunyuan3D-2 as data, as its README lists them."""

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Variant:
    """One published shape model.

    Attributes:
        name: Ours, as callers pin it.
        title: One line for people.
        repository: Folder of its repository in the folder of weights.
        subfolder: Folder of the model in the repository.
        turbo_vae: Folder of the distilled decoder for FlashVDM, in `turbo_vae_repository`.
        turbo_vae_repository: Repository of that folder.
        steps: Steps of the sampler, by the vendor's examples.
        views: Whether it takes pictures from several sides.
        rank: Which answers when none is pinned.
        seconds: (fixed, per job) first guess on a current GPU, until measured.
    """

    name: str
    title: str
    repository: str
    subfolder: str
    turbo_vae: str
    turbo_vae_repository: str
    steps: int
    views: bool
    rank: int
    seconds: tuple[float, float]


def _family(
    *,
    name: str,
    title: str,
    repository: str,
    stem: str,
    vae: tuple[str, str],
    rank: int,
    views: bool = False,
) -> tuple[Variant, ...]:
    """A model and its two distillations: fast needs no guidance pass, turbo few steps."""

    def one(
        suffix: str, told: str, steps: int, place: int, seconds: tuple[float, float]
    ) -> Variant:
        return Variant(
            name=name + suffix,
            title=title + told,
            repository=repository,
            subfolder=stem + suffix,
            turbo_vae=vae[1],
            turbo_vae_repository=vae[0],
            steps=steps,
            views=views,
            rank=rank + place,
            seconds=seconds,
        )

    # 17 s on an A100 for the whole of the first (a user, Hunyuan3D-2 on GitHub, #127).
    return (
        one("", "", 50, 2, (2.0, 15.0)),
        one("-fast", ", guidance distilled", 30, 1, (2.0, 9.0)),
        one("-turbo", ", distilled to few steps", 5, 0, (2.0, 6.0)),
    )


VARIANTS: Final = (
    *_family(
        name="hunyuan3d-2",
        title="Hunyuan3D-2, 1.1 billion parameters",
        repository="Hunyuan3D-2",
        stem="hunyuan3d-dit-v2-0",
        vae=("Hunyuan3D-2", "hunyuan3d-vae-v2-0-turbo"),
        rank=30,
    ),
    *_family(
        name="hunyuan3d-2mini",
        title="Hunyuan3D-2mini, 0.6 billion parameters",
        repository="Hunyuan3D-2mini",
        stem="hunyuan3d-dit-v2-mini",
        vae=("Hunyuan3D-2mini", "hunyuan3d-vae-v2-mini-turbo"),
        rank=20,
    ),
    *_family(
        name="hunyuan3d-2mv",
        title="Hunyuan3D-2mv, from pictures of up to four sides",
        repository="Hunyuan3D-2mv",
        stem="hunyuan3d-dit-v2-mv",
        vae=("Hunyuan3D-2", "hunyuan3d-vae-v2-0-turbo"),
        rank=10,
        views=True,
    ),
)

PAINT_REPOSITORY: Final = "Hunyuan3D-2"
DELIGHT: Final = "hunyuan3d-delight-v2-0"
PAINT: Final = "hunyuan3d-paint-v2-0"
PAINT_TURBO: Final = "hunyuan3d-paint-v2-0-turbo"
