"""A registry of metrics that knows how to describe itself."""

from collections.abc import Sequence
from typing import Final

from prometheus_client import CollectorRegistry, Counter, Histogram

from kinesphere.adapters.metric_gauges import Described, Gauges


class Book:
    """A registry of its own, and a description of everything in it."""

    def __init__(self) -> None:
        self.registry: Final = CollectorRegistry()
        self.described: list[Described] = []

    def counter(self, name: str, meaning: str, labels: Sequence[str], unit: str = "") -> Counter:
        """A count that only grows. `name` ends with _total."""
        self.described.append(Described(name, "counter", tuple(labels), unit, meaning))
        return Counter(name, meaning, labels, registry=self.registry)

    def histogram(
        self, name: str, meaning: str, labels: Sequence[str], buckets: Sequence[float], unit: str
    ) -> Histogram:
        """Observations by size, with their sum and number."""
        self.described.append(Described(name, "histogram", tuple(labels), unit, meaning))
        return Histogram(name, meaning, labels, registry=self.registry, buckets=buckets)

    def gauges(self, source: Gauges) -> None:
        """What `source` reads at each scrape."""
        self.described.extend(source.described)
        self.registry.register(source)


_HEAD: Final = """\
# Metrics

<!-- Written by kinesphere.adapters.metric_book; a test holds page and registry together. -->

`GET /metrics` answers in Prometheus' text format. What is not known has no series: a gauge that is
absent is not 0. No label holds a prompt, a user or the id of a job. Values count from the start of
the server, those of gauges are read at the scrape.

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
