"""BentoML."""

from benchmarks.peers.target import Ask, Setup, Target


def _commands(setup: Setup) -> dict[str, list[str]]:
    listen = ["--host", "127.0.0.1", "--port", str(setup.port)]
    return {"server": ["{bin}/bentoml", "serve", "bentoml_app:Shared", *listen]}


BENTOML = Target(
    name="bentoml",
    title="BentoML 1.4.39",
    requirements=("bentoml==1.4.39",),
    commands=_commands,
    call=lambda job: Ask("/make", {"job": [job]}),
    settings={"BENTOML_DO_NOT_TRACK": "True"},
)
