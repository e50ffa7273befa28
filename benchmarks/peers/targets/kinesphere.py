"""Kinesphere: one `kinesphere serve`, as a user starts it, and a cluster on one machine."""

from dataclasses import replace

from benchmarks.peers.servers import cluster
from benchmarks.peers.target import Ask, Setup, Target


def _listed(setup: Setup) -> None:
    # A model becomes known by an entry point of an installed package.
    package = setup.folder / "kinesphere_peers-1.dist-info"
    if not package.exists():
        package.mkdir()
        told = "Metadata-Version: 2.1\nName: kinesphere-peers\nVersion: 1\n"
        (package / "METADATA").write_text(told)
        (package / "entry_points.txt").write_text(
            "[kinesphere.engines]\npeers = kinesphere_engine:MODELS\n"
        )


def _commands(setup: Setup) -> dict[str, list[str]]:
    _listed(setup)
    words = ["--port", str(setup.port), "--data", str(setup.folder / "data")]
    replicas = ["--replicas", str(setup.load.devices)]
    return {"server": ["{python}", "-m", "kinesphere", "serve", *words, *replicas]}


def _processes(setup: Setup) -> dict[str, list[str]]:
    _listed(setup)
    program = ["{python}", "-m", "kinesphere"]
    words = [*program, "worker", "--pool", "shared"]
    workers = {f"worker-{number}": words for number in range(setup.load.devices)}
    api = [*program, "api", "--port", str(setup.port)]
    return {"api": api, **workers, "sweeper": [*program, "sweeper"]}


def _motion(job: str, **headers: str) -> Ask:
    body = {"prompt": f"walk {job}", "duration": 1, "seed": int(job)}
    return Ask("/v1/motions", body, headers)


KINESPHERE = Target(
    name="kinesphere",
    title="Kinesphere, embedded",
    commands=_commands,
    call=lambda job: _motion(job, Prefer="wait=600"),
    submit=_motion,
    # A lease, the look for lapsed ones, and that of an idle replica.
    redelivery=9.0 + 1.0 + 2.0,
    settings={
        "KINESPHERE_MODELS": "shared",
        # One machine asks here, and more than one user would.
        "KINESPHERE_RATE_LIMIT": "0",
        "KINESPHERE_RATE_LIMIT_ADDRESS": "0",
        "KINESPHERE_SYNC_WAIT_SECONDS": "600",
    },
)
CLUSTER = replace(
    KINESPHERE,
    name="kinesphere-cluster",
    title="Kinesphere on PostgreSQL, Redis, Celery and S3",
    commands=_processes,
    servers=cluster,
    worker="worker-0",
)
