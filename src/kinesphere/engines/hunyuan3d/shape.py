"""The first stage: pictures to meshes, a batch in one pass of the vendor's pipeline."""

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from io import BytesIO
from pathlib import Path
from typing import Final, get_args

from PIL import Image

from kinesphere.core.failures import Failure
from kinesphere.core.jobs import Json
from kinesphere.engines.gpu.memory import Passes, peak_bytes, release
from kinesphere.engines.hunyuan3d.checkpoint import Checkpoint, check_digests
from kinesphere.engines.hunyuan3d.finishing import FACES, Faces, Floats, NoSurface, finished
from kinesphere.engines.hunyuan3d.pictures import given_mask, given_views, subject
from kinesphere.engines.hunyuan3d.scratch import scratch
from kinesphere.engines.hunyuan3d.sculptor import FlashVdm, Manner, Precision, Sculptor
from kinesphere.engines.relief.cutout import NoObject
from kinesphere.formats.mesh import MESH_FORMATS, Mesh
from kinesphere.formats.picture import BadPicture
from kinesphere.ports import File, Made, Outcome, SetUp, Work

SHAPE: Final = "shape.glb"
OBJECT: Final = "object.png"
"""Files for the second stage."""

CANCELLED: Final = Failure("CANCELLED", "Cancelled on request.")
_LOOKED, _SAMPLED, _DECODED = 0.05, 0.45, 0.9
"""Parts of the whole that are done after each phase; decoding is as long as sampling or longer."""
_WARM_OCTREE: Final = 32

Report = Callable[[int, float, str], None]
Cancelled = Callable[[int], bool]
Raw = tuple[Floats, Faces]


class Abandoned(Exception):
    """Nobody wants any work of the pass any more."""


@dataclass(slots=True)
class _Piece:
    """One job of a batch while it is made."""

    index: int
    work: Work
    picture: object
    front: Image.Image
    sides: tuple[str, ...]
    notes: dict[str, Json] = field(default_factory=dict)

    @property
    def seed(self) -> int:
        seed = self.work.request.get("seed")
        return seed if isinstance(seed, int) else 0


class Shape:
    """Hunyuan3D-2's shape models.

    Args:
        weights: Folder that holds the vendor's repositories.
        folder: The model's folder in it, such as "Hunyuan3D-2/hunyuan3d-dit-v2-0".
        turbo_vae: Folder of the distilled decoder; needed where `flashvdm` is "turbo".
        views: Whether the model takes pictures of several sides.
        painted: Whether a second stage follows.
        faces: Most triangles where the caller does not say.
        digests: As `checkpoint.check_digests` takes them.
        steps, guidance, octree, chunks, precision, flashvdm, compiled, tf32, offload: As in
            `sculptor.Manner`.
    """

    def __init__(
        self,
        *,
        weights: str,
        folder: str,
        turbo_vae: str = "",
        views: bool = False,
        painted: bool = False,
        faces: int = FACES,
        digests: str = "",
        steps: int = 50,
        guidance: float = 5.0,
        octree: int = 384,
        chunks: int = 8_000,
        precision: Precision = "float16",
        flashvdm: FlashVdm = "off",
        compiled: bool = False,
        tf32: bool = False,
        offload: bool = False,
    ) -> None:
        if precision not in get_args(Precision) or flashvdm not in get_args(FlashVdm):
            raise ValueError(f"precision {precision!r} or flashvdm {flashvdm!r} is unknown")
        self._root = Path(weights).absolute()
        self._folder = self._root / folder
        self._turbo_vae = self._root / turbo_vae if flashvdm == "turbo" else None
        self._views = views
        self._painted = painted
        self._faces = faces
        self._digests = digests
        self._manner = Manner(
            steps, guidance, octree, chunks, precision, flashvdm, compiled, tf32, offload
        )
        self._sculptor: Sculptor
        self._device = "cpu"
        self._passes: Passes

    def load(self, device: str) -> None:
        """Check the files, then bring the vendor's pipeline to `device`. Raises NotLoadable."""
        self._device = device
        check_digests(self._root, self._digests)
        checkpoint = Checkpoint.find(self._folder)
        vae = None if self._turbo_vae is None else Checkpoint.find(self._turbo_vae, ())
        self._sculptor = Sculptor.load(checkpoint, vae, self._manner, device)
        # FlashVDM and its hierarchical reading of the field take one job at a time.
        self._passes = Passes(device, 1_024 if self._manner.flashvdm == "off" else 1)

    def warm_up(self) -> None:
        """Make one small shape of a disc, so that kernels and lazily loaded libraries are there."""
        disc = Image.new("RGBA", (64, 64))
        disc.paste((200, 40, 40, 255), (16, 16, 48, 48))
        picture: object = {"front": disc} if self._views else disc
        octree = self._manner.octree if self._manner.compiled else _WARM_OCTREE
        with scratch():
            self._sculptor.make([picture], [0], _nothing, _nothing, steps=2, octree=octree)

    def set_up(self) -> SetUp:
        """What the loading took."""
        return SetUp(self._sculptor.phases)

    def peak_device_bytes(self) -> int:
        """Most memory of the GPU that torch reserved since this was last asked."""
        return peak_bytes(self._device) or 0

    def run(self, batch: Sequence[Work], report: Report, cancelled: Cancelled) -> Sequence[Outcome]:
        """Make one mesh for each picture, in as few passes as sides and memory allow."""
        report = _forwards(report, len(batch))
        outcomes: dict[int, Outcome] = {}
        by_sides: dict[tuple[str, ...], list[_Piece]] = {}
        for index, work in enumerate(batch):
            if cancelled(index):
                outcomes[index] = CANCELLED
                continue
            report(index, 0.0, "background")
            piece = self._looked_at(index, work)
            if isinstance(piece, Failure):
                outcomes[index] = piece
            else:
                by_sides.setdefault(piece.sides, []).append(piece)
        with scratch():
            # The vendor's code puts the views of a batch into one array.
            for pieces in by_sides.values():
                outcomes |= self._made(pieces, report, cancelled)
        return [outcomes[index] for index in range(len(batch))]

    def unload(self) -> None:
        """Give the device back."""
        del self._sculptor
        release()

    def _looked_at(self, index: int, work: Work) -> _Piece | Failure:
        try:
            views = given_views(work.inputs)
            mask = given_mask(work.inputs)
            if not self._views:
                views = {"front": views["front"]}
            cut = {
                side: subject(view, mask if side == "front" else None)
                for side, view in views.items()
            }
        except NoObject as nothing:
            return Failure("IMAGE_REJECTED", str(nothing))
        except BadPicture as bad:
            return Failure(bad.code, f"The picture {bad}.")
        pictures = {side: picture for side, (picture, _) in cut.items()}
        front, found = cut["front"]
        notes: dict[str, Json] = {"mask": found}
        if self._views:
            notes["views"] = list(pictures)
        return _Piece(
            index,
            work,
            pictures if self._views else front,
            front,
            tuple(pictures),
            notes,
        )

    def _made(
        self, pieces: Sequence[_Piece], report: Report, cancelled: Cancelled
    ) -> dict[int, Outcome]:
        surfaces = self._passes.run(pieces, partial(self._pass, report=report, cancelled=cancelled))
        outcomes: dict[int, Outcome] = {}
        for piece, surface in zip(pieces, surfaces, strict=True):
            if cancelled(piece.index):
                outcomes[piece.index] = CANCELLED
            elif isinstance(surface, Failure):
                outcomes[piece.index] = surface
            else:
                report(piece.index, _DECODED, "postprocess")
                outcomes[piece.index] = self._delivered(piece, surface)
        return outcomes

    def _pass(
        self, pieces: Sequence[_Piece], report: Report, cancelled: Cancelled
    ) -> Sequence[Raw | Failure | None]:
        """One pass of the pipeline over those of the pieces that are still wanted."""
        wanted = [piece for piece in pieces if not cancelled(piece.index)]
        made: dict[int, Raw | None] = {}
        if wanted:
            with suppress(Abandoned):
                surfaces = self._sculpted(wanted, report, cancelled)
                made = {p.index: each for p, each in zip(wanted, surfaces, strict=True)}
        return [made.get(piece.index, CANCELLED) for piece in pieces]

    def _sculpted(
        self, pieces: Sequence[_Piece], report: Report, cancelled: Cancelled
    ) -> Sequence[Raw | None]:
        """A surface for each piece. Raises Abandoned once nobody wants any of them."""

        def tell(part: float, start: float, end: float, phase: str) -> None:
            if all(cancelled(piece.index) for piece in pieces):
                raise Abandoned
            for piece in pieces:
                report(piece.index, start + part * (end - start), phase)

        return self._sculptor.make(
            [piece.picture for piece in pieces],
            [piece.seed for piece in pieces],
            partial(tell, start=_LOOKED, end=_SAMPLED, phase="shape"),
            partial(tell, start=_SAMPLED, end=_DECODED, phase="decode"),
        )

    def _delivered(self, piece: _Piece, surface: Raw | None) -> Outcome:
        if surface is None:
            detail = "The model found no surface in this picture; another seed may give one."
            return Failure("QUALITY_REJECTED", detail)
        request = piece.work.request
        asked = request.get("faces")
        try:
            mesh, facts = finished(*surface, asked if isinstance(asked, int) else self._faces)
        except NoSurface as nothing:
            return Failure("QUALITY_REJECTED", str(nothing))
        notes: dict[str, Json] = {
            **piece.notes,
            **facts,
            "steps": self._manner.steps,
            "octree": self._manner.octree,
            "vertices": len(mesh.vertices),
            "faces": len(mesh.faces),
        }
        if request.get("texture") is False:
            return Made((written(mesh, request.get("format")),), notes)
        if not self._painted:
            notes["textured"] = False
            return Made((written(mesh, request.get("format")),), notes)
        return Made((_shape(mesh), File(OBJECT, "image/png", _png(piece.front))), notes)


def _forwards(report: Report, count: int) -> Report:
    """The same, but never back: a pass that ran out of memory begins anew."""
    furthest = [0.0] * count

    def tell(index: int, part: float, phase: str) -> None:
        furthest[index] = max(furthest[index], part)
        report(index, furthest[index], phase)

    return tell


def written(mesh: Mesh, asked: Json) -> File:
    """The mesh as the file that was asked for."""
    form = MESH_FORMATS[str(asked or "glb")]
    return File(f"mesh{form.extension}", form.media_type, form.encode(mesh))


def _shape(mesh: Mesh) -> File:
    form = MESH_FORMATS["glb"]
    return File(SHAPE, form.media_type, form.encode(mesh))


def _png(picture: Image.Image) -> bytes:
    file = BytesIO()
    picture.save(file, "PNG")
    return file.getvalue()


def _nothing(_part: float) -> None:
    pass
