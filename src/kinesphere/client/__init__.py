"""The Python client, synchronous and asynchronous.

Both drive the same flows of `kinesphere.client.flows`: generators that yield what is to be done
(send this, sleep so long) and decide by what they are given back. A driver does, and decides
nothing.
"""

from kinesphere.client.asynchronous import AsyncClient
from kinesphere.client.errors import (
    ApiError,
    ConnectionFailed,
    DigestMismatch,
    JobFailed,
    KinesphereError,
    NotFound,
    Rejected,
    TimedOut,
    Unavailable,
    UnexpectedAnswer,
    WebhookInvalid,
)
from kinesphere.client.keys import Key
from kinesphere.client.releases import Release, ReleaseEntry
from kinesphere.client.reports import LeftOut, Measure, Report
from kinesphere.client.synchronous import Client
from kinesphere.client.values import (
    Artifact,
    Eta,
    EtaBasis,
    Event,
    FieldProblem,
    Job,
    JobError,
    JobWebhook,
    MeshOptions,
    Model,
    ModelRef,
    MotionOptions,
    Pool,
    Progress,
    Readiness,
    Replica,
    Stage,
)
from kinesphere.client.webhooks import Webhook, verify_webhook

__all__ = [
    "ApiError",
    "Artifact",
    "AsyncClient",
    "Client",
    "ConnectionFailed",
    "DigestMismatch",
    "Eta",
    "EtaBasis",
    "Event",
    "FieldProblem",
    "Job",
    "JobError",
    "JobFailed",
    "JobWebhook",
    "Key",
    "KinesphereError",
    "LeftOut",
    "Measure",
    "MeshOptions",
    "Model",
    "ModelRef",
    "MotionOptions",
    "NotFound",
    "Pool",
    "Progress",
    "Readiness",
    "Rejected",
    "Release",
    "ReleaseEntry",
    "Replica",
    "Report",
    "Stage",
    "TimedOut",
    "Unavailable",
    "UnexpectedAnswer",
    "Webhook",
    "WebhookInvalid",
    "verify_webhook",
]
