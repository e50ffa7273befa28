"""The HTTP application."""

from fastapi import FastAPI
from fastapi.routing import APIRoute

from kinesphere.http import (
    artifacts,
    auth,
    browsers,
    errors,
    jobs,
    keys,
    live,
    meshes,
    motions,
    openapi,
    ops,
    previews,
    releases,
    simulations,
    straight,
    studio,
    validation,
    webhooks,
)
from kinesphere.http.gateway import Gateway
from kinesphere.http.limits import EXEMPT, StrangersLimit, UsersLimit
from kinesphere.http.middleware import Envelope
from kinesphere.http.streams import Heart
from kinesphere.version import __version__

_DESCRIPTION = """\
Text becomes human motion, a picture becomes a textured mesh.

Send a prompt to `/v1/motions` or a picture to `/v1/meshes`, follow the job at
`/v1/jobs/{id}/events` or ask for it at `/v1/jobs/{id}`, and download what it made by its signed
link. `/generate` does all of it in one request. Every error is `application/problem+json` with a
stable `error_code`.
"""


def create_app(gateway: Gateway) -> FastAPI:
    """The application over one gateway. It starts and stops nothing: whoever serves it does."""
    app = FastAPI(
        title="Kinesphere",
        version=__version__,
        description=_DESCRIPTION,
        license_info={"name": "Apache-2.0", "identifier": "Apache-2.0"},
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        generate_unique_id_function=_operation_id,
        # Requests are counted and traced by `Envelope`.
        telemetry={"tracing": False, "metrics": False, "logs": False},
    )
    app.state.gateway = gateway
    app.state.heart = Heart(gateway.heartbeat)
    app.state.seats = live.Seats(gateway.metrics.live_streams)
    found: list[APIRoute] = []
    for module in (
        motions, meshes, previews, jobs, artifacts, validation, webhooks, ops, releases, keys,
        simulations,
    ):  # fmt: skip
        app.include_router(module.router)
        found += [route for route in module.router.routes if isinstance(route, APIRoute)]
    app.state.routes = found
    app.include_router(live.router)
    gateway.turnstile.know([*(route.path for route in found), live.PATH])
    browsers.add_docs(app)
    errors.install(app)
    auth.document(app)
    openapi.complete(app)
    # From the inside out: a user is counted once it is known who it is.
    app.add_middleware(straight.Straight, routes=found, endpoints=(motions.create_motion,))
    app.add_middleware(UsersLimit, turnstile=gateway.turnstile)
    app.add_middleware(auth.Guard, gateway=gateway)
    guessable = gateway.identity is not None and not gateway.metrics_open
    exempt = EXEMPT - {auth.METRICS} if guessable else EXEMPT
    app.add_middleware(StrangersLimit, turnstile=gateway.turnstile, exempt=exempt)
    if gateway.cors_origins:
        app.add_middleware(browsers.Cors, **browsers.cors(gateway.cors_origins))
    app.add_middleware(studio.Studio, origins=gateway.artifact_origins)
    app.add_middleware(Envelope, gateway=gateway)
    return app


def _operation_id(route: APIRoute) -> str:
    return route.name
