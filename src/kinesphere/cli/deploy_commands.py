"""`kinesphere deploy`: its commands, their arguments and their help."""

from pathlib import Path
from typing import Annotated, Final

import typer

deploy: Final = typer.Typer(
    no_args_is_help=True, help="Bring the platform to Kubernetes: manifests, and what is missing."
)

Namespace = Annotated[str, typer.Option(help="Namespace of the release.")]


@deploy.command()
def render(
    *,
    out: Annotated[Path, typer.Option("--out", "-o", metavar="DIR", help="Folder of manifests.")],
    models: Annotated[
        str | None,
        typer.Option(
            metavar="NAME,…", help="Models to serve.", show_default="those of the chart's values"
        ),
    ] = None,
    facts: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", exists=True, dir_okay=False,
            help="What the cluster has, as `deploy check --facts` writes it.",
        ),
    ] = None,
    values: Annotated[
        list[Path] | None,
        typer.Option(
            metavar="FILE", exists=True, dir_okay=False,
            help="Values of the chart, over all that is chosen here. May be given again.",
        ),
    ] = None,
    host: Annotated[str, typer.Option(help="Name under which clients reach it.")] = "",
    registry: Annotated[
        str, typer.Option(metavar="IMAGE", help="Where the images are, without their tag.")
    ] = "",
    artifacts: Annotated[
        str, typer.Option(metavar="URL", help="The S3 store, as artifacts_url has it.")
    ] = "",
    trial: Annotated[
        bool, typer.Option("--trial", help="PostgreSQL, Redis and MinIO inside the cluster.")
    ] = False,
    values_out: Annotated[
        Path | None, typer.Option(metavar="OUT", help="Also write the values, for Helm.")
    ] = None,
    name: Annotated[str, typer.Option(help="Name of the release.")] = "kinesphere",
    namespace: Namespace = "kinesphere",
) -> None:  # fmt: skip
    """Write the manifests for some models on some cluster, checked against the settings."""
    from kinesphere.cli.deploy import Wanted, run_render
    from kinesphere.deploy.chart import Release

    names = None if models is None else [m.strip() for m in models.split(",") if m.strip()]
    wanted = Wanted(
        models=names, facts=facts, values=tuple(values or ()), host=host, registry=registry,
        artifacts=artifacts, trial=trial,
    )  # fmt: skip
    run_render(wanted, Release(name, namespace), out, values_out)


@deploy.command()
def check(
    *,
    models: Annotated[
        str, typer.Option(metavar="NAME,…", help="Models that are to be served.")
    ] = "choreo,relief",
    facts: Annotated[
        Path | None, typer.Option(metavar="OUT", help="Also write what was found, for `render`.")
    ] = None,
    read: Annotated[
        str, typer.Option("--secret", metavar="NAME", help="The Secret that pods read.")
    ] = "kinesphere",
    namespace: Namespace = "kinesphere",
    context: Annotated[
        str | None, typer.Option(help="Of kubectl.", show_default="the current one")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="JSON, for machines.")] = False,
) -> None:
    """Ask a cluster by kubectl what it has and what it lacks. Exit code 1 if something fails."""
    from kinesphere.cli.deploy import Place, run_check

    names = [m.strip() for m in models.split(",") if m.strip()]
    run_check(names, Place(namespace, read, context), facts, as_json)
