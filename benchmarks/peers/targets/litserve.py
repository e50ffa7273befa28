"""LitServe."""

from benchmarks.peers.target import Target, plain

LITSERVE = Target(
    name="litserve",
    title="LitServe 0.2.19",
    requirements=("litserve==0.2.19",),
    commands=lambda setup: {"server": ["{python}", "litserve_app.py", str(setup.port)]},
    call=plain("/predict"),
)
