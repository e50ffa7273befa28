"""Downloads of the embedded artifact store, by signed link."""

import hashlib
from typing import Annotated, Any, Final

from fastapi import APIRouter, Path, Request
from fastapi.responses import FileResponse, Response
from starlette.datastructures import Headers
from starlette.types import Message, Receive, Scope, Send

from kinesphere.http.errors import documented, problem
from kinesphere.http.gateway import At
from kinesphere.ports import ArtifactMissing

router = APIRouter(tags=["artifacts"])

_MEDIA_TYPES = {
    "bvh": "application/x-bvh",
    "npz": "application/x-npz",
    "glb": "model/gltf-binary",
    "fbx": "application/octet-stream",
}


_FILE: Final = {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}}
_RESPONSES: Final[dict[int | str, dict[str, Any]]] = {
    200: {"description": "The file.", "content": _FILE},
    206: {"description": "The range asked for.", "content": _FILE},
    304: {"description": "Not changed: an artifact never is."},
    **documented(
        "LINK_INVALID", "LINK_EXPIRED", "ARTIFACT_NOT_FOUND", "RANGE_NOT_SATISFIABLE",
        "INVALID_REQUEST",
    ),
}  # fmt: skip


class _Download(FileResponse):
    """Starlette's, whose refusals of a range are plain text."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the file, or the part asked for, or say why not."""
        refusal: Message | None = None

        async def answer(message: Message) -> None:
            nonlocal refusal
            if message["type"] == "http.response.start" and message["status"] in (400, 416):
                refusal = message
            if refusal is None:
                await send(message)

        await super().__call__(scope, receive, answer)
        if refusal is None:
            return
        if refusal["status"] == 400:
            # A range that makes no sense may be passed over (RFC 9110, 14.2).
            headers = [header for header in scope["headers"] if header[0] != b"range"]
            await super().__call__({**scope, "headers": headers}, receive, send)
            return
        size = Headers(raw=refusal["headers"])["content-range"]
        detail = f"The file has {size.rpartition('/')[2]} bytes."
        told = problem(
            Request(scope), "RANGE_NOT_SATISFIABLE", detail, headers={"Content-Range": size}
        )
        await told(scope, receive, send)


@router.head(
    "/v1/artifacts/{key:path}",
    summary="Look at a file",
    response_class=FileResponse,
    responses=_RESPONSES,
    operation_id="look_at_artifact",
)
@router.get(
    "/v1/artifacts/{key:path}",
    summary="Download a file",
    response_class=FileResponse,
    responses=_RESPONSES,
    operation_id="download_artifact",
)
async def download(
    key: Annotated[str, Path(description="As in the link; links are made by the job's view.")],
    request: Request,
    at: At,
) -> Response:
    """A file by its signed link: ranges, ETag, and caching for as long as the link lives."""
    if at.files is None:
        raise ArtifactMissing(key)
    path, name = at.files.locate(key, request.query_params)
    etag = '"' + hashlib.sha256(key.encode()).hexdigest()[:32] + '"'
    headers = {"ETag": etag, "Cache-Control": "private, max-age=31536000, immutable"}
    known = request.headers.get("if-none-match", "").split(",")
    wanted = [tag.strip().removeprefix("W/") for tag in known]
    if etag in wanted or "*" in wanted:
        return Response(status_code=304, headers=headers)
    suffix = name.rpartition(".")[2].lower()
    return _Download(
        path,
        media_type=_MEDIA_TYPES.get(suffix, "application/octet-stream"),
        filename=name,
        headers=headers,
    )
