"""Replicas: how many are planned and there, what they cost, and what a start takes."""

from typing import Final

from deploy.observability.dashboards.expressions import POOL, known, rate
from deploy.observability.dashboards.model import Dashboard, Panel, Query

_TIME: Final = "kinesphere_replica_seconds_total"
_BUSY: Final = f'state="busy", {POOL}'
_START: Final = "kinesphere_engine_start_seconds"

DASHBOARD: Final = Dashboard(
    name="scaling",
    title="Scaling",
    help="The plan against what is there, use, cost per asset, cold starts by phase.",
    rows={
        "Replicas": (
            Panel(
                "Plan", "short",
                (
                    Query(known("kinesphere_plan_replicas", "pool, tier", POOL),
                          "{{pool}} {{tier}}"),
                ),
                "How many replicas the scaler wants, by tier: the number that KEDA reads.",
            ),
            Panel(
                "Replicas that serve", "short",
                (
                    Query(
                        "sum by (pool) ("
                        + known("kinesphere_replicas", "pool, state",
                                f'state=~"ready|busy", {POOL}')
                        + ")",
                        "{{pool}}",
                    ),
                ),
            ),
            Panel(
                "Replicas by state", "short",
                (Query(known("kinesphere_replicas", "pool, state", POOL), "{{pool}} {{state}}"),),
                stacked=True,
            ),
            Panel(
                "Use", "percentunit",
                (
                    Query(
                        f"{rate(_TIME, 'pool', _BUSY)} / {rate(_TIME, 'pool', POOL)}",
                        "{{pool}}",
                    ),
                ),
                "Share of the replicas' time that was spent on batches.", most=1,
            ),
            Panel(
                "Starts and deaths a second", "short",
                (
                    Query(
                        rate("kinesphere_replica_entered_total", "pool",
                             f'state="starting", {POOL}'),
                        "{{pool}} starts",
                    ),
                    Query(rate("kinesphere_engine_deaths_total", "pool", POOL), "{{pool}} deaths"),
                ),
            ),
            Panel(
                "Main memory of the engines", "bytes",
                (Query(known("kinesphere_replica_memory_bytes", "pool", POOL), "{{pool}}"),),
            ),
        ),
        "Cost": (
            Panel(
                "Cost per asset", "short",
                (
                    Query(
                        f"{rate('kinesphere_cost_total', 'model', POOL)} / "
                        + rate("kinesphere_jobs_ended_total", "model", 'outcome="succeeded"'),
                        "{{model}}",
                    ),
                ),
                "In the currency of the policy's tiers; idle time is paid for as well.",
            ),
            Panel(
                "Cost an hour", "short",
                (
                    Query(f"3600 * {rate('kinesphere_cost_total', 'model, tier', POOL)}",
                          "{{model}} {{tier}}"),
                ),
                stacked=True,
            ),
            Panel(
                "Replica-seconds a second, by state", "short",
                (Query(rate(_TIME, "state", POOL), "{{state}}"),),
                "GPU-seconds, where a replica has a GPU: all are paid for, busy ones are used.",
                stacked=True,
            ),
        ),
        "Cold starts": (
            Panel(
                "Mean cold start by phase", "s",
                (
                    Query(
                        f"sum by (pool, phase) ({_START}_sum{{{POOL}}})"
                        f" / sum by (pool, phase) ({_START}_count{{{POOL}}})",
                        "{{pool}} {{phase}}",
                    ),
                ),
                "Since the processes began. The sum of its phases is what a new replica takes.",
                width=12, stacked=True,
            ),
            Panel(
                "Starts so far", "short",
                (
                    Query(f'sum by (pool) ({_START}_count{{phase="spawn", {POOL}}})', "{{pool}}"),
                ),
                kind="stat", width=12,
            ),
        ),
    },
)  # fmt: skip
