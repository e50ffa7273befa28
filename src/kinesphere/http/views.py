"""Jobs, models and pools as the API shows them."""

from typing import TYPE_CHECKING, Any

from kinesphere.core.admission import Estimate
from kinesphere.core.catalog import Model
from kinesphere.core.failures import Failure, kind
from kinesphere.core.jobs import Job
from kinesphere.core.replicas import Health, Status
from kinesphere.core.webhooks import Delivery, DeliveryState
from kinesphere.http.schemas import (
    ArtifactView,
    DeviceHealth,
    ErrorView,
    EtaBasis,
    EtaView,
    JobView,
    ModelRef,
    ModelView,
    PlanView,
    PoolCost,
    PoolView,
    RecentView,
    ReplicaView,
    SpeedView,
    StageView,
    WebhookBody,
    WebhookView,
    instant,
    moment,
)
from kinesphere.ports import Planned, Progress, Record

if TYPE_CHECKING:
    from kinesphere.service import Pool, Service


def absolute(base: str, url: str) -> str:
    """A link as others can use it: a path gets this server's address in front."""
    return base.rstrip("/") + url if url.startswith("/") else url


def job_view(
    service: "Service",
    job: Job,
    base: str,
    eta: Estimate | None = None,
    delivery: Delivery | None = None,
) -> JobView:
    """A job with fresh links and its live progress, and its webhook's delivery where known."""
    fraction, phase = service.jobs.progress(job)
    model = next((m for m in service.catalog.models if m.name == job.model), None)
    return JobView(
        id=job.id,
        task=job.task,
        state=job.state.value,
        stage=StageView(index=job.stage, count=len(job.pools), pool=job.pool),
        progress=round(fraction, 4),
        phase=phase,
        model=ModelRef(
            name=job.model,
            version=job.model_version,
            simulated=model is not None and model.simulated,
        ),
        request=dict(job.request),
        priority=job.priority,
        attempts=job.attempts,
        routed=job.routed,
        cached=job.cached,
        joined=job.joined,
        created_at=instant(job.created_at),
        started_at=moment(job.started_at),
        finished_at=moment(job.finished_at),
        deadline=moment(job.deadline),
        eta=eta_view(eta, service.now()) if eta and not job.ended else None,
        artifacts=[
            ArtifactView(
                name=link.artifact.name,
                media_type=link.artifact.media_type,
                size=link.artifact.size,
                sha256=link.artifact.digest,
                stage=link.artifact.stage,
                url=absolute(base, link.url),
                expires_at=instant(link.expires),
            )
            for link in service.results.links(job)
        ],
        notes=dict(job.notes),
        error=error_view(job.failure) if job.failure else None,
        webhook=_webhook_view(job, delivery),
    )


def _webhook_view(job: Job, delivery: Delivery | None) -> WebhookView | None:
    if job.webhook is None:
        return None
    if delivery is None:
        return WebhookView(url=job.webhook, state="pending" if job.ended else "waiting")
    delivered = delivery.state is DeliveryState.DELIVERED
    pending = delivery.state is DeliveryState.PENDING
    return WebhookView(
        url=job.webhook,
        id=delivery.id,
        state=delivery.state.value,
        attempts=delivery.attempts,
        last_status=delivery.last_status,
        last_error=delivery.last_error or None,
        next_attempt_at=moment(delivery.due_at) if pending and not delivery.held else None,
        delivered_at=moment(delivery.attempted_at) if delivered else None,
    )


def webhook_body(service: "Service", base: str, job: Job, delivery: Delivery) -> bytes:
    """What a webhook is posted, as JSON in UTF-8."""
    view = job_view(service, job, base, delivery=delivery)
    event = WebhookBody(
        type=delivery.event, id=delivery.id, timestamp=instant(delivery.at), data=view
    )
    return event.model_dump_json(exclude={"data": {"eta", "webhook"}}).encode()


def error_view(failure: Failure) -> ErrorView:
    """A failure with whose fault it is."""
    known = kind(failure.code)
    return ErrorView(
        error_code=failure.code, detail=failure.detail, fault=known.fault.value, retry=known.retry
    )


def eta_view(eta: Estimate, now: float) -> EtaView:
    """An expected time with what it rests on."""
    return EtaView(
        time=instant(now + eta.seconds),
        seconds=round(eta.seconds, 3),
        basis=EtaBasis(
            ahead=eta.ahead,
            work_ahead_seconds=round(eta.work_ahead, 3),
            replicas=eta.replicas,
            service_seconds=round(eta.service_seconds, 4),
            measured=eta.measured,
        ),
    )


def model_view(model: Model, *, default: bool) -> ModelView:
    """A model with its limits, and whether it answers when none is named."""
    shortest, longest = model.durations or (None, None)
    fewest, most = model.faces or (None, None)
    return ModelView(
        name=model.name,
        version=model.version,
        task=model.task,
        title=model.title,
        formats=list(model.formats),
        languages=list(model.languages),
        max_words=model.max_words,
        max_cjk=model.max_cjk,
        min_duration=shortest,
        max_duration=longest,
        min_faces=fewest,
        max_faces=most,
        sides=list(model.sides),
        pools=list(model.pools),
        default=default,
        embedded=model.embedded,
        simulated=model.simulated,
        licence=model.licence,
    )


def pool_view(pool: "Pool", now: float) -> PoolView:
    """A pool with its replicas and backlog."""
    service, oldest = pool.status.service, pool.backlog.oldest
    return PoolView(
        name=pool.name,
        model=ModelRef(
            name=pool.model.name, version=pool.model.version, simulated=pool.model.simulated
        ),
        replicas=dict(pool.status.replicas),
        waiting=pool.backlog.waiting,
        running=pool.backlog.running,
        oldest_wait=None if oldest is None else max(0.0, round(now - oldest, 3)),
        batch_limit=service.batch_limit,
        batch_seconds=round(service.batch_seconds(service.batch_limit), 4),
        service=SpeedView(fixed_seconds=service.fixed, job_seconds=service.per_job),
        measured=pool.status.measured,
        detail=pool.status.detail,
        members=[_replica_view(replica) for replica in pool.status.members],
        plan=None if pool.plan is None else plan_view(pool.plan),
        recent=RecentView(
            seconds=round(pool.recent.seconds, 3),
            succeeded=pool.recent.succeeded,
            failed=pool.recent.failed,
            p50=pool.recent.p50,
            p95=pool.recent.p95,
        ),
        cost=None
        if pool.price is None
        else PoolCost(hour=pool.price, asset=pool.asset_price, currency=pool.currency),
    )


def plan_view(planned: Planned) -> PlanView:
    """What the scaler decided, and why."""
    return PlanView(
        pool=planned.pool,
        replicas=planned.replicas,
        tiers=dict(planned.tiers),
        recommended=planned.recommended,
        reason=planned.reason,
        policy=planned.policy,
        tier=planned.tier,
        at=instant(planned.at),
    )


def _replica_view(replica: Status) -> ReplicaView:
    place = replica.placement
    return ReplicaView(
        name=replica.worker,
        state=replica.state.value,
        since=instant(replica.since),
        device=place.device,
        device_name=place.name,
        device_bytes=place.total,
        device_bytes_taken=place.taken,
        memory_bytes=replica.memory,
        profile=place.profile,
        profile_source=place.source,
        batch_limit=place.batch_limit,
        start_seconds={phase: round(took, 4) for phase, took in replica.phases.items()},
        last_error=replica.last_error,
        tier=replica.tier,
        jobs=replica.jobs,
        health=None if replica.health is None else _health(replica.health),
    )


def _health(told: Health) -> DeviceHealth:
    return DeviceHealth(
        used_bytes=told.used,
        busy=told.busy,
        celsius=told.celsius,
        watts=told.watts,
        throttled=told.throttled,
    )


def news(item: Record | Progress) -> tuple[str, str | None, dict[str, Any]]:
    """(event name, id, data) of a server-sent event. Progress has no id: it is not stored."""
    if isinstance(item, Progress):
        data = {
            "job_id": item.job_id,
            "stage": item.stage,
            "progress": round(item.fraction, 4),
            "phase": item.phase,
        }
        return "progress", None, data
    facts = {"job_id": item.job_id, "at": instant(item.at).isoformat(), **item.event.data}
    return item.event.kind.value, str(item.seq), facts
