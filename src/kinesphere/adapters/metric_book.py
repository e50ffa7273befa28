"""A registry of metrics that knows how to describe itself."""

from collections.abc import Callable, Sequence
from typing import Final

from prometheus_client import CollectorRegistry, Gauge

from kinesphere.adapters.metric_gauges import Described, Gauges
from kinesphere.adapters.metric_series import Counter, Histogram


class Book:
    """A registry of its own, and a description of everything in it. `now` dates exemplars."""

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self.registry: Final = CollectorRegistry()
        self.described: list[Described] = []

    def counter(self, name: str, meaning: str, labels: Sequence[str], unit: str = "") -> Counter:
        """A count that only grows. `name` ends with _total."""
        self.described.append(Described(name, "counter", tuple(labels), unit, meaning))
        counter = Counter(name, meaning, labels)
        self.registry.register(counter)
        return counter

    def gauge(self, name: str, meaning: str, labels: Sequence[str], unit: str = "") -> Gauge:
        """A number of this process that grows and shrinks."""
        self.described.append(Described(name, "gauge", tuple(labels), unit, meaning))
        return Gauge(name, meaning, labels, registry=self.registry)

    def histogram(
        self, name: str, meaning: str, labels: Sequence[str], buckets: Sequence[float], unit: str
    ) -> Histogram:
        """Observations by size, with their sum and number."""
        self.described.append(Described(name, "histogram", tuple(labels), unit, meaning))
        histogram = Histogram(name, meaning, labels, buckets, self._now)
        self.registry.register(histogram)
        return histogram

    def gauges(self, source: Gauges) -> None:
        """What `source` reads at each scrape."""
        self.described.extend(source.described)
        self.registry.register(source)


_HEAD: Final = """\
# Metrics

<!-- Written by kinesphere.adapters.metric_book; a test holds page and registry together. -->

`GET /metrics` answers in Prometheus' text format, and in OpenMetrics to whoever accepts it: then
histograms carry exemplars, each with the `trace_id` of one request or job that fell in the bucket.
What is not known has no series: a gauge that is absent is not 0. No label holds a prompt, a user or
the id of a job.

Counters and histograms count what this process did since its start: add them up over the
processes. Gauges are read at the scrape; what the ledger knows is the same from every process, so
take the largest (`max by (pool)`), never the sum.

Prometheus adds `_bucket`, `_sum` and `_count` to the name of a histogram.

| metric | type | labels | unit | meaning |
| --- | --- | --- | --- | --- |
"""


def reference(book: Book) -> str:
    """The page `docs/metrics.md`."""
    rows = [
        f"| `{d.name}` | {d.kind} | {', '.join(f'`{name}`' for name in d.labels) or '-'} "
        f"| {d.unit or '-'} | {d.meaning} |\n"
        for d in sorted(book.described, key=lambda d: (not d.name.startswith("kines"), d.name))
    ]
    return _HEAD + "".join(rows)
