"""What waits, how long, and whether it is waited for in vain."""

from typing import Final

from deploy.observability.dashboards.expressions import POOL, known, mean, quantile, rate
from deploy.observability.dashboards.model import Dashboard, Panel, Query

_WAIT: Final = "kinesphere_queue_wait_seconds"

DASHBOARD: Final = Dashboard(
    name="queue",
    title="Queue",
    help="Depth, waits, the largest backlog, and what the leases say.",
    rows={
        "Queue": (
            Panel(
                "Jobs that wait", "short",
                (Query(known("kinesphere_queue_depth", "pool", POOL), "{{pool}}"),), limit=100,
            ),
            Panel(
                "Wait until claimed, mean", "s",
                (Query(mean(_WAIT, "pool", POOL), "{{pool}}"),), exemplars=True,
            ),
            Panel(
                "Wait until claimed, p95", "s",
                (Query(quantile(0.95, _WAIT, "pool", POOL), "{{pool}}"),), exemplars=True,
            ),
            Panel(
                "Largest backlog of the time shown", "short",
                (
                    Query(
                        "max by (pool) "
                        f"(max_over_time(kinesphere_queue_depth{{{POOL}}}[$__range]))",
                        "{{pool}}",
                    ),
                ),
                kind="stat", limit=100,
            ),
            Panel(
                "Oldest wait", "s",
                (Query(known("kinesphere_oldest_wait_seconds", "pool", POOL), "{{pool}}"),),
                "How long the longest waiting job has been ready.",
            ),
            Panel(
                "Jobs that run", "short",
                (Query(known("kinesphere_running_jobs", "pool", POOL), "{{pool}}"),),
            ),
            Panel(
                "Motions that wait", "short", (Query("max(hy_motion_queue_length)", "motions"),),
                kind="stat",
            ),
            Panel(
                "Hints in Redis", "short", (Query("max(redis_queue_length)", "hints"),),
                "They only wake replicas, and a pool has few: the queue is in the ledger. "
                "None without Redis as the broker.", kind="stat",
            ),
            Panel(
                "Jobs kept, by state", "short",
                (Query("sum by (state) (max by (model, state) (kinesphere_stored_jobs))",
                       "{{state}}"),),
                kind="table",
            ),
        ),
        "Claims": (
            Panel(
                "Leases lost", "short",
                (
                    Query(rate("kinesphere_leases_lost_total", "pool", POOL), "{{pool}}"),
                ),
                "A second; see the runbook on lost leases.",
            ),
            Panel(
                "Last words refused", "short",
                (Query(rate("kinesphere_stale_tokens_total", "pool", POOL), "{{pool}}"),),
                "A second: results of claims that no longer held, by the fencing token.",
            ),
            Panel(
                "Given back", "short",
                (Query(rate("kinesphere_jobs_returned_total", "pool", POOL), "{{pool}}"),),
                "A second: claims that stopping replicas returned unharmed.",
            ),
            Panel(
                "Ledger", "short", (Query("min(kinesphere_ledger_up)", "answers"),),
                "1 while every process reaches it.", kind="stat",
            ),
            Panel(
                "Requests counted without Redis", "short",
                (Query(rate("kinesphere_limit_fallbacks_total"), "a second"),), kind="stat",
            ),
        ),
    },
)  # fmt: skip
