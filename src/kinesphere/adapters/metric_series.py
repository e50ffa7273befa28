"""Counters and histograms that cost little to add to: all that can wait is done at the scrape.

They are collectors of prometheus_client, as it means them to be written. Its own counters and
histograms take a lock for each number, look for a bucket one by one, and check an exemplar at every
observation, of which all but the last before a scrape are never seen.
"""

from abc import ABC, abstractmethod
from bisect import bisect_left
from collections.abc import Callable, Iterator, Sequence
from math import inf
from threading import Lock
from typing import Final, Generic, TypeVar

from prometheus_client.core import CounterMetricFamily, Exemplar, HistogramMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector
from prometheus_client.utils import floatToGoString

LONGEST_EXAMPLE: Final = 128 - len("trace_id")
"""Characters of a trace's id in an exemplar: OpenMetrics allows 128 with the label's name."""


class Count:
    """One series of a counter."""

    __slots__ = ("_lock", "value")

    def __init__(self) -> None:
        self._lock = Lock()
        self.value = 0.0

    def inc(self, more: float = 1.0) -> None:
        """Add `more`. Raises ValueError below zero: a counter only grows."""
        if more < 0:
            raise ValueError(f"a counter cannot grow by {more}")
        with self._lock:
            self.value += more


class Distribution:
    """One series of a histogram. `bounds` ascend and end with infinity; `now` dates examples."""

    __slots__ = ("_bounds", "_counts", "_examples", "_lock", "_now", "_sum")

    def __init__(self, bounds: Sequence[float], now: Callable[[], float]) -> None:
        self._bounds = bounds
        self._now = now
        self._lock = Lock()
        self._counts = [0] * len(bounds)
        self._examples: list[tuple[str, float, float] | None] = [None] * len(bounds)
        self._sum = 0.0

    def observe(self, amount: float, example: str | None = None) -> None:
        """Count `amount`; `example` is the id of the trace that it was seen in."""
        place = bisect_left(self._bounds, amount)
        with self._lock:
            self._sum += amount
            self._counts[place] += 1
            if example:
                self._examples[place] = (example, amount, self._now())

    def read(self) -> tuple[list[int], list[Exemplar | None], float]:
        """Observations in each bucket by itself, the last example of each, and the sum of all."""
        with self._lock:
            counts, examples, total = self._counts.copy(), self._examples.copy(), self._sum
        return counts, [one and _exemplar(*one) for one in examples], total


def _exemplar(trace_id: str, amount: float, at: float) -> Exemplar | None:
    if len(trace_id) > LONGEST_EXAMPLE:
        return None
    return Exemplar({"trace_id": trace_id}, amount, at)


S = TypeVar("S", Count, Distribution)


class _Metric(Collector, ABC, Generic[S]):
    """The series of one metric by the values of its labels, in the order they came to be."""

    def __init__(self, name: str, meaning: str, labels: Sequence[str]) -> None:
        self._name = name
        self._meaning = meaning
        self._labels = tuple(labels)
        self._series: dict[tuple[str, ...], S] = {}
        if not labels:
            self.labels()

    @abstractmethod
    def _new(self) -> S: ...

    def labels(self, *values: str) -> S:
        """The series of these values, one for each label. It is shown from now on."""
        return self._series.get(values) or self._begin(values)

    def _begin(self, values: tuple[str, ...]) -> S:
        if len(values) != len(self._labels):
            raise ValueError(f"{self._name} has the labels {self._labels}, not {values}")
        return self._series.setdefault(tuple(map(str, values)), self._new())

    def describe(self) -> Iterator[Metric]:
        """What the registry holds against the names of others."""
        yield self._family([])

    def collect(self) -> Iterator[Metric]:
        """What is shown."""
        yield self._family(list(self._series.items()))

    @abstractmethod
    def _family(self, series: Sequence[tuple[tuple[str, ...], S]]) -> Metric: ...


class Counter(_Metric[Count]):
    """A count that only grows."""

    def _new(self) -> Count:
        return Count()

    def inc(self, more: float = 1.0) -> None:
        """Add to the one series of a counter without labels."""
        self.labels().inc(more)

    def _family(self, series: Sequence[tuple[tuple[str, ...], Count]]) -> Metric:
        family = CounterMetricFamily(self._name, self._meaning, labels=self._labels)
        for values, count in series:
            family.add_metric(values, count.value)
        return family


class Histogram(_Metric[Distribution]):
    """Observations by size: each is in the first bucket whose bound is not below it."""

    def __init__(
        self,
        name: str,
        meaning: str,
        labels: Sequence[str],
        bounds: Sequence[float],
        now: Callable[[], float],
    ) -> None:
        self._bounds = (*map(float, bounds), inf)
        # Theirs has no annotation.
        self._shown = [floatToGoString(b) for b in self._bounds]  # type: ignore[no-untyped-call]
        self._now = now
        super().__init__(name, meaning, labels)

    def _new(self) -> Distribution:
        return Distribution(self._bounds, self._now)

    def observe(self, amount: float, example: str | None = None) -> None:
        """Count in the one series of a histogram without labels."""
        self.labels().observe(amount, example)

    def _family(self, series: Sequence[tuple[tuple[str, ...], Distribution]]) -> Metric:
        family = HistogramMetricFamily(self._name, self._meaning, labels=self._labels)
        for values, distribution in series:
            counts, examples, total = distribution.read()
            buckets: list[tuple[str, float] | tuple[str, float, Exemplar]] = []
            below = 0
            for bound, count, example in zip(self._shown, counts, examples, strict=True):
                below += count
                bucket = (bound, float(below))
                buckets.append(bucket if example is None else (*bucket, example))
            family.add_metric(values, buckets, total)
        return family
