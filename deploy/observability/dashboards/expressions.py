"""PromQL that several panels share.

What the ledger knows is the same from every process, so gauges are taken by `max`; what a process
counts for itself is added up by `sum`.
"""

from typing import Final

INTERVAL: Final = "$__rate_interval"
POOL: Final = 'pool=~"$pool"'


def rate(metric: str, by: str = "", where: str = "") -> str:
    """How much a counter grows a second, added up over the processes."""
    return f"sum{_by(by)} (rate({metric}{_where(where)}[{INTERVAL}]))"


def quantile(share: float, histogram: str, by: str, where: str = "") -> str:
    """A quantile of a histogram."""
    inner = rate(f"{histogram}_bucket", f"{by}, le" if by else "le", where)
    return f"histogram_quantile({share:g}, {inner})"


def mean(histogram: str, by: str = "", where: str = "") -> str:
    """The mean of what a histogram has observed."""
    return f"{rate(f'{histogram}_sum', by, where)} / {rate(f'{histogram}_count', by, where)}"


def known(gauge: str, by: str = "", where: str = "") -> str:
    """A gauge that every process knows alike."""
    return f"max{_by(by)} ({gauge}{_where(where)})"


def _by(labels: str) -> str:
    return f" by ({labels})" if labels else ""


def _where(matchers: str) -> str:
    return f"{{{matchers}}}" if matchers else ""
