"""Ray Serve."""

from benchmarks.peers.target import Target, plain

RAY = Target(
    name="ray",
    title="Ray Serve 2.60.0",
    requirements=("ray[serve]==2.60.0",),
    commands=lambda setup: {"server": ["{python}", "ray_app.py", str(setup.port)]},
    call=plain("/"),
    settings={"RAY_USAGE_STATS_ENABLED": "0", "RAY_AUTH_MODE": "disabled"},
)
