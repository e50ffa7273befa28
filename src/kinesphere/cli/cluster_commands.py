"""Commands of the processes of a cluster: their arguments and their help."""

from typing import Annotated, Final

import typer

commands: Final = typer.Typer()
database: Final = typer.Typer(no_args_is_help=True, help="The database of a cluster.")
commands.add_typer(database, name="db")

LogFormat = Annotated[
    str | None, typer.Option(help="json or console; console when standard error is a terminal.")
]
LogLevel = Annotated[str | None, typer.Option(help="debug, info, warning or error.")]
Probes = Annotated[
    int | None,
    typer.Option(
        min=0,
        max=65_535,
        metavar="PORT",
        help="Answer /health, /ready and /metrics there; 0 takes any free port.",
    ),
]


@commands.command()
def api(
    *,
    host: Annotated[str | None, typer.Option(help="Address to listen on.")] = None,
    port: Annotated[int | None, typer.Option(help="TCP port; 0 takes any free one.")] = None,
    log_format: LogFormat = None,
    log_level: LogLevel = None,
) -> None:
    """Answer requests of a cluster, beside any number of others that do."""
    from kinesphere.cli.serve import Given, run_api

    run_api(Given(host=host, port=port, log_format=log_format, log_level=log_level))


@commands.command()
def worker(
    *,
    pool: Annotated[str, typer.Option(help="The pool to serve, such as choreo or relief.shape.")],
    probes: Probes = None,
    log_format: LogFormat = None,
    log_level: LogLevel = None,
) -> None:
    """Run a replica of one pool of a cluster, woken by Celery."""
    from kinesphere.cli.serve import Given, run_worker

    run_worker(pool, probes, Given(log_format=log_format, log_level=log_level))


@commands.command()
def sweeper(
    *, probes: Probes = None, log_format: LogFormat = None, log_level: LogLevel = None
) -> None:
    """Return lost jobs to the queue, deliver webhooks, delete what is old; one of many leads."""
    from kinesphere.cli.serve import Given, run_sweeper

    run_sweeper(probes, Given(log_format=log_format, log_level=log_level))


@database.command()
def upgrade() -> None:
    """Make the tables of the ledger, or bring them up to date, beside whatever runs."""
    from kinesphere.cli.serve import run_upgrade

    run_upgrade()
