"""The HTTP application."""

from fastapi import FastAPI
from fastapi.routing import APIRoute

from kinesphere.http import artifacts, errors, jobs, meshes, motions, ops, validation
from kinesphere.http.gateway import Gateway
from kinesphere.http.middleware import Envelope
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
        docs_url="/docs",
        redoc_url=None,
        redirect_slashes=False,
        generate_unique_id_function=_operation_id,
    )
    app.state.gateway = gateway
    for module in (motions, meshes, jobs, artifacts, validation, ops):
        app.include_router(module.router)
    errors.install(app)
    app.add_middleware(Envelope, gateway=gateway)
    return app


def _operation_id(route: APIRoute) -> str:
    return route.name
