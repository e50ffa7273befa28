"""Downloads of the embedded artifact store, by signed link."""

import hashlib
from typing import Annotated

from fastapi import APIRouter, Path, Request
from fastapi.responses import FileResponse, Response

from kinesphere.http.errors import documented
from kinesphere.http.gateway import At
from kinesphere.ports import ArtifactMissing

router = APIRouter(tags=["artifacts"])

_MEDIA_TYPES = {
    "bvh": "application/x-bvh",
    "npz": "application/x-npz",
    "glb": "model/gltf-binary",
    "fbx": "application/octet-stream",
}


@router.api_route(
    "/v1/artifacts/{key:path}",
    methods=["GET", "HEAD"],
    summary="Download a file",
    response_class=FileResponse,
    responses={
        206: {"description": "The range asked for."},
        304: {"description": "Not changed: an artifact never is."},
        416: {"description": "The range is outside the file."},
        **documented("LINK_INVALID", "LINK_EXPIRED", "ARTIFACT_NOT_FOUND", "INVALID_REQUEST"),
    },
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
    return FileResponse(
        path,
        media_type=_MEDIA_TYPES.get(suffix, "application/octet-stream"),
        filename=name,
        headers=headers,
    )
