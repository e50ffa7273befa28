"""What `kinesphere generate` takes."""

from pathlib import Path
from typing import Annotated

import typer

_Side = Annotated[
    Path | None,
    typer.Option(
        metavar="PICTURE", exists=True, dir_okay=False,
        help="Of a mesh: this side of it, for models that take several; the picture is the front.",
    ),
]  # fmt: skip


def generate(
    *,
    prompt: Annotated[
        str,
        typer.Argument(
            help="What the figure does, in English or Chinese; or a picture file, for a mesh."
        ),
    ],
    duration: Annotated[
        float | None,
        typer.Option("--duration", "-d", help="Seconds of a motion.", show_default="4"),
    ] = None,
    mask: Annotated[
        Path | None,
        typer.Option(
            metavar="PICTURE", exists=True, dir_okay=False,
            help="Of a mesh: a picture, white where the object is.",
        ),
    ] = None,
    left: _Side = None,
    back: _Side = None,
    right: _Side = None,
    texture: Annotated[
        bool, typer.Option("--texture/--no-texture", help="Of a mesh: whether to texture it.")
    ] = True,
    faces: Annotated[
        int | None, typer.Option(help="Of a mesh: triangles.", show_default="as fits")
    ] = None,
    seed: Annotated[
        int | None, typer.Option(help="Same request, same seed, same file.", show_default="drawn")
    ] = None,
    format: Annotated[
        str | None,
        typer.Option("--format", "-f", help="Such as bvh or glb.", show_default="from OUT"),
    ] = None,
    model: Annotated[str | None, typer.Option(help="Which model.", show_default="best")] = None,
    cache: Annotated[
        bool,
        typer.Option(
            "--cache/--no-cache", help="Whether a server may answer with what it has made before."
        ),
    ] = True,
    out: Annotated[
        Path | None,
        typer.Option(
            "--out", "-o", metavar="OUT",
            help="File to write, replacing one that is there; or a folder that exists.",
            show_default="named after the prompt",
        ),
    ] = None,
    preview: Annotated[
        Path | None,
        typer.Option(metavar="PNG", help="Also draw it: poses of a motion, a mesh from around."),
    ] = None,
    timeout: Annotated[float, typer.Option(help="Seconds after which to give up.")] = 600.0,
    url: Annotated[
        str | None,
        typer.Option(
            "--url", envvar="KINESPHERE_URL", metavar="URL",
            help="Ask this server; without one, it is made in this process.",
        ),
    ] = None,
) -> None:  # fmt: skip
    """Make one motion of a prompt, or one mesh of a picture. Ctrl-C cancels it."""
    from kinesphere.cli.asks import Choices, Options
    from kinesphere.cli.generate import Places, run

    pictures = {"left": left, "back": back, "right": right}
    sides = {side: picture for side, picture in pictures.items() if picture is not None}
    run(
        prompt,
        Choices(seed=seed, format=format, model=model, cache=cache),
        Options(duration=duration, mask=mask, sides=sides, texture=texture, faces=faces),
        Places(url=url, out=out, preview=preview, timeout=timeout),
    )
