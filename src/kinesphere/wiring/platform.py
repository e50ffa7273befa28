"""A process of the platform, whatever its role: what it consists of once it runs."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from kinesphere.adapters.metrics import Metrics
from kinesphere.adapters.tracing import Tracing
from kinesphere.core.catalog import Catalog
from kinesphere.ports import Artifacts, Clock, Limits, SignedFiles
from kinesphere.service import Service
from kinesphere.service.identity import Identity
from kinesphere.settings import Settings
from kinesphere.wiring import parts
from kinesphere.worker.fleet import Fleet

if TYPE_CHECKING:
    from fastapi import FastAPI

    from kinesphere.http.connections import ConnectionTerms


@dataclass(frozen=True, slots=True)
class Platform:
    """A process of the platform, running.

    Attributes:
        files: The artifact store's own downloads, or None where links lead elsewhere.
        fleet: The replicas of this process; none in an API or a sweeper.
    """

    settings: Settings
    clock: Clock
    catalog: Catalog
    service: Service
    fleet: Fleet
    artifacts: Artifacts
    files: SignedFiles | None
    metrics: Metrics
    limits: Limits
    identity: Identity | None = None
    tracing: Tracing | None = None

    def app(self) -> "FastAPI":
        """Its HTTP application."""
        # FastAPI is half of the time that a one-shot command would need to start.
        from kinesphere.adapters.fetch import FetchTerms, PictureFetcher  # noqa: PLC0415
        from kinesphere.adapters.webhooks import WebhookGate  # noqa: PLC0415
        from kinesphere.http.app import create_app  # noqa: PLC0415
        from kinesphere.http.gateway import Gateway  # noqa: PLC0415
        from kinesphere.http.limits import Pace, Turnstile  # noqa: PLC0415

        settings = self.settings
        return create_app(
            Gateway(
                service=self.service,
                files=self.files,
                metrics=self.metrics,
                fetcher=PictureFetcher(
                    FetchTerms(
                        settings.picture_limit_bytes, settings.fetch_seconds, settings.fetch_allow
                    )
                ),
                webhooks=WebhookGate(settings.webhook_allow, parts.webhook_keys(settings)),
                body_limit=settings.body_limit_bytes,
                # Room for a mask, and for what multipart adds.
                file_limit=2 * settings.picture_limit_bytes + 65_536,
                wait_limit=settings.sync_wait_seconds,
                heartbeat=settings.heartbeat_seconds,
                public_url=settings.public_url,
                hosts=parts.hosts(settings),
                turnstile=Turnstile(self.limits, parts.rates(settings)),
                pace=Pace(settings.body_seconds, settings.body_bytes_per_second),
                cors_origins=settings.cors_origins,
                monotonic=self.clock.monotonic,
                new_id=parts.new_id,
                identity=self.identity,
                metrics_open=settings.metrics_open,
                traces=self.tracing,
                artifact_origins=parts.artifact_origins(settings),
                live_streams=settings.live_streams,
            )
        )

    def connection_terms(self, most: int) -> "ConnectionTerms":
        """What the connections to it may do, `most` of them at once."""
        from kinesphere.http.connections import ConnectionTerms  # noqa: PLC0415 - with FastAPI

        settings = self.settings
        return ConnectionTerms(
            most=most,
            header_bytes=settings.header_limit_bytes,
            header_seconds=settings.header_seconds,
            idle_seconds=settings.keep_alive_seconds,
            write_seconds=settings.write_seconds,
            body_seconds=settings.body_seconds,
            new_id=parts.new_id,
            refused=lambda status: self.metrics.request("OTHER", "unmatched", status, 0.0),
        )

    async def drain(self, grace: float) -> None:
        """Take no more work, and give what runs `grace` seconds; the rest goes back."""
        self.service.intake.closed = True
        await self.fleet.drain(grace)
