"""What a receiver of webhooks needs to know whether one comes from here."""

from fastapi import APIRouter, Response

from kinesphere.http.gateway import Ask, At
from kinesphere.http.schemas import WebhookSecret

router = APIRouter(prefix="/v1/webhooks", tags=["webhooks"])


@router.get("/secret", summary="Your webhooks' secret")
async def show_webhook_secret(response: Response, caller: Ask, at: At) -> WebhookSecret:
    """What the webhooks of your jobs are signed with, as Standard Webhooks describes.

    Each user has one of their own.
    """
    response.headers["Cache-Control"] = "no-store"
    present, *before = at.webhooks.secrets(caller.user)
    return WebhookSecret(secret=present, previous=before[0] if before else None)
