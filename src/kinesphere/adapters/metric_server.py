"""What the server itself does, as metrics: requests, webhooks, releases, live streams."""

from collections.abc import Iterable
from typing import Final

from kinesphere.adapters.metric_book import Book

_HTTP: Final = (0.001, 0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0, 5.0, 30.0, 120.0)
_METHODS: Final = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
_VERDICTS: Final = (
    "started", "stepped", "promoted", "rolled_back", "paused", "resumed", "aborted",
)  # fmt: skip
_DELIVERIES: Final = ("delivered", "retried", "given_up", "gone", "forbidden")


class ServerMetrics:
    """Counts requests answered, webhooks delivered, live streams, and what releases did."""

    def __init__(self, book: Book, tasks: Iterable[str]) -> None:
        route = ("route", "method")
        self._requests = book.counter(
            "kinesphere_http_requests_total", "Requests answered.", (*route, "status")
        )
        self._request_seconds = book.histogram(
            "kinesphere_http_request_seconds",
            "Time to answer a request, waiting for a result included.",
            route,
            _HTTP,
            "seconds",
        )
        self._webhooks = book.counter(
            "kinesphere_webhooks_total",
            "Attempts to deliver a webhook, by outcome: delivered; retried, which will be tried "
            "again; given_up; gone, as the receiver said; forbidden, so nothing was sent.",
            ("outcome",),
        )
        self._releases = book.counter(
            "kinesphere_release_verdicts_total",
            "What releases did: started, stepped, promoted, rolled_back, paused, resumed, aborted.",
            ("task", "verdict"),
        )
        self._limit_fallbacks = book.counter(
            "kinesphere_limit_fallbacks_total",
            "Requests counted in this process because Redis did not answer.",
            (),
        )
        self._live_streams = book.gauge(
            "kinesphere_live_streams",
            "Live streams that are open in this process: add them up.",
            (),
        )
        self._live_frames = book.counter(
            "kinesphere_live_frames_total",
            "Frames of live streams: sent; late, which were left out because the client or this "
            "process was not ready for them.",
            ("outcome",),
        )
        for outcome in ("sent", "late"):
            self._live_frames.labels(outcome)
        for outcome in _DELIVERIES:
            self._webhooks.labels(outcome)
        for task in tasks:
            for verdict in _VERDICTS:
                self._releases.labels(task, verdict)

    def request(self, method: str, route: str, status: int, seconds: float, trace_id: str) -> None:
        """Count one finished request."""
        labels = (route, method if method in _METHODS else "OTHER")
        self._requests.labels(*labels, str(status)).inc()
        self._request_seconds.labels(*labels).observe(seconds, trace_id)

    def webhook(self, outcome: str) -> None:
        """Count an attempt to deliver a webhook."""
        self._webhooks.labels(outcome).inc()

    def release(self, task: str, what: str) -> None:
        """Count what a release did."""
        self._releases.labels(task, what).inc()

    def live_streams(self, more: int) -> None:
        """Count live streams that opened, or, below zero, that ended."""
        self._live_streams.inc(more)

    def live_frames(self, sent: int, late: int) -> None:
        """Count frames of live streams."""
        self._live_frames.labels("sent").inc(sent)
        self._live_frames.labels("late").inc(late)

    def limit_fallback(self) -> None:
        """Count a request that Redis should have counted."""
        self._limit_fallbacks.inc()
