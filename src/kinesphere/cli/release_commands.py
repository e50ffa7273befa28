"""Commands of releases: their arguments and their help."""

from typing import Annotated, Final

import typer

release: Final = typer.Typer(
    no_args_is_help=True, help="Move traffic to a new model by steps, watch it, stop it."
)

Url = Annotated[
    str | None,
    typer.Option(
        "--url",
        envvar="KINESPHERE_URL",
        metavar="URL",
        help="Address of the server.",
        show_default="http://127.0.0.1:8000",
    ),
]
AsJson = Annotated[bool, typer.Option("--json", help="JSON, for machines.")]
TaskName = Annotated[str, typer.Argument(metavar="TASK", help="motion or mesh.")]


@release.command()
def start(
    *,
    task: TaskName,
    canary: Annotated[str, typer.Option(metavar="NAME", help="The new model.")],
    steps: Annotated[
        str, typer.Option(metavar="P,P,…", help="The canary's part at each step, in percent.")
    ] = "10,25,50,100",
    hold: Annotated[
        str, typer.Option(metavar="TIME", help="How long a step lasts at least: 30s, 10m, 2h.")
    ] = "10m",
    samples: Annotated[
        int, typer.Option(min=1, help="Jobs of the canary that a step compares at least.")
    ] = 200,
    alpha: Annotated[
        float,
        typer.Option(
            min=1e-6, max=0.5, help="Chance at most that a canary as good is rolled back."
        ),
    ] = 0.05,
    slower: Annotated[
        float,
        typer.Option(min=1.0, help="Times the stable model's 95th percentile that is slow."),
    ] = 1.1,
    memory: Annotated[
        float,
        typer.Option(min=0.0, help="Times the stable model's memory that it may take; 0 for any."),
    ] = 1.5,
    as_json: AsJson = False,
    url: Url = None,
) -> None:
    """Begin a release: the canary gets its first share of the traffic."""
    from kinesphere.cli.releases import Wanted, started

    started(url, task, Wanted(canary, steps, hold, samples, alpha, slower, memory), as_json)


@release.command()
def show(
    task: Annotated[
        str | None, typer.Argument(metavar="TASK", help="motion or mesh.", show_default="all")
    ] = None,
    as_json: AsJson = False,
    url: Url = None,
) -> None:
    """Show a release, what it did, and the numbers that it decides by."""
    from kinesphere.cli.releases import shown

    shown(url, task, as_json)


@release.command()
def pause(task: TaskName, as_json: AsJson = False, url: Url = None) -> None:
    """Stay at the present step; a gate that trips still rolls back."""
    from kinesphere.cli.releases import ordered

    ordered(url, task, "pause", as_json)


@release.command()
def resume(task: TaskName, as_json: AsJson = False, url: Url = None) -> None:
    """Go on after a pause."""
    from kinesphere.cli.releases import ordered

    ordered(url, task, "resume", as_json)


@release.command()
def promote(task: TaskName, as_json: AsJson = False, url: Url = None) -> None:
    """Give the canary all traffic now, whatever the gates say."""
    from kinesphere.cli.releases import ordered

    ordered(url, task, "promote", as_json)


@release.command()
def abort(task: TaskName, as_json: AsJson = False, url: Url = None) -> None:
    """Give the stable model all traffic now."""
    from kinesphere.cli.releases import ordered

    ordered(url, task, "abort", as_json)
