"""Spans, sent to a collector as OTLP over HTTP by OpenTelemetry's own SDK and exporter.

They are sent from a thread of the SDK's, in batches; while the collector is away spans are dropped,
and nobody waits. That it is away is logged once, not for each batch. The standard variables hold:
OTEL_EXPORTER_OTLP_HEADERS, OTEL_EXPORTER_OTLP_CERTIFICATE, OTEL_RESOURCE_ATTRIBUTES, OTEL_BSP_*.
"""

import logging
from collections.abc import Sequence
from typing import Final

from opentelemetry import trace
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult
from opentelemetry.sdk.trace.id_generator import IdGenerator
from opentelemetry.sdk.trace.sampling import ALWAYS_ON
from opentelemetry.trace import NonRecordingSpan, SpanContext, SpanKind, StatusCode, TraceFlags

from kinesphere.adapters.tracing import Span
from kinesphere.version import __version__

DELAY_MS: Final = 1_000
TIMEOUT: Final = 5.0
"""Seconds that the collector may take for a batch."""

_log = logging.getLogger("kinesphere.tracing")

_NANO: Final = 1_000_000_000
_KINDS: Final = {
    "internal": SpanKind.INTERNAL,
    "server": SpanKind.SERVER,
    "producer": SpanKind.PRODUCER,
}


class _Teller(SpanExporter):
    """An exporter that says when the collector stops taking spans, and when it takes them again."""

    def __init__(self, exporter: SpanExporter, endpoint: str) -> None:
        self._exporter = exporter
        self._endpoint = endpoint
        self._well = True

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        result = self._exporter.export(spans)
        well = result is SpanExportResult.SUCCESS
        if well and not self._well:
            _log.info("%s takes spans again", self._endpoint, extra={"action": "tracing.back"})
        elif self._well and not well:
            _log.warning(
                "%s takes no spans; they are dropped", self._endpoint,
                extra={"action": "tracing.away"},
            )  # fmt: skip
        self._well = well
        return result

    def shutdown(self) -> None:
        self._exporter.shutdown()


class _GivenIds(IdGenerator):
    """The ids of the span that is about to be made."""

    trace_id = 0
    span_id = 0

    def generate_trace_id(self) -> int:
        return self.trace_id

    def generate_span_id(self) -> int:
        return self.span_id


class OtlpSpans:
    """Takes spans, from one thread, and sends them; `close` sends what is left."""

    def __init__(self, endpoint: str, role: str, instance: str) -> None:
        self._ids = _GivenIds()
        resource = Resource.create(
            {
                "service.name": "kinesphere",
                "service.namespace": "kinesphere",
                "service.version": __version__,
                "service.instance.id": instance,
                "kinesphere.role": role,
            }
        )
        self._provider = TracerProvider(
            sampler=ALWAYS_ON, resource=resource, id_generator=self._ids, shutdown_on_exit=False
        )
        # Theirs is a line for each attempt at each batch.
        logging.getLogger("opentelemetry").setLevel(logging.CRITICAL)
        exporter = OTLPSpanExporter(f"{endpoint.rstrip('/')}/v1/traces", timeout=TIMEOUT)
        self._provider.add_span_processor(
            BatchSpanProcessor(_Teller(exporter, endpoint), schedule_delay_millis=DELAY_MS)
        )
        self._tracer = self._provider.get_tracer("kinesphere", __version__)

    def tell(self, span: Span) -> None:
        """Take one span; it is sent within about a second."""
        self._ids.trace_id, self._ids.span_id = int(span.trace_id, 16), int(span.span_id, 16)
        context = None
        if span.parent_id:
            parent = SpanContext(
                int(span.trace_id, 16), int(span.parent_id, 16), True, TraceFlags(1)
            )
            context = trace.set_span_in_context(NonRecordingSpan(parent))
        made = self._tracer.start_span(
            span.name,
            context=context,
            kind=_KINDS[span.kind],
            attributes={**span.facts},
            start_time=int(span.began * _NANO),
        )
        if span.error:
            made.set_attribute("error.type", span.error)
            made.set_status(StatusCode.ERROR, span.error)
        made.end(int(max(span.began, span.ended) * _NANO))

    def close(self) -> None:
        """Send what is left, and no more. Takes up to TIMEOUT seconds where nobody takes it."""
        self._provider.shutdown()
