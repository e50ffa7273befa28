"""What operators and machines ask: alive, ready, what is served, and how it does."""

from collections.abc import Mapping
from typing import Annotated

from fastapi import APIRouter, Path, Query, Request, Response

from kinesphere.core.failures import Rejected
from kinesphere.http.auth import OPERATORS, OperatorOnly, ScraperOnly
from kinesphere.http.errors import documented
from kinesphere.http.gateway import At
from kinesphere.http.schemas import (
    Health,
    ModelList,
    PlanView,
    PoolList,
    PoolView,
    Readiness,
)
from kinesphere.http.views import model_view, plan_view, pool_view
from kinesphere.service.operations import SERVER
from kinesphere.version import __version__

router = APIRouter(tags=["operations"])


@router.get("/health", summary="Is the process alive?")
async def health() -> Health:
    """Answers as long as the process does. It says nothing about models: see `/ready`."""
    return Health(status="ok", version=__version__)


@router.get(
    "/ready",
    summary="Can it take work?",
    responses={
        503: {"model": Readiness, "description": "Not yet, or not any more."},
        **documented("INVALID_REQUEST"),
    },
)
async def ready(
    response: Response,
    at: At,
    pools: Annotated[
        bool,
        Query(
            description="Whether pools count. Without them it says whether this process takes "
            "requests, for whoever divides these among several: jobs may wait for a pool."
        ),
    ] = True,
) -> Readiness:
    """200 when every pool has a replica that is loaded and warm; else 503 with the reasons."""
    missing = at.service.operations.unready()
    if not pools:
        missing = {name: reason for name, reason in missing.items() if name == SERVER}
    return _readiness(response, missing)


@router.post(
    "/warmup",
    summary="Wait until the models are loaded and warm",
    responses={
        503: {"model": Readiness, "description": "Some are not, after this time."},
        **documented("INVALID_REQUEST"),
    },
)
async def warm_up(
    response: Response,
    at: At,
    wait: Annotated[float, Query(ge=0, le=600, description="Seconds to wait at most.")] = 60.0,
) -> Readiness:
    """Replicas warm up by themselves when they start; this waits for it, and says what is left."""
    return _readiness(response, await at.service.operations.warm(min(wait, at.wait_limit)))


def _readiness(response: Response, missing: Mapping[str, str]) -> Readiness:
    response.status_code = 503 if missing else 200
    return Readiness(status="unready" if missing else "ready", pools=dict(missing))


@router.get(
    "/metrics",
    dependencies=[ScraperOnly],
    openapi_extra=OPERATORS,
    summary="Metrics for Prometheus",
    response_class=Response,
    responses={200: {"content": {"text/plain": {}}, "description": "Prometheus exposition."}},
)
async def metrics(at: At, request: Request) -> Response:
    """Counters, gauges and histograms; described in the documentation's list of metrics."""
    page, media_type = await at.metrics.page(request.headers.get("accept", ""))
    return Response(page, media_type=media_type)


@router.get("/v1/models", summary="List models")
async def models(at: At) -> ModelList:
    """The models that this server serves, with their limits."""
    found = await at.service.operations.models()
    return ModelList(items=[model_view(model, default=answers) for model, answers in found])


@router.get(
    "/v1/pools",
    dependencies=[OperatorOnly],
    openapi_extra=OPERATORS,
    summary="List pools",
    responses=documented("LEDGER_UNAVAILABLE"),
)
async def pools(at: At) -> PoolList:
    """The pools with their replicas and what waits for them."""
    now = at.service.now()
    return PoolList(items=[pool_view(pool, now) for pool in await at.service.operations.pools()])


@router.get(
    "/v1/pools/{pool}",
    dependencies=[OperatorOnly],
    openapi_extra=OPERATORS,
    summary="Look at a pool",
    responses=documented("POOL_NOT_FOUND", "INVALID_REQUEST", "LEDGER_UNAVAILABLE"),
)
async def pool(
    pool: Annotated[str, Path(description="The pool's name.", max_length=200)], at: At
) -> PoolView:
    """One pool."""
    now = at.service.now()
    for found in await at.service.operations.pools():
        if found.name == pool:
            return pool_view(found, now)
    raise Rejected("POOL_NOT_FOUND", f"There is no pool {pool!r}.")


@router.get(
    "/v1/pools/{pool}/plan",
    dependencies=[OperatorOnly],
    openapi_extra=OPERATORS,
    summary="Look at a pool's plan",
    responses=documented(
        "POOL_NOT_FOUND", "POOL_NOT_SCALED", "INVALID_REQUEST", "LEDGER_UNAVAILABLE"
    ),
)
async def plan(
    pool: Annotated[str, Path(description="The pool's name.", max_length=200)], at: At
) -> PlanView:
    """How many replicas the pool is to have, and why."""
    return plan_view(await at.service.operations.plan(pool))
