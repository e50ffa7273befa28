"""The commands of `kinesphere models`, declared; what they do is in `kinesphere.cli.weights`."""

from pathlib import Path
from typing import Annotated, Final

import typer

models: Final = typer.Typer(
    invoke_without_command=True,
    help="The models that a server serves; and weights on this machine.",
)

_Json = Annotated[bool, typer.Option("--json", help="JSON, for machines.")]
_From = Annotated[
    list[str] | None,
    typer.Option("--from", metavar="URL", help="https://, s3:// or a folder; may be repeated."),
]


@models.callback()
def serving(
    context: typer.Context,
    as_json: _Json = False,
    url: Annotated[
        str | None,
        typer.Option(
            envvar="KINESPHERE_URL",
            metavar="URL",
            help="Address of the server.",
            show_default="http://127.0.0.1:8000",
        ),
    ] = None,
) -> None:
    """List the models that a server serves; with a command, mind weights on this machine."""
    if context.invoked_subcommand is None:
        from kinesphere.cli import jobs

        jobs.models(url, as_json)


@models.command()
def pull(
    manifest: Annotated[str, typer.Argument(help="A manifest's file, or the name of weights.")],
    source: _From = None,
) -> None:
    """Fetch weights, go on with what was begun, verify them, and print where they are."""
    from kinesphere.cli import weights

    weights.pull(manifest, source or [])


@models.command()
def verify(
    names: Annotated[list[str] | None, typer.Argument(help="Weights; all without any.")] = None,
) -> None:
    """Hash weights anew. Exit code 1 if some are wrong; those are put out of use."""
    from kinesphere.cli import weights

    weights.verify(names or [])


@models.command("list")
def list_(as_json: _Json = False) -> None:
    """List the weights on this machine, and what the models served from here read."""
    from kinesphere.cli import weights

    weights.listed(as_json)


@models.command("manifest")
def manifest_(
    *,
    folder: Annotated[Path, typer.Argument(exists=True, file_okay=False)],
    name: Annotated[str | None, typer.Option(help="Default: the folder's.")] = None,
    source: _From = None,
    pickles: Annotated[
        bool, typer.Option("--pickles", help="Allow files that can run code when they are read.")
    ] = False,
    note: Annotated[str, typer.Option(help="What it is, under which licence.")] = "",
) -> None:
    """Print the manifest of a folder of weights: sizes and digests of its files."""
    from kinesphere.cli import weights

    weights.manifest(folder, name, source or [], pickles=pickles, note=note)
