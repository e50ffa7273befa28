"""Commands, their arguments and their help.

What a command does is in a module of its own, imported when it runs: `kinesphere --help` needs
neither NumPy nor an HTTP client, and `kinesphere serve` not what draws tables.
"""

from pathlib import Path
from typing import Annotated, Final

import typer

app: Final = typer.Typer(
    name="kinesphere",
    help="Text becomes human motion: serve it, ask for it, look after it.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
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
JobId = Annotated[str, typer.Argument(metavar="ID", help="The job's id.")]


def _version(wanted: bool) -> None:
    if wanted:
        from kinesphere.version import __version__

        typer.echo(f"kinesphere {__version__}")
        raise typer.Exit


@app.callback()
def _start(
    version: Annotated[
        bool,
        typer.Option("--version", callback=_version, is_eager=True, help="The version, and exit."),
    ] = False,
) -> None:
    pass


@app.command()
def serve(
    *,
    host: Annotated[str | None, typer.Option(help="Loopback address to listen on.")] = None,
    port: Annotated[int | None, typer.Option(help="TCP port; 0 takes any free one.")] = None,
    data: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Folder of jobs and files.")
    ] = None,
    replicas: Annotated[
        str | None,
        typer.Option(metavar="N|POOL=N,…", help="Replicas of every pool, or pool by pool."),
    ] = None,
    log_format: Annotated[
        str | None,
        typer.Option(help="json or console; console when standard error is a terminal."),
    ] = None,
    log_level: Annotated[str | None, typer.Option(help="debug, info, warning or error.")] = None,
) -> None:
    """Serve motions over HTTP until Ctrl-C or SIGTERM, then drain.

    Left-out options come from KINESPHERE_* variables, kinesphere.toml, or their defaults.
    """
    from kinesphere.cli.serve import run

    run(
        host=host, port=port, data=data, replicas=replicas, log_format=log_format,
        log_level=log_level,
    )  # fmt: skip


@app.command()
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

    run(
        prompt,
        Choices(seed=seed, format=format, model=model),
        Options(duration=duration, mask=mask, texture=texture, faces=faces),
        Places(url=url, out=out, preview=preview, timeout=timeout),
    )


@app.command()
def jobs(
    state: Annotated[
        list[str] | None,
        typer.Option(
            help="Only this state: queued, running, succeeded, failed, cancelled or expired. "
            "May be given again."
        ),
    ] = None,
    limit: Annotated[int, typer.Option(min=1, help="At most so many.")] = 20,
    as_json: AsJson = False,
    url: Url = None,
) -> None:
    """List jobs, newest first."""
    from kinesphere.cli import jobs as commands

    commands.listed(url, state, limit, as_json)


@app.command()
def show(job_id: JobId, as_json: AsJson = False, url: Url = None) -> None:
    """Look at one job."""
    from kinesphere.cli import jobs as commands

    commands.shown(url, job_id, as_json)


@app.command()
def cancel(job_id: JobId, as_json: AsJson = False, url: Url = None) -> None:
    """End a job that waits or runs."""
    from kinesphere.cli import jobs as commands

    commands.cancelled(url, job_id, as_json)


@app.command()
def convert(
    job_id: JobId,
    format: Annotated[str, typer.Argument(metavar="FORMAT", help="Such as glb, fbx or stl.")],
    out: Annotated[
        Path,
        typer.Option(
            "--out", "-o", metavar="OUT",
            help="File to write, replacing one that is there; or a folder that exists.",
        ),
    ] = Path(),
    url: Url = None,
) -> None:  # fmt: skip
    """Download what a job has made in another format."""
    from kinesphere.cli import jobs as commands

    commands.converted(url, job_id, format, out)


@app.command()
def validate(
    file: Annotated[
        Path,
        typer.Argument(metavar="FILE", help="A motion or a mesh.", exists=True, dir_okay=False),
    ],
    as_json: AsJson = False,
) -> None:
    """Measure a motion or a mesh, without a server. Exit code 1 if it fails."""
    from kinesphere.cli.validate import run

    run(file, as_json)


@app.command()
def models(as_json: AsJson = False, url: Url = None) -> None:
    """List the models that a server serves."""
    from kinesphere.cli import jobs as commands

    commands.models(url, as_json)


@app.command()
def pools(as_json: AsJson = False, url: Url = None) -> None:
    """List a server's pools: replicas, and what waits for them."""
    from kinesphere.cli import jobs as commands

    commands.pools(url, as_json)


@app.command()
def doctor(as_json: AsJson = False) -> None:
    """Check this machine and these settings, and say what to do. Exit code 1 if something fails."""
    from kinesphere.cli.doctor import run

    run(as_json)


@app.command()
def demo(
    out: Annotated[
        Path, typer.Option("--out", metavar="DIR", help="Folder for the result; made if missing.")
    ] = Path("out/demo"),
) -> None:
    """Start a server, ask it for a motion over HTTP, draw it, and stop the server."""
    from kinesphere.cli.demo import run

    run(out)
