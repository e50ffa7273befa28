"""Commands, their arguments and their help.

What a command does is in a module of its own, imported when it runs: `kinesphere --help` needs
neither NumPy nor an HTTP client, and `kinesphere serve` not what draws tables.
"""

import os
from pathlib import Path
from typing import Annotated, Final

import typer

from kinesphere.cli import (
    cluster_commands,
    deploy_commands,
    generate_command,
    release_commands,
    weight_commands,
)

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


def _key_file(path: Path | None) -> None:
    # The key itself is no option: whoever may list processes would see it.
    if path is not None:
        os.environ["KINESPHERE_API_KEY_FILE"] = str(path)


@app.callback()
def _start(
    version: Annotated[
        bool,
        typer.Option("--version", callback=_version, is_eager=True, help="The version, and exit."),
    ] = False,
    key_file: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", envvar="KINESPHERE_API_KEY_FILE", dir_okay=False, callback=_key_file,
            help="File with the API key for servers; or set KINESPHERE_API_KEY.",
        ),
    ] = None,
) -> None:  # fmt: skip
    pass


@app.command()
def serve(
    *,
    host: Annotated[
        str | None, typer.Option(help="Address to listen on; loopback without authentication.")
    ] = None,
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
    from kinesphere.cli.serve import Given, run

    run(
        Given(
            host=host, port=port, data=data, replicas=replicas, log_format=log_format,
            log_level=log_level,
        )
    )  # fmt: skip


app.command()(generate_command.generate)


@app.command()
def jobs(
    state: Annotated[
        list[str] | None,
        typer.Option(
            help="Only this state: queued, running, succeeded, failed, cancelled or expired. "
            "May be given again."
        ),
    ] = None,
    search: Annotated[
        str | None, typer.Option(help="Only those with these words in the prompt.")
    ] = None,
    limit: Annotated[int, typer.Option(min=1, help="At most so many.")] = 20,
    as_json: AsJson = False,
    url: Url = None,
) -> None:
    """List jobs, newest first."""
    from kinesphere.cli import jobs as commands

    commands.listed(url, state, search, limit, as_json)


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
def revive(job_id: JobId, as_json: AsJson = False, url: Url = None) -> None:
    """Give a failed or expired job another set of attempts; for operators."""
    from kinesphere.cli import jobs as commands

    commands.revived(url, job_id, as_json)


@app.command()
def forget(job_id: JobId, url: Url = None) -> None:
    """Delete a job that has ended, and its files."""
    from kinesphere.cli import jobs as commands

    commands.forgotten(url, job_id)


@app.command()
def live(
    *,
    job_id: Annotated[
        str | None, typer.Argument(metavar="[ID]", help="A job; left out, what is said is played.")
    ] = None,
    say: Annotated[
        list[str] | None,
        typer.Option(metavar="PROMPT", help="Let a motion follow. May be given again."),
    ] = None,
    duration: Annotated[
        float, typer.Option("--duration", "-d", help="Seconds of each motion that is said.")
    ] = 4.0,
    vmc: Annotated[
        str | None,
        typer.Option(
            metavar="HOST[:PORT]", help="Send poses there by the VMC protocol; port 39539."
        ),
    ] = None,
    loop: Annotated[bool, typer.Option("--loop", help="Begin again at the end.")] = False,
    speed: Annotated[
        float, typer.Option(min=0.1, max=4.0, help="Play so many times as fast.")
    ] = 1.0,
    url: Url = None,
) -> None:
    """Play a motion, or several as one, as they come; also to Unity, Unreal and VSeeFace."""
    from kinesphere.cli.live import Played, run

    run(Played(job_id, say or [], duration, loop, speed), vmc, url)


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
def simulate(
    *,
    pools: Annotated[
        Path,
        typer.Option(metavar="FILE", exists=True, dir_okay=False, help="Pools, as TOML."),
    ],
    trace: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", exists=True, dir_okay=False, help="Arrivals, as CSV or NPZ."
        ),
    ] = None,
    from_ledger: Annotated[
        Path | None,
        typer.Option(metavar="DIR", exists=True, help="Replay what this data folder has served."),
    ] = None,
    policy: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", exists=True, dir_okay=False, help="Scaling policy, as TOML.",
            show_default="look-ahead, 1 to 8 replicas",
        ),
    ] = None,
    rivals: Annotated[
        bool, typer.Option("--rivals", help="Play every other policy as well, side by side.")
    ] = False,
    json: Annotated[
        Path | None, typer.Option(metavar="OUT", help="Also write the figures, as JSON.")
    ] = None,
    html: Annotated[
        Path | None, typer.Option(metavar="OUT", help="Also write a page with drawings.")
    ] = None,
    plot: Annotated[
        Path | None, typer.Option(metavar="OUT.png", help="Also draw the replicas over time.")
    ] = None,
) -> None:  # fmt: skip
    """Play a trace of arrivals against a scaling policy, in virtual time."""
    from kinesphere.cli.simulate import Outputs, Source, run

    run(Source(trace, from_ledger), policy, pools, rivals, Outputs(json, html, plot))


@app.command()
def bench(
    *,
    url: Url = None,
    users: Annotated[
        int, typer.Option(min=0, max=100_000, help="Closed loop: so many users, one request each.")
    ] = 0,
    rate: Annotated[
        float, typer.Option(min=0.0, help="Open loop: requests a second, whatever comes back.")
    ] = 0.0,
    duration: Annotated[
        float | None,
        typer.Option(min=0.1, help="Seconds to send for.", show_default="30, or the scenario's"),
    ] = None,
    ramp: Annotated[float, typer.Option(min=0.0, help="Seconds until the full load.")] = 0.0,
    think: Annotated[float, typer.Option(min=0.0, help="A user's mean pause, in seconds.")] = 0.0,
    mix: Annotated[str, typer.Option(help="What to ask for, such as motion=3,mesh=1.")] = "motion",
    model: Annotated[
        str | None, typer.Option(help="Ask for this model.", show_default="the server's choice")
    ] = None,
    repeat: Annotated[
        float, typer.Option(min=0.0, max=1.0, help="Share of requests that repeat an earlier one.")
    ] = 0.0,
    scenario: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="Start a server with simulated devices and load that: motions-50, motions-200, "
            "motions-500, meshes-1, meshes-3, meshes-5.",
        ),
    ] = None,
    speed: Annotated[
        float,
        typer.Option(
            min=0.01,
            max=1000.0,
            help="Play a scenario so many times as fast; figures are told at its own speed.",
        ),
    ] = 1.0,
    out: Annotated[
        Path, typer.Option(metavar="DIR", help="Where a scenario's server has its folder.")
    ] = Path("out/bench"),
    json: Annotated[
        Path | None, typer.Option(metavar="OUT", help="Also write the figures, as JSON.")
    ] = None,
    plot: Annotated[
        Path | None, typer.Option(metavar="OUT.svg", help="Also draw throughput and latency.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--print-json", help="Print JSON only.")] = False,
) -> None:
    """Load a server, and tell throughput, success, latencies and utilisation."""
    from kinesphere.bench.workload import Workload, parse_mix
    from kinesphere.cli.bench import Outputs, run, run_scenario
    from kinesphere.client.flows import DEFAULT_URL

    outputs = Outputs(json, plot, as_json)
    if scenario is not None:
        if users or rate or ramp or think or repeat or model or mix != "motion":
            raise typer.BadParameter("a scenario has a load of its own; only --duration is taken")
        run_scenario(scenario, duration, speed, out, outputs)
        return
    try:
        load = Workload(
            duration or 30.0, users, rate, ramp, think, parse_mix(mix), model=model, repeat=repeat
        )
    except ValueError as error:
        raise typer.BadParameter(str(error)) from None
    run(url or DEFAULT_URL, load, outputs)


@app.command()
def demo(
    out: Annotated[
        Path, typer.Option("--out", metavar="DIR", help="Folder for the result; made if missing.")
    ] = Path("out/demo"),
) -> None:
    """Start a server, ask it for a motion over HTTP, draw it, and stop the server."""
    from kinesphere.cli.demo import run

    run(out)


app.add_typer(cluster_commands.commands)
app.add_typer(deploy_commands.deploy, name="deploy")
app.add_typer(release_commands.release, name="release")
app.add_typer(weight_commands.models, name="models")

keys: Final = typer.Typer(
    no_args_is_help=True,
    help="Make, list and revoke API keys, on the data folder, or by a server with --url.",
)
app.add_typer(keys, name="keys")

KeysUrl = Annotated[
    str | None,
    typer.Option(metavar="URL", help="Ask this server; without one, the data folder is changed."),
]
KeysData = Annotated[
    Path | None,
    typer.Option(
        metavar="DIR", help="Folder of jobs and files.", show_default="as `serve` would take it"
    ),
]


@keys.command()
def create(
    *,
    user: Annotated[str, typer.Option(help="On whose behalf the key speaks.")],
    scope: Annotated[
        list[str], typer.Option(help="generate or operate, which includes it. May be given again.")
    ],
    label: Annotated[str, typer.Option(help="What you call it.")] = "",
    expires: Annotated[
        str | None,
        typer.Option(metavar="TIME", help="Such as 90d, 12h or 30m.", show_default="never"),
    ] = None,
    as_json: AsJson = False,
    data: KeysData = None,
    url: KeysUrl = None,
) -> None:
    """Make a key, and print it: it cannot be had again."""
    from kinesphere.cli.keys import Wanted, Where, created

    created(Where(url, data), Wanted(user, scope, label, expires), as_json)


@keys.command("list")
def list_keys(
    user: Annotated[
        str | None, typer.Option(help="Only this user's.", show_default="everybody's")
    ] = None,
    as_json: AsJson = False,
    data: KeysData = None,
    url: KeysUrl = None,
) -> None:
    """List keys, newest first, the revoked ones too. Secrets are not stored, so not shown."""
    from kinesphere.cli.keys import Where, listed

    listed(Where(url, data), user, as_json)


@keys.command()
def revoke(
    key_id: Annotated[str, typer.Argument(metavar="ID", help="The key's id.")],
    as_json: AsJson = False,
    data: KeysData = None,
    url: KeysUrl = None,
) -> None:
    """End a key. No server takes it after 5 s."""
    from kinesphere.cli.keys import Where, revoked

    revoked(Where(url, data), key_id, as_json)
