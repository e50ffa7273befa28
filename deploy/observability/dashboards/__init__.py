"""Grafana dashboards as code.

    python -m deploy.observability.dashboards

writes `deploy/observability/grafana/dashboards/*.json`; a test holds the two together, and runs
every query against a Prometheus that has read a server at work.
"""

from typing import Final

from deploy.observability.dashboards import gpu, quality, queue, release, scaling, throughput
from deploy.observability.dashboards.model import Dashboard

DASHBOARDS: Final[tuple[Dashboard, ...]] = (
    throughput.DASHBOARD,
    queue.DASHBOARD,
    scaling.DASHBOARD,
    gpu.DASHBOARD,
    quality.DASHBOARD,
    release.DASHBOARD,
)
