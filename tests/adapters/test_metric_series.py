from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import prometheus_client as library
import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client.exposition import choose_encoder
from prometheus_client.registry import Collector

from kinesphere.adapters.metric_book import Book
from kinesphere.adapters.metric_series import LONGEST_EXAMPLE, Counter, Histogram

BOUNDS = (0.5, 1, 30)
NAMES = st.sampled_from(["", "a", 'q"\\\n', "手"])


def shown(collector: Collector) -> Iterator[tuple[object, ...]]:
    """What is scraped, but for the times of creation and of exemplars."""
    for family in collector.collect():
        yield family.name, family.type, family.documentation, family.unit
        for one in family.samples:
            if not one.name.endswith("_created"):
                example = one.exemplar and one.exemplar[:2]
                yield one.name, list(one.labels.items()), one.value, one.timestamp, example


@given(
    st.lists(
        st.tuples(
            NAMES, st.sampled_from([0, 0.5, 0.7, 1, 1.0001, 30, 31, float("inf")]),
            st.none() | st.sampled_from(["0af7", "b7ad"]),
        ),
        max_size=20,
    )
)  # fmt: skip
def test_a_histogram_shows_what_the_library_shows(
    seen: list[tuple[str, float, str | None]],
) -> None:
    own = Histogram("h", "Meaning.", ("k",), BOUNDS, lambda: 1.0)
    theirs = library.Histogram("h", "Meaning.", ("k",), buckets=BOUNDS, registry=None)
    for value, amount, trace_id in seen:
        own.labels(value).observe(amount, trace_id)
        theirs.labels(value).observe(amount, {"trace_id": trace_id} if trace_id else None)
    assert list(shown(own)) == list(shown(theirs))


@given(st.lists(st.tuples(NAMES, st.floats(0, 1e9)), max_size=20))
def test_a_counter_shows_what_the_library_shows(seen: list[tuple[str, float]]) -> None:
    own = Counter("c_total", "Meaning.", ("k", "l"))
    theirs = library.Counter("c_total", "Meaning.", ("k", "l"), registry=None)
    for value, more in seen:
        own.labels(value, "l").inc(more)
        theirs.labels(value, "l").inc(more)
    assert list(shown(own)) == list(shown(theirs))


def test_without_labels_there_is_one_series_from_the_start() -> None:
    own = Counter("c_total", "Meaning.", ())
    theirs = library.Counter("c_total", "Meaning.", (), registry=None)
    assert list(shown(own)) == list(shown(theirs))
    histogram = Histogram("h", "Meaning.", (), BOUNDS, lambda: 1.0)
    histogram.observe(2)
    own.inc()
    assert [one.value for one in next(own.collect()).samples] == [1]
    assert next(histogram.collect()).samples[-1].value == 2


def test_an_example_is_dated_and_no_longer_than_may_be() -> None:
    book = Book(lambda: 5.25)
    histogram = book.histogram("h", "Meaning.", (), BOUNDS, "")
    histogram.observe(0.1, "t" * LONGEST_EXAMPLE)
    histogram.observe(2, "t" * (LONGEST_EXAMPLE + 1))
    encode, _ = choose_encoder("application/openmetrics-text;version=1.0.0")
    page = encode(book.registry).decode()
    assert f'trace_id="{"t" * LONGEST_EXAMPLE}"}} 0.1 5.25\n' in page
    assert page.count("trace_id") == 1


def test_what_is_wrong_is_refused() -> None:
    book = Book(lambda: 0.0)
    counter = book.counter("c_total", "Meaning.", ("k",))
    for wrong in ((), ("a", "b")):
        with pytest.raises(ValueError, match="labels"):
            counter.labels(*wrong)
    with pytest.raises(ValueError, match="grow"):
        counter.labels("a").inc(-1)
    with pytest.raises(ValueError, match="Duplicated"):
        book.counter("c_total", "Another.", ())


def test_threads_lose_nothing() -> None:
    histogram = Histogram("h", "Meaning.", ("k",), BOUNDS, lambda: 1.0)

    def observe() -> None:
        for _ in range(5_000):
            histogram.labels("a").observe(1, "t")

    with ThreadPoolExecutor(4) as threads:
        for _ in range(4):
            threads.submit(observe)
    samples = next(histogram.collect()).samples
    assert [one.value for one in samples[-2:]] == [20_000, 20_000]
