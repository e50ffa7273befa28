"""Judging a motion or a mesh: of a job, or of a file that is sent."""

from typing import Any, Final

from fastapi import APIRouter, Request
from starlette.datastructures import UploadFile

from kinesphere.core.failures import FieldError, Rejected
from kinesphere.http.answers import form_of, validated
from kinesphere.http.bodies import ValidationRequest
from kinesphere.http.errors import documented
from kinesphere.http.gateway import Ask, At, media_type
from kinesphere.http.schemas import ValidationReport

router = APIRouter(tags=["quality"])

_BODY: Final = {
    "requestBody": {
        "required": True,
        "content": {
            "application/json": {"schema": {"$ref": "#/components/schemas/ValidationRequest"}},
            "multipart/form-data": {
                "schema": {
                    "type": "object",
                    "required": ["file"],
                    "properties": {
                        "file": {
                            "type": "string",
                            "format": "binary",
                            "description": "BVH, GLB or NPZ of a motion; GLB, OBJ in a ZIP, PLY "
                            "or STL of a mesh. The name's ending says which.",
                        }
                    },
                }
            },
        },
    }
}


@router.post(
    "/validate",
    summary="Judge a motion or a mesh",
    responses=documented(
        "MALFORMED_JSON", "BODY_TOO_LARGE", "UNSUPPORTED_MEDIA_TYPE", "INVALID_REQUEST",
        "FILE_REJECTED", "JOB_NOT_FOUND", "FORMAT_UNAVAILABLE", "LEDGER_UNAVAILABLE",
    ),
    openapi_extra=_BODY,
)  # fmt: skip
async def validate(request: Request, caller: Ask, at: At) -> ValidationReport:
    """Every measure with its verdict, its thresholds, and the frames and joints at fault."""
    kind = media_type(request)
    if kind == "application/json":
        body = validated(ValidationRequest, await request.body())
        return _report(await at.service.results.judged_job(body.job_id.upper(), caller))
    if kind != "multipart/form-data":
        problem = f"is {kind[:80]!r}" if kind else "is missing"
        raise Rejected(
            "UNSUPPORTED_MEDIA_TYPE",
            f"The Content-Type {problem}.",
            (FieldError("Content-Type", problem, "multipart/form-data or application/json"),),
        )
    async with form_of(request, files=1) as form:
        file = form.get("file")
        if not isinstance(file, UploadFile) or not file.filename:
            found = FieldError("file", "is missing", "an upload with a file name")
            raise Rejected("INVALID_REQUEST", "The request is not right: no file.", (found,))
        name = file.filename.replace("\\", "/").rpartition("/")[2][-200:]
        return _report(await at.service.results.judged(name, await file.read()))


def _report(found: dict[str, Any]) -> ValidationReport:
    return ValidationReport.model_validate(found)
