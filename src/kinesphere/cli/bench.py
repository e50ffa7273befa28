"""`kinesphere bench`: load against a server, and the figures of what came of it."""

import asyncio
import json
import shutil
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import mkdtemp
from typing import Any, Final

import httpx
from rich.console import Console
from rich.live import Live
from rich.table import Table

from kinesphere.bench.load import Load
from kinesphere.bench.outcomes import Outcome, at_speed, percentile, summary, sustained
from kinesphere.bench.plot import svg
from kinesphere.bench.scenarios import SCENARIOS, Scenario
from kinesphere.bench.scenarios import at_speed as scenario_at_speed
from kinesphere.bench.workload import Workload
from kinesphere.cli import console
from kinesphere.cli.exits import Exit, interruptible, leave
from kinesphere.cli.own_server import own_server
from kinesphere.client.credentials import own_key
from kinesphere.client.lanes import lanes_to

RECENT: Final = 10.0
"""Seconds that the live table looks back."""

LATE: Final = 0.05
"""Part of the median latency by which the load may be late itself before its figures are doubted.
"""


@dataclass(frozen=True, slots=True)
class Outputs:
    """Files to write, and whether standard output is for machines."""

    json: Path | None
    plot: Path | None
    as_json: bool


def run(url: str, workload: Workload, outputs: Outputs) -> None:
    """Load the server at `url`."""
    seconds, load = _loaded(url, workload)
    figures = summary(load.outcomes, load.samples, seconds, load.lags)
    figures["sustained"] = sustained(load.outcomes, workload)
    _tell("Load", figures, load.outcomes, outputs)


def run_scenario(
    name: str, seconds: float | None, speed: float, out: Path, outputs: Outputs
) -> None:
    """Start a server with a scenario's simulated devices, and load it.

    Time runs `speed` times as fast; figures are told on the scenario's own scale.
    """
    scenario = SCENARIOS.get(name)
    if scenario is None:
        raise leave(Exit.USAGE, f"no scenario {name!r}; there are {', '.join(SCENARIOS)}")
    if seconds is not None:
        scenario = replace(scenario, workload=replace(scenario.workload, seconds=seconds))
    out.mkdir(parents=True, exist_ok=True)
    # A ledger of its own: what an earlier run left would be served from the cache, or be in the
    # way.
    folder = Path(mkdtemp(prefix=f"{name}-", dir=out)).absolute()
    played = scenario_at_speed(scenario, speed)
    with ExitStack() as stack:
        stack.callback(shutil.rmtree, folder / "data", ignore_errors=True)
        server = stack.enter_context(own_server(folder, _variables(played)))
        took, load = _loaded(server.url, played.workload, speed)
    outcomes = at_speed(load.outcomes, speed)
    lags = [lag * speed for lag in load.lags]
    figures = summary(outcomes, load.samples, took * speed, lags)
    figures |= {
        "sustained": sustained(outcomes, scenario.workload),
        "published": scenario.published,
        "speed": speed,
        "assumptions": scenario.assumptions,
    }
    _tell(scenario.title, figures, outcomes, outputs)


def _variables(scenario: Scenario) -> dict[str, str]:
    return {
        f"KINESPHERE_{name.upper()}": value if isinstance(value, str) else json.dumps(value)
        for name, value in scenario.settings.items()
    }


def _loaded(url: str, workload: Workload, speed: float = 1.0) -> tuple[float, Load]:
    """Seconds that it took, and all that came of it."""

    async def loaded() -> tuple[float, Load]:
        key = own_key(None)
        headers = {"Authorization": f"Bearer {key}"} if key else {}
        transport = lanes_to(httpx.URL(url))
        async with httpx.AsyncClient(base_url=url, headers=headers, transport=transport) as http:
            load = Load(workload, http)
            with Live(console=Console(stderr=True), auto_refresh=False, transient=True) as live:
                took = await load.run(lambda now: live.update(_table(now, speed), refresh=True))
            return took, load

    with interruptible():
        try:
            return asyncio.run(loaded())
        except httpx.HTTPError as error:
            raise leave(Exit.UNREACHABLE, f"{url} cannot be loaded: {error}") from None


def _table(load: Load, speed: float) -> Table:
    now = load.elapsed * speed
    recent = [o for o in at_speed(load.outcomes, speed) if o.at + o.seconds > now - RECENT]
    served = [o.seconds for o in recent if o.served]
    last = load.samples[-1].at if load.samples else 0.0
    seen = [sample for sample in load.samples if sample.at > last - 0.5]
    table = Table(title=f"last {RECENT:g} s", title_justify="left")
    for heading in ("s", "under way", "ended", "served/s", "p50 s", "p95 s", "not served", "busy"):
        table.add_column(heading, justify="right")
    table.add_row(
        f"{now:.0f}",
        str(load.under_way),
        str(len(load.outcomes)),
        f"{len(served) / min(RECENT, max(now, 1.0)):.3g}",
        *(_short(percentile(served, level)) for level in (50, 95)),
        str(sum(not o.served for o in load.outcomes)),
        f"{sum(s.busy for s in seen)} of {sum(s.serving for s in seen)}",
    )
    return table


def _short(value: float | None) -> str:
    return "-" if value is None else f"{value:.2f}"


def _tell(
    title: str, figures: dict[str, Any], outcomes: Sequence[Outcome], outputs: Outputs
) -> None:
    try:
        if outputs.json is not None:
            outputs.json.write_text(json.dumps(figures, indent=2) + "\n", "utf-8")
        if outputs.plot is not None:
            outputs.plot.write_text(svg(title, outcomes, figures), "utf-8")
    except OSError as error:
        raise leave(Exit.FAILED, str(error)) from None
    if outputs.as_json:
        print(json.dumps(figures))
        return
    steady = figures["sustained"]
    console.facts(
        [
            ("sent", f"{figures['sent']}, accepted {figures['accepted']}"),
            ("served", f"{figures['served']} in {figures['seconds']:g} s"),
            ("throughput", f"{figures['throughput']:g} a second from first to last"),
            *([("sustained", f"{steady:g} a second under full load")] if steady else ()),
            ("success", "-" if figures["success"] is None else f"{figures['success']:.2%}"),
            ("lost", str(figures["lost"])),
            *((f"utilisation {p}", f"{u:.0%}") for p, u in figures["utilisation"].items()),
            *((f"error {code}", str(count)) for code, count in figures["errors"].items()),
            *(
                (name, str(figures[name]))
                for name in ("published", "speed", "assumptions")
                if name in figures
            ),
        ]
    )
    rows = [
        (name, str(group["served"]), *(_short(group[level]) for level in ("p50", "p95", "p99")))
        for name, group in {"all": figures["latency"], **figures["by_kind"]}.items()
    ]
    console.table(("latency", "served", "p50 s", "p95 s", "p99 s"), rows, "nothing was served")
    lag, median = figures["lag_p95"], figures["latency"]["p50"]
    if lag and median and lag > LATE * median:
        print(
            f"This process was itself up to {lag:.2f} s late: its machine was too busy to tell the "
            "server's times. Send less, from another machine, or a scenario at a lower --speed."
        )
    if "RATE_LIMITED" in figures["errors"]:
        print("The server limits each user's rate: start it with KINESPHERE_RATE_LIMIT=0.")
